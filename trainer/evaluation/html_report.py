"""The report of an evaluation or a comparison: one self-contained HTML page to read, print and share.

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
from trainer.evaluation import ab_histogram, comparison, frechet, plots, results
from trainer.evaluation.comparison import FIRST, SECOND, Comparison, Pair
from trainer.evaluation.evaluator import GRAY, METHODS, MODEL, SCORES, TRUTH, PhotographResult
from trainer.evaluation.figures import FIGURES, Estimate, as_text
from trainer.evaluation.results import Results

# px: side of the pictures on the page, and the gap between them.
_CELL, _GAP = 224, 4
# Most rows of the table of subsets; summary.json has all.
_MAX_SUBSETS = 60
_DISTRIBUTIONS = {
    ab_histogram.NAME: "ab histogram, Jensen-Shannon distance",
    frechet.NAME: "Fréchet distance, EfficientNet-Lite0",
}
_UNPICKED = ("Not picked", "The lowest digests of keys: a selection that is independent of the model.")
_SHEETS = {
    "best": ("Best", "The least CIEDE2000, the best first."),
    "worst": ("Worst", "The largest CIEDE2000, the worst first."),
    "sheet": _UNPICKED,
}
_PAIR_SHEETS = {
    "b_better": ("B is better", "The largest differences of CIEDE2000 in favour of B, the largest first."),
    "a_better": ("A is better", "The largest differences of CIEDE2000 in favour of A, the largest first."),
    "sheet": _UNPICKED,
}


def render(summary: dict[str, Any], collected: Results) -> bytes:
    """Returns the page of an evaluation.

    Args:
        summary: the content of summary.json.
        collected: the results.
    """
    return _render(
        "report.html.j2",
        summary,
        width=1200,
        title=f"Evaluation of {summary['model']['name'] or 'a model'}",
        models=[("model", summary["model"])],
        methods=METHODS,
        scores=SCORES,
        distributions=_DISTRIBUTIONS,
        metrics=collected.metrics,
        sets=results.named_sets(summary, summary["evaluated"])[: 1 + _MAX_SUBSETS],
        plots=_draw_plots(summary, collected),
        columns=results.COLUMNS,
        sheets=[(*words, [_card(one) for one in collected.shown(name)]) for name, words in _SHEETS.items()],
    )


def render_comparison(summary: dict[str, Any], collected: Comparison) -> bytes:
    """Returns the page of a comparison; `summary` is the content of its summary.json."""
    curves = {label: model["saturation"] for label, model in summary["models"].items()}
    return _render(
        "comparison.html.j2",
        summary,
        width=1560,
        title="Comparison of two models, A and B",
        models=list(summary["models"].items()),
        titles={metric: title for metric, (title, _) in comparison.BETTER.items()},
        sets=results.named_sets(summary["comparison"], summary["evaluated"])[: 1 + _MAX_SUBSETS],
        plots={"saturation": _svg_uri(plots.plot_saturation(curves))},
        columns=comparison.COLUMNS,
        sheets=[(*words, [_pair_card(one) for one in collected.shown(name)]) for name, words in _PAIR_SHEETS.items()],
    )


def _render(template: str, summary: dict[str, Any], **values: Any) -> bytes:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trainer.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "figure": _figure, "interval": _interval}
    page = environment.get_template(template).render(summary=summary, data=summary["data"], figures=FIGURES, **values)
    return page.encode("utf-8", "backslashreplace")


def _draw_plots(summary: dict[str, Any], collected: Results) -> dict[str, str]:
    values = {m: {metric: collected.values(m, metric) for metric in ("ciede2000", "chroma_ratio")} for m in METHODS}
    drawn = {
        "saturation": plots.plot_saturation({"the model": summary["saturation"]}),
        "confidence": plots.plot_confidence(summary["confidence"]),
        "spread": plots.plot_spread(values),
        "colours": plots.plot_colours({name: collected.histograms[name] for name in (MODEL, TRUTH)}),
    }
    return {name: _svg_uri(svg) for name, svg in drawn.items()}


def _figure(value: float, percent: bool, digits: int = 2, signed: bool = False) -> str:
    """Returns a figure with a typographic minus sign."""
    return as_text(value, percent, digits, signed).replace("-", "−")


def _number(value: float, digits: int, signed: bool = False) -> str:
    """Returns a number with a typographic minus sign; zero has no sign."""
    return _figure(value, False, digits, signed)


def _interval(estimate: Estimate, digits: int, signed: bool = False, percent: bool = False) -> str:
    """Returns the interval of an estimate; nothing if its ends are the same in so many digits."""
    low, high = (_figure(estimate[end], percent, digits, signed) for end in ("low", "high"))
    return f"{low} to {high}" if low != high else ""


def _card(one: PhotographResult) -> dict[str, Any]:
    """Returns the template's data of a photograph."""
    scores = one.scores[MODEL]
    return {
        "key": printable(one.key),
        "picture": _strip([one.pictures[name] for name in results.COLUMNS]),
        "result": f"CIEDE2000 {scores['ciede2000']:.1f}",
        "details": f", gray {one.scores[GRAY]['ciede2000']:.1f}; chroma ratio {scores['chroma_ratio']:.2f}; "
        f"confidence {one.confidence:.2f}",
    }


def _pair_card(pair: Pair) -> dict[str, Any]:
    """Returns the template's data of a photograph coloured by two models."""
    (first, second), (gain, other_gain) = (
        [pair.score(label, metric) for label in (FIRST, SECOND)] for metric in ("ciede2000", "psnr_gain")
    )
    gray = pair.results[FIRST].scores[GRAY]["ciede2000"]
    return {
        "key": printable(pair.key),
        "picture": _strip([pair.pictures[name] for name in comparison.COLUMNS]),
        "result": f"CIEDE2000 {first:.1f} → {second:.1f}",
        "details": f", gray {gray:.1f}; PSNR above gray’s {_number(gain, 1, True)} → {_number(other_gain, 1, True)} dB",
    }


def _strip(pictures: Sequence[np.ndarray]) -> str:
    """Returns square uint8 sRGB pictures side by side as the URI of a JPEG."""
    cell = min(_CELL, len(pictures[0]))
    strip = Image.new("RGB", (len(pictures) * (cell + _GAP) - _GAP, cell), "white")
    for column, rgb in enumerate(pictures):
        scaled = Image.fromarray(rgb).resize((cell, cell), Image.Resampling.LANCZOS)
        strip.paste(scaled, (column * (cell + _GAP), 0))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=88, subsampling=0)  # full colour resolution
    return _data_uri("image/jpeg", file.getvalue())


def _svg_uri(svg: bytes) -> str:
    return _data_uri("image/svg+xml", svg)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
