"""The plots of an evaluation's report, as deterministic SVG documents."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from photochrom.color import ab_bins
from trainer.evaluation.evaluator import GRAY, MEAN_COLOUR, METHODS, MODEL, SCORES

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "photochrom",  # else the names within an SVG are random
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}
# inches.
_SIZE = (9.6, 3.5)
_COLOURS = {MODEL: "#1f5a8a", GRAY: "#8a8a8a", MEAN_COLOUR: "#c08a3e"}
_PALE = "#d9dfe5"
# Curves of one model, or of two.
_MODEL_COLOURS = (_COLOURS[MODEL], "#b3402a")
_HISTOGRAM_BINS = 40
# Right ends of the histograms: larger values, from gross errors and near-gray truths, count in the last bar.
_MOST_CIEDE2000, _MOST_RATIO = 40, 3
# Saturation factors with a label on the curve; the others have a dot.
_NAMED_FACTORS = (0, 1, 1.5, 2, 2.5)
# The darkest colour of the histograms over ab.
_LEAST_SHARE = 1e-5


def plot_saturation(curves: Mapping[str, Sequence[dict[str, float]]]) -> bytes:
    """Draws PSNR gain and CIEDE2000 against the chroma ratio, over the factors of trainer.evaluation.saturation.

    Args:
        curves: rows of `saturation.summarize` by the model's name; the first two have colours of their own.
    """

    def draw(figure: Figure) -> None:
        for axes, metric in zip(figure.subplots(1, 2), ("psnr_gain", "ciede2000"), strict=True):
            for (name, rows), colour in zip(curves.items(), _MODEL_COLOURS, strict=False):
                _draw_curve(axes, rows, metric, colour, name)
            axes.axvline(1, color=_COLOURS[GRAY], linewidth=0.8, linestyle=":")
            axes.set(xlabel=SCORES["chroma_ratio"], ylabel=SCORES[metric])
            axes.margins(0.1, 0.12)

    return _to_svg(draw)


def _draw_curve(axes: Axes, rows: Sequence[dict[str, float]], metric: str, colour: str, name: str) -> None:
    ratios, values = ([row[column] for row in rows] for column in ("chroma_ratio", metric))
    axes.plot(ratios, values, "o-", color=colour, markersize=3, linewidth=1.4)
    for row in rows:
        point = (row["chroma_ratio"], row[metric])
        _label_factor(axes, row["saturation"], point, metric == "ciede2000", colour, name)


def _label_factor(axes: Axes, factor: float, point: tuple[float, float], rising: bool, colour: str, name: str) -> None:
    """Labels a point of the curve on its free side; the model's own setting is highlighted."""
    offset, align = ((-7, 3), "right") if rising and factor else ((6, 4 if rising or factor else -11), "left")
    if factor == 1:
        axes.plot(*point, "o", color=colour, markersize=7)
    if factor in _NAMED_FACTORS:
        text = {0.0: "gray", 1.0: f"×1, {name}"}.get(factor, f"×{factor:g}")
        axes.annotate(text, point, offset, textcoords="offset points", ha=align, fontsize=8, color=colour)


def plot_confidence(found: dict[str, Any]) -> bytes:
    """Draws the error of the most confident photographs, and the error at each level of confidence."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        _draw_most_confident(left, found["most_confident"])
        _draw_calibration(right, found["calibration"])

    return _to_svg(draw)


def _draw_most_confident(axes: Axes, rows: Sequence[dict[str, float]]) -> None:
    percent = [100 * row["share"] for row in rows]
    axes.plot(
        percent, [row["ciede2000"] for row in rows], "o-", color=_COLOURS[MODEL], markersize=3, label="by confidence"
    )
    axes.plot(
        percent, [row["best"] for row in rows], "--", color=_COLOURS[GRAY], linewidth=1, label="by the true error"
    )
    axes.axhline(rows[-1]["ciede2000"], color=_COLOURS[GRAY], linewidth=0.8, linestyle=":", label="all")
    axes.set(xlabel="photographs kept, most confident first, %", ylabel="CIEDE2000", xlim=(0, 103), ylim=(0, None))
    axes.legend(loc="lower right")


def _draw_calibration(axes: Axes, levels: Sequence[dict[str, float]]) -> None:
    middles = [(level["from"] + level["to"]) / 2 for level in levels]
    shares = axes.twinx()
    shares.bar(middles, [100 * level["share"] for level in levels], 0.09, color=_PALE)
    shares.set(ylabel="pixels, % (bars)", ylim=(0, 100))
    shares.spines["right"].set_visible(True)
    axes.set_zorder(shares.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(middles, [level["ciede2000"] for level in levels], "o-", color=_COLOURS[MODEL], markersize=4)
    axes.set(xlabel="confidence of the pixel", ylabel="CIEDE2000 (line)", xlim=(0, 1), ylim=(0, None))


def plot_spread(values: dict[str, dict[str, list[float]]]) -> bytes:
    """Draws histograms of CIEDE2000 and the chroma ratio over photographs: method -> metric -> values."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axes, methods, metric, most in (
            (left, METHODS, "ciede2000", _MOST_CIEDE2000),
            (right, (MODEL, MEAN_COLOUR), "chroma_ratio", _MOST_RATIO),
        ):
            for method in methods:
                heights = np.clip(values[method][metric], 0, most)
                label, colour = method.replace("_", " "), _COLOURS[method]
                axes.hist(
                    heights, _HISTOGRAM_BINS, (0, most), histtype="step", linewidth=1.3, label=label, color=colour
                )
            axes.set(xlabel=f"{SCORES[metric]} (last bar: {most} or more)", ylabel="photographs", xlim=(0, most))
            axes.legend()
        right.axvline(1, color=_COLOURS[GRAY], linewidth=0.8, linestyle=":")

    return _to_svg(draw)


def plot_colours(histograms: dict[str, np.ndarray]) -> bytes:
    """Draws the share of pixels in each ab bin: name -> [Q] counts, one panel each."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(histograms), sharey=True)
        for axes, (name, counts) in zip(np.atleast_1d(panels), histograms.items(), strict=True):
            grid = np.full(ab_bins.in_gamut().shape, np.nan)
            grid[ab_bins.in_gamut()] = np.log10(np.maximum(counts / max(counts.sum(), 1), _LEAST_SHARE))
            ends = [
                ab_bins.A_CENTRES[0] - 5,
                ab_bins.A_CENTRES[-1] + 5,
                ab_bins.B_CENTRES[0] - 5,
                ab_bins.B_CENTRES[-1] + 5,
            ]
            image = axes.imshow(grid.T, "cividis", origin="lower", extent=ends, vmin=np.log10(_LEAST_SHARE), vmax=0)
            axes.set(xlabel="a*", title=name)
        np.atleast_1d(panels)[0].set(ylabel="b*")
        bar = figure.colorbar(image, ax=panels, shrink=0.9, ticks=range(-5, 1))
        bar.set_ticklabels(["≤ 0.001%", "0.01%", "0.1%", "1%", "10%", "100%"])
        bar.set_label("share of pixels")

    return _to_svg(draw)


def _to_svg(draw: Callable[[Figure], None]) -> bytes:
    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
