#include "training/model_tokeniser.hpp"

#include "llama/model.hpp"

namespace jikji::training {
namespace {

std::vector<llama::Turn> turns_of(const std::vector<ChatTurn>& turns) {
    std::vector<llama::Turn> out;
    out.reserve(turns.size());
    for (const ChatTurn& turn : turns) out.push_back({turn.role, turn.content});
    return out;
}

}  // namespace

Tokeniser tokeniser_of(std::shared_ptr<const llama::Model> model) {
    Tokeniser out;
    out.has_template = model->has_chat_template();
    out.begin = model->begin_token();
    out.end = model->end_token();
    out.tokens = [model](std::string_view text, bool special) {
        return model->tokenize(text, /*whole=*/false, special);
    };
    out.ends = [model](Token token) { return model->ends_generation(token); };
    out.chat = [model](const std::vector<ChatTurn>& turns, bool answer_begins) {
        return model->render_turns(turns_of(turns), answer_begins);
    };
    return out;
}

}  // namespace jikji::training
