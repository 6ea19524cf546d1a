#!/usr/bin/env python3
"""Speed of the model zoo beside FlashAttention-2 without any bias, in one run on one GPU.

    python3 bench/zoo.py [--library build/lib/libflashbias.so] [--manifest examples/models.json] [--json out.json]

Each model runs at its own shape, through the C API on torch's tensors and stream, with random numbers. TFLOP/s count
2 B H Nq Nk (D + Dv), half of it under a causal mask, and nothing for the bias. Times are medians over replays of a CUDA graph.
"""

import argparse
import json
import pathlib
import re
import shlex
import sys

import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel

import results_file

ROOT = results_file.ROOT
sys.path.insert(0, str(ROOT / "examples"))
from python_ctypes import Flashbias, Kernel  # noqa: E402

DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "u8": torch.uint8, "i32": torch.int32}


def config_fields(text):
    fields = dict(part.split("=", 1) for part in shlex.split(text))
    head_dim = int(fields.get("head_dim", 64))
    return {
        "dtype": DTYPES[fields.get("dtype", "f16")],
        "head_dim": head_dim,
        "head_dim_v": int(fields.get("head_dim_v", 0)) or head_dim,
        "causal": fields.get("causal") == "true",
    }


def bias_inputs(explanation, batch, heads, q_length, kv_length):
    """Random tensors for the inputs that the plan lists, shared by the batch."""
    inputs = {}
    for name, dtype, shape in re.findall(r"^input:\s+(\w+) (\w+) \[(.*)\](?: from .*)?$", explanation, re.MULTILINE):
        sizes = [1 if size == "B|1" else heads if size in ("H", "H|1") else q_length if size == "Nq" else
                 kv_length if size == "Nk" else int(size) for size in shape.split(", ")]
        if name == "slopes":
            tensor = torch.tensor([2.0 ** (-8 * (h + 1) / heads) for h in range(heads)], device="cuda")
        elif DTYPES[dtype] == torch.uint8:
            tensor = (torch.rand(sizes, device="cuda") < 0.9).to(torch.uint8)
        elif "positions" in name or "weight" in name:  # within the ranges that models.json declares
            tensor = torch.rand(sizes, device="cuda", dtype=torch.float32).to(DTYPES[dtype])
        else:
            tensor = 0.5 * torch.randn(sizes, device="cuda", dtype=torch.float32).to(DTYPES[dtype])
        inputs[name] = tensor
    return inputs


def median_ms(launch, repetitions=15, stream=None):
    """Of one launch; ten a CUDA graph, so that the host's time between launches stays out of the figure."""
    launches = 10
    stream = stream or torch.cuda.Stream()
    with torch.cuda.stream(stream):
        launch()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(launches):
            launch()
    graph.replay()
    times = []
    for _ in range(repetitions):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / launches)
    return sorted(times)[len(times) // 2]


def measure(library, model):
    fields = config_fields(model["config"])
    shape = model["shape"]
    batch, heads, q_length = shape["batch"], shape["heads"], shape["seqlen_q"]
    kv_length = shape.get("seqlen_k", q_length)
    kv_heads = shape.get("kv_heads", heads)

    def random(length, head_count, dim):
        return torch.randn(batch, length, head_count, dim, device="cuda", dtype=fields["dtype"])

    q = random(q_length, heads, fields["head_dim"])
    k = random(kv_length, kv_heads, fields["head_dim"])
    v = random(kv_length, kv_heads, fields["head_dim_v"])
    kernel = Kernel(library, model["config"])
    inputs = bias_inputs(kernel.explain(), batch, heads, q_length, kv_length)
    ours = median_ms(lambda: kernel(q, k, v, **inputs))

    transposed = [tensor.transpose(1, 2) for tensor in (q, k, v)]
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        peer = median_ms(lambda: functional.scaled_dot_product_attention(*transposed, is_causal=fields["causal"]))

    flop = 2 * batch * heads * q_length * kv_length * (fields["head_dim"] + fields["head_dim_v"])
    flop *= 0.5 if fields["causal"] else 1
    return {"model": model["name"], "config": model["config"], "shape": shape, "ms": ours, "tflops": flop / ours / 1e9,
            "fa2_no_bias_ms": peer, "fa2_no_bias_tflops": flop / peer / 1e9, "ratio": peer / ours}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=str(ROOT / "build/lib/libflashbias.so"))
    parser.add_argument("--manifest", default=str(ROOT / "examples/models.json"))
    parser.add_argument("--json", help="write the results here, with the device and the commit")
    options = parser.parse_args()

    library = Flashbias(options.library)
    models = json.loads(pathlib.Path(options.manifest).read_text())["kernels"]
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(f"{'model':32} {'ms':>9} {'TFLOP/s':>8} {'FA2, no bias':>13} {'ratio':>6}")
    rows = []
    for model in models:
        row = measure(library, model)
        rows.append(row)
        print(f"{row['model']:32} {row['ms']:9.3f} {row['tflops']:8.0f} {row['fa2_no_bias_tflops']:13.0f} "
              f"{row['ratio']:6.2f}", flush=True)
        torch.cuda.empty_cache()
    if options.json:
        results_file.write(options.json, {**results_file.head(torch.cuda.get_device_name(), torch.__version__), "rows": rows})


if __name__ == "__main__":
    main()
