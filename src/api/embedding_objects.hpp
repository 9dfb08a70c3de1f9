#pragma once
// Request and answer of POST /v1/embeddings. Threads: any; pure.
#include <span>
#include <string>

#include "http/call.hpp"
#include "service/embeddings.hpp"

namespace jikji::api {

struct EmbeddingsCall {
    service::EmbeddingsRequest request;
    bool base64 = false;
};

/// Throws Error with the field's path.
EmbeddingsCall parse_embeddings(const http::Call& call);

/// The whole answer as JSON text. Written by hand: a page of vectors is most of the bytes, and the
/// shortest digits of a float are half as long as those of the double it would become.
std::string embeddings_body(const engine::EmbeddingResult& result, const std::string& model,
                            bool base64);

/// RFC 4648, with padding, of the floats' little-endian bytes.
std::string base64_of(std::span<const float> values);

}  // namespace jikji::api
