#!/usr/bin/env python3
"""Draws what bench/zoo.py wrote: python3 bench/draw_zoo.py bench/results/FILE.json docs/images/zoo.svg. Needs matplotlib."""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"
import matplotlib.pyplot as plt  # noqa: E402


def main():
    results, picture = map(pathlib.Path, sys.argv[1:3])
    run = json.loads(results.read_text())
    rows = run["rows"][::-1]
    figure, axes = plt.subplots(figsize=(9, 5.2))
    positions = range(len(rows))
    axes.barh([p + 0.2 for p in positions], [row["tflops"] for row in rows], 0.38, color="#2a6fb0",
              label="flashbias, with the bias")
    axes.barh([p - 0.2 for p in positions], [row["fa2_no_bias_tflops"] for row in rows], 0.38, color="#c8ccd0",
              label="FlashAttention-2, without any bias")
    for p, row in zip(positions, rows):
        axes.text(row["tflops"] + 2, p + 0.2, f"{row['ratio']:.2f} x", va="center", fontsize=8)
    axes.set_yticks(list(positions), [row["model"] for row in rows], fontsize=9)
    axes.set_xlabel(f"TFLOP/s, forward, at each model's shape ({run['device']}, {run['date']})")
    axes.legend(loc="center right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)


if __name__ == "__main__":
    main()
