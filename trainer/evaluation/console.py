"""Text of an evaluation for the terminal: counts, tables of means and distances, notes."""

from collections.abc import Iterator
from typing import Any

from trainer.evaluation.evaluator import METHODS, MODEL, SCORES
from trainer.evaluation.results import Summary


def format_summary(output: str, summary: dict[str, Any]) -> str:
    """Returns the text of summary.json; `output` is the folder that has the report."""
    return "\n".join(_lines(output, summary))


def _lines(output: str, summary: dict[str, Any]) -> Iterator[str]:
    skipped = sum(summary["skipped"].values())
    yield f"{output}/report.html: {summary['evaluated']} photographs evaluated, {skipped} skipped"
    yield format_table(summary["methods"])
    yield format_distributions(summary["distributions"])
    duplicates = summary["data"]["near_duplicates"]
    yield f"near-duplicates on different sides of the split: {duplicates['overlap'] if duplicates else 'not checked'}"
    if ensemble := summary["ensemble"]:
        yield (
            f"ensemble: PSNR {ensemble['psnr']['mean']:+.3f} dB, CIEDE2000 {ensemble['ciede2000']['mean']:+.3f}, "
            f"for {ensemble['cost']:.1f} times the model's time"
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
