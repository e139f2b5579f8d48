"""Aggregation over photographs: means, figures, distances, subsets, and the photographs to show."""

import dataclasses
import heapq
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from photochrom.color import ab_bins
from photochrom.sources import keys
from trainer.data import key_selection
from trainer.evaluation import ab_histogram, confidence, figures, frechet, metrics, saturation
from trainer.evaluation.evaluator import GRAY, METHODS, MODEL, SCORES, TRUTH, PhotographResult

Item = TypeVar("Item")
# method -> metric -> mean, low, high
Summary = dict[str, dict[str, dict[str, float]]]
# Sheets of pictures: lowest error, highest error, and lowest digests of keys (a selection independent of the model).
SHEETS = ("best", "worst", "sheet")
COLUMNS = (GRAY, MODEL, TRUTH)
# Name of the whole set.
WHOLE = "all photographs"
_ALL = (*METHODS, TRUTH)


class LowestRanked(Generic[Item]):
    """Keeps the items of the lowest rank, at most `size` of them; of equal ranks the first by key."""

    def __init__(self, size: int):
        self._size = size
        self._heap: list[tuple[float, str, int, Item]] = []
        self._order = itertools.count()  # items themselves have no order

    def offer(self, rank: float, key: str, item: Item) -> None:
        """Keeps an item if its rank is among the lowest so far."""
        heapq.heappush(self._heap, (-rank, key, next(self._order), item))
        if len(self._heap) > self._size:
            heapq.heappop(self._heap)

    def items(self) -> list[Item]:
        """Returns the kept items, lowest rank first."""
        return [item for *_, item in sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))]


class Results:
    """Collects one model's results in order; keeps pictures only of the photographs on the sheets.

    Attributes:
        photographs: all results, without pictures and histograms.
        histograms: [Q] pixels of all photographs in each ab bin, of each method and of TRUTH.
    """

    def __init__(self, sheet_rows: int, subsets: str = ""):
        """Args: sheet_rows: photographs on each sheet. subsets: the expression of `EvaluateConfig.subsets`."""
        self.photographs: list[PhotographResult] = []
        self.histograms = {name: np.zeros(len(ab_bins.centres()), np.int64) for name in _ALL}
        self._subsets = re.compile(subsets) if subsets else None
        self._sheets: dict[str, LowestRanked[PhotographResult]] = {name: LowestRanked(sheet_rows) for name in SHEETS}

    def add(self, result: PhotographResult) -> None:
        """Adds the result of a photograph."""
        error = result.scores[MODEL]["ciede2000"]
        self.photographs.append(without_arrays(result))
        for name in _ALL:
            self.histograms[name] += result.histograms[name]
        for name, rank in {"sheet": keys.digest(result.key), "best": error, "worst": -error}.items():
            self._sheets[name].offer(rank, result.key, result)

    @property
    def models(self) -> dict[str, "Results"]:
        """The results of each evaluated model: these alone."""
        return {MODEL: self}

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

    def subset(self, result: PhotographResult) -> str | None:
        """Returns the name of the photograph's subset; None without --subsets."""
        return key_selection.subset(self._subsets, result.key) if self._subsets else None

    def partition(self) -> dict[str, list[int]]:
        """Returns the places of each subset's photographs, the largest subset first; empty without --subsets."""
        places: dict[str, list[int]] = {}
        for place, result in enumerate(self.photographs):
            if name := self.subset(result):
                places.setdefault(name, []).append(place)
        return dict(sorted(places.items(), key=lambda item: (-len(item[1]), item[0])))

    def summarize(self) -> dict[str, Any]:
        """Returns the aggregates of summary.json, as PROTOCOL.md defines them."""
        return {
            **summarize_set(self.photographs, self.metrics),
            "distributions": self._distributions(),
            "confidence": confidence.summarize(
                [result.confidence for result in self.photographs],
                self.values(MODEL, "ciede2000"),
                [result.tally for result in self.photographs],
            ),
            "subsets": {
                name: {
                    "photographs": len(places),
                    **summarize_set([self.photographs[place] for place in places], self.metrics),
                }
                for name, places in self.partition().items()
            },
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


def without_arrays(result: PhotographResult) -> PhotographResult:
    """Returns a result without its pictures and histograms, which take most of its memory."""
    return dataclasses.replace(result, pictures={}, histograms={})


def summarize_set(photographs: Sequence[PhotographResult], names: Iterable[str]) -> dict[str, Any]:
    """Returns the aggregates that the whole and each subset have: means of the metrics `names`, figures, curve."""
    curve = saturation.summarize([result.sweep for result in photographs])
    return {
        "methods": summarize(photographs, names),
        "figures": figures.measure(photographs),
        "saturation": curve,
        "best_saturation": max(curve, key=lambda row: row["psnr_gain"])["saturation"],
    }


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


def named_sets(found: dict[str, Any], photographs: int) -> list[tuple[str, dict[str, Any]]]:
    """Returns name and aggregates of the whole set, then of its subsets, the largest first; all have `photographs`.

    Args:
        found: aggregates of the whole, with `subsets`.
        photographs: their number.
    """
    return [(WHOLE, {**found, "photographs": photographs}), *found["subsets"].items()]
