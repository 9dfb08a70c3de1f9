"""Adapters (LoRA) of random values, as GGUF files."""

import array
import random
import struct

from gguf import metadata

ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pad(data):
    return data + bytes(-len(data) % ALIGNMENT)


def write_gguf(path, texts, reals, tensors):
    """tensors: name -> (columns, rows, array of floats)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(texts) + len(reals))
    for name, value in texts.items():
        head += text(name) + struct.pack("<I", 8) + text(value)
    for name, value in reals.items():
        head += text(name) + struct.pack("<If", 6, value)
    offset = 0
    for name, (columns, rows, values) in tensors.items():
        head += text(name) + struct.pack("<IQQIQ", 2, columns, rows, 0, offset)
        offset += len(pad(values.tobytes()))
    with open(path, "wb") as file:
        file.write(pad(head))
        for _, _, values in tensors.values():
            file.write(pad(values.tobytes()))


def write_random_adapter(path, base, base_path, seed, rank=4, strength=0.02, width=None):
    """Of q and v of all layers of a llama."""
    about = metadata(base_path)
    width = width or about["llama.embedding_length"]
    heads = about["llama.attention.head_count"]
    narrow = width // heads * about["llama.attention.head_count_kv"]
    draw = random.Random(seed)
    tensors = {}
    for layer in range(about["llama.block_count"]):
        for module, rows in (("attn_q", width), ("attn_v", narrow)):
            name = f"blk.{layer}.{module}.weight.lora_"
            down = array.array("f", (draw.gauss(0, 1) for _ in range(rank * width)))
            up = array.array("f", (draw.gauss(0, strength) for _ in range(rank * rows)))
            tensors[name + "a"] = (width, rank, down)
            tensors[name + "b"] = (rank, rows, up)
    texts = {"general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora",
             "jikji.base.name": base}
    write_gguf(path, texts, {"adapter.lora.alpha": float(rank)}, tensors)
