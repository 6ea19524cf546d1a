#!/usr/bin/env python3
"""flashbias from Python, by nothing but ctypes: ALiBi attention on torch tensors, on torch's stream.

    python3 examples/python_ctypes.py build/lib/libflashbias.so

Needs torch and a GPU. The C API is include/flashbias/flashbias.h; tensors cross as DLPack's DLTensor.
"""

import ctypes
import sys

import torch


class DLDevice(ctypes.Structure):
    _fields_ = [("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32)]


class DLDataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", DLDevice),
        ("ndim", ctypes.c_int32),
        ("dtype", DLDataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Input(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("tensor", ctypes.POINTER(DLTensor))]


class Arguments(ctypes.Structure):
    _fields_ = [
        ("q", ctypes.POINTER(DLTensor)),
        ("k", ctypes.POINTER(DLTensor)),
        ("v", ctypes.POINTER(DLTensor)),
        ("out", ctypes.POINTER(DLTensor)),
        ("log_sum_exp", ctypes.POINTER(DLTensor)),
        ("bias_inputs", ctypes.POINTER(Input)),
        ("num_bias_inputs", ctypes.c_size_t),
        ("softmax_scale", ctypes.c_float),
    ]


KDL_CUDA = 2
DTYPES = {  # DLPack's (code, bits)
    torch.float16: (2, 16),
    torch.bfloat16: (4, 16),
    torch.float32: (2, 32),
    torch.float64: (2, 64),  # no kernel reads it, nor int64: the library says so by the tensor's name
    torch.int32: (0, 32),
    torch.int64: (0, 64),
    torch.uint8: (1, 8),
    torch.bool: (6, 8),
}


def dl_tensor(tensor):
    """A DLTensor that looks at a CUDA tensor, which must outlive it."""
    sizes = ctypes.c_int64 * tensor.dim()
    code, bits = DTYPES[tensor.dtype]
    return DLTensor(
        data=tensor.data_ptr(),
        device=DLDevice(KDL_CUDA, tensor.get_device()),
        ndim=tensor.dim(),
        dtype=DLDataType(code, bits, 1),
        shape=sizes(*tensor.shape),
        strides=sizes(*tensor.stride()),
    )


class Flashbias:
    """The shared library."""

    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.flashbias_version.restype = ctypes.c_char_p
        self.c.flashbias_last_error.restype = ctypes.c_char_p
        self.c.flashbias_get.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
        self.c.flashbias_launch.argtypes = [ctypes.c_void_p, ctypes.POINTER(Arguments), ctypes.c_void_p]
        self.c.flashbias_kernel_free.argtypes = [ctypes.c_void_p]
        self.c.flashbias_kernel_free.restype = None
        self.c.flashbias_kernel_explain.argtypes = [ctypes.c_void_p]
        self.c.flashbias_kernel_explain.restype = ctypes.c_char_p

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.c.flashbias_last_error().decode())


class Kernel:
    """The kernel of a config, given as text; compiled on the first use of a config, then cached."""

    def __init__(self, library, config):
        self.library = library
        self.handle = ctypes.c_void_p()
        library.check(library.c.flashbias_get(config.encode(), ctypes.byref(self.handle)))

    def __del__(self):
        self.library.c.flashbias_kernel_free(self.handle)

    def explain(self):
        return self.library.c.flashbias_kernel_explain(self.handle).decode()

    def __call__(self, q, k, v, softmax_scale=None, **bias_inputs):
        """q [B, Nq, H, D], k [B, Nk, Hk, D], v [B, Nk, Hk, Dv] -> [B, Nq, H, Dv]; bias inputs by name."""
        out = q.new_empty(*q.shape[:3], v.shape[3])
        inputs = [Input(name.encode(), ctypes.pointer(dl_tensor(tensor))) for name, tensor in bias_inputs.items()]
        arguments = Arguments(
            q=ctypes.pointer(dl_tensor(q)),
            k=ctypes.pointer(dl_tensor(k)),
            v=ctypes.pointer(dl_tensor(v)),
            out=ctypes.pointer(dl_tensor(out)),
            bias_inputs=(Input * len(inputs))(*inputs),
            num_bias_inputs=len(inputs),
            softmax_scale=softmax_scale or 0.0,
        )
        stream = torch.cuda.current_stream(q.device).cuda_stream
        self.library.check(self.library.c.flashbias_launch(self.handle, ctypes.byref(arguments), stream))
        return out


def alibi_in_float64(q, k, v, slopes):
    """The same attention, written out."""
    scores = torch.einsum("bihd,bjhd->bhij", q.double(), k.double()) / q.shape[3] ** 0.5
    i = torch.arange(q.shape[1], device=q.device)[:, None] + k.shape[1] - q.shape[1]
    j = torch.arange(k.shape[1], device=q.device)[None, :]
    scores -= slopes.double()[:, None, None] * (i - j).abs()
    scores.masked_fill_(j > i, float("-inf"))
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v.double())


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "build/lib/libflashbias.so"
    library = Flashbias(path)
    print("flashbias", library.c.flashbias_version().decode())

    batch, length, heads, head_dim = 2, 1000, 32, 128
    torch.manual_seed(0)
    q, k, v = (torch.randn(batch, length, heads, head_dim, dtype=torch.float16, device="cuda") for _ in range(3))
    slopes = torch.tensor([2.0 ** (-8 * (h + 1) / heads) for h in range(heads)], device="cuda")

    kernel = Kernel(library, 'dtype=f16 head_dim=128 causal=true bias="alibi()"')
    print(kernel.explain())
    out = kernel(q, k, v, slopes=slopes)

    exact = alibi_in_float64(q, k, v, slopes)
    error = ((out.double() - exact).norm() / exact.norm()).item()
    rounding = ((exact.half().double() - exact).norm() / exact.norm()).item()
    print(f"error {error:.3g}, {error / rounding:.2f} times that of rounding the exact output to float16")
    return 0 if error <= 1.5 * rounding else 1


if __name__ == "__main__":
    sys.exit(main())
