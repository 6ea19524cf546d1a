"""What the benchmarks' pictures have in common."""

import pathlib

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "flashbias"  # the same data, the same file
import matplotlib.pyplot as plt  # noqa: E402

OURS = "#2a6fb0"
OTHERS = "#c8ccd0"
BEST = "#e0a030"


def horizontal(labels, height):
    """A figure with a place for each label, the first at the top, and the places."""
    figure, axes = plt.subplots(figsize=(9, height))
    places = [len(labels) - 1 - index for index in range(len(labels))]
    axes.set_yticks(places, labels, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes, places


def save(figure, path):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
