"""Aggregation over photographs: means, distances, subsets, a CSV of every score, and the photographs to show."""

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
from trainer.evaluation.evaluator import GRAY, METHODS, MODEL, SCORES, TRUTH, PhotographResult

# method -> metric -> mean, low, high
Summary = dict[str, dict[str, dict[str, float]]]
# Sheets of pictures: lowest error, highest error, and lowest digests of keys (a selection independent of the model).
SHEETS = ("best", "worst", "sheet")
COLUMNS = (GRAY, MODEL, TRUTH)
_STRIPS = 3
# Subset of the photographs whose keys the expression does not match.
UNMATCHED = "(no match)"
_ALL = (*METHODS, TRUTH)


class LowestRanked:
    """Keeps the results of the lowest rank, at most `size` of them."""

    def __init__(self, size: int):
        self._size = size
        self._heap: list[tuple[float, str, PhotographResult]] = []

    def offer(self, rank: float, result: PhotographResult) -> None:
        """Keeps a result if its rank is among the lowest so far."""
        heapq.heappush(self._heap, (-rank, result.key, result))
        if len(self._heap) > self._size:
            heapq.heappop(self._heap)

    def items(self) -> list[PhotographResult]:
        """Returns the kept results, lowest rank first."""
        return [result for _, _, result in sorted(self._heap, key=lambda item: (-item[0], item[1]))]


class Results:
    """Collects the results in order; keeps pictures only of the photographs on the sheets.

    Attributes:
        photographs: all results, without pictures and histograms.
        histograms: [Q] pixels of all photographs in each ab bin, of each method and of TRUTH.
    """

    def __init__(self, sheet_rows: int, subsets: str = ""):
        """Args: sheet_rows: photographs on each sheet. subsets: the expression of `EvaluateConfig.subsets`."""
        self.photographs: list[PhotographResult] = []
        self.histograms = {name: np.zeros(len(ab_bins.centres()), np.int64) for name in _ALL}
        self._subsets = re.compile(subsets) if subsets else None
        self._sheets = {name: LowestRanked(sheet_rows) for name in SHEETS}

    def add(self, result: PhotographResult) -> None:
        """Adds the result of a photograph."""
        error = result.scores[MODEL]["ciede2000"]
        self.photographs.append(dataclasses.replace(result, pictures={}, histograms={}))
        for name in _ALL:
            self.histograms[name] += result.histograms[name]
        for name, rank in {"sheet": keys.digest(result.key), "best": error, "worst": -error}.items():
            self._sheets[name].offer(rank, result)

    @property
    def metrics(self) -> list[str]:
        """Names of the measured SCORES."""
        return [metric for metric in SCORES if metric in self.photographs[0].scores[MODEL]]

    def shown(self, sheet: str) -> list[PhotographResult]:
        """Returns the results on one of SHEETS, with pictures, in order."""
        return self._sheets[sheet].items()

    def values(self, method: str, metric: str) -> list[float]:
        """Returns the values of a metric, one per photograph."""
        return [result.scores[method][metric] for result in self.photographs]

    def subset(self, result: PhotographResult) -> str:
        """Returns the name of the photograph's subset."""
        found = self._subsets.search(result.key) if self._subsets else None
        return (found.group(1) or UNMATCHED) if found else UNMATCHED

    def summarize(self) -> dict[str, Any]:
        """Returns the aggregates of summary.json, as PROTOCOL.md defines them."""
        return {
            "methods": summarize(self.photographs, self.metrics),
            "distributions": self._distributions(),
            "saturation": saturation.summarize([result.sweep for result in self.photographs]),
            "confidence": confidence.summarize(
                [result.confidence for result in self.photographs],
                self.values(MODEL, "ciede2000"),
                [result.tally for result in self.photographs],
            ),
            "subsets": self._summarize_subsets(),
        }

    def ensemble_gain(self) -> dict[str, dict[str, float]]:
        """Returns the change in PSNR (dB) and CIEDE2000 by the ensemble, with intervals; empty without one."""
        pairs = [
            (result.sweep[saturation.UNCHANGED], result.single)
            for result in self.photographs
            if result.single is not None
        ]
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
            features = {name: np.stack([result.features[name] for result in self.photographs]) for name in _ALL}
            distances = {method: frechet.distance(features[method], features[TRUTH]) for method in METHODS}
            found[frechet.NAME] = {m: None if math.isnan(value) else value for m, value in distances.items()}
        return found

    def _summarize_subsets(self) -> dict[str, Any]:
        """Returns the means of each subset, the largest first; empty without --subsets."""
        if not self._subsets:
            return {}
        members: dict[str, list[PhotographResult]] = {}
        for result in self.photographs:
            members.setdefault(self.subset(result), []).append(result)
        return {
            name: {"photographs": len(subset), "methods": summarize(subset, self.metrics)}
            for name, subset in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
        }

    def write(self, output: str, failures: Sequence[errors.Failure]) -> None:
        """Writes metrics.csv, skipped.csv, best.png, worst.png and sheet.png."""
        rows = [
            [result.key, *([self.subset(result)] if self._subsets else []), method]
            + [f"{result.scores[method][metric]:.6g}" for metric in self.metrics]
            + [f"{result.confidence:.6g}" if method == MODEL else ""]
            for result in self.photographs
            for method in METHODS
        ]
        header = ["key", *(["subset"] if self._subsets else []), "method", *self.metrics, "confidence"]
        _write_csv(files.join(output, "metrics.csv"), header, rows)
        skipped = [[failure.key, failure.reason, failure.message] for failure in failures]
        _write_csv(files.join(output, "skipped.csv"), ["key", "reason", "message"], skipped)
        for name in SHEETS:
            files.write_bytes(files.join(output, f"{name}.png"), _draw_sheet(self.shown(name)))


def summarize(photographs: Sequence[PhotographResult], names: Iterable[str]) -> Summary:
    """Returns the means of these metrics over photographs, weighted by their `weights`."""
    return {
        method: {
            metric: metrics.mean_with_interval(
                [result.scores[method][metric] for result in photographs],
                [result.weights.get(metric, 1) for result in photographs],
            )
            for metric in names
        }
        for method in METHODS
    }


def _write_csv(path: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    files.write_bytes(path, text.getvalue().encode())


def _draw_sheet(shown: Sequence[PhotographResult]) -> bytes:
    rows = [[result.pictures[name] for name in COLUMNS] for result in shown]
    captions = [
        f"CIEDE2000 {result.scores[MODEL]['ciede2000']:.1f}, gray {result.scores[GRAY]['ciede2000']:.1f}: {result.key}"
        for result in shown
    ]
    return contact_sheet.to_png(contact_sheet.contact_sheet(rows, captions, COLUMNS, strips=_STRIPS))
