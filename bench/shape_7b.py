"""A GGUF with the shape of Mistral 7B in Q4_K_M and weights that mean nothing: what a large model
costs, without a download. 4.1 GB; written once, to build/bench."""

import random
import struct
from pathlib import Path

LAYERS, WIDTH, HIDDEN, HEADS, KV_HEADS, VOCABULARY = 32, 4096, 14336, 32, 8, 32000
KV_WIDTH = WIDTH // HEADS * KV_HEADS
F32, Q4_K, Q6_K = 0, 12, 14  # ggml's numbers of the types
BLOCK = 256                  # weights in a block of a K-quant
BYTES = {Q4_K: 144, Q6_K: 210}
ALIGNMENT = 32
U32, FLOAT, STRING, ARRAY, INT32 = 4, 6, 8, 9, 5  # GGUF's numbers of the value types


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, value):
    packed = {U32: lambda: struct.pack("<I", value), FLOAT: lambda: struct.pack("<f", value),
              STRING: lambda: text(value)}[kind]()
    return text(key) + struct.pack("<I", kind) + packed


def array(key, kind, values):
    pack = text if kind == STRING else (lambda v: struct.pack("<i", v))
    return (text(key) + struct.pack("<IIQ", ARRAY, kind, len(values))
            + b"".join(pack(v) for v in values))


def printable(byte):
    """GPT-2's printable name of a byte."""
    plain = 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174
    if plain:
        return chr(byte)
    others = [b for b in range(256)
              if not (33 <= b <= 126 or 161 <= b <= 172 or b >= 174)]
    return chr(0x100 + others.index(byte))


def metadata():
    tokens = [printable(b) for b in range(256)] + ["<s>", "</s>"]
    tokens += [f"[w{i}]" for i in range(len(tokens), VOCABULARY)]
    kinds = [1] * 256 + [3, 3] + [1] * (VOCABULARY - 258)  # 1 = normal, 3 = control
    a = "llama."
    return [
        entry("general.architecture", STRING, "llama"), entry("general.name", STRING, "7B shape"),
        entry("general.file_type", U32, 15), entry(a + "block_count", U32, LAYERS),
        entry(a + "context_length", U32, 8192), entry(a + "embedding_length", U32, WIDTH),
        entry(a + "feed_forward_length", U32, HIDDEN),
        entry(a + "attention.head_count", U32, HEADS),
        entry(a + "attention.head_count_kv", U32, KV_HEADS),
        entry(a + "attention.layer_norm_rms_epsilon", FLOAT, 1e-5),
        entry(a + "rope.dimension_count", U32, WIDTH // HEADS),
        entry(a + "rope.freq_base", FLOAT, 10000.0), entry(a + "vocab_size", U32, VOCABULARY),
        entry("tokenizer.ggml.model", STRING, "gpt2"), entry("tokenizer.ggml.pre", STRING, "gpt-2"),
        array("tokenizer.ggml.tokens", STRING, tokens),
        array("tokenizer.ggml.token_type", INT32, kinds),
        array("tokenizer.ggml.merges", STRING, ["a b"]),
        entry("tokenizer.ggml.bos_token_id", U32, 256),
        entry("tokenizer.ggml.eos_token_id", U32, 257),
    ]


def uses_more_bits(layer):
    """Where Q4_K_M keeps Q6_K: the first and last eighth of the layers and every third between."""
    eighth = LAYERS // 8
    return layer < eighth or layer >= 7 * eighth or (layer - eighth) % 3 == 2


def tensors():
    """(name, columns, rows, type), in the order of the file."""
    out = [("token_embd.weight", WIDTH, VOCABULARY, Q4_K), ("output_norm.weight", WIDTH, 1, F32),
           ("output.weight", WIDTH, VOCABULARY, Q6_K)]
    for layer in range(LAYERS):
        b = f"blk.{layer}."
        finer = Q6_K if uses_more_bits(layer) else Q4_K
        out += [(b + "attn_norm.weight", WIDTH, 1, F32), (b + "ffn_norm.weight", WIDTH, 1, F32),
                (b + "attn_q.weight", WIDTH, WIDTH, Q4_K),
                (b + "attn_k.weight", WIDTH, KV_WIDTH, Q4_K),
                (b + "attn_v.weight", WIDTH, KV_WIDTH, finer),
                (b + "attn_output.weight", WIDTH, WIDTH, Q4_K),
                (b + "ffn_gate.weight", WIDTH, HIDDEN, Q4_K),
                (b + "ffn_up.weight", WIDTH, HIDDEN, Q4_K),
                (b + "ffn_down.weight", HIDDEN, WIDTH, finer)]
    return out


def size(columns, rows, kind):
    return columns * rows * 4 if kind == F32 else columns * rows // BLOCK * BYTES[kind]


def random_blocks(kind, generator, count=4096):
    """Blocks whose weights are about as large as a model's: scales small, the rest any bits."""
    small = struct.pack("<e", 0.0005)
    out = []
    for _ in range(count):
        if kind == Q4_K:  # d, dmin, 12 bytes of scales, 128 of weights
            out.append(small + struct.pack("<e", 0.004) + generator.randbytes(12 + 128))
        else:  # 128 + 64 bytes of weights, 16 signed scales, d
            out.append(generator.randbytes(192) + bytes(generator.choices(range(1, 64), k=16))
                       + struct.pack("<e", 0.00005))
    return b"".join(out)


def write_tensor(file, columns, rows, kind, blocks):
    bytes_left = size(columns, rows, kind)
    if kind == F32:
        file.write(struct.pack("<f", 1.0) * (columns * rows))
    else:
        while bytes_left > 0:
            part = blocks[kind][:bytes_left]
            file.write(part)
            bytes_left -= len(part)
    file.write(b"\0" * (-file.tell() % ALIGNMENT))


def write_7b(path):
    """Writes it if it is not there, and returns the path."""
    path = Path(path)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = random.Random(7)
    blocks = {kind: random_blocks(kind, generator) for kind in BYTES}
    entries, shapes, offset = metadata(), [], 0
    for name, columns, rows, kind in tensors():
        dims = [columns] if rows == 1 else [columns, rows]
        shapes.append(text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset))
        offset += size(columns, rows, kind) + -size(columns, rows, kind) % ALIGNMENT
    partial = path.with_suffix(".part")
    with open(partial, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(entries)))
        file.write(b"".join(entries) + b"".join(shapes))
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
        for _, columns, rows, kind in tensors():
            write_tensor(file, columns, rows, kind, blocks)
    partial.rename(path)
    return path


if __name__ == "__main__":
    import sys
    print(write_7b(sys.argv[1]))
