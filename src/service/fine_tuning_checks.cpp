#include "service/fine_tuning_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"
#include "service/collection_checks.hpp"
#include "text/normalise.hpp"
#include "training/base_model.hpp"
#include "training/dataset.hpp"

namespace jikji::service {
namespace {

[[noreturn]] void refuse(const std::string& field, const std::string& english,
                         const std::string& korean) {
    throw Error(ErrorCode::kInvalidArgument, field + " " + english, field, field + ": " + korean);
}

/// The same error with the field as the request has it.
[[noreturn]] void rethrow_at(const Error& error, const std::string& field) {
    throw Error(error.code(), error.what(), field, error.korean());
}

[[noreturn]] void refuse_adapter(const std::string& model) {
    const std::string shown = printable(model);
    throw Error(ErrorCode::kUnsupported,
                fmt::format("model is {}, an adapter; fine-tune the model beneath it", shown),
                "model",
                fmt::format("{}은(는) 어댑터입니다. 그 기본 모델을 미세 조정하세요.", shown));
}

bool is_name_character(char32_t c) {
    const bool ascii = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '.' || c == '_' || c == '-';
    if (c < 0x80) return ascii;
    // Beside the letters: spaces, marks of direction, what is private or no character at all.
    const bool space = c < 0xa1 || c == 0xad || (c >= 0x2000 && c <= 0x206f) || c == 0x3000 ||
                       c == 0x1680 || c == 0xfeff;
    const bool other = (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xffff) || c >= 0xe0000;
    return !space && !other;
}

}  // namespace

std::vector<training::Module> targets_of(const FineTuningRequest& request) {
    const std::string field = request.path + ".target";
    std::vector<training::Module> out;
    for (const std::string& name : request.targets) {
        try {
            out.push_back(training::module_named(name));
        } catch (const Error& error) {
            rethrow_at(error, field);
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    if (out.empty()) {
        refuse(field, "is empty; name at least one, such as q_proj",
               "비어 있습니다. q_proj처럼 하나 이상 주세요.");
    }
    return out;
}

std::string checked_suffix(const std::string& suffix) {
    if (!text::valid_utf8(suffix))
        refuse("suffix", "is not valid UTF-8", "올바른 UTF-8이 아닙니다.");
    std::string out = text::nfc(suffix);
    const std::size_t characters = text::count_characters(out);
    if (characters > fine_tuning_limits::kSuffixCharacters) {
        refuse("suffix",
               fmt::format("has {} characters; give at most {}", characters,
                           fine_tuning_limits::kSuffixCharacters),
               fmt::format("{}자입니다. {}자까지 줄 수 있습니다.", characters,
                           fine_tuning_limits::kSuffixCharacters));
    }
    for (std::size_t at = 0; at < out.size();) {
        const text::CodePoint c = text::code_point_at(out, at);
        if (!is_name_character(c.value)) {
            const std::string shown = printable(out.substr(at, c.bytes));
            refuse("suffix",
                   fmt::format("holds '{}'; use letters, digits, '.', '_' and '-'", shown),
                   fmt::format("'{}'은(는) 쓸 수 없습니다. 글자, 숫자, '.', '_', '-'만 쓰세요.",
                               shown));
        }
        at += c.bytes;
    }
    return out;
}

TrainableBase trainable_base(const models::Store& store, const std::string& model) {
    if (model.starts_with("ft:")) refuse_adapter(model);
    models::InstalledModel base;
    try {
        base = store.find(model);
    } catch (const Error& error) {
        rethrow_at(error, "model");
    }
    if (base.adapter) refuse_adapter(model);
    try {
        return {base.name, training::BaseModel(base.path).shape().context};  // looks at all tensors
    } catch (const Error& error) {
        rethrow_at(error, "model");
    }
}

void check_length(const FineTuningRequest& request, const TrainableBase& base) {
    if (base.context == 0 || request.max_length <= base.context) return;
    refuse(request.path + ".max_length",
           fmt::format("is {}; {} was trained on {} tokens: give at most that", request.max_length,
                       base.name, base.context),
           fmt::format("{}입니다. {} 모델의 문맥은 {}토큰입니다. 그 이하로 주세요.",
                       request.max_length, base.name, base.context));
}

FileObject checked_data(const Files& files, const std::string& id, const std::string& field) {
    FileObject file;
    try {
        file = files.get(id);
    } catch (const Error& error) {
        rethrow_at(error, field);
    }
    if (file.purpose != "fine-tune") {
        refuse(field,
               fmt::format("is '{}', a file with the purpose {}; upload it with the purpose "
                           "fine-tune",
                           file.filename, file.purpose),
               fmt::format("'{}' 파일의 purpose가 {}입니다. fine-tune으로 올려 주세요.",
                           file.filename, file.purpose));
    }
    try {
        training::read_records(files.path_of(id), file.filename);
    } catch (const Error& error) {
        rethrow_at(error, field);
    }
    return file;
}

void check_request(const FineTuningRequest& request) {
    training::LoraOptions lora;
    lora.rank = request.rank;
    lora.alpha = static_cast<float>(request.alpha);
    lora.dropout = static_cast<float>(request.dropout);
    lora.targets = targets_of(request);
    try {
        training::check(lora);
    } catch (const Error& error) {
        rethrow_at(error, request.path + "." + error.field());
    }
    check_metadata(request.metadata);
    if (!request.validation_file.empty() && request.validation_file == request.training_file) {
        refuse("validation_file",
               "is the training_file too, and measures nothing; give another one, or leave it out: "
               "then a share is held out",
               "training_file과 같아서 잴 것이 없습니다. 다른 파일을 주거나 빼세요. 그러면 예문의 "
               "일부를 떼어 둡니다.");
    }
}

}  // namespace jikji::service
