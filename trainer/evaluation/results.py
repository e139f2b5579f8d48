"""What an evaluation adds up to: the sums over photographs, a CSV of every score, and the photographs to show."""

import csv
import dataclasses
import heapq
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from photochrom import errors
from photochrom.color import ab_bins
from photochrom.imaging import contact_sheet
from photochrom.sources import keys
from photochrom.storage import files
from trainer.evaluation import ab_histogram, confidence, frechet, metrics, saturation
from trainer.evaluation.evaluator import GRAY, METHODS, MODEL, SCORES, TRUTH, Judged

# method -> metric -> mean, low, high
Summary = dict[str, dict[str, dict[str, float]]]
# What is shown: the best first, then the worst, then those that nobody picked.
SHEETS = ("best", "worst", "sheet")
COLUMNS = (GRAY, MODEL, TRUTH)
_STRIPS = 3
# The subset of photographs whose keys the expression does not match.
UNMATCHED = "(no match)"
_ALL = (*METHODS, TRUTH)


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
    """Collects the judgements, each photograph in order; pictures are kept of those alone that will be shown.

    Attributes:
        photographs: all of them, without pictures and histograms.
        histograms: [Q] pixels of all photographs in each ab bin, of each method and of TRUTH.
    """

    def __init__(self, sheet_rows: int, subsets: str = ""):
        """Args: sheet_rows: photographs on each sheet. subsets: what `EvaluateConfig.subsets` says."""
        self.photographs: list[Judged] = []
        self.histograms = {name: np.zeros(len(ab_bins.centres()), np.int64) for name in _ALL}
        self._subsets = re.compile(subsets) if subsets else None
        # Not picked by hand: those of the lowest digests, and of the least and the largest error.
        self._sheets = {name: Lowest(sheet_rows) for name in SHEETS}

    def add(self, judged: Judged) -> None:
        """Takes a photograph in."""
        error = judged.scores[MODEL]["ciede2000"]
        self.photographs.append(dataclasses.replace(judged, pictures={}, histograms={}))
        for name in _ALL:
            self.histograms[name] += judged.histograms[name]
        for name, rank in {"sheet": keys.digest(judged.key), "best": error, "worst": -error}.items():
            self._sheets[name].offer(rank, judged)

    @property
    def metrics(self) -> list[str]:
        """Which of SCORES were measured."""
        return [metric for metric in SCORES if metric in self.photographs[0].scores[MODEL]]

    def shown(self, sheet: str) -> list[Judged]:
        """Returns the photographs of one of SHEETS, with pictures, in order."""
        return self._sheets[sheet].items()

    def values(self, method: str, metric: str) -> list[float]:
        """Returns a metric of every photograph."""
        return [one.scores[method][metric] for one in self.photographs]

    def subset(self, judged: Judged) -> str:
        """Returns the name of the subset that a photograph belongs to."""
        found = self._subsets.search(judged.key) if self._subsets else None
        return (found.group(1) or UNMATCHED) if found else UNMATCHED

    def summarize(self) -> dict[str, Any]:
        """Returns all sums, as trainer.evaluate explains them."""
        return {
            "methods": summarize(self.photographs, self.metrics),
            "distributions": self._distributions(),
            "saturation": saturation.summarize([one.sweep for one in self.photographs]),
            "confidence": confidence.summarize(
                [one.confidence for one in self.photographs],
                self.values(MODEL, "ciede2000"),
                [one.tally for one in self.photographs],
            ),
            "subsets": self._summarize_subsets(),
        }

    def ensemble_gain(self) -> dict[str, dict[str, float]]:
        """Returns by how much the ensemble changes PSNR (dB) and CIEDE2000, with intervals; nothing without one."""
        pairs = [(one.sweep[saturation.AS_IT_IS], one.single) for one in self.photographs if one.single is not None]
        if not pairs:
            return {}
        differences = np.array([averaged - single for averaged, single in pairs])
        return {
            name: metrics.mean_with_interval(list(differences[:, column]))
            for column, name in enumerate(("psnr", "ciede2000"))
        }

    def _distributions(self) -> dict[str, dict[str, float | None]]:
        """Returns the distances of the set of results from the set of truths, by name and method."""
        truth = self.histograms[TRUTH]
        found: dict[str, dict[str, float | None]] = {
            ab_histogram.NAME: {m: ab_histogram.difference(self.histograms[m], truth) for m in METHODS}
        }
        if self.photographs[0].features:
            features = {name: np.stack([one.features[name] for one in self.photographs]) for name in _ALL}
            distances = {method: frechet.distance(features[method], features[TRUTH]) for method in METHODS}
            found[frechet.NAME] = {m: None if math.isnan(value) else value for m, value in distances.items()}
        return found

    def _summarize_subsets(self) -> dict[str, Any]:
        """Returns the means of each subset, the largest first; nothing where no subsets were asked for."""
        if not self._subsets:
            return {}
        members: dict[str, list[Judged]] = {}
        for one in self.photographs:
            members.setdefault(self.subset(one), []).append(one)
        return {
            name: {"photographs": len(ones), "methods": summarize(ones, self.metrics)}
            for name, ones in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
        }

    def write(self, output: str, failures: Sequence[errors.Failure]) -> None:
        """Writes metrics.csv, skipped.csv, best.png, worst.png and sheet.png."""
        rows = [
            [one.key, *([self.subset(one)] if self._subsets else []), method]
            + [f"{one.scores[method][metric]:.6g}" for metric in self.metrics]
            + [f"{one.confidence:.6g}" if method == MODEL else ""]
            for one in self.photographs
            for method in METHODS
        ]
        header = ["key", *(["subset"] if self._subsets else []), "method", *self.metrics, "confidence"]
        _write_csv(files.join(output, "metrics.csv"), header, rows)
        skipped = [[failure.key, failure.reason, failure.message] for failure in failures]
        _write_csv(files.join(output, "skipped.csv"), ["key", "reason", "message"], skipped)
        for name in SHEETS:
            files.write_bytes(files.join(output, f"{name}.png"), _draw_sheet(self.shown(name)))


