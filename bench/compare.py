#!/usr/bin/env python3
"""This library beside every peer, on the same tensors, in the same run, on one GPU.

    python3 bench/compare.py [--flashbias flash_bias_triton.py] [--rows llm_d128_4k,pde_32k] [--peers flashbias,flex] [--json out.json]
    python3 bench/compare.py --direction backward [--rows llm_d128_4k,enc_d64_4k_factors] ...
    python3 bench/compare.py --draw out.json -o docs/images/compare.svg

Peers: attention without bias by cuDNN and FlashAttention-2 (through PyTorch); with the bias FlexAttention, a materialised
matrix through SDPA (memory-efficient and cuDNN), factors concatenated to q and k through SDPA (FlashAttention-2, cuDNN), and
FlashBias' own Triton kernel, where its file is given: it is part of https://github.com/thuml/FlashBias.

Each output is compared with float64 on some rows first; a peer that is off is shown with its error, not hidden, but is never the
best: it computes another bias. Times are medians of CUDA graphs of ten launches that take turns among inputs larger than the L2
cache, on random data. TFLOP/s count 4 B H N^2 D, half of it under a causal mask, and nothing for the bias. `first` is the seconds
that a first call takes, compiling included, with every compiler's cache empty.

Backward, the time is that of torch.autograd.grad alone, after a forward pass, for gradients of what a peer's kernel is given: q, k
and v, or these with the factors concatenated to them. Rows that end in _factors add gradients of the factors, summed up over the
batch. They are compared with torch's in float64 over two heads; the error is that of the worst. TFLOP/s count 10 B H N^2 D, five
products; `first` includes the forward pass.

The JSON is written after each measurement, what a peer fails of included. A run that is cut short goes on where it was when it is
started again; the measurement that ended it counts as failed.
"""

import argparse
import importlib
import json
import os
import pathlib
import sys
import tempfile

from comparison import DIRECTIONS, PEERS, chosen, line_of, portable_ratio, ratios, reason_of, summary_of
from results_file import ResultsFile, default_path, head

MEASURED_BY = {"forward": "peers", "backward": "backward_peers"}
CACHES = ("FLASHBIAS_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


class GpuLost(Exception):
    """A peer's failure has taken the GPU from this process."""


def empty_caches(directory):
    for variable in CACHES:
        os.environ[variable] = str(pathlib.Path(directory) / variable.lower())


def compare(options, rows, wanted):
    import torch  # drawing needs neither it nor a GPU

    import peers

    measured_by = importlib.import_module(MEASURED_BY[options.direction])
    peers.library()  # a run without it would be none
    flash_bias_func = peers.load_flash_bias(options.flashbias)
    device = torch.cuda.get_device_name()
    head_of_run = head(device, torch.__version__) | {"direction": options.direction}
    path = default_path(head_of_run, f"compare-{options.direction}") if options.json == "" else options.json
    results = ResultsFile(path, head_of_run)
    print(f"{device}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {options.direction}")
    for name, row in rows.items():
        missing = [peer for peer in wanted if not results.holds(name, peer)]
        if not missing:
            continue
        problem = measured_by.Problem(row)
        print(f"\n{name}: {problem.config}{', gradients of ' + ', '.join(row.gradients) if row.gradients else ''}")
        makers = measured_by.makers(problem, flash_bias_func)
        for peer in missing:
            results.keep(name, peer, {"failed": "the process ended while it ran"})
            try:
                result = measured_by.measure(problem, PEERS[peer].has_bias, makers[peer])
            except Exception as error:  # whatever a peer cannot do belongs into the table
                result = {"failed": reason_of(error)}
            results.keep(name, peer, result)
            print(line_of(peer, result), flush=True)
            if "failed" in result and peers.is_gpu_lost():
                raise GpuLost
            torch.cuda.empty_cache()
        del problem, makers
        torch.cuda.empty_cache()
    measured = results.results["rows"]
    results.add("ratios", {name: ratios(row) for name, row in measured.items()})
    results.add("portable_ratios", {name: portable_ratio(row) for name, row in measured.items()})
    print("", *(summary_of(name, row) for name, row in measured.items()), sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    backward_only = [name for name in DIRECTIONS["backward"] if name not in DIRECTIONS["forward"]]
    parser.add_argument("--direction", choices=DIRECTIONS, default="forward")
    parser.add_argument("--library", help="the shared library; $FLASHBIAS_LIBRARY or that of build/ by default")
    parser.add_argument("--flashbias", help="FlashBias' flash_bias_triton.py")
    parser.add_argument("--rows", default="", help=f"some of {', '.join(DIRECTIONS['forward'])}; backward also "
                        f"{', '.join(backward_only)}; all by default")
    parser.add_argument("--peers", default="", help=f"some of {', '.join(PEERS)}; all by default")
    parser.add_argument("--json", nargs="?", const="", help="write the results here, with the device and the commit, as they "
                        "come; without a path, into bench/results by date, GPU and direction")
    parser.add_argument("--draw", metavar="JSON", help="measure nothing; draw these results")
    parser.add_argument("-o", "--output", help="with --draw: the picture, svg or png")
    options = parser.parse_args()
    if (options.draw is None) != (options.output is None):
        parser.error("--draw and --output go together")
    if options.draw:
        import draw_comparison

        draw_comparison.draw(json.loads(pathlib.Path(options.draw).read_text()), options.output)
        return
    known = DIRECTIONS[options.direction]
    rows = {name: known[name] for name in chosen(options.rows, known, f"{options.direction} row")}
    wanted = chosen(options.peers, PEERS, "peer")
    if options.library:
        os.environ["FLASHBIAS_LIBRARY"] = options.library
    try:
        with tempfile.TemporaryDirectory(prefix="flashbias-compare-") as directory:
            empty_caches(directory)
            compare(options, rows, wanted)
    except GpuLost:
        if options.json is None:
            raise SystemExit("that failure took the GPU from this process; with --json, a new one would go on")
        os.execv(sys.executable, [sys.executable, *sys.argv])


if __name__ == "__main__":
    main()
