#include "service/encoder.hpp"

#include "service/embeddings.hpp"

namespace jikji::service {

Encoder encoder_of(Embeddings& embeddings) {
    Encoder encoder;
    encoder.model = embeddings.default_model();
    encoder.embed = [&embeddings](const std::vector<std::string>& texts, engine::Side side,
                                  const Caller& caller) {
        EmbeddingsRequest request;
        request.texts = texts;
        request.side = side;
        request.cut = true;
        request.caller = caller;
        return embeddings.embed(request).rows;
    };
    encoder.count_tokens = [&embeddings](std::string_view text) {
        return embeddings.count_tokens(std::string(text));
    };
    return encoder;
}

}  // namespace jikji::service
