"""The problems of bench/compare.py on the GPU, and what each peer makes of them. Needs torch and a GPU."""

import functools
import importlib.util
import itertools
import math
import pathlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples"))
from flashbias_torch import library  # noqa: E402
from python_ctypes import Kernel  # noqa: E402
from zoo import median_ms  # noqa: E402

L2_BYTES = 100 << 20
MAX_MATRIX_BYTES = 16 << 30


class Problem:
    """Operands and bias of a row; the bias is shared by the batch."""

    def __init__(self, row):
        self.row = row
        self.batch, self.heads, self.tokens, self.dim = (
            self.row.batch, self.row.heads, self.row.tokens, self.row.head_dim)
        self.causal, self.bias, self.rank = self.row.causal, self.row.bias, self.row.rank
        shape = (self.batch, self.tokens, self.heads, self.dim)
        copies = max(2, math.ceil(L2_BYTES / (6 * math.prod(shape))))
        self.operands = [tuple(torch.randn(shape, device="cuda", dtype=torch.float16) for _ in range(3))
                         for _ in range(copies)]
        self.scale = 1 / math.sqrt(self.dim)
        self.checked_heads = sorted({0, self.heads - 1})
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

    def batch_factors(self):
        """The factors for each item of the batch."""
        return tuple(factor.expand(self.batch, -1, -1, -1) for factor in self.factors())

    def exact(self, q, k, v, head, rows, has_bias):
        """Some rows of a head's output, in float64; q, k and v are its own: [items, tokens, dim]."""
        scores = self.scale * q[:, rows].double() @ k.double().mT
        if has_bias:
            scores += self.matrix(head, rows)
        if self.causal:
            keys = torch.arange(self.tokens, device="cuda")
            scores.masked_fill_(keys[None] > rows[:, None], -math.inf)
        return scores.softmax(-1) @ v.double()

    def error(self, out, has_bias):
        """Against float64, over rows spread over some heads."""
        items = sorted({0, self.batch - 1})
        rows = torch.linspace(0, self.tokens - 1, 64, device="cuda").long()
        difference = exact_norm = 0.0
        for head in self.checked_heads:
            exact = self.exact(*(tensor[items, :, head] for tensor in self.operands[0]), head, rows, has_bias)
            difference += (out[items, :, head][:, rows].double() - exact).square().sum().item()
            exact_norm += exact.square().sum().item()
        return math.sqrt(difference / exact_norm)


@dataclass(frozen=True)
class Attention:
    """What a peer does: it has tensors prepared from q, k and v, and attends to them.

    Its output may have more columns than v: they are zeros.
    """

    attend: Callable
    prepare: Callable = lambda q, k, v: (q, k, v)


def sdpa(backend, problem, operands, mask=None, scale=None):
    q, k, v = (tensor.transpose(1, 2) for tensor in operands)
    with sdpa_kernel(backend):
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale or problem.scale,
                                                      is_causal=problem.causal and mask is None)
    return out.transpose(1, 2)


