"""A llama of about 100,000 random weights, as a GGUF: trained on in milliseconds, no download."""

import array
import random
import struct

WIDTH, HEADS, KV_HEADS, HIDDEN, LAYERS, CONTEXT = 64, 4, 2, 96, 2, 512
TEXT, ARRAY, NUMBER, REAL, FLAG = 8, 9, 4, 6, 7
F32 = 0
ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, kind, packed):
    return text(key) + struct.pack("<I", kind) + packed


def texts(key, values):
    body = struct.pack("<IQ", TEXT, len(values)) + b"".join(map(text, values))
    return pair(key, ARRAY, body)


def numbers(key, values):
    return pair(key, ARRAY, struct.pack(f"<IQ{len(values)}i", 5, len(values), *values))


def byte_names():
    """GPT-2's printable names of the 256 bytes."""
    names, extra = [], 0x100
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174:
            names.append(chr(byte))
        else:
            names.append(chr(extra))
            extra += 1
    return names


def metadata():
    tokens = byte_names() + ["<|end|>", "<|im_start|>", "<|im_end|>"]
    llama = [("context_length", CONTEXT), ("embedding_length", WIDTH), ("block_count", LAYERS),
             ("feed_forward_length", HIDDEN), ("attention.head_count", HEADS),
             ("attention.head_count_kv", KV_HEADS), ("rope.dimension_count", WIDTH // HEADS)]
    pairs = [pair("general.architecture", TEXT, text("llama")),
             pair("general.name", TEXT, text("tiny"))]
    pairs += [pair(f"llama.{key}", NUMBER, struct.pack("<I", value)) for key, value in llama]
    pairs += [pair("llama.attention.layer_norm_rms_epsilon", REAL, struct.pack("<f", 1e-5)),
              pair("tokenizer.ggml.model", TEXT, text("gpt2")),
              pair("tokenizer.ggml.pre", TEXT, text("default")),
              texts("tokenizer.ggml.tokens", tokens),
              numbers("tokenizer.ggml.token_type", [1] * 256 + [3] * 3),
              texts("tokenizer.ggml.merges", ["a b"]),
              pair("tokenizer.ggml.eos_token_id", NUMBER, struct.pack("<I", 258)),
              pair("tokenizer.ggml.bos_token_id", NUMBER, struct.pack("<I", 256)),
              pair("tokenizer.ggml.add_bos_token", FLAG, b"\0")]
    return pairs, len(tokens)


def tensors(vocabulary):
    kv = WIDTH // HEADS * KV_HEADS
    out = [("token_embd.weight", WIDTH, vocabulary), ("output_norm.weight", WIDTH, 0)]
    for layer in range(LAYERS):
        matrices = [("attn_q", WIDTH, WIDTH), ("attn_k", WIDTH, kv), ("attn_v", WIDTH, kv),
                    ("attn_output", WIDTH, WIDTH), ("ffn_gate", WIDTH, HIDDEN),
                    ("ffn_up", WIDTH, HIDDEN), ("ffn_down", HIDDEN, WIDTH)]
        out += [(f"blk.{layer}.{name}.weight", i, o) for name, i, o in matrices]
        out += [(f"blk.{layer}.{name}.weight", WIDTH, 0) for name in ("attn_norm", "ffn_norm")]
    return out


def write_tiny_gguf(path, seed=7):
    """Vectors have `outputs` 0 and hold ones; matrices are normal, of variance 4 / inputs."""
    draw = random.Random(seed)
    pairs, vocabulary = metadata()
    head, data = b"", b""
    for name, inputs, outputs in tensors(vocabulary):
        shape = (inputs, outputs) if outputs else (inputs,)
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, F32, len(data))
        scale = 2 / inputs ** 0.5
        count = inputs * max(1, outputs)
        values = [draw.gauss(0, scale) for _ in range(count)] if outputs else [1.0] * count
        data += array.array("f", values).tobytes()
        data += b"\0" * (-len(data) % ALIGNMENT)
    count = len(tensors(vocabulary))
    out = b"GGUF" + struct.pack("<IQQ", 3, count, len(pairs)) + b"".join(pairs) + head
    out += b"\0" * (-len(out) % ALIGNMENT)
    path.write_bytes(out + data)
