#!/usr/bin/env python3
"""This library beside every peer, on the same tensors, in the same run, on one GPU.

    python3 bench/compare.py [--flashbias flash_bias_triton.py] [--rows llm_d128_4k,pde_32k] [--peers flashbias,flex] [--json out.json]
    python3 bench/compare.py --draw out.json -o docs/images/comparison.svg

Peers: attention without bias by cuDNN and FlashAttention-2 (through PyTorch); with the bias FlexAttention, a materialised
matrix through SDPA (memory-efficient and cuDNN), factors concatenated to q and k through SDPA (FlashAttention-2, cuDNN), and
FlashBias' own Triton kernel, where its file is given: it is part of https://github.com/thuml/FlashBias.

Each output is compared with float64 on some rows first; a peer that is off is shown with its error, not hidden. Times are medians
of CUDA graphs of ten launches that take turns among inputs larger than the L2 cache, on random data. TFLOP/s count 4 B H N^2 D,
half of it under a causal mask, and nothing for the bias. `first` is the seconds that a first call takes, compiling included, with
every compiler's cache empty.

The JSON is written after each measurement, what a peer fails of included. A run that is cut short goes on where it was when it is
started again; the measurement that ended it counts as failed.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

from comparison import PEERS, ROWS, chosen, line_of, reason_of
from results_file import ROOT, ResultsFile, head

CACHES = ("FLASHBIAS_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


class GpuLost(Exception):
    """A peer's failure has taken the GPU from this process."""


def empty_caches(directory):
    for variable in CACHES:
        os.environ[variable] = str(pathlib.Path(directory) / variable.lower())


def compare(options, rows, wanted):
    import torch  # drawing needs neither it nor a GPU

    import peers

    library = peers.Flashbias(options.library)
    flash_bias_func = peers.load_flash_bias(options.flashbias)
    device = torch.cuda.get_device_name()
    results = ResultsFile(options.json, head(device, torch.__version__))
    print(f"{device}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    for name in rows:
        missing = [peer for peer in wanted if not results.holds(name, peer)]
        if not missing:
            continue
        problem = peers.Problem(name)
        print(f"\n{name}: {problem.config}")
        makers = peers.makers(problem, library, flash_bias_func)
        for peer in missing:
            results.keep(name, peer, {"failed": "the process ended while it ran"})
            try:
                result = peers.measure(problem, PEERS[peer].has_bias, makers[peer])
            except Exception as error:  # whatever a peer cannot do belongs into the table
                result = {"failed": reason_of(error)}
            results.keep(name, peer, result)
            print(line_of(peer, result), flush=True)
            if "failed" in result and peers.is_gpu_lost():
                raise GpuLost
            torch.cuda.empty_cache()
        del problem, makers
        torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=str(ROOT / "build/lib/libflashbias.so"))
    parser.add_argument("--flashbias", help="FlashBias' flash_bias_triton.py")
    parser.add_argument("--rows", default="", help=f"some of {', '.join(ROWS)}; all by default")
    parser.add_argument("--peers", default="", help=f"some of {', '.join(PEERS)}; all by default")
    parser.add_argument("--json", help="write the results here, with the device and the commit, as they come")
    parser.add_argument("--draw", metavar="JSON", help="measure nothing; draw these results")
    parser.add_argument("-o", "--output", help="with --draw: the picture, svg or png")
    options = parser.parse_args()
    if (options.draw is None) != (options.output is None):
        parser.error("--draw and --output go together")
    if options.draw:
        import draw_comparison

        draw_comparison.draw(json.loads(pathlib.Path(options.draw).read_text()), options.output)
        return
    rows, wanted = chosen(options.rows, ROWS, "row"), chosen(options.peers, PEERS, "peer")
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
