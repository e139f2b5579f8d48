"""What an evaluation leaves behind: a CSV of every score, sheets of pictures, a plot, and the sums."""

import csv
import heapq
import io
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from photochrom import errors, files, keys, sheets
from trainer import metrics
from trainer.protocol import GRAY, MEAN_COLOUR, METHODS, MODEL, SCORES, Judged

# method -> metric -> value; method -> metric -> mean, low, high
Scores = dict[str, dict[str, float]]
Summary = dict[str, dict[str, dict[str, float]]]
_COLUMNS = (GRAY, MODEL, "truth")
_STRIPS = 3
_BINS = 40
# The plots' right end: beyond it lie mistakes and near-gray truths, which are counted in the last bar.
_MOST_CIEDE2000, _MOST_RATIO = 40, 3


class Lowest:
    """Keeps the photographs of the lowest rank, at most `size` of them."""

    def __init__(self, size: int):
        self._size = size
        self._heap: list[tuple[float, str, Judged]] = []

    def offer(self, rank: float, judged: Judged) -> None:
        """Takes a photograph in if its rank is among the lowest so far."""
        heapq.heappush(self._heap, (-rank, judged.key, judged))
        if len(self._heap) > self._size:
            heapq.heappop(self._heap)

    def items(self) -> list[Judged]:
        """Returns them, lowest first."""
        return [judged for _, _, judged in sorted(self._heap, key=lambda item: (-item[0], item[1]))]


class Results:
    """Collects judged photographs: all their scores, and the pictures of the few that the sheets show."""

    def __init__(self, sheet_rows: int):
        self.scores: dict[str, Scores] = {}
        self._true_chroma: list[float] = []
        # Not picked by hand: those of the lowest digests, and of the least and the largest error.
        self._sheets = {name: Lowest(sheet_rows) for name in ("sheet", "best", "worst")}

    def add(self, judged: Judged) -> None:
        """Takes a photograph in."""
        error = judged.scores[MODEL]["ciede2000"]
        self.scores[judged.key] = judged.scores
        self._true_chroma.append(judged.true_chroma)
        for name, rank in {"sheet": keys.digest(judged.key), "best": error, "worst": -error}.items():
            self._sheets[name].offer(rank, judged)

    def values(self, method: str, metric: str) -> list[float]:
        """Returns a metric of every photograph."""
        return [scores[method][metric] for scores in self.scores.values()]

    def summarize(self) -> Summary:
        """Returns the means over photographs; of the chroma ratio, the ratio of the means."""
        weights = {"chroma_ratio": self._true_chroma}
        return {
            method: {
                metric: metrics.mean_with_interval(self.values(method, metric), weights.get(metric))
                for metric in SCORES
            }
            for method in METHODS
        }

    def write(self, output: str, failures: Sequence[errors.Failure]) -> None:
        """Writes metrics.csv, skipped.csv, plots.png, sheet.png, best.png and worst.png."""
        rows = [
            [key, method, *(f"{scores[method][metric]:.6g}" for metric in SCORES)]
            for key, scores in self.scores.items()
            for method in METHODS
        ]
        _write_csv(files.join(output, "metrics.csv"), ["key", "method", *SCORES], rows)
        skipped = [[failure.key, failure.reason, failure.message] for failure in failures]
        _write_csv(files.join(output, "skipped.csv"), ["key", "reason", "message"], skipped)
        for name, lowest in self._sheets.items():
            files.write_bytes(files.join(output, f"{name}.png"), _draw_sheet(lowest.items()))
        self._plot(files.join(output, "plots.png"))

    def _plot(self, path: str) -> None:
        figure = Figure(figsize=(11, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        plots = (
            (left, METHODS, "ciede2000", _MOST_CIEDE2000),
            (right, (MODEL, MEAN_COLOUR), "chroma_ratio", _MOST_RATIO),
        )
        for axes, methods, metric, most in plots:
            for method in methods:
                values = [min(value, most) for value in self.values(method, metric)]
                axes.hist(values, _BINS, (0, most), histtype="step", linewidth=1.5, label=method.replace("_", " "))
            axes.set(xlabel=f"{SCORES[metric]} (last bar: {most} or more)", ylabel="photographs", xlim=(0, most))
            axes.legend()
        right.axvline(1, color="gray", linewidth=0.8, linestyle=":")
        with files.create(path) as file:
            figure.savefig(file, format="png", dpi=100, metadata={"Software": None})


def _write_csv(path: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    files.write_bytes(path, text.getvalue().encode())


def _draw_sheet(shown: Sequence[Judged]) -> bytes:
    rows = [[judged.pictures[name] for name in _COLUMNS] for judged in shown]
    captions = [
        f"CIEDE2000 {judged.scores[MODEL]['ciede2000']:.1f}, gray {judged.scores[GRAY]['ciede2000']:.1f}: {judged.key}"
        for judged in shown
    ]
    return sheets.to_png(sheets.contact_sheet(rows, captions, _COLUMNS, strips=_STRIPS))


def format_table(summary: Summary) -> str:
    """Returns the means as lines of text, each with half the width of its 95% interval."""
    lines = [f"{'':22}" + "".join(f"{method.replace('_', ' '):>17}" for method in METHODS)]
    for metric, title in SCORES.items():
        cells = (summary[method][metric] for method in METHODS)
        texts = (f"{cell['mean']:.3f} ±{(cell['high'] - cell['low']) / 2:6.3f}" for cell in cells)
        lines.append(f"{title:22}" + "".join(f"{text:>17}" for text in texts))
    return "\n".join(lines)
