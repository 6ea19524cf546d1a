"""The backward passes of bench/compare.py: what peers.py has for outputs, for their gradients. Needs torch and a GPU."""

import copy
import itertools
import math
import time

import torch
import torch._functorch.config
import torch.nn.functional as functional

import peers
from comparison import FACTORS, OPERANDS
from flashbias_torch import attention  # peers has told where it is
from zoo import median_ms

EXACT_BYTES = 256 << 20  # of scores in float64 at a time

torch._functorch.config.donated_buffer = False  # or what is compiled cannot be differentiated twice


class Problem(peers.Problem):
    """Its row's gradients are those of the operands and factors, given that of the output."""

    def __init__(self, row):
        super().__init__(row)
        self.d_outs = [torch.randn_like(q) for q, _, _ in self.operands]
        for tensor in (*itertools.chain(*self.operands), *(self.inputs[name] for name in row.gradients if name in FACTORS)):
            tensor.requires_grad_()
        self.exact_gradients = {has_bias: self.differentiate_exactly(has_bias) for has_bias in (False, True)}
        self.stream = torch.cuda.Stream()  # of both passes: autograd runs the backward one where the forward one ran

    def batch_factors(self):
        """In memory of their own: FlashBias' kernel writes gradients of factors by the factors' strides."""
        return tuple(factor.contiguous() for factor in super().batch_factors())

    def leaves(self, has_bias):
        """What gradients are taken of, by name; of the first operands."""
        tensors = dict(zip(OPERANDS, self.operands[0])) | (self.inputs if has_bias else {})
        return {name: tensors[name] for name in self.row.gradients if name in tensors}

    def differentiate_exactly(self, has_bias):
        """Gradients of the checked heads by torch in float64, some rows of scores at a time."""
        exact = copy.copy(self)
        exact.operands = [[tensor.detach().double().requires_grad_() for tensor in self.operands[0]]]
        exact.inputs = {name: tensor.detach().double().requires_grad_(tensor.requires_grad)
                        for name, tensor in self.inputs.items()}
        rows_at_a_time = max(1, EXACT_BYTES // (8 * self.batch * self.tokens))
        for head in self.checked_heads:
            for rows in torch.arange(self.tokens, device="cuda").split(rows_at_a_time):
                out = exact.exact(*(tensor[:, :, head] for tensor in exact.operands[0]), head, rows, has_bias)
                out.backward(self.d_outs[0][:, rows, head].double())
        return {name: leaf.grad[:, :, self.checked_heads] for name, leaf in exact.leaves(has_bias).items()}

    def errors(self, gradients, has_bias):
        """By name, against float64, over the checked heads."""
        errors = {}
        for name, exact in self.exact_gradients[has_bias].items():
            difference = gradients[name][:, :, self.checked_heads].double() - exact
            errors[name] = (difference.norm() / exact.norm()).item()
            if not math.isfinite(errors[name]):
                raise ArithmeticError(f"gradients of {name} are not finite")
        return errors


class Pass:
    """A backward pass, after its forward pass, of what a peer has prepared."""

    def __init__(self, peer, prepared, d_out):
        self.prepared = prepared
        self.out = peer.attend(*prepared)
        self.d_out = functional.pad(d_out, (0, self.out.shape[-1] - d_out.shape[-1]))

    def gradients(self, tensors):
        return torch.autograd.grad(self.out, tensors, self.d_out, retain_graph=True)


def makers(problem, flash_bias_func):
    def ours(bias, inputs, fields=""):
        return peers.Attention(lambda q, k, v: attention(q, k, v, bias, inputs, problem.causal, fields=fields))

    return peers.makers(problem, flash_bias_func) | {
        "flashbias": lambda: ours(problem.config, problem.inputs),
        "flashbias_plain": lambda: ours("none()", {}),
        "flashbias_portable": lambda: ours(problem.config, problem.inputs, "main_loop=portable"),
    }


def measure(problem, has_bias, make):
    torch.cuda.synchronize()
    leaves = problem.leaves(has_bias)
    with torch.cuda.stream(problem.stream):
        peer = make()
        prepared = [peer.prepare(*operands) for operands in problem.operands]
        torch.cuda.synchronize()
        start = time.perf_counter()
        passes = [Pass(peer, prepared[0], problem.d_outs[0])]
        gradients = dict(zip(leaves, passes[0].gradients(tuple(leaves.values()))))
        torch.cuda.synchronize()
        first = time.perf_counter() - start
        errors = problem.errors(gradients, has_bias)
        del gradients
        passes += [Pass(peer, *turn) for turn in zip(prepared[1:], problem.d_outs[1:])]
        turns = itertools.cycle(passes)
        factors = [leaf for name, leaf in leaves.items() if name in FACTORS]

        def launch():
            turn = next(turns)
            turn.gradients((*turn.prepared, *factors))

        milliseconds = median_ms(launch, stream=problem.stream)
    return {"first_s": first, "error": max(errors.values()), "errors": errors, "ms": milliseconds,
            "tflops": problem.row.tflops(milliseconds)}
