// Chat templates: the Jinja that a model file carries, through llama.cpp's common library.
#include <chat.h>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "llama/dense_weights.hpp"
#include "llama/model.hpp"
#include "llama/templates.hpp"

namespace jikji::llama {

Model::~Model() = default;

void Model::FreeTemplates::operator()(Templates* templates) const noexcept { delete templates; }

namespace {

// 1 January 2026: a job that goes on another day has to see the same tokens.
constexpr std::chrono::seconds kDateToLearn{1'767'225'600};

// Asked once: the library finds it out by rendering a dozen chats.
bool template_thinks(const common_chat_templates* templates) {
    common_chat_templates_inputs inputs;
    common_chat_msg message;
    message.role = "user";
    message.content = "hello";
    inputs.messages.push_back(message);
    try {
        return common_chat_templates_apply(templates, inputs).supports_thinking;
    } catch (const std::exception&) {
        return false;  // it wants other messages, and will say so when it gets them
    }
}

}  // namespace

void Model::load_templates() {
    try {
        templates_.reset(new Templates{common_chat_templates_init(model_.get(), /*override=*/"")});
        thinks_ = template_thinks(templates_->handle.get());
    } catch (const std::exception& cause) {
        throw Error(ErrorCode::kRejected,
                    std::string("the model's chat template cannot be read: ") + cause.what(), {},
                    std::string("모델의 대화 템플릿을 읽을 수 없습니다: ") + cause.what());
    }
}

common_chat_params applied(const common_chat_templates* templates,
                           const common_chat_templates_inputs& inputs) {
    try {
        return common_chat_templates_apply(templates, inputs);
    } catch (const std::exception& cause) {
        throw Error(
            ErrorCode::kInvalidArgument,
            std::string("the model's chat template refuses these messages: ") + cause.what(),
            "messages",
            std::string("모델의 대화 템플릿이 이 메시지를 받아들이지 않습니다: ") + cause.what());
    }
}

std::string Model::render_text(const std::vector<Turn>& turns, Rendering how) const {
    if (!templates_) {
        throw Error(ErrorCode::kInvalidArgument,
                    "this is an embedding model and cannot chat; choose a chat model", "model",
                    "임베딩 모델이라 대화할 수 없습니다. 대화 모델을 고르세요.");
    }
    common_chat_templates_inputs inputs;
    for (const Turn& turn : turns) {
        common_chat_msg message;
        message.role = turn.role;
        message.content = turn.content;
        inputs.messages.push_back(std::move(message));
    }
    inputs.add_generation_prompt = how.answer_begins;
    if (how.to_learn) {
        inputs.force_pure_content = true;  // spares the search for a parser: ten times the speed
        inputs.now = std::chrono::system_clock::time_point{kDateToLearn};
    }
    return applied(templates_->handle.get(), inputs).prompt;
}

bool Model::holds_markup(std::string_view text) const {
    return std::any_of(markup_.begin(), markup_.end(), [&](const std::string& mark) {
        return text.find(mark) != std::string_view::npos;
    });
}

bool Model::has_chat_template() const {
    return templates_ && common_chat_templates_was_explicit(templates_->handle.get());
}

std::vector<Token> Model::render(const std::vector<Turn>& turns) const {
    return render_as(turns, {});
}

std::vector<Token> Model::render_turns(const std::vector<Turn>& turns, bool answer_begins) const {
    return render_as(turns, {.answer_begins = answer_begins, .to_learn = true});
}

std::vector<Token> Model::render_as(const std::vector<Turn>& turns, Rendering how) const {
    const bool hostile = std::any_of(turns.begin(), turns.end(),
                                     [&](const Turn& turn) { return holds_markup(turn.content); });
    if (hostile) return render_apart(turns, how);
    return tokenize(render_text(turns, how), /*whole=*/true, /*special=*/true);
}

// Scaffold and content tokenised apart, so that "<|im_end|>" in a message stays text. Only used
// where a message holds such markup: cut at the borders, the tokens of ordinary text may differ
// from those that the model was trained on.
std::vector<Token> Model::render_apart(const std::vector<Turn>& turns, Rendering how) const {
    const std::string nonce = hex(random_bytes(8));
    std::vector<Turn> masked = turns;
    std::vector<std::string> marks;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        marks.push_back("jikji-" + nonce + "-" + std::to_string(i) + "-content");
        masked[i].content = marks.back();
    }
    std::string rest = render_text(masked, how);
    std::vector<Token> out;
    const auto append = [&](std::string_view text, bool special) {
        const auto tokens = tokenize(text, /*whole=*/out.empty(), special);
        out.insert(out.end(), tokens.begin(), tokens.end());
    };
    for (std::size_t i = 0; i < turns.size(); ++i) {
        const auto at = rest.find(marks[i]);
        if (at == std::string::npos) continue;  // a template may leave a turn out
        append(std::string_view(rest).substr(0, at), true);
        append(turns[i].content, false);
        rest.erase(0, at + marks[i].size());
    }
    append(rest, true);
    return out;
}

}  // namespace jikji::llama
