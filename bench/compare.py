#!/usr/bin/env python3
"""This library beside every peer, on the same tensors, in the same run, on one GPU.

    python3 bench/compare.py [--flashbias flash_bias_triton.py] [--rows llm_d128_4k,pde_32k] [--json out.json]

Peers: attention without bias by cuDNN and FlashAttention-2 (through PyTorch); with the bias FlexAttention, a materialised
matrix through SDPA (memory-efficient and cuDNN), factors concatenated to q and k through SDPA (FlashAttention-2, cuDNN), and
FlashBias' own Triton kernel, where its file is given: it is part of https://github.com/thuml/FlashBias.

Each output is compared with float64 on some rows first; a peer that is off is shown with its error, not hidden. Times are medians
of CUDA graphs of ten launches that take turns among inputs larger than the L2 cache, on random data. TFLOP/s count 4 B H N^2 D,
half of it under a causal mask, and nothing for the bias. `first` is the seconds that a first call takes, compiling included.
"""

import argparse
import datetime
import importlib.util
import itertools
import json
import math
import pathlib
import subprocess
import sys
import time

import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT / "bench"))
from python_ctypes import Flashbias, Kernel  # noqa: E402
from zoo import median_ms  # noqa: E402

L2_BYTES = 100 << 20
MAX_MATRIX_BYTES = 16 << 30

# name: batch, heads, tokens, head_dim, causal, bias, rank
ROWS = {
    "llm_d128_4k": (4, 16, 4096, 128, True, "alibi", 2),
    "llm_d128_16k": (1, 16, 16384, 128, True, "alibi", 2),
    "llm_d64_4k": (4, 32, 4096, 64, True, "alibi", 2),
    "llm_d64_16k": (1, 32, 16384, 64, True, "alibi", 2),
    "enc_d128_4k": (4, 16, 4096, 128, False, "learned", 16),
    "enc_d64_4k": (4, 32, 4096, 64, False, "learned", 16),
    "gpt2_16k": (1, 50, 16384, 32, True, "alibi", 2),
    "paper_r8_16k": (2, 4, 16384, 32, False, "learned", 8),
    "pde_32k": (1, 8, 32186, 16, False, "distance", 5),
    "swin_576": (256, 16, 576, 32, False, "learned", 16),
    "af3_tri_768": (768, 4, 768, 32, False, "learned", 32),
    "af3_tri_768_r96": (768, 4, 768, 32, False, "learned", 96),
}


class Problem:
    """Operands and bias of a row; the bias is shared by the batch."""

    def __init__(self, name):
        self.batch, self.heads, self.tokens, self.dim, self.causal, self.bias, self.rank = ROWS[name]
        shape = (self.batch, self.tokens, self.heads, self.dim)
        copies = max(2, math.ceil(L2_BYTES / (6 * math.prod(shape))))
        self.operands = [tuple(torch.randn(shape, device="cuda", dtype=torch.float16) for _ in range(3))
                         for _ in range(copies)]
        self.scale = 1 / math.sqrt(self.dim)
        self.inputs = getattr(self, f"make_{self.bias}")()

    def make_alibi(self):
        self.config = "alibi()"
        return {"slopes": torch.tensor([2.0 ** (-8 * (h + 1) / self.heads) for h in range(self.heads)], device="cuda")}

    def make_learned(self):
        self.config = f"low_rank({self.rank})"
        shape = (1, self.tokens, self.heads, self.rank)
        return {side: torch.randn(shape, device="cuda", dtype=torch.float16) * self.rank**-0.25
                for side in ("q_factors", "k_factors")}

    def make_distance(self):
        self.config = ("squared_distance(3, per_query).range(q_positions, 0, 1).range(k_positions, 0, 1)"
                       ".range(distance_weight, 0, 2)")
        positions = torch.rand(1, self.tokens, 1, 3, device="cuda")
        weight = 2 * torch.rand(1, self.tokens, self.heads, 1, device="cuda")
        return {"q_positions": positions, "k_positions": positions, "distance_weight": weight}

    def matrix(self, head, rows):
        """The bias of some rows of a head, in float64: [rows, tokens]."""
        keys = torch.arange(self.tokens, device="cuda", dtype=torch.float64)
        if self.bias == "alibi":
            return self.inputs["slopes"][head].double() * (keys[None] - rows[:, None].double())
        if self.bias == "learned":
            q, k = (self.inputs[side][0, :, head].double() for side in ("q_factors", "k_factors"))
            return q[rows] @ k.T
        x = self.inputs["q_positions"][0, :, 0].double()
        return -self.inputs["distance_weight"][0, rows, head].double() * torch.cdist(x[rows], x).square()

    def factors(self):
        """Two f16 factors a token whose product is the bias, up to what f16 loses: [1, tokens, heads, rank] each."""
        if self.bias == "learned":
            return self.inputs["q_factors"], self.inputs["k_factors"]
        if self.bias == "alibi":
            index = torch.arange(self.tokens, device="cuda", dtype=torch.float32)[None, :, None]
            scaled = index * self.inputs["slopes"]
            one = torch.ones_like(scaled)
            return torch.stack([-scaled, one], -1).half(), torch.stack([one, scaled], -1).half()
        x = self.inputs["q_positions"].expand(-1, -1, self.heads, -1)
        square = x.square().sum(-1, keepdim=True)
        one = torch.ones_like(square)
        weight = self.inputs["distance_weight"]
        return ((weight * torch.cat([2 * x, -square, -one], -1)).half(), torch.cat([x, one, square], -1).half())

    def error(self, out):
        """Against float64, over rows spread over some heads."""
        q, k, v = self.operands[0]
        difference = exact_norm = 0.0
        for item in {0, self.batch - 1}:
            for head in {0, self.heads - 1}:
                rows = torch.linspace(0, self.tokens - 1, 64, device="cuda").long()
                scores = self.scale * q[item, rows, head].double() @ k[item, :, head].double().T
                scores += self.matrix(head, rows)
                if self.causal:
                    keys = torch.arange(self.tokens, device="cuda")
                    scores.masked_fill_(keys[None] > rows[:, None], -math.inf)
                exact = scores.softmax(-1) @ v[item, :, head].double()
                difference += (out[item, rows, head].double() - exact).square().sum().item()
                exact_norm += exact.square().sum().item()
        return math.sqrt(difference / exact_norm)

    def tflops(self, milliseconds):
        flop = 4 * self.batch * self.heads * self.tokens**2 * self.dim * (0.5 if self.causal else 1)
        return flop / milliseconds / 1e9


