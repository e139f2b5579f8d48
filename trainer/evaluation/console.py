"""Text of an evaluation for the terminal: counts, tables of means, figures by subset and distances, notes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from photochrom.imaging.contact_sheet import cut
from photochrom.storage.names import printable
from trainer.evaluation.comparison import BETTER, FIRST, LABELS, SECOND
from trainer.evaluation.evaluator import METHODS, MODEL, SCORES
from trainer.evaluation.figures import FIGURES, Estimate, as_text
from trainer.evaluation.results import Summary, named_sets

# Characters: a row's title, a cell; cells in a line, columns of sets at most.
_TITLE, _CELL = 38, 18
_LINE_SETS, _MOST_SETS = 4, 12


def format_summary(output: str, summary: dict[str, Any]) -> str:
    """Returns the text of summary.json, of one model or two; `output` is the folder that has the report."""
    return "\n".join((_comparison_lines if "comparison" in summary else _lines)(output, summary))


def _lines(output: str, summary: dict[str, Any]) -> Iterator[str]:
    yield _first_line(output, summary, "evaluated")
    yield format_table(summary["methods"])
    yield format_distributions(summary["distributions"])
    yield ""
    yield from _format_sets(named_sets(summary, summary["evaluated"]), _figure_rows)
    yield ""
    yield from _format_notes(summary, {"": summary["ensemble"]})


def _comparison_lines(output: str, summary: dict[str, Any]) -> Iterator[str]:
    models, found = summary["models"], summary["comparison"]
    yield _first_line(output, summary, "compared")
    yield from (f"{label}: {printable(model['path'])}, {model['digest']}" for label, model in models.items())
    yield ""
    yield _row("", [*LABELS, f"{SECOND} minus {FIRST}"])
    for name, difference in found["differences"].items():
        percent = FIGURES[name].percent
        cells = [_cell(percent, models[label]["figures"][name]) for label in LABELS]
        yield _row(FIGURES[name].title, [*cells, _cell(percent, difference, signed=True)])
    for metric, shares in found["better"].items():
        yield _row(f"better on a photograph, {BETTER[metric][0]}", [_cell(True, shares[label]) for label in LABELS])
    if found["subsets"]:
        yield f"\n{SECOND} minus {FIRST}"
        yield from _format_sets(named_sets(found, summary["evaluated"]), _difference_rows)
    yield ""
    yield from _format_notes(summary, {f"{label} ": model["ensemble"] for label, model in models.items()})


def _first_line(output: str, summary: dict[str, Any], verb: str) -> str:
    skipped = sum(summary["skipped"].values())
    return f"{output}/report.html: {summary['evaluated']} photographs {verb}, {skipped} skipped"


def _format_notes(summary: dict[str, Any], ensembles: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    duplicates = summary["data"]["near_duplicates"]
    yield f"near-duplicates on different sides of the split: {duplicates['overlap'] if duplicates else 'not checked'}"
    for label, ensemble in ensembles.items():
        if ensemble:
            yield (
                f"{label}ensemble: PSNR {ensemble['psnr']['mean']:+.3f} dB, "
                f"CIEDE2000 {ensemble['ciede2000']['mean']:+.3f}, for {ensemble['cost']:.1f} times the model's time"
            )
    yield from summary["left_out"]


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


def _format_sets(
    sets: Sequence[tuple[str, dict[str, Any]]], rows_of: Callable[[dict[str, Any]], dict[str, str]]
) -> Iterator[str]:
    """Yields a table of titles and cells, which `rows_of` returns, with a column for each set, some at a time."""
    shown = sets[:_MOST_SETS]
    for start in range(0, len(shown), _LINE_SETS):
        part = shown[start : start + _LINE_SETS]
        yield _row("", [cut(printable(name), _CELL - 2) for name, _ in part])
        columns = [{"photographs": str(found["photographs"]), **rows_of(found)} for _, found in part]
        for title in columns[0]:
            yield _row(title, [column[title] for column in columns])
    if len(sets) > len(shown):
        yield f"{len(sets) - len(shown)} more subsets are in summary.json"


def _figure_rows(found: dict[str, Any]) -> dict[str, str]:
    rows = {FIGURES[name].title: _cell(FIGURES[name].percent, estimate) for name, estimate in found["figures"].items()}
    return {**rows, "best saturation": f"{found['best_saturation']:g}"}


def _difference_rows(found: dict[str, Any]) -> dict[str, str]:
    differences = {
        FIGURES[name].title: _cell(FIGURES[name].percent, estimate, signed=True)
        for name, estimate in found["differences"].items()
    }
    shares = {
        f"{SECOND} is better, {BETTER[metric][0]}": _cell(True, by_label[SECOND])
        for metric, by_label in found["better"].items()
    }
    return {**differences, **shares}


def _row(title: str, cells: Sequence[str]) -> str:
    return f"{title:{_TITLE}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _cell(percent: bool, estimate: Estimate | None, signed: bool = False) -> str:
    """Returns a figure with half the width of its 95% interval."""
    if estimate is None:
        return "-"
    half = (estimate["high"] - estimate["low"]) / 2
    return f"{as_text(estimate['value'], percent, 3, signed)} ±{as_text(half, percent, 3)}"
