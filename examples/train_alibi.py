#!/usr/bin/env python3
"""Trains a small language model whose attention has ALiBi with learned slopes, and draws its loss.

    python3 examples/train_alibi.py --output alibi.png

The text is this repository's own documentation, byte by byte. Position is told by the bias alone, whose slopes start at
those of the ALiBi paper (Press et al. 2022, 2^(-8 (h + 1) / H)) and are trained by the gradient that flashbias' kernel
gives. Needs torch, matplotlib, a GPU and the built library.

Known of it: on the PTX emulator of tests/emulator (CPU tensors copied to and from its memory), in small, 60 steps of
--batch 2 --length 32 --width 64 --heads 2 --layers 1 --learning-rate 3e-3 took the loss from 8.3 to 4.5 bits a byte.
"""

import argparse
import pathlib

import matplotlib
import torch
from flashbias_torch import attention
from torch import nn
from torch.nn import functional

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

BYTES = 256


class Block(nn.Module):
    """A transformer's layer: attention, then a perceptron, each beside a residual path."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.perceptron_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        # Positive whatever is learned, as the paper's are.
        self.log2_slopes = nn.Parameter(-8 * torch.arange(1, heads + 1) / heads)

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).bfloat16().view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.unbind(2)  # strided views: nothing is copied
        out = attention(q, k, v, "alibi()", {"slopes": self.log2_slopes.exp2()}, causal=True)
        x = x + self.projection(out.reshape(batch, length, width).to(x.dtype))
        return x + self.perceptron(self.perceptron_norm(x))


class LanguageModel(nn.Module):
    """Logits of the next byte, [batch, length, 256]."""

    def __init__(self, width, heads, layers):
        super().__init__()
        self.embedding = nn.Embedding(BYTES, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, BYTES))

    def forward(self, tokens):
        return self.head(self.blocks(self.embedding(tokens)))


def documentation():
    """All bytes of README.md and docs/*.md."""
    root = pathlib.Path(__file__).resolve().parent.parent
    text = b"".join(path.read_bytes() for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))])
    return torch.tensor(list(text))


def train(options):
    """The loss of each step, in bits a byte, and the model."""
    torch.manual_seed(0)
    text = documentation()
    model = LanguageModel(options.width, options.heads, options.layers).to(options.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate)
    losses = []
    for step in range(options.steps):
        starts = torch.randint(len(text) - options.length, (options.batch,)).tolist()
        windows = torch.stack([text[start : start + options.length + 1] for start in starts]).to(options.device)
        logits = model(windows[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / torch.log(torch.tensor(2.0)).item())
        if step % max(options.steps // 20, 1) == 0 or step == options.steps - 1:
            print(f"step {step}: {losses[-1]:.3f} bits a byte")
    return losses, model


def draw(losses, path):
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(losses)
    axes.set(xlabel="step", ylabel="loss, bits a byte", title="Language model with learned ALiBi slopes")
    axes.grid(alpha=0.3)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", default="alibi.png", help="picture of the loss")
    options = parser.parse_args()
    losses, model = train(options)
    for n, block in enumerate(model.blocks):
        print(f"slopes of layer {n}:", " ".join(f"{s:.4f}" for s in block.log2_slopes.exp2().tolist()))
    draw(losses, options.output)


if __name__ == "__main__":
    main()
