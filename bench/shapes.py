#!/usr/bin/env python3
"""Speed at the neighbours of a shape: other head dimensions, lengths, batches and heads, by `flashbias run`.

    python3 bench/shapes.py [--command build/bin/flashbias] [--direction backward] [--seconds 300] [-o shapes.txt]

The shape is f16, 4 batch items, 4 096 tokens and 1 024 / D heads. TFLOP/s are printed as they come; then those below half of the
nearest shape's. A run that is to end after some seconds leaves out what is not measured by then, and says so. Backward, gradients of
all inputs are computed, and also deterministically.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import results_file

BIASES = {
    "no bias": [],
    "ALiBi, causal": ["--bias", "alibi", "--causal"],
    "learned R=16": ["--bias", "low-rank", "--rank", "16"],
    "distance": ["--bias", "distance", "--dims", "3", "--weight", "per_query"],
    "T5 buckets": ["--bias", "t5"],
    "24x24 window": ["--bias", "window", "--window", "24x24", "--seqlen-q", "576", "--batch", "64"],
}
HEAD_DIMS = [64, 128, 32, 8, 16, 24, 40, 48, 72, 80, 96, 112, 136, 160, 192, 224, 256]
MOST_NEIGHBOURS_AT = [64, 128, 32]
NEIGHBOURS = {
    "4095 tokens": ["--seqlen-q", "4095"],
    "4097 tokens": ["--seqlen-q", "4097"],
    "1000 tokens, B=16": ["--seqlen-q", "1000", "--batch", "16"],
    "1024 queries": ["--seqlen-q", "1024", "--seqlen-k", "4096", "--batch", "16"],
    "4096 queries, 1000 keys": ["--seqlen-k", "1000", "--batch", "16"],
    "333 queries, 9001 keys": ["--seqlen-q", "333", "--seqlen-k", "9001", "--batch", "16"],
    "B=1": ["--batch", "1"],
    "16384 tokens, B=1": ["--seqlen-q", "16384", "--batch", "1"],
    "4 key heads": ["--kv-heads", "4"],
    "bf16": ["--dtype", "bf16"],
}
DETERMINISTIC = {"deterministic": ["--deterministic"]}
CLIFF = 0.5


def shapes(direction):
    """(bias, head dimension, neighbour or None for the shape itself, flags), those that others are compared with first."""
    neighbours = {**DETERMINISTIC, **NEIGHBOURS} if direction == "backward" else NEIGHBOURS
    for head_dim in HEAD_DIMS:
        base = ["--direction", direction, "--head-dim", str(head_dim), "--heads", str(max(4, 1024 // head_dim)),
                "--batch", "4", "--seqlen-q", "4096"]
        for bias, flags in BIASES.items():
            yield bias, head_dim, None, merged(base, flags)
            if head_dim not in MOST_NEIGHBOURS_AT:
                continue
            has_its_length = "--seqlen-q" in flags
            for neighbour, other in neighbours.items():
                if not (has_its_length and any(flag.startswith("--seqlen") for flag in other)):
                    yield bias, head_dim, neighbour, merged(base, flags, other)


def merged(*lists):
    """Flags and their values; later ones replace earlier ones of the same name."""
    flags = {}
    for words in lists:
        for i, word in enumerate(words):
            if word.startswith("--"):
                has_value = i + 1 < len(words) and not words[i + 1].startswith("--")
                flags[word] = [words[i + 1]] if has_value else []
    return [word for name, value in flags.items() for word in (name, *value)]


def cliffs(speeds):
    """(bias, head dimension, neighbour, share) of what is below half of what it is next to: a neighbour, to its shape; a shape, to that
    of the nearest head dimension measured, in proportion where that is larger."""
    found = []
    for (bias, head_dim, neighbour), speed in speeds.items():
        if neighbour is not None:
            expected = speeds.get((bias, head_dim, None))
        else:
            nearest = [other for other in sorted({d for b, d, n in speeds if b == bias and n is None}) if other != head_dim]
            nearest = min(nearest, key=lambda other: abs(other - head_dim), default=None)
            expected = nearest and speeds[bias, nearest, None] * min(1, head_dim / nearest)
        if expected and speed < CLIFF * expected:
            found.append((bias, head_dim, neighbour, speed / expected))
    return found


def measure(command, flags):
    done = subprocess.run([command, "run", "--json", *flags], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command} run {' '.join(flags)} failed:\n{done.stderr}")
    return json.loads(done.stdout)["tflops"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default=str(results_file.ROOT / "build/bin/flashbias"))
    parser.add_argument("--direction", choices=["forward", "backward"], default="forward")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="to stop after")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="file to write as well")
    options = parser.parse_args()

    lines = []

    def say(line):
        print(line, flush=True)
        lines.append(line)
        if options.output:
            options.output.write_text("\n".join(lines) + "\n")

    end = time.monotonic() + options.seconds
    speeds = {}
    left_out = 0
    say(f"# flashbias run, {options.direction}, commit {results_file.commit()}: TFLOP/s")
    for bias, head_dim, neighbour, flags in shapes(options.direction):
        if time.monotonic() > end:
            left_out += 1
            continue
        speed = speeds[bias, head_dim, neighbour] = measure(options.command, flags)
        say(f"{bias:14} D={head_dim:<4} {neighbour or '':24} {speed:7.1f}")
    if left_out:
        say(f"# {left_out} shapes were left out")
    for bias, head_dim, neighbour, share in cliffs(speeds):
        say(f"# below half of its neighbour: {bias}, D={head_dim} {neighbour or ''} ({share:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
