#pragma once
// What a fine-tuning job may ask for: checked before anything starts. Threads: any.
#include <filesystem>
#include <string>
#include <vector>

#include "models/store.hpp"
#include "service/fine_tuning.hpp"
#include "training/lora.hpp"

namespace jikji::service {

/// In the order of training::Module, each once. Throws Error(kInvalidArgument) with "did you mean".
std::vector<training::Module> targets_of(const FineTuningRequest& request);

/// The suffix in NFC. Throws Error(kInvalidArgument) unless it is at most 64 letters and digits of
/// any script, '.', '_' and '-'.
std::string checked_suffix(const std::string& suffix);

struct TrainableBase {
    std::string name;
    int context = 0;  // tokens that it was trained on; 0 = not known
};
/// Throws Error(kModelNotFound), or Error(kUnsupported, "model") that says what can be trained.
TrainableBase trainable_base(const models::Store& store, const std::string& model);
/// Throws Error(kInvalidArgument) if samples may be longer than the base's context.
void check_length(const FineTuningRequest& request, const TrainableBase& base);

/// `field`: training_file or validation_file. Throws Error with that field: kNotFound,
/// kInvalidArgument for another purpose and for data that is wrong, with file, line and field.
FileObject checked_data(const Files& files, const std::string& id, const std::string& field);

/// The rest of it: ranges that are left, and pairs that do not go together.
void check_request(const FineTuningRequest& request);

}  // namespace jikji::service
