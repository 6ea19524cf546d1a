"""Draws a decomposition: draw_decomposition.py DATA.npz PICTURE.png|svg TITLE HEAD RANK. `flashbias decompose` runs it.

DATA holds singular_values [heads, n] and, of one head, bias and approximation [Nq, Nk].
"""

import os
import sys

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "flashbias"  # the same data, the same file
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402


def draw_spectrum(axes, singular_values, rank, head):
    count = singular_values.shape[1]
    for index, values in enumerate(singular_values):
        largest = max(values[0], np.finfo(float).tiny)
        shown = np.maximum(values / largest, 1e-9)
        this = index == head
        axes.semilogy(np.arange(1, count + 1), shown, color="#c0392b" if this else "#9aa5b1", lw=1.8 if this else 0.9,
                      zorder=3 if this else 2, label=f"head {head}" if this else None)
    axes.set_xscale("log")
    axes.set_xlim(1, max(count, 2))
    axes.set_ylim(1e-6, 1.5)
    axes.set_ylabel("singular value / largest")
    axes.set_title("Spectrum" if len(singular_values) == 1 else f"Spectra of the {len(singular_values)} heads", loc="left")
    mark_rank(axes, rank)


def draw_lost_energy(axes, singular_values, rank, head):
    count = singular_values.shape[1]
    for index, values in enumerate(singular_values):
        squares = values.astype(float) ** 2
        tail = np.append(np.cumsum(squares[::-1])[::-1][1:], 0)  # behind rank 1, 2, ...
        lost = tail / max(squares.sum(), np.finfo(float).tiny)
        this = index == head
        axes.semilogy(np.arange(1, count + 1), np.maximum(lost, 1e-9), color="#c0392b" if this else "#9aa5b1",
                      lw=1.8 if this else 0.9, zorder=3 if this else 2)
    axes.set_xscale("log")
    axes.set_xlim(1, max(count, 2))
    axes.set_ylim(1e-8, 1)
    axes.set_ylabel("energy lost")
    axes.set_title("Energy that a rank leaves out", loc="left")
    mark_rank(axes, rank)


def mark_rank(axes, rank):
    axes.axvline(rank, color="#2a6fb0", ls="--", lw=1.2, label=f"rank {rank}")
    axes.set_xlabel("rank")
    axes.xaxis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.grid(which="major", color="#e3e6ea", lw=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def draw_matrix(figure, axes, matrix, limit, title):
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", rasterized=True,
                        aspect="auto")
    axes.set_title(title, loc="left")
    axes.set_xlabel("key")
    axes.set_ylabel("query")
    figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, label="added to the score")


def save(figure, picture):
    kind = picture.rsplit(".", 1)[-1]
    aside = picture + ".new"
    try:
        figure.savefig(aside, format=kind, dpi=130, metadata={"Date": None} if kind == "svg" else None)
        os.replace(aside, picture)
    except OSError as error:
        sys.exit(f"cannot write {picture}: {error.strerror}")


def main():
    data_file, picture, title = sys.argv[1:4]
    head, rank = map(int, sys.argv[4:6])
    data = np.load(data_file)
    bias, approximation, singular_values = data["bias"], data["approximation"], data["singular_values"]
    figure = plt.figure(figsize=(13.5, 8.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    figure.suptitle(title.replace("$", r"\$"), fontsize=12)
    spectrum, energy = top.subplots(1, 2)
    draw_spectrum(spectrum, singular_values, rank, head)
    draw_lost_energy(energy, singular_values, rank, head)
    difference = bias - approximation
    limit = max(np.abs(bias).max(), np.finfo(float).tiny)
    left, middle, right = bottom.subplots(1, 3)
    draw_matrix(bottom, left, bias, limit, f"Bias, head {head}")
    draw_matrix(bottom, middle, approximation, limit, f"Approximation of rank {rank}")
    draw_matrix(bottom, right, difference, max(np.abs(difference).max(), np.finfo(float).tiny),
                f"Difference, at most {np.abs(difference).max():.3g}")
    save(figure, picture)


if __name__ == "__main__":
    main()
