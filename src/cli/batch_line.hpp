#pragma once
// One line of a batch file: what it asks for, and the line that answers it. Threads: any; pure.
#include <cstddef>
#include <string>
#include <string_view>

#include "cli/wire.hpp"

namespace jikji::cli {

struct BatchRequest {
    std::string custom_id;  // empty if the line has none
    std::string path;       // of the API
    std::string body;       // JSON
};

/// Understands a JSON string, {"prompt": …}, {"messages": …} (both with the fields of a chat
/// request beside them; those that are silent get the settings and flags), and a line of OpenAI's
/// batches: {custom_id, method, url, body}, whose body is sent as it is. Throws
/// Error(kInvalidArgument) that names what is wrong.
BatchRequest read_batch_line(std::string_view line, const json::object& settings,
                             const GenerationFlags& flags);

/// The answer of a line, in the shape of OpenAI's batch output with `line` and `text` beside it.
/// One line of JSON, without its line feed.
std::string batch_answer(std::size_t line, const std::string& custom_id,
                         const http::Answer& answer);
std::string batch_failure(std::size_t line, const std::string& custom_id, const std::string& code,
                          const std::string& message);

}  // namespace jikji::cli
