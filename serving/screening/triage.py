"""Triage: classifies a scan before it is colorized, as gray, toned or colour photograph, negative, text or blank.

Each rule is tuned for few false alarms on photographs; docs/triage.md has the measurements.
"""

import dataclasses

import cv2
import numpy as np

from photochrom.color import cielab, tone
from photochrom.imaging.picture import to_uint8
from serving.screening import negatives

COLOUR, GRAY, TONED = "colour", "gray", "toned"
BLANK, NEGATIVE, TEXT = "blank", "negative", "text"
KINDS = (COLOUR, GRAY, TONED, BLANK, NEGATIVE, TEXT)
# Kinds that should get no invented colour. Negatives are not among them: more photographs than negatives would be
# skipped.
UNSUITABLE = (BLANK, TEXT)
# Side of the thumbnail on which everything is measured, px: lines of text are still separate.
_THUMBNAIL = 256
# With a shorter side below this only the tone can be measured, px.
_SMALLEST = 32
# Blank: in 98% of a small thumbnail L* keeps this close to an even surface with a vignette. Blank cards with noise
# keep within 1.2, of 2,625 photographs and scans one, a dark skirt that fills it, does too.
_BLANK_SIDE = 48
_BLANK_DEVIATION = 1.5
_SHARE = 0.98
# Text: a closing of this size removes ink, px; it is wider than strokes and lines, narrower than objects.
_CLOSING = 11
_INK_CONTRAST = 0.12
_PAPER_DEVIATION = 3.0  # root mean square in L* of the paper behind the ink, from an even surface
_PAPER_FLAT, _PAPER_SHARE = 0.8, 0.97
_LEAST_INK, _MOST_INK = 0.05, 0.5
_PAPER_LIGHTNESS = 55.0  # darker surfaces with lines are brick walls and the like
# How much ink varies from line to line, and how many times as much as across the lines.
_LINES, _LINES_RATIO = 0.33, 1.8
_STRIPS = 4
# Log odds above which it is a negative: fewer than 1% of photographs are.
_NEGATIVE_LOG_ODDS = 2.5
# Colour negative: the orange mask is over all, the lightest parts too, and nothing is as light as paper.
_MASK_SHARE, _MASK_CHROMA, _MASK_LIGHT_CHROMA, _MASK_LIGHTNESS = 0.95, 8.0, 25.0, 80.0


@dataclasses.dataclass(frozen=True)
class Triage:
    """Result of the triage of a scan.

    Attributes:
        kind: one of KINDS.
        tone: amount of colour.
        scores: measurements behind the kind: `deviation` from an even surface in L*; for text `light`, L* of the paper
            behind ink, `paper`, its deviation, `flat`, the share that is paper, `ink`, the share under ink, `lines` and
            `lines_ratio`; `negative`, log odds; `mask`, 1 for the orange mask of a colour negative.
    """

    kind: str
    tone: tone.Tone
    scores: dict[str, float]

    @property
    def kind_by_tone(self) -> str:
        """COLOUR, GRAY or TONED, for any content."""
        return _kind_by_tone(self.tone)


def classify(pixels: np.ndarray) -> Triage:
    """Classifies [H, W] gray or [H, W, 3] sRGB pixels, uint8 or uint16; pictures of any size."""
    thumbnail = to_uint8(_shrink(pixels, _THUMBNAIL))
    if thumbnail.ndim == 3:
        lab = cielab.rgb_to_lab(thumbnail)
        lightness, found = np.ascontiguousarray(lab[..., 0]), tone.measure(lab)
    else:
        lab, lightness, found = None, cielab.gray_to_lightness(thumbnail), tone.Tone(0.0, 0.0)
    scores = _scores(thumbnail, lightness, lab, found) if min(lightness.shape) >= _SMALLEST else {}
    return Triage(_kind(scores, found), found, {name: round(value, 3) for name, value in scores.items()})


def _scores(thumbnail: np.ndarray, lightness: np.ndarray, lab: np.ndarray | None, found: tone.Tone) -> dict[str, float]:
    """Measures the scores that can decide: in colour only the mask of a colour negative, else all others."""
    if lab is not None and not found.is_monochrome:
        return {"mask": float(_has_orange_mask(lab))}
    gray = thumbnail if lab is None else cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY)
    deviation = _deviation_from_even(lightness)
    return {"deviation": deviation, **_text_scores(lightness), "negative": negatives.log_odds(gray)}


