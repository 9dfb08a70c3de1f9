#pragma once
// One reader per format. Private to knowledge: others call read_document. Threads: any.
#include <filesystem>
#include <functional>
#include <string>

#include "knowledge/document.hpp"

namespace jikji::knowledge {

/// Throw Error(kRejected) in both languages if the bytes cannot be read as that format.
Document read_text(const std::string& bytes);
Document read_markdown(const std::string& bytes);
Document read_html(const std::string& bytes);

/// Through pdftotext, a child process with limits. Error(kCancelled) once `poll` returns false.
Document read_pdf(const std::filesystem::path& file, const std::function<bool()>& poll);

}  // namespace jikji::knowledge
