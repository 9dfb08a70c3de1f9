"""Just enough of GGUF to read a model's vocabulary, and to make broken files."""

import functools
import struct

SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class Reader:
    def __init__(self, file):
        self.file = file

    def number(self, code):
        code = "<" + code
        return struct.unpack(code, self.file.read(struct.calcsize(code)))[0]

    def string(self):
        return self.file.read(self.number("Q")).decode(errors="replace")

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            element, count = self.number("I"), self.number("Q")
            return [self.value(element) for _ in range(count)]
        return self.number(SIZES[kind])


@functools.cache
def metadata(path):
    with open(path, "rb") as file:
        reader = Reader(file)
        assert file.read(4) == b"GGUF" and reader.number("I") == 3
        reader.number("Q")
        pairs = reader.number("Q")
        out = {}
        for _ in range(pairs):
            key = reader.string()
            out[key] = reader.value(reader.number("I"))
        return out


def tensors_begin(path):
    """Where the head of the file ends, and the values of its tensors begin."""
    with open(path, "rb") as file:
        reader = Reader(file)
        assert file.read(4) == b"GGUF" and reader.number("I") == 3
        tensors, pairs = reader.number("Q"), reader.number("Q")
        alignment = 32
        for _ in range(pairs):
            key, value = reader.string(), reader.value(reader.number("I"))
            alignment = value if key == "general.alignment" else alignment
        for _ in range(tensors):
            reader.string()
            file.read(8 * reader.number("I") + 4 + 8)  # sizes, type, offset
        return (file.tell() + alignment - 1) // alignment * alignment


def vocabulary(path):
    return metadata(path)["tokenizer.ggml.tokens"]