def _kind(scores: dict[str, float], found: tone.Tone) -> str:
    if not found.is_monochrome:
        return NEGATIVE if scores.get("mask") else COLOUR
    if scores and scores["deviation"] < _BLANK_DEVIATION:
        return BLANK
    if scores and _is_text(scores):
        return TEXT
    if scores and scores["negative"] > _NEGATIVE_LOG_ODDS:
        return NEGATIVE
    return _kind_by_tone(found)


def _kind_by_tone(found: tone.Tone) -> str:
    return COLOUR if not found.is_monochrome else GRAY if found.is_gray else TONED


def _is_text(scores: dict[str, float]) -> bool:
    return (
        scores["light"] > _PAPER_LIGHTNESS
        and scores["paper"] < _PAPER_DEVIATION
        and scores["flat"] > _PAPER_SHARE
        and _LEAST_INK < scores["ink"] < _MOST_INK
        and scores["lines"] > _LINES
        and scores["lines_ratio"] > _LINES_RATIO
    )


def _shrink(values: np.ndarray, side: int) -> np.ndarray:
    """Averages over areas until the longer side has at most `side` px; in whole steps first, which OpenCV does fast."""
    height, width = values.shape[:2]
    factor = max(height, width) // side
    if factor > 1:
        values = cv2.resize(values, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
        height, width = values.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return values
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _inner(values: np.ndarray, share: int) -> np.ndarray:
    """Cuts 1/share off each side: the edge of the scanner's bed does not belong to the page."""
    height, width = values.shape[:2]
    return values[height // share : height - height // share, width // share : width - width // share]


def _less_surface(values: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """Returns [N] values of [H, W] less a surface of the second degree, fitted to those in `keep` [N] bool."""
    basis, flat = tone.surface_basis(*values.shape), values.ravel().astype(np.float64)
    known = basis if keep is None else basis[keep]
    coefficients = np.linalg.pinv(known.T @ known) @ (known.T @ (flat if keep is None else flat[keep]))
    return flat - basis @ coefficients


def _deviation_from_even(lightness: np.ndarray) -> float:
    """Returns the 98th percentile of the distance in L* from a surface fitted to the 90% nearest to it."""
    thumbnail = np.ascontiguousarray(_inner(_shrink(lightness, _BLANK_SIDE), 12))
    first = np.abs(_less_surface(thumbnail))
    second = np.abs(_less_surface(thumbnail, first <= np.quantile(first, 0.9)))
    return float(np.quantile(second, _SHARE))


def _text_scores(lightness: np.ndarray) -> dict[str, float]:
    """Measures paper and ink: a closing (the darkest of the lightest in a window) removes the ink."""
    page = _inner(lightness, 16)
    paper = cv2.morphologyEx(page, cv2.MORPH_CLOSE, np.ones((_CLOSING, _CLOSING), np.uint8))
    small = cv2.resize(paper, (16, 16), interpolation=cv2.INTER_AREA)
    residual = _less_surface(small)
    ink = (paper - page) / np.maximum(paper, 1)
    along, across = _line_strength(ink), _line_strength(np.ascontiguousarray(ink.T))
    return {
        "light": float(np.median(paper)),
        "paper": float(residual.std()),
        "flat": float((residual > (_PAPER_FLAT - 1) * small.ravel()).mean()),
        "ink": float((ink > _INK_CONTRAST).mean()),
        "lines": max(along, across),
        "lines_ratio": max(along, across) / (min(along, across) + 1e-3),
    }


def _line_strength(ink: np.ndarray) -> float:
    """Returns how much the ink of rows varies over a dozen rows, in the mean of four strips, against the mean ink."""
    strips = cv2.resize(ink, (_STRIPS, ink.shape[0]), interpolation=cv2.INTER_AREA)
    detail = strips - cv2.blur(strips, (1, 13))
    return float(detail.std(axis=0).mean() / (ink.mean() + 0.01))


def _has_orange_mask(lab: np.ndarray) -> bool:
    thumbnail = _shrink(lab, 96).reshape(-1, 3)
    lightness, a, b = thumbnail.T
    chroma = np.hypot(a, b)
    orange = (a > 0) & (b > 0) & (chroma > _MASK_CHROMA)
    light = chroma[lightness >= np.quantile(lightness, 0.95)].mean()
    return bool(
        orange.mean() > _MASK_SHARE
        and np.quantile(chroma, 1 - _SHARE) > _MASK_CHROMA
        and light > max(_MASK_LIGHT_CHROMA, float(np.median(chroma)))
        and np.quantile(lightness, _SHARE) < _MASK_LIGHTNESS
    )
