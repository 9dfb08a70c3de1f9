#include "cli/command_line.hpp"

int main(int argc, char** argv) { return jikji::cli::run(argc, argv); }
