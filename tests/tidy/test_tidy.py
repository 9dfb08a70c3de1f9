"""Holds the source to the house style: layers, sizes, and what no file may say."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
COLUMNS_MAX = 100

# Path -> why it may be longer. A line without a reason is not accepted.
LONG_FILES = {}
# "path:function's first line" -> why.
LONG_FUNCTIONS = {}

# What api may take from engine: the plain data that crosses its border.
NARROW_EDGES = {("api", "engine"): {"engine/stream.hpp", "engine/request.hpp"}}


def tracked_files():
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True, check=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def source_files():
    return [f for f in tracked_files() if SOURCE in f.parents and f.suffix in (".hpp", ".cpp")]


def relative(path):
    return str(path.relative_to(ROOT))


def allowed_edges():
    """The table of docs/architecture.md: folder -> the folders that it may use."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split("## Who may use whom")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z]+) \| (.+?) \|$", section, re.MULTILINE)
    edges = {name: set(re.findall(r"[a-z]+", uses)) for name, uses in rows if name != "folder"}
    assert len(edges) > 10, "the table of docs/architecture.md cannot be read"
    return edges


def includes(path):
    return re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE)


def test_every_folder_is_in_the_table():
    folders = {f.name for f in SOURCE.iterdir() if f.is_dir()}
    assert folders == set(allowed_edges()), "src/ and the table of docs/architecture.md differ"


def test_the_table_has_no_cycle():
    edges = allowed_edges()
    edges["web"] = set()

    def reachable(start, seen):
        for other in edges[start] - seen:
            reachable(other, seen | {other})
            assert start != other and start not in edges[other], f"{start} and {other} use each other"

    for folder in edges:
        reachable(folder, {folder})


def test_folders_use_only_what_the_table_allows():
    edges, wrong = allowed_edges(), []
    for path in source_files():
        folder = path.parent.name if path.parent != SOURCE else None
        for include in includes(path):
            used = include.split("/")[0]
            if folder is None:
                ok = used == "cli"
            elif path.name.endswith("_test.cpp") and used == "support":
                ok = True
            else:
                ok = used == folder or used in edges[folder]
                only = NARROW_EDGES.get((folder, used))
                ok = ok and (only is None or include in only)
            if not ok:
                wrong.append(f"{relative(path)} includes {include}")
    assert not wrong, "\n".join(wrong)


def test_only_llama_includes_llama_headers():
    pattern = re.compile(r'#include [<"](llama|ggml|common|chat|sampling|gguf)[\w.-]*\.h[>"]')
    wrong = [relative(f) for f in source_files()
             if f.parent.name != "llama" and pattern.search(f.read_text())]
    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    wrong = []
    for path in source_files():
        count = path.read_text().count("\n")
        if count > FILE_LINES_MAX and not LONG_FILES.get(relative(path)):
            wrong.append(f"{relative(path)}: {count} lines, {FILE_LINES_MAX} at most")
    assert not wrong, "\n".join(wrong)


def test_lines_are_short():
    wrong = [f"{relative(path)}:{number}: {len(line)} columns"
             for path in source_files()
             for number, line in enumerate(path.read_text().splitlines(), 1)
             if len(line) > COLUMNS_MAX]
    assert not wrong, "\n".join(wrong)


def functions(path):
    """(line number, first line, lines) of each function, as clang-format lays them out: a body
    opens with `{` at the end of a line that is not a type or namespace, and closes with `}` at the
    indentation of its first line."""
    lines = path.read_text().splitlines()
    opener = re.compile(r"\)[^;{}]*\{$")
    control = re.compile(r"^\s*(\} )?(if|for|while|switch|else|do|catch|try|namespace|class|struct|"
                         r"enum|TEST_CASE|TEST_SUITE|SUBCASE)\b")
    for index, line in enumerate(lines):
        if not opener.search(line) or control.match(line):
            continue
        indent = len(line) - len(line.lstrip())
        if indent > 8:
            continue  # a lambda inside a function counts with the function
        for end in range(index + 1, len(lines)):
            if re.match(rf"^\s{{0,{indent}}}\}}", lines[end]):
                yield index + 1, line.strip(), end - index + 1
                break


def test_functions_are_short():
    wrong = []
    for path in source_files():
        for number, first, count in functions(path):
            excused = LONG_FUNCTIONS.get(f"{relative(path)}:{first}")
            if count > FUNCTION_LINES_MAX and not excused:
                wrong.append(f"{relative(path)}:{number}: {count} lines: {first}")
    assert not wrong, "\n".join(wrong)


def test_the_function_reader_finds_functions():
    found = [count for path in source_files() for _, _, count in functions(path)]
    assert len(found) > 100 and max(found) > 15, "functions() reads nothing"


def text_files():
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" not in data and path.suffix not in (".pdf", ".gguf", ".bin"):
            yield path, data


def test_files_end_with_a_newline():
    wrong = [relative(path) for path, data in text_files() if data and not data.endswith(b"\n")]
    assert not wrong, "\n".join(wrong)


def test_no_file_names_a_registry():
    # Written in parts, so that this file does not name them either.
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "npm" + "js.com",
             "deb." + "debian.org", "crates" + ".io"]
    wrong = [f"{relative(path)} names {host}" for path, data in text_files()
             for host in hosts if host.encode() in data]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", ["exit", "abort", "printf", "std::cout", "std::cerr"])
def test_libraries_neither_print_nor_exit(library):
    pattern = re.compile(rf"(?<![\w.:>]){re.escape(library)}(?![\w:])\s*(\(|<<)")
    wrong = []
    for path in source_files():
        if path.parent.name in ("cli", "src") or path.name.endswith("_test.cpp"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if pattern.search(line.split("//")[0]):
                wrong.append(f"{relative(path)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)
