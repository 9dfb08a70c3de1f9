#pragma once
// Private to http: who may ask, from where, and in what form. Pure: heads in, refusals out.
#include <string>
#include <string_view>
#include <vector>

#include "http/head.hpp"
#include "http/router.hpp"

namespace jikji::http {

class Gate {
public:
    Gate(std::vector<std::string> key_hashes, const std::vector<std::string>& hosts);

    /// Against DNS rebinding: the Host must be one of ours, or the address that the client reached
    /// (a page from elsewhere always comes with a name). Throws Problem(400) or Problem(421).
    void check_host(const Head& head, std::string_view local_address) const;

    /// Against cross-site requests: a browser's Origin, if there is one and the method writes, must
    /// be this server's. Throws Problem(403).
    void check_origin(const Head& head) const;

    /// Who asks. Throws Error(kUnauthorized). Without keys everyone is "local".
    std::string principal(const Head& head) const;

    /// The body's form for the route. Throws Problem(415).
    static void check_content_type(const Head& head, const Route& route);

private:
    std::vector<std::string> key_hashes_;
    std::vector<std::string> hosts_;
};

/// Host without its port, in lower case. Throws Problem(400) for what is no host.
std::string host_name(std::string_view host);

}  // namespace jikji::http