def sdpa(backend, problem, operands, mask=None, scale=None):
    q, k, v = (tensor.transpose(1, 2) for tensor in operands)
    with sdpa_kernel(backend):
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale or problem.scale,
                                                      is_causal=problem.causal and mask is None)
    return out.transpose(1, 2)


def concatenated(problem, operands):
    """FlashBias' recipe: the factors become columns of q and k, and the scale goes into q; columns are padded to 8."""
    q, k, v = operands
    factors = [tensor.expand(problem.batch, -1, -1, -1) for tensor in problem.factors()]
    width = -(-(problem.dim + factors[0].shape[-1]) // 8) * 8
    pad = lambda tensor: functional.pad(tensor, (0, width - tensor.shape[-1]))
    return pad(torch.cat([q * problem.scale, factors[0]], -1)), pad(torch.cat([k, factors[1]], -1)), pad(v)


def dense_mask(problem):
    """[1, heads, tokens, tokens] in f16, the causal mask in it."""
    if 2 * problem.heads * problem.tokens**2 > MAX_MATRIX_BYTES:
        raise MemoryError(f"its matrix takes more than {MAX_MATRIX_BYTES >> 30} GiB")
    rows = torch.arange(problem.tokens, device="cuda")
    mask = torch.stack([problem.matrix(head, rows).half() for head in range(problem.heads)])[None]
    return mask.masked_fill_(rows[None] > rows[:, None], -math.inf) if problem.causal else mask


def flex(problem):
    compiled = torch.compile(flex_attention, dynamic=False)
    if problem.bias == "alibi":
        slopes = problem.inputs["slopes"]
        score_mod = lambda score, b, h, q, k: score + slopes[h] * (k - q)
    elif problem.bias == "learned":
        left, right = (problem.inputs[side][0] for side in ("q_factors", "k_factors"))
        matrix = torch.einsum("qhr,khr->hqk", left, right)
        score_mod = lambda score, b, h, q, k: score + matrix[h, q, k]
    else:
        x, y, z = problem.inputs["q_positions"][0, :, 0].unbind(-1)
        weight = problem.inputs["distance_weight"][0, :, :, 0]
        score_mod = lambda score, b, h, q, k: score - weight[q, h] * (
            (x[q] - x[k]) * (x[q] - x[k]) + (y[q] - y[k]) * (y[q] - y[k]) + (z[q] - z[k]) * (z[q] - z[k]))
    mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, problem.tokens, problem.tokens) if problem.causal \
        else None
    return lambda operands: compiled(*(tensor.transpose(1, 2) for tensor in operands), score_mod=score_mod,
                                     block_mask=mask, scale=problem.scale).transpose(1, 2)


