#pragma once
// Files to text: TXT, Markdown, HTML, PDF. Threads: any; a PDF waits for a child process.
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "knowledge/document.hpp"

namespace jikji::knowledge {

/// The extensions that read_document takes, with the dot, lower case.
const std::vector<std::string>& readable_extensions();

/// Whether `filename` has one of them; what `ingest FOLDER` picks.
bool is_readable(std::string_view filename);

/// Reads `file`; `filename` is its name to people and tells its type. `poll` returning false ends
/// the reading of a PDF (Error(kCancelled)). Throws Error(kRejected), in both languages, with the
/// reason and what to do: unknown type, empty, binary, a PDF that is encrypted, damaged or has no
/// text; Error(kTooLarge) for more than limits::kDocumentTextBytes of text.
Document read_document(const std::filesystem::path& file, const std::string& filename,
                       const std::function<bool()>& poll = {});

}  // namespace jikji::knowledge
