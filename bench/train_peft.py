"""What `./dev bench train` compares with: PyTorch and PEFT on the same weights, samples and order.

Runs in a virtual environment of its own (torch, peft, gguf: see train.py) and prints one line of
JSON. The loop is as lean as PyTorch allows: no trainer, no data loader, no logging.
"""

import argparse
import json
import resource
import time

START = time.monotonic()

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

IGNORED = -100  # a label that has no loss


def batches(samples, size):
    return [samples[i:i + size] for i in range(0, len(samples), size)]


def padded(batch):
    """Rows of equal length, as the usual collators make them."""
    longest = max(len(s["tokens"]) for s in batch)
    tokens = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    labels = torch.full_like(tokens, IGNORED)
    for row, sample in enumerate(batch):
        n = len(sample["tokens"])
        tokens[row, :n] = torch.tensor(sample["tokens"])
        mask[row, :n] = 1
        learnt = torch.tensor(sample["learnt"], dtype=torch.bool)
        labels[row, :n][learnt] = tokens[row, :n][learnt]
    return {"input_ids": tokens, "attention_mask": mask, "labels": labels}


def adapted(options, dtype):
    """The base as the GGUF has it (transformers turns q and k back), with LoRA beside it."""
    folder, _, file = options.model.rpartition("/")
    base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=dtype)
    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=options.dropout,
                        target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    torch.manual_seed(1)
    model = get_peft_model(base, config)
    model.train()
    return model


def matrices(model, kind):
    """lora_A or lora_B of q and v, layer by layer."""
    return {name: p.detach().float() for name, p in model.named_parameters() if f"lora_{kind}." in name}


def flat(model):
    """A and B as Jikji lays them out: layers first, q before v, A before B."""
    a, b = matrices(model, "A"), matrices(model, "B")
    return [x for name in a for x in (*a[name].flatten().tolist(),
                                      *b[name.replace("lora_A", "lora_B")].flatten().tolist())]


def held_out(model, file):
    """Nats a token, over samples that are not learnt."""
    model.eval()
    total, count = 0.0, 0
    with open(file) as lines, torch.no_grad():
        for line in lines:
            sample = json.loads(line)
            learnt = sum(sample["learnt"][1:])
            total += model(**padded([sample])).loss.item() * learnt
            count += learnt
    return total / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--samples", required=True)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--initial", help="where to write A and B as they were at first (JSON)")
    parser.add_argument("--final", help="likewise, at the end")
    parser.add_argument("--held", help="samples whose loss is wanted at the end (JSON lines)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype = getattr(torch, options.dtype)
    model = adapted(options, dtype)
    if options.initial:
        with open(options.initial, "w") as out:
            json.dump(flat(model), out)
    with open(options.samples) as lines:
        samples = [json.loads(line) for line in lines]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=options.rate, weight_decay=0.0)
    losses, first, tokens = [], None, 0
    steps = batches(samples, options.batch_size)
    began = time.monotonic()
    for step in range(options.steps):
        batch = steps[step % len(steps)]
        loss = model(**padded(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        tokens += sum(len(s["tokens"]) for s in batch)
        first = first or time.monotonic() - START
    seconds = time.monotonic() - began
    if options.final:
        with open(options.final, "w") as out:
            json.dump(flat(model), out)
    print(json.dumps({
        "tokens_per_second": tokens / seconds, "first_step_seconds": first, "losses": losses,
        "held_out": held_out(model, options.held) if options.held else None,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "torch": torch.__version__}))


if __name__ == "__main__":
    main()
