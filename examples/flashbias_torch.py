"""Attention with bias that PyTorch differentiates: flashbias' kernels as a torch.autograd.Function, by ctypes.

    from flashbias_torch import attention
    out = attention(q, k, v, "alibi()", {"slopes": slopes}, causal=True)   # out.sum().backward() as ever

Tensors are not converted on the way to a kernel, and copied only where it cannot read them as they lie; all work goes
to torch's current stream. Training examples: train_alibi.py and fit_pair_bias.py.

bench/compare.py --direction backward and bench/gradient_accuracy.py run it on a GPU: docs/performance.md has what they
found.
"""

import ctypes
import functools
import os

import torch
from python_ctypes import Arguments, DLTensor, Flashbias, Input, Kernel, dl_tensor


class BackwardArguments(ctypes.Structure):
    """flashbias_backward_arguments; a flashbias_gradient has the fields of a flashbias_input."""

    _fields_ = [(name, ctypes.POINTER(DLTensor)) for name in ("q", "k", "v", "out", "log_sum_exp", "d_out")] + [
        ("bias_inputs", ctypes.POINTER(Input)),
        ("num_bias_inputs", ctypes.c_size_t),
        ("gradients", ctypes.POINTER(Input)),
        ("num_gradients", ctypes.c_size_t),
        ("softmax_scale", ctypes.c_float),
    ]


@functools.cache
def library():
    """The shared library: $FLASHBIAS_LIBRARY, or that of the build directory."""
    here = os.path.dirname(os.path.abspath(__file__))
    lib = Flashbias(os.environ.get("FLASHBIAS_LIBRARY", os.path.join(here, "../build/lib/libflashbias.so")))
    lib.c.flashbias_launch_backward.argtypes = [ctypes.c_void_p, ctypes.POINTER(BackwardArguments), ctypes.c_void_p]
    return lib


@functools.cache
def kernel(config, device):
    """The kernel of a config for the architecture of a device, which is the current one."""
    return Kernel(library(), config)


def named(tensors):
    """An array of inputs or gradients by name."""
    return (Input * len(tensors))(*(Input(name.encode(), ctypes.pointer(dl_tensor(t))) for name, t in tensors.items()))


def launch(function, config, arguments, device):
    """Calls flashbias_launch or flashbias_launch_backward on torch's current stream of the device."""
    with torch.cuda.device(device):
        handle = kernel(config, device).handle
        stream = torch.cuda.current_stream(device).cuda_stream
        library().check(function(handle, ctypes.byref(arguments), stream))


def aligned_rows(tensor):
    """What a kernel can read: a last stride of 1, address and other strides multiples of 16 bytes. Copies only what
    autograd expanded, transposed or cut otherwise, such as the gradient of a narrow part of torch.cat."""
    other_strides = [s for s, size in zip(tensor.stride()[:-1], tensor.shape) if size > 1]
    starts = [tensor.data_ptr(), *(s * tensor.element_size() for s in other_strides)]
    if tensor.stride(-1) == 1 and all(start % 16 == 0 for start in starts):
        return tensor
    return tensor.clone(memory_format=torch.contiguous_format)


class FlashbiasAttention(torch.autograd.Function):
    """apply(config, softmax_scale, names, q, k, v, *inputs): see attention() below."""

    @staticmethod
    def forward(ctx, config, softmax_scale, names, q, k, v, *inputs):
        q, k, v = aligned_rows(q), aligned_rows(k), aligned_rows(v)
        out = q.new_empty(*q.shape[:3], v.shape[3])
        log_sum_exp = q.new_empty(q.shape[0], q.shape[2], q.shape[1], dtype=torch.float32)
        operands = {"q": q, "k": k, "v": v, "out": out, "log_sum_exp": log_sum_exp}
        bias_inputs = named(dict(zip(names, inputs)))
        arguments = Arguments(
            **{name: ctypes.pointer(dl_tensor(tensor)) for name, tensor in operands.items()},
            bias_inputs=bias_inputs,
            num_bias_inputs=len(bias_inputs),
            softmax_scale=softmax_scale,
        )
        launch(library().c.flashbias_launch, config + " log_sum_exp=true", arguments, q.device)
        ctx.save_for_backward(q, k, v, out, log_sum_exp, *inputs)
        ctx.config, ctx.softmax_scale, ctx.names = config, softmax_scale, names
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_out):
        q, k, v, out, log_sum_exp, *inputs = ctx.saved_tensors
        operands = {"q": q, "k": k, "v": v, "out": out, "log_sum_exp": log_sum_exp, "d_out": aligned_rows(d_out)}
        bias_inputs = dict(zip(ctx.names, inputs))
        wanted = [n for n, needs in zip(("q", "k", "v", *ctx.names), ctx.needs_input_grad[3:]) if needs]
        # Of q, k and v in their dtype, of inputs of the bias in float32, whatever theirs is.
        gradients = {
            name: torch.empty(bias_inputs[name].shape, dtype=torch.float32, device=q.device)
            if name in bias_inputs
            else torch.empty_like(operands[name], memory_format=torch.contiguous_format)
            for name in wanted
        }
        inputs_array, gradients_array = named(bias_inputs), named(gradients)
        arguments = BackwardArguments(
            **{name: ctypes.pointer(dl_tensor(tensor)) for name, tensor in operands.items()},
            bias_inputs=inputs_array,
            num_bias_inputs=len(inputs_array),
            gradients=gradients_array,
            num_gradients=len(gradients_array),
            softmax_scale=ctx.softmax_scale,
        )
        config = f"direction=backward gradients={','.join(wanted)} {ctx.config}"
        launch(library().c.flashbias_launch_backward, config, arguments, q.device)
        results = (gradients.get(name) for name in ("q", "k", "v", *ctx.names))
        return None, None, None, *(r if r is None else r.to(t.dtype) for r, t in zip(results, (q, k, v, *inputs)))


def attention(q, k, v, bias="0", inputs=None, causal=False, softmax_scale=None, fields=""):
    """softmax(scale q k^T + bias) v, differentiable in q, k, v and every real-valued input of the bias.

    q [B, Nq, H, D], k [B, Nk, Hk, D] and v [B, Nk, Hk, Dv] are float16 or bfloat16 on a GPU; the result is
    [B, Nq, H, Dv]. `bias` is an expression of the bias language (docs/design.md) and `inputs` its tensors by name, of
    the shapes and dtypes that `flashbias explain` prints. `fields` are more of the config, such as
    "main_loop=portable". Raises RuntimeError that says which argument is wrong.
    """
    dtype = {torch.float16: "f16", torch.bfloat16: "bf16"}.get(q.dtype)
    if dtype is None:
        raise TypeError(f"q is {q.dtype}; it must be torch.float16 or torch.bfloat16")
    config = f'dtype={dtype} head_dim={q.shape[3]} head_dim_v={v.shape[3]} causal={str(causal).lower()}'
    config += f' {fields} bias="{bias}"'
    inputs = inputs or {}
    return FlashbiasAttention.apply(config, softmax_scale or 0.0, tuple(inputs), q, k, v, *inputs.values())
