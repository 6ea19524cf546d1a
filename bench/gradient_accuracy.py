"""Errors of gradients against float64, beside those of torch's own attention with the bias as a matrix. Needs a GPU.

    python3 bench/gradient_accuracy.py [--bias dense] [--tokens 49x6] [--repeat 20] [--json FILE]

For every bias, head dimension, dtype and mask: the relative error (in the 2-norm) of each gradient by flashbias and by
torch.nn.functional.scaled_dot_product_attention, which is given the bias as a matrix of the operands' dtype. Both have the
same 16-bit operands; inputs of the bias are float32 but for factors and dense biases. The goal is a ratio up to 1.5. Of
problems of few tokens, whose errors vary from one to the next, --repeat takes the root mean square of so many.
FLASHBIAS_LIBRARY names the shared library, that of build/ otherwise.
"""

import argparse
import itertools
import pathlib
import sys

import torch
import torch.nn.functional as functional

import results_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples"))
from flashbias_torch import attention  # noqa: E402

BATCH, HEADS = 2, 3
GOAL = 1.5


class Tokens:
    queries = keys = 700


def difference(q_side, k_side):
    return q_side[:, :, None] - k_side[:, None]


def distances():
    """Of each key from each query; the last query is where the last key is."""
    queries = torch.arange(Tokens.keys - Tokens.queries, Tokens.keys, device="cuda")
    return torch.arange(Tokens.keys, device="cuda")[None] - queries[:, None]


# Of each bias: its text, its inputs, and its matrix [1 | B, H, Nq, Nk] as torch computes it.
class Alibi:
    text = "alibi()"

    def inputs(self, _dtype):
        return {"slopes": torch.tensor([0.5, 0.1, 0.02], device="cuda")}

    def matrix(self, slopes):
        return -slopes[None, :, None, None] * distances().abs()


class LowRank:
    text = "low_rank(16)"

    def inputs(self, dtype):
        return {name: torch.randn(1, tokens, HEADS, 16, device="cuda").to(dtype) / 2
                for name, tokens in (("q_factors", Tokens.queries), ("k_factors", Tokens.keys))}

    def matrix(self, q_factors, k_factors):
        return torch.einsum("bihr,bjhr->bhij", q_factors, k_factors)


class Distance:
    text = "squared_distance(3, per_head)"

    def inputs(self, _dtype):
        return {"q_positions": torch.rand(1, Tokens.queries, 1, 3, device="cuda"),
                "k_positions": torch.rand(1, Tokens.keys, 1, 3, device="cuda"),
                "distance_weight": torch.tensor([[0.5, 2.0, 8.0]], device="cuda")}

    def matrix(self, q_positions, k_positions, distance_weight):
        squares = difference(q_positions[:, :, 0], k_positions[:, :, 0]).square().sum(-1)
        return -distance_weight[:, :, None, None] * squares[:, None]


class RelativePosition:
    text = "relative_position(32)"

    def inputs(self, _dtype):
        return {"relative_bias": torch.randn(1, HEADS, 65, device="cuda")}

    def matrix(self, relative_bias):
        return relative_bias[:, :, distances().clamp(-32, 32) + 32]


class Dense:
    text = "dense()"

    def inputs(self, dtype):
        return {"bias": torch.randn(1, HEADS, Tokens.queries, Tokens.keys, device="cuda").to(dtype)}

    def matrix(self, bias):
        return bias


BIASES = (Alibi(), LowRank(), Distance(), RelativePosition(), Dense())


def gradients(function, tensors, d_out):
    """Of all tensors, in float64."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
    out = function(**leaves)
    return {n: g.double() for n, g in zip(leaves, torch.autograd.grad(out, list(leaves.values()), d_out.to(out.dtype)))}


def by_torch(bias, causal):
    def function(q, k, v, **inputs):
        heads_first = [t.transpose(1, 2) for t in (q, k, v)]
        matrix = bias.matrix(**inputs).to(q.dtype)
        if causal:
            matrix = matrix.masked_fill(distances() > 0, float("-inf"))
        matrix = matrix.expand(BATCH, HEADS, Tokens.queries, Tokens.keys)
        return functional.scaled_dot_product_attention(*heads_first, attn_mask=matrix).transpose(1, 2)
    return function


def by_flashbias(bias, causal):
    return lambda q, k, v, **inputs: attention(q, k, v, bias.text, inputs, causal=causal)


def errors(bias, head_dim, dtype, causal):
    """{gradient: (flashbias, torch)}."""
    def random(tokens):
        return torch.randn(BATCH, tokens, HEADS, head_dim, device="cuda").to(dtype)

    operands = {"q": random(Tokens.queries), "k": random(Tokens.keys), "v": random(Tokens.keys)}
    tensors = operands | bias.inputs(dtype)
    d_out = random(Tokens.queries)
    exact = gradients(by_torch(bias, causal), {n: t.double() for n, t in tensors.items()}, d_out.double())
    results = [gradients(make(bias, causal), tensors, d_out) for make in (by_flashbias, by_torch)]
    return {name: tuple(((result[name] - exact[name]).norm() / exact[name].norm()).item() for result in results)
            for name in exact}


def root_mean_squares(found):
    """Of the errors of several problems."""
    return {name: tuple((sum(errors[name][i] ** 2 for errors in found) / len(found)) ** 0.5 for i in range(2))
            for name in found[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bias", default="", help="those alone whose text begins with it, such as dense")
    parser.add_argument("--tokens", default="700x700", metavar="QxK", help="queries and keys; 700x700 by default")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="problems of each case")
    parser.add_argument("--json", help="write the results here, with the device and the commit")
    options = parser.parse_args()
    Tokens.queries, Tokens.keys = map(int, options.tokens.split("x"))
    results = {**results_file.head(torch.cuda.get_device_name(), torch.__version__), "rows": []}
    ratios = []
    biases = [bias for bias in BIASES if bias.text.startswith(options.bias)]
    if not biases:
        parser.error(f"no bias begins with '{options.bias}'; there are {', '.join(bias.text for bias in BIASES)}")
    for bias, head_dim, dtype, causal in itertools.product(biases, (16, 64, 128, 192), (torch.float16, torch.bfloat16),
                                                           (True, False)):
        found = root_mean_squares([errors(bias, head_dim, dtype, causal) for _ in range(options.repeat)])
        title = f"{bias.text} D={head_dim} {str(dtype).split('.')[-1]}{' causal' if causal else ''}"
        texts = [f"{name} {ours:.1e}/{theirs:.1e}" for name, (ours, theirs) in found.items()]
        worst = max(ours / theirs for ours, theirs in found.values())
        ratios.append(worst)
        print(f"{title:55} worst {worst:5.2f}   {'  '.join(texts)}", flush=True)
        results["rows"].append({"case": title, "errors": found})
    print(f"{sum(r <= GOAL for r in ratios)} of {len(ratios)} cases within {GOAL} of torch's error; the worst is "
          f"{max(ratios):.2f}")
    if options.json:
        results_file.write(options.json, results)


if __name__ == "__main__":
    main()
