"""The files of an evaluation or a comparison: the page, its numbers as JSON and CSV, and sheets of pictures."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from photochrom import errors
from photochrom.imaging import contact_sheet
from photochrom.storage.names import inert
from trainer.evaluation import comparison, html_report, results
from trainer.evaluation.comparison import FIRST, SECOND, Comparison, Pair
from trainer.evaluation.evaluator import GRAY, METHODS, MODEL, PhotographResult
from trainer.evaluation.results import Results

# Strips of a sheet, side by side.
_STRIPS, _PAIR_STRIPS = 3, 2


def render(
    summary: dict[str, Any], collected: Results | Comparison, failures: Sequence[errors.Failure]
) -> dict[str, bytes]:
    """Returns all files by name, summary.json last; a sheet without photographs is left out.

    Args:
        summary: the content of summary.json.
        collected: the results.
        failures: the photographs that were skipped.
    """
    if isinstance(collected, Comparison):
        page = html_report.render_comparison(summary, collected)
        sheets = {name: draw_pairs(pairs) for name in comparison.SHEETS if (pairs := collected.shown(name))}
    else:
        page = html_report.render(summary, collected)
        sheets = {name: draw_results(shown) for name in results.SHEETS if (shown := collected.shown(name))}
    skipped = [[inert(failure.key), failure.reason, inert(failure.message)] for failure in failures]
    return {
        **{f"{name}.png": sheet for name, sheet in sheets.items()},
        "metrics.csv": metrics_csv(collected.models),
        "skipped.csv": _to_csv(["key", "reason", "message"], skipped),
        "report.html": page,
        "summary.json": (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode(),
    }


def metrics_csv(models: Mapping[str, Results]) -> bytes:
    """Returns a row for each photograph and method: each of the models, by name, and the baselines."""
    first = next(iter(models.values()))
    has_subsets = first.subset(first.photographs[0]) is not None
    header = ["key", *(["subset"] if has_subsets else []), "method", *first.metrics, "confidence"]
    rows = []
    for place, photograph in enumerate(first.photographs):
        start = list(map(inert, [photograph.key, *([str(first.subset(photograph))] if has_subsets else [])]))
        for name, collected in models.items():
            one = collected.photographs[place]
            rows.append([*start, name, *_cells(one.scores[MODEL], first.metrics), f"{one.confidence:.6g}"])
        for method in METHODS:
            if method != MODEL:
                rows.append([*start, method, *_cells(photograph.scores[method], first.metrics), ""])
    return _to_csv(header, rows)


def _cells(scores: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{scores[name]:.6g}" for name in names]


def _to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def draw_results(shown: Sequence[PhotographResult]) -> bytes:
    """Returns a PNG with gray, model and truth of each result."""
    captions = [
        f"CIEDE2000 {result.scores[MODEL]['ciede2000']:.1f}, gray {result.scores[GRAY]['ciede2000']:.1f}: {result.key}"
        for result in shown
    ]
    return _draw([result.pictures for result in shown], captions, results.COLUMNS, _STRIPS)


def draw_pairs(pairs: Sequence[Pair]) -> bytes:
    """Returns a PNG with gray, both models and truth of each pair."""
    captions = [
        f"CIEDE2000 {FIRST} {pair.score(FIRST, 'ciede2000'):.1f}, {SECOND} {pair.score(SECOND, 'ciede2000'):.1f} "
        f"({pair.difference:+.1f}), gray {pair.results[FIRST].scores[GRAY]['ciede2000']:.1f}: {pair.key}"
        for pair in pairs
    ]
    return _draw([pair.pictures for pair in pairs], captions, comparison.COLUMNS, _PAIR_STRIPS)


def _draw(
    pictures: Sequence[Mapping[str, np.ndarray]], captions: Sequence[str], columns: Sequence[str], strips: int
) -> bytes:
    rows = [[by_name[name] for name in columns] for by_name in pictures]
    return contact_sheet.to_png(contact_sheet.contact_sheet(rows, captions, columns, strips=strips))
