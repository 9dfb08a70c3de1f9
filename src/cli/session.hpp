#pragma once
// The server that a command talks to: the one that holds the data folder, or, if nobody does, one
// in this process that ends with the session. One code path for the commands: HTTP.
#include <functional>
#include <memory>
#include <string>

#include "cli/options.hpp"
#include "http/client.hpp"

namespace jikji::cli {

class Session {
public:
    /// Throws Error if neither is possible, saying why.
    explicit Session(const CommonOptions& options);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// A client of its own for each thread. `poll` is called about ten times a second while it
    /// waits; false cancels.
    http::Client client(std::function<bool()> poll = {}) const;

private:
    class Own;  // a server in this process
    std::unique_ptr<Own> own_;
    std::string url_;
    std::string api_key_;
    Language language_;
};

}  // namespace jikji::cli
