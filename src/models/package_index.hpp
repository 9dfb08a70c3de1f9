#pragma once
// Finds the file of a Python package in the index that pip on this machine is set up for (PEP 503,
// "simple" pages in HTML). Jikji itself names no index. Threads: any.
#include <string>
#include <string_view>

#include "models/catalogue.hpp"

namespace jikji::models {

/// JIKJI_PACKAGE_INDEX, else PIP_INDEX_URL, else what pip is set to, else pip's own default.
/// Throws Error(kNotFound) if none of them is there, saying what to set.
std::string package_index();

/// The address of the file whose sha256 or, failing that, whose name is the wanted one; `page` is
/// the package's page and `page_url` where it was found. Empty if the page lacks it.
std::string find_on_page(std::string_view page, std::string_view page_url, const Download& wanted);

/// Where the file of a package can be fetched. Throws Error(kNotFound), or Error(kInternal) if the
/// index cannot be reached.
std::string find_package_file(const Download& wanted);

}  // namespace jikji::models
