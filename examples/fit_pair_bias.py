#!/usr/bin/env python3
"""Fits learned low-rank factors to a given pair bias by the gradients of attention's output, and draws the loss.

    python3 examples/fit_pair_bias.py --rank 16 --output pair_bias.png

FlashBias' "neural decomposition": a kernel reads a bias of rank R, q_factors . k_factors, without an N x N matrix. What
factors serve best is learned: random queries, keys and values go through attention with the matrix (the bias `dense()`)
and through attention with the factors (`low_rank(R)`); the difference of the outputs is the loss. The factors start at
random. Needs torch, matplotlib, a GPU and the built library.

Known of it: on the PTX emulator of tests/emulator (CPU tensors copied to and from its memory), in small, 100 steps of
--batch 4 --length 32 --rank 8 --heads 2 --head-dim 8 --learning-rate 5e-2 took the loss from 0.90 to 0.04, where the
decomposition has 0.44.
"""

import argparse

import matplotlib
import torch
from flashbias_torch import attention

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def pair_bias(heads, length, device):
    """[1, H, N, N]: a smooth function of the distance between random points, each head at a scale of its own."""
    points = torch.rand(length, 3, device=device)
    distances = torch.cdist(points, points)
    scales = torch.linspace(1, 4, heads, device=device)[:, None, None]
    return (4 * torch.exp(-scales * distances) - scales * distances)[None]


def singular_factors(target, rank):
    """[1, N, H, R] twice: the truncated singular value decomposition, which is the closest to the matrix, less the mean
    of each row, which the softmax ignores. What matters to the output, it does not know."""
    u, values, vh = torch.linalg.svd((target - target.mean(-1, keepdim=True))[0], full_matrices=False)
    roots = values[:, None, :rank].sqrt()
    return [side[..., :rank].mul(roots).transpose(0, 1)[None].contiguous() for side in (u, vh.transpose(1, 2))]


def attend(operands, factors):
    """Attention with the bias q_factors . k_factors."""
    q_factors, k_factors = (factor.half() for factor in factors)
    inputs = {"q_factors": q_factors, "k_factors": k_factors}
    return attention(*operands, f"low_rank({q_factors.shape[3]})", inputs).float()


def fit(options):
    """The loss of each step, the squared error of the output relative to its square, and that of singular_factors."""
    torch.manual_seed(0)
    target = pair_bias(options.heads, options.length, options.device)
    matrix = target.half()
    fixed_factors = singular_factors(target, options.rank)
    shape = (1, options.length, options.heads, options.rank)
    factors = [torch.randn(shape, device=options.device).mul_(options.rank**-0.5).requires_grad_() for _ in range(2)]
    optimizer = torch.optim.Adam(factors, lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    losses, fixed_losses = [], []
    for step in range(options.steps):
        size = (options.batch, options.length, options.heads, options.head_dim)
        operands = [torch.randn(size, device=options.device).half() for _ in range(3)]
        with torch.no_grad():
            wanted = attention(*operands, "dense()", {"bias": matrix}).float()
            fixed_error = (attend(operands, fixed_factors) - wanted).square().sum()
        squared_error = (attend(operands, factors) - wanted).square().sum()  # a mean's gradients: too small for float16
        optimizer.zero_grad()
        squared_error.backward()
        optimizer.step()
        schedule.step()
        for history, error in ((losses, squared_error), (fixed_losses, fixed_error)):
            history.append((error / wanted.square().sum()).item())
        if step % max(options.steps // 20, 1) == 0 or step == options.steps - 1:
            print(f"step {step}: loss {losses[-1]:.3g}, of the singular value decomposition {fixed_losses[-1]:.3g}")
    return losses, fixed_losses


def draw(losses, fixed_losses, rank, path):
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.semilogy(losses, label="learned")
    axes.semilogy(fixed_losses, label="truncated singular value decomposition")
    axes.set(xlabel="step", ylabel="squared error of the output, relative", title=f"Pair bias of rank {rank}")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--head-dim", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", default="pair_bias.png", help="picture of the loss")
    options = parser.parse_args()
    draw(*fit(options), options.rank, options.output)


if __name__ == "__main__":
    main()