def concatenated(problem, q, k, v):
    """FlashBias' recipe: the factors become columns of q and k, and the scale goes into q; columns are padded to 8."""
    factors = problem.batch_factors()
    width = -(-(problem.dim + factors[0].shape[-1]) // 8) * 8
    pad = lambda tensor: functional.pad(tensor, (0, width - tensor.shape[-1]))
    return pad(torch.cat([q * problem.scale, factors[0]], -1)), pad(torch.cat([k, factors[1]], -1)), pad(v)


def factor_product(problem):
    """The bias of factors, in f16: [heads, tokens, tokens]."""
    return torch.einsum("qhr,khr->hqk", *(factor[0] for factor in problem.factors()))


def dense_mask(problem):
    """[1, heads, tokens, tokens] in f16, the causal mask in it, its rows aligned as kernels want them."""
    width = -(-problem.tokens // 16) * 16
    if 2 * problem.heads * problem.tokens * width > MAX_MATRIX_BYTES:
        raise MemoryError(f"its matrix takes more than {MAX_MATRIX_BYTES >> 30} GiB")
    if problem.bias == "learned" and not problem.causal:
        return factor_product(problem)[None]  # and so it can be differentiated
    mask = torch.empty(1, problem.heads, problem.tokens, width, device="cuda", dtype=torch.float16)[..., :problem.tokens]
    keys = torch.arange(problem.tokens, device="cuda")
    for rows in keys.split(2048):  # float64 of all would not fit beside it
        for head in range(problem.heads):
            part = problem.matrix(head, rows)
            if problem.causal:
                part.masked_fill_(keys[None] > rows[:, None], -math.inf)
            mask[0, head, rows[0]:rows[-1] + 1] = part.half()
    return mask


def flex(problem):
    torch._dynamo.reset()  # or it stops compiling after some rows
    compiled = torch.compile(flex_attention, dynamic=False)
    if problem.bias == "alibi":
        slopes = problem.inputs["slopes"]
        score_mod = lambda score, b, h, q, k: score + slopes[h] * (k - q)
    elif problem.bias == "learned":
        matrix = factor_product(problem)
        score_mod = lambda score, b, h, q, k: score + matrix[h, q, k]
    else:
        x, y, z = problem.inputs["q_positions"][0, :, 0].unbind(-1)
        weight = problem.inputs["distance_weight"][0, :, :, 0]
        score_mod = lambda score, b, h, q, k: score - weight[q, h] * (
            (x[q] - x[k]) * (x[q] - x[k]) + (y[q] - y[k]) * (y[q] - y[k]) + (z[q] - z[k]) * (z[q] - z[k]))
    mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, problem.tokens, problem.tokens) if problem.causal \
        else None
    return Attention(lambda *operands: compiled(*(tensor.transpose(1, 2) for tensor in operands), score_mod=score_mod,
                                                block_mask=mask, scale=problem.scale).transpose(1, 2))


def makers(problem, flash_bias_func):
    """By peer, what makes its inputs of the bias and gives the Attention that compiles on its first call."""
    text = f"head_dim={problem.dim} causal={str(problem.causal).lower()}"

    def ours(bias, inputs, fields=""):
        kernel = functools.cache(lambda: Kernel(library(), f'{text} {fields} bias="{bias}"'))
        return Attention(lambda q, k, v: kernel()(q, k, v, **inputs))

    def plain(backend):
        return Attention(lambda *operands: sdpa(backend, problem, operands))

    def dense(backend):
        mask = dense_mask(problem)
        return Attention(lambda *operands: sdpa(backend, problem, operands, mask))

    def concat(backend):
        return Attention(lambda *operands: sdpa(backend, problem, operands, scale=1.0),
                         functools.partial(concatenated, problem))

    def triton():
        if flash_bias_func is None:
            raise FileNotFoundError("give FlashBias' flash_bias_triton.py by --flashbias")
        q_bias, k_bias = problem.batch_factors()
        return Attention(lambda q, k, v: flash_bias_func(q, k, v, q_bias, k_bias, None, problem.causal, 1.0),
                         lambda q, k, v: (q * problem.scale, k, v))

    return {
        "flashbias": lambda: ours(problem.config, problem.inputs),
        "flashbias_plain": lambda: ours("none()", {}),
        "flashbias_portable": lambda: ours(problem.config, problem.inputs, "main_loop=portable"),
        "cudnn_plain": lambda: plain(SDPBackend.CUDNN_ATTENTION),
        "fa2_plain": lambda: plain(SDPBackend.FLASH_ATTENTION),
        "flex": lambda: flex(problem),
        "dense_efficient": lambda: dense(SDPBackend.EFFICIENT_ATTENTION),
        "dense_cudnn": lambda: dense(SDPBackend.CUDNN_ATTENTION),
        "factors_fa2": lambda: concat(SDPBackend.FLASH_ATTENTION),
        "factors_cudnn": lambda: concat(SDPBackend.CUDNN_ATTENTION),
        "triton": triton,
    }


def measure(problem, has_bias, make):
    peer = make()
    prepared = [peer.prepare(*operands) for operands in problem.operands]
    torch.cuda.synchronize()
    with torch.no_grad():
        start = time.perf_counter()
        out = peer.attend(*prepared[0])
        torch.cuda.synchronize()
        first = time.perf_counter() - start
        error = problem.error(out[..., :problem.dim], has_bias)
        del out
        turns = itertools.cycle(prepared)
        milliseconds = median_ms(lambda: peer.attend(*next(turns)))
    return {"first_s": first, "error": error, "ms": milliseconds, "tflops": problem.row.tflops(milliseconds)}


def is_gpu_lost():
    """Whether a failure left the GPU unusable to this process, as an illegal access does."""
    try:
        torch.cuda.synchronize()
        torch.ones(1, device="cuda").item()
    except RuntimeError:
        return True
    return False


def load_flash_bias(path):
    if path is None:
        return None
    spec = importlib.util.spec_from_file_location("flash_bias_triton", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.flash_bias_func
