#include "cli/help_text.hpp"

#include <CLI/CLI.hpp>

namespace jikji::cli {

std::string way_to(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    return (parent == nullptr ? "" : way_to(*parent) + " ") + command.get_name();
}

std::string help_of(const CLI::App& command) {
    // App::help() would speak of the subcommand that was parsed, which may be `help` itself.
    return command.get_formatter()->make_help(&command, way_to(command),
                                              CLI::AppFormatMode::Normal);
}

std::vector<std::string> words_of(const CLI::App& command, bool options) {
    std::vector<std::string> out;
    if (options) {
        for (const CLI::Option* option : command.get_options()) {
            for (const std::string& one : option->get_lnames()) out.push_back("--" + one);
        }
        return out;
    }
    for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
        out.push_back(one->get_name());
    }
    return out;
}

}  // namespace jikji::cli
