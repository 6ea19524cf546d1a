#!/usr/bin/env python3
"""Draws what bench/zoo.py wrote: python3 bench/draw_zoo.py bench/results/FILE.json docs/images/zoo.svg. Needs matplotlib."""

import json
import pathlib
import sys

import picture


def main():
    results, path = sys.argv[1:3]
    run = json.loads(pathlib.Path(results).read_text())
    rows = run["rows"]
    figure, axes, places = picture.horizontal([row["model"] for row in rows], 5.2)
    axes.barh([p + 0.2 for p in places], [row["tflops"] for row in rows], 0.38, color=picture.OURS,
              label="flashbias, with the bias")
    axes.barh([p - 0.2 for p in places], [row["fa2_no_bias_tflops"] for row in rows], 0.38, color=picture.OTHERS,
              label="FlashAttention-2, without any bias")
    for p, row in zip(places, rows):
        axes.text(row["tflops"] + 2, p + 0.2, f"{row['ratio']:.2f} x", va="center", fontsize=8)
    axes.set_xlabel(f"TFLOP/s, forward, at each model's shape ({run['device']}, {run['date']})")
    axes.legend(loc="center right", frameon=False)
    picture.save(figure, path)


if __name__ == "__main__":
    main()
