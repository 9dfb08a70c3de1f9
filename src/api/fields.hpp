#pragma once
// What several routes read in the same way. Everything throws Error with the field's path.
// Threads: any; pure.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/call.hpp"
#include "http/json.hpp"
#include "service/caller.hpp"
#include "service/collections.hpp"
#include "service/prompt_library.hpp"
#include "service/sampling_options.hpp"

namespace jikji::api {

/// temperature, top_p, top_k, min_p, repeat_penalty, presence_penalty, frequency_penalty, seed,
/// stop, logit_bias, ignore_eos, max_tokens. Ranges are the service's business; only what is no
/// number at all is refused here.
service::SamplingOptions read_sampling(http::Fields& fields);

/// n, 1 if absent.
int read_choices(http::Fields& fields);

struct StreamFields {
    bool stream = false;
    bool include_usage = false;  // a last chunk with the usage
};
StreamFields read_stream(http::Fields& fields);

/// use_cache of the body; a Cache-Control: no-cache or no-store of the call turns it off as well.
bool read_use_cache(http::Fields& fields, const http::Call& call);

/// The key, whether the client is still there, and the header x-jikji-timeout-ms: so long after its
/// head the request is off the machine, whether it has ended or not (408).
service::Caller read_caller(const http::Call& call);
/// The same with service_tier ("flex" waits for everybody else).
service::Caller read_caller(http::Fields& fields, const http::Call& call);

/// `prompt` of a chat request. `version` is refused: templates have no versions yet.
std::optional<service::PromptReference> read_prompt(http::Fields& fields);

/// Texts or token lists, in any of OpenAI's four forms; one of the two is empty.
struct TextOrTokens {
    std::vector<std::string> texts;
    std::vector<std::vector<engine::Token>> tokens;
    std::size_t size() const { return texts.size() + tokens.size(); }
};
TextOrTokens read_text_or_tokens(http::Fields& fields, std::string_view name,
                                 std::size_t items_max);

/// At most 16 pairs of strings; empty if absent.
std::map<std::string, std::string> read_metadata(http::Fields& fields);
std::map<std::string, service::Attribute> read_attributes(http::Fields& fields);
service::Chunking read_chunking(http::Fields& fields);

/// limit, order, after of the query; `before` is refused.
service::Page read_page(const http::Call& call, int limit_default, int limit_max);

/// Throws Error(kUnsupported) if the member is there, unless it is an empty list.
struct Reason {
    std::string_view english;  // follows "tools is not supported: "
    std::string_view korean;
};
void refuse(http::Fields& fields, std::string_view name, const Reason& reason);
[[noreturn]] void throw_unsupported(std::string_view path, const Reason& reason);

/// Throws Error(kInvalidArgument) if `text` is longer than that.
void check_bytes(std::string_view path, std::string_view text, std::size_t bytes_max);

}  // namespace jikji::api
