"""Two models on the same photographs: paired differences, and the photographs on which one or the other is better."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from photochrom.sources import keys
from trainer.evaluation import figures, lpips, metrics
from trainer.evaluation.evaluator import GRAY, MODEL, TRUTH, PhotographResult
from trainer.evaluation.results import LowestRanked, Results, without_arrays

# Names of the models, in the order of --model.
LABELS = FIRST, SECOND = ("A", "B")
# Sheets of pictures: second model better, first model better, the largest difference first; lowest digests of keys.
SHEETS = ("b_better", "a_better", "sheet")
COLUMNS = (GRAY, FIRST, SECOND, TRUTH)
# Metrics that rank two results of a photograph: title, and 1 where more is better, -1 where less is.
BETTER = {"psnr": ("PSNR", 1), "ciede2000": ("CIEDE2000", -1), lpips.NAME: ("LPIPS", -1)}


@dataclasses.dataclass(frozen=True)
class Pair:
    """Both models' results of one photograph.

    Attributes:
        results: by label, without pictures and histograms.
        pictures: [S, S, 3] uint8 sRGB by COLUMNS.
    """

    results: dict[str, PhotographResult]
    pictures: dict[str, np.ndarray]

    @classmethod
    def of(cls, first: PhotographResult, second: PhotographResult) -> "Pair":
        """Returns the pair of two results of the same photograph."""
        shared = {name: first.pictures[name] for name in (GRAY, TRUTH)}
        pictures = {**shared, FIRST: first.pictures[MODEL], SECOND: second.pictures[MODEL]}
        return cls({FIRST: without_arrays(first), SECOND: without_arrays(second)}, pictures)

    @property
    def key(self) -> str:
        """The photograph's key."""
        return self.results[FIRST].key

    def score(self, label: str, metric: str) -> float:
        """Returns a score of one model."""
        return self.results[label].scores[MODEL][metric]

    @property
    def difference(self) -> float:
        """CIEDE2000 of the second model minus that of the first."""
        return self.score(SECOND, "ciede2000") - self.score(FIRST, "ciede2000")


class Comparison:
    """Collects pairs of results in order; keeps pictures only of the photographs on the sheets.

    Attributes:
        models: the results of each model, by label.
    """

    def __init__(self, sheet_rows: int, subsets: str = ""):
        """Args: as of `Results`."""
        self.models = {label: Results(0, subsets) for label in LABELS}
        self._sheets: dict[str, LowestRanked[Pair]] = {name: LowestRanked(sheet_rows) for name in SHEETS}

    @property
    def photographs(self) -> list[PhotographResult]:
        """The first model's results."""
        return self.models[FIRST].photographs

    def add(self, first: PhotographResult, second: PhotographResult) -> None:
        """Adds the results of a photograph."""
        self.models[FIRST].add(first)
        self.models[SECOND].add(second)
        pair = Pair.of(first, second)
        self._sheets["sheet"].offer(keys.digest(pair.key), pair.key, pair)
        if pair.difference:  # an equal result is no difference to show
            name = "b_better" if pair.difference < 0 else "a_better"
            self._sheets[name].offer(-abs(pair.difference), pair.key, pair)

    def shown(self, sheet: str) -> list[Pair]:
        """Returns the pairs on one of SHEETS, in order."""
        return self._sheets[sheet].items()

    def compare(self) -> dict[str, Any]:
        """Returns `comparison` of summary.json, as PROTOCOL.md defines it."""
        first, second = (self.models[label].photographs for label in LABELS)
        return {
            **compare(first, second),
            "subsets": {
                name: {
                    "photographs": len(places),
                    **compare([first[place] for place in places], [second[place] for place in places]),
                }
                for name, places in self.models[FIRST].partition().items()
            },
        }


def compare(first: Sequence[PhotographResult], second: Sequence[PhotographResult]) -> dict[str, Any]:
    """Returns the differences of two models' figures, and the shares of photographs on which each is better.

    Args:
        first: results of the first model.
        second: those of the second on the same photographs, in the same order.
    """
    return {
        "differences": figures.compare(first, second),
        "better": {
            metric: {FIRST: _share_better(first, second, metric), SECOND: _share_better(second, first, metric)}
            for metric in BETTER
            if metric in first[0].scores[MODEL]
        },
    }


def _share_better(
    ours: Sequence[PhotographResult], theirs: Sequence[PhotographResult], metric: str
) -> dict[str, float] | None:
    """Returns the share of photographs on which `ours` is better; equal ones count for neither."""
    _, sign = BETTER[metric]
    gains = [
        sign * (one.scores[MODEL][metric] - other.scores[MODEL][metric])
        for one, other in zip(ours, theirs, strict=True)
    ]
    return metrics.bootstrap(figures.mean, np.array(gains)[:, np.newaxis] > 0)
