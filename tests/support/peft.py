"""A LoRA adapter as Hugging Face's PEFT writes it, made by hand: no Python package is needed."""

import array
import json
import random
import struct

SMOLLM2 = {"layers": 30, "width": 576, "q_proj": 576, "k_proj": 192, "v_proj": 192}


def write_safetensors(path, weights):
    """`weights`: name -> (shape, array of floats)."""
    head, data = {}, b""
    for name, (shape, values) in weights.items():
        raw = values.tobytes()
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_peft(folder, rank=2, targets=("q_proj", "k_proj", "v_proj"), spread=0.05, shape=SMOLLM2, **settings):
    """Random A and B for SmolLM2-135M."""
    numbers = random.Random(7)

    def floats(count):
        return array.array("f", (numbers.uniform(-spread, spread) for _ in range(count)))

    weights = {}
    for layer in range(shape["layers"]):
        for target in targets:
            start = f"base_model.model.model.layers.{layer}.self_attn.{target}.lora_"
            weights[start + "A.weight"] = (rank, shape["width"]), floats(rank * shape["width"])
            weights[start + "B.weight"] = (shape[target], rank), floats(rank * shape[target])
    folder.mkdir(parents=True)
    write_safetensors(folder / "adapter_model.safetensors", weights)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 4 * rank,
              "lora_dropout": 0.05, "bias": "none", "target_modules": list(targets), **settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
