"""Writes peft_losses.json: what PyTorch and PEFT make of a tiny model that both sides can build.

Every number of the model, the adapter and the samples comes from the same whole-number formula as
in src/training/peft_golden_test.cpp, so nothing but losses and final values has to be kept.
Origin: torch 2.13.0 (CPU, float32), peft 0.21.0, transformers 5.24.0. To make it again:
    python tests/golden/make_peft_losses.py   (in an environment that has the three)
"""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, FEED, VOCABULARY = 2, 32, 4, 2, 8, 48, 97
RANK, ALPHA, STEPS, BATCH, RATE = 4, 8.0, 20, 4, 3e-3
IGNORED = -100


def value(stream, i):
    """-0.5 to below 0.5 in steps of 2^-16, exact in float32."""
    return (((stream * 7919 + i) * 2654435761 + 12345) % 2**32 // 2**16) / 2**16 - 0.5


def matrix(stream, rows, columns, scale):
    return torch.tensor([value(stream, i) * scale for i in range(rows * columns)],
                        dtype=torch.float32).reshape(rows, columns)


def hugging_face_rows(weight, heads):
    """A GGUF has a head's rows in pairs that are turned together; Hugging Face in halves."""
    head = weight.shape[0] // heads
    return (weight.reshape(heads, head // 2, 2, -1).transpose(1, 2)
            .reshape(weight.shape[0], weight.shape[1]))


def gguf_rows(weight, heads):
    head = weight.shape[0] // heads
    return (weight.reshape(heads, 2, head // 2, -1).transpose(1, 2)
            .reshape(weight.shape[0], weight.shape[1]))


def base():
    config = LlamaConfig(hidden_size=WIDTH, intermediate_size=FEED, num_hidden_layers=LAYERS,
                         num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
                         vocab_size=VOCABULARY, rms_norm_eps=1e-5, rope_theta=10000.0,
                         tie_word_embeddings=False, max_position_embeddings=128)
    model = LlamaForCausalLM(config).float()
    weights = {"model.embed_tokens.weight": matrix(1, VOCABULARY, WIDTH, 2.0),
               "lm_head.weight": matrix(2, VOCABULARY, WIDTH, 1.0),
               "model.norm.weight": 1 + matrix(3, 1, WIDTH, 0.25)[0]}
    for layer in range(LAYERS):
        name, stream = f"model.layers.{layer}.", 10 * (layer + 1)
        q, k = matrix(stream, HEADS * HEAD, WIDTH, 0.5), matrix(stream + 1, KV_HEADS * HEAD, WIDTH, 0.5)
        weights |= {name + "self_attn.q_proj.weight": hugging_face_rows(q, HEADS),
                    name + "self_attn.k_proj.weight": hugging_face_rows(k, KV_HEADS),
                    name + "self_attn.v_proj.weight": matrix(stream + 2, KV_HEADS * HEAD, WIDTH, 0.5),
                    name + "self_attn.o_proj.weight": matrix(stream + 3, WIDTH, HEADS * HEAD, 0.5),
                    name + "mlp.gate_proj.weight": matrix(stream + 4, FEED, WIDTH, 0.5),
                    name + "mlp.up_proj.weight": matrix(stream + 5, FEED, WIDTH, 0.5),
                    name + "mlp.down_proj.weight": matrix(stream + 6, WIDTH, FEED, 0.5),
                    name + "input_layernorm.weight": 1 + matrix(stream + 7, 1, WIDTH, 0.25)[0],
                    name + "post_attention_layernorm.weight": 1 + matrix(stream + 8, 1, WIDTH, 0.25)[0]}
    missing, unknown = model.load_state_dict(weights, strict=False)
    assert not missing and not unknown, (missing, unknown)
    return model


def adapted():
    model = get_peft_model(base(), LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=["q_proj", "v_proj", "down_proj"],
        task_type="CAUSAL_LM"))
    stream = 100
    for name, parameter in model.named_parameters():  # layers first; q, v, down
        if "lora_A" in name:
            with torch.no_grad():
                parameter.copy_(matrix(stream, *parameter.shape, 0.5))
            stream += 1
    return model.train()


def samples():
    made = []
    for number in range(8):
        length = 6 + 3 * number
        tokens = [int((value(200 + number, i) + 0.5) * 2**16) % VOCABULARY for i in range(length)]
        made.append((tokens, length // 3))  # learnt from there on
    return made


def batch_of(step):
    chosen = [s for i, s in enumerate(samples()) if i // BATCH == step % 2]
    longest = max(len(tokens) for tokens, _ in chosen)
    rows = {"input_ids": [], "attention_mask": [], "labels": []}
    for tokens, begin in chosen:
        gap = longest - len(tokens)
        rows["input_ids"].append(tokens + [0] * gap)
        rows["attention_mask"].append([1] * len(tokens) + [0] * gap)
        rows["labels"].append([IGNORED] * begin + tokens[begin:] + [IGNORED] * gap)
    return {name: torch.tensor(row) for name, row in rows.items()}


def final_values(model):
    out = {}
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            continue
        value_now = parameter.detach()
        if "q_proj.lora_B" in name:
            value_now = gguf_rows(value_now, HEADS)
        out[name] = [round(x, 7) for x in value_now.flatten().tolist()]
    return out


def main():
    torch.set_num_threads(1)
    model = adapted()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    losses = []
    for step in range(STEPS):
        loss = model(**batch_of(step)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(round(loss.item(), 7))
    golden = {"origin": f"torch {torch.__version__}, tests/golden/make_peft_losses.py",
              "losses": losses, "values": [v for x in final_values(model).values() for v in x]}
    (Path(__file__).parent / "peft_losses.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
