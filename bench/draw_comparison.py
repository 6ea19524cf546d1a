"""Draws what bench/compare.py wrote; `bench/compare.py --draw` calls it. Needs matplotlib."""

import picture
from comparison import DIRECTIONS, OURS, PEERS, PLAIN, best_with_bias, speed


def bars(axes, places, offset, values, color, label):
    shown = [(place + offset, value) for place, value in zip(places, values) if value]
    axes.barh([place for place, _ in shown], [value for _, value in shown], 0.25, color=color, label=label)


def draw_best(axes, rows, places):
    names = [best_with_bias(row) for row in rows]
    bars(axes, places, -0.27, [speed(row, name) if name else None for row, name in zip(rows, names)], picture.BEST,
         "best other with the bias")
    for row, name, place in zip(rows, names, places):
        if name is None:
            continue
        axes.text(speed(row, name) + 4, place - 0.27, PEERS[name].title, va="center", fontsize=7)


def draw(results, path):
    direction = results.get("direction", "forward")
    problems = DIRECTIONS[direction]
    names = [name for name in problems if name in results["rows"]]
    rows = [results["rows"][name] for name in names]
    figure, axes, places = picture.horizontal([f"{name}\nD {problems[name].head_dim}" for name in names], 0.62 * len(names) + 1.3)
    bars(axes, places, 0.27, [speed(row, OURS) for row in rows], picture.OURS, "flashbias, with the bias")
    bars(axes, places, 0, [speed(row, PLAIN) for row in rows], picture.OTHERS, "cuDNN, without any bias")
    draw_best(axes, rows, places)
    for row, place in zip(rows, places):
        ours, plain = speed(row, OURS), speed(row, PLAIN)
        if ours:
            ratio = f"{ours / plain:.2f} x" if plain else ""
            axes.text(ours + 4, place + 0.27, ratio, va="center", fontsize=8)
        else:
            axes.text(4, place + 0.27, "failed" if OURS in row else "not measured", va="center", fontsize=7)
    for index, (name, place) in enumerate(zip(names, places)):
        top = problems[name].roof()
        axes.plot([top, top], [place - 0.42, place + 0.42], color="#c0392b", lw=1.5,
                  label="roof: exponentials, or the tensor cores" if index == 0 else None)
    axes.set_xlabel(f"TFLOP/s, {direction}, f16 ({results['device']}, {results['date']})")
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=4, frameon=False, fontsize=8)
    picture.save(figure, path)
