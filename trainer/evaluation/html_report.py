"""The report of an evaluation: one self-contained HTML page to read, print and share.

The page has no script and loads nothing; its Content-Security-Policy forbids both. All strings from data, keys above
all, are escaped by the template engine.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from photochrom.storage.names import printable
from trainer.evaluation import ab_histogram, frechet, plots, results
from trainer.evaluation.evaluator import METHODS, MODEL, SCORES, TRUTH, PhotographResult
from trainer.evaluation.results import Results

_TEMPLATE = "report.html.j2"
# px: side of the pictures on the page, and the gap between them.
_CELL, _GAP = 224, 4
# Most rows of the table of subsets; summary.json has all.
_MAX_SUBSETS = 60
_DISTRIBUTIONS = {
    ab_histogram.NAME: "ab histogram, Jensen-Shannon distance",
    frechet.NAME: "Fréchet distance, EfficientNet-Lite0",
}
_SHEETS = {
    "best": ("Best", "The least CIEDE2000, the best first."),
    "worst": ("Worst", "The largest CIEDE2000, the worst first."),
    "sheet": (
        "Not picked",
        "The lowest digests of keys: a selection that is independent of the model.",
    ),
}


def render(summary: dict[str, Any], collected: Results) -> bytes:
    """Returns the page.

    Args:
        summary: the content of summary.json.
        collected: the results.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trainer.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    page = environment.get_template(_TEMPLATE).render(
        summary=summary,
        methods=METHODS,
        scores=SCORES,
        distributions=_DISTRIBUTIONS,
        metrics=collected.metrics,
        subsets=list(summary["subsets"].items())[:_MAX_SUBSETS],
        plots=_draw_plots(summary, collected),
        sheets=[(*_SHEETS[name], [_card(result) for result in collected.shown(name)]) for name in results.SHEETS],
    )
    return page.encode("utf-8", "backslashreplace")


def _draw_plots(summary: dict[str, Any], collected: Results) -> dict[str, str]:
    values = {m: {metric: collected.values(m, metric) for metric in ("ciede2000", "chroma_ratio")} for m in METHODS}
    drawn = {
        "saturation": plots.plot_saturation(summary["saturation"]),
        "confidence": plots.plot_confidence(summary["confidence"]),
        "spread": plots.plot_spread(values),
        "colours": plots.plot_colours({name: collected.histograms[name] for name in (MODEL, TRUTH)}),
    }
    return {name: _data_uri("image/svg+xml", svg) for name, svg in drawn.items()}


def _number(value: float, digits: int, signed: bool = False) -> str:
    """Returns a number with a typographic minus sign; zero has no sign."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def _card(result: PhotographResult) -> dict[str, Any]:
    """Returns the template's data of a photograph."""
    return {
        "key": printable(result.key),
        "picture": _data_uri("image/jpeg", _strip([result.pictures[name] for name in results.COLUMNS])),
        "scores": result.scores,
        "confidence": result.confidence,
    }


def _strip(pictures: Sequence[np.ndarray]) -> bytes:
    """Returns square uint8 sRGB pictures side by side as a JPEG."""
    cell = min(_CELL, len(pictures[0]))
    strip = Image.new("RGB", (len(pictures) * (cell + _GAP) - _GAP, cell), "white")
    for column, rgb in enumerate(pictures):
        scaled = Image.fromarray(rgb).resize((cell, cell), Image.Resampling.LANCZOS)
        strip.paste(scaled, (column * (cell + _GAP), 0))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=88, subsampling=0)  # full colour resolution
    return file.getvalue()


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