def contenders(problem, library, flash_bias_func):
    """(name, whether it has the bias, what makes a function of the operands, in the order of the table)."""
    text = f"head_dim={problem.dim} causal={str(problem.causal).lower()} bias="

    def ours(bias, inputs):
        kernel = Kernel(library, f'{text}"{bias}"')
        return lambda operands: kernel(*operands, **inputs)

    def dense(backend):
        mask = dense_mask(problem)
        return lambda operands: sdpa(backend, problem, operands, mask)

    def concat(backend):
        prepared = {id(operands): concatenated(problem, operands) for operands in problem.operands}
        return lambda operands: sdpa(backend, problem, prepared[id(operands)], scale=1.0)[..., :problem.dim]

    def triton():
        if flash_bias_func is None:
            raise FileNotFoundError("give FlashBias' flash_bias_triton.py by --flashbias")
        q_bias, k_bias = problem.factors()
        scaled = {id(operands): operands[0] * problem.scale for operands in problem.operands}
        return lambda operands: flash_bias_func(scaled[id(operands)], *operands[1:], q_bias, k_bias, None,
                                                problem.causal, 1.0)

    plain = lambda backend: lambda: lambda operands: sdpa(backend, problem, operands)
    return [
        ("flashbias", True, lambda: ours(problem.config, problem.inputs)),
        ("flashbias, no bias", False, lambda: ours("none()", {})),
        ("cuDNN, no bias", False, plain(SDPBackend.CUDNN_ATTENTION)),
        ("FA2, no bias", False, plain(SDPBackend.FLASH_ATTENTION)),
        ("FlexAttention", True, lambda: flex(problem)),
        ("dense, efficient", True, lambda: dense(SDPBackend.EFFICIENT_ATTENTION)),
        ("dense, cuDNN", True, lambda: dense(SDPBackend.CUDNN_ATTENTION)),
        ("factors, FA2", True, lambda: concat(SDPBackend.FLASH_ATTENTION)),
        ("factors, cuDNN", True, lambda: concat(SDPBackend.CUDNN_ATTENTION)),
        ("FlashBias Triton", True, triton),
    ]


def measure(problem, has_bias, make):
    start = time.perf_counter()
    function = make()
    out = function(problem.operands[0])
    torch.cuda.synchronize()
    result = {"first_s": time.perf_counter() - start}
    if has_bias:
        result["error"] = problem.error(out)
    with torch.no_grad():
        turns = itertools.cycle(problem.operands)
        result["ms"] = median_ms(lambda: function(next(turns)))
    result["tflops"] = problem.tflops(result["ms"])
    return result


def load_flash_bias(path):
    if path is None:
        return None
    spec = importlib.util.spec_from_file_location("flash_bias_triton", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.flash_bias_func


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=str(ROOT / "build/lib/libflashbias.so"))
    parser.add_argument("--flashbias", help="FlashBias' flash_bias_triton.py")
    parser.add_argument("--rows", default=",".join(ROWS), help="of the table, by name")
    parser.add_argument("--json", help="write the results here, with the device and the commit")
    options = parser.parse_args()

    library = Flashbias(options.library)
    flash_bias_func = load_flash_bias(options.flashbias)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    results = {}
    for name in options.rows.split(","):
        problem = Problem(name)
        print(f"\n{name}: {problem.config}")
        rows = results[name] = {}
        for peer, has_bias, make in contenders(problem, library, flash_bias_func):
            try:
                row = rows[peer] = measure(problem, has_bias, make)
                error = f"error {row['error']:.1e}" if has_bias else ""
                print(f"  {peer:20} {row['ms']:9.3f} ms {row['tflops']:6.0f} TFLOP/s  first {row['first_s']:6.2f} s  {error}",
                      flush=True)
            except Exception as problem_of_peer:  # whatever a peer cannot do belongs into the table
                reason = str(problem_of_peer).strip().splitlines()[0] if str(problem_of_peer).strip() else \
                    type(problem_of_peer).__name__
                rows[peer] = {"failed": reason}
                print(f"  {peer:20} failed: {reason[:120]}", flush=True)
            torch.cuda.empty_cache()
        del problem
        torch.cuda.empty_cache()
    if options.json:
        git = subprocess.run(["git", "rev-parse", "--short", "--verify", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        pathlib.Path(options.json).write_text(json.dumps(
            {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "date": str(datetime.date.today()),
             "commit": git.stdout.strip() or "unknown", "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