def summarize(photographs: Sequence[Judged], names: Iterable[str]) -> Summary:
    """Returns the means of these metrics over photographs, weighted where a photograph's `weights` say so."""
    return {
        method: {
            metric: metrics.mean_with_interval(
                [one.scores[method][metric] for one in photographs],
                [one.weights.get(metric, 1) for one in photographs],
            )
            for metric in names
        }
        for method in METHODS
    }


def _write_csv(path: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    files.write_bytes(path, text.getvalue().encode())


def _draw_sheet(shown: Sequence[Judged]) -> bytes:
    rows = [[judged.pictures[name] for name in COLUMNS] for judged in shown]
    captions = [
        f"CIEDE2000 {judged.scores[MODEL]['ciede2000']:.1f}, gray {judged.scores[GRAY]['ciede2000']:.1f}: {judged.key}"
        for judged in shown
    ]
    return contact_sheet.to_png(contact_sheet.contact_sheet(rows, captions, COLUMNS, strips=_STRIPS))


def format_table(summary: Summary) -> str:
    """Returns the means as lines of text, each with half the width of its 95% interval."""
    lines = [f"{'':22}" + "".join(f"{method.replace('_', ' '):>17}" for method in METHODS)]
    for metric in summary[MODEL]:
        cells = (summary[method][metric] for method in METHODS)
        texts = (f"{cell['mean']:.3f} ±{(cell['high'] - cell['low']) / 2:6.3f}" for cell in cells)
        lines.append(f"{SCORES[metric]:22}" + "".join(f"{text:>17}" for text in texts))
    return "\n".join(lines)


def format_distributions(distributions: dict[str, dict[str, float | None]]) -> str:
    """Returns the distances of sets as lines of text."""
    return "\n".join(
        f"{name:22}" + "".join("" if value is None else f"{value:9.3f}{'':8}" for value in values.values())
        for name, values in distributions.items()
    )
