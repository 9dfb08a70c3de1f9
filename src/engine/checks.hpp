#pragma once
// What a request must hold before it may enter the queue. All throw Error with the field's name.
#include <exception>
#include <string>
#include <vector>

#include "engine/loaded_model.hpp"
#include "engine/request.hpp"

namespace jikji::engine {

void check(const GenerationRequest& request, const LoadedModel& loaded);
void check(const EmbeddingRequest& request, const LoadedModel& loaded);

/// Error(kTimeout), for what did not end before its deadline.
std::exception_ptr timeout_error();

/// Why nobody wants the request any more: Error(kTimeout) or Error(kCancelled); null as long as
/// somebody does.
std::exception_ptr over(const Patience& patience);
void throw_if_over(const Patience& patience);

/// Error(kStopping), for what the end of the program cuts off.
std::exception_ptr stopping_error();

/// Error(kModelNotFound), naming those that are known.
[[noreturn]] void throw_no_such_model(const std::string& name,
                                      const std::vector<std::string>& known);

/// Error(kModelNotFound), Error(kInvalidArgument): of an adapter whose base is not there, or is
/// one.
[[noreturn]] void throw_no_base(const std::string& adapter, const std::string& base);
[[noreturn]] void throw_base_is_adapter(const std::string& adapter, const std::string& base);

/// Error(kContextLength), worded as OpenAI words it: agents parse it.
[[noreturn]] void throw_too_long(int context, int length, const char* field);

}  // namespace jikji::engine
