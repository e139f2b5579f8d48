"""Decides by triage and flags whether a scan is colorized, copied or skipped; checks that the result has colours."""

import numpy as np

from photochrom import errors
from photochrom.color import cielab, difference, gamut
from photochrom.imaging import resizing
from serving.config import ColorizeConfig
from serving.screening import triage
from serving.screening.triage import Triage

COLORIZE, COPY, SKIP = "colorize", "copy", "skip"
# Reasons of rows whose copy is the whole file, with all its pages.
WHOLE_FILE = ("copied", "toned_kept")
_COLORIZED = (COLORIZE, "", "")
# Mean C*ab of the copy, CIE units: half of the least that the default model gave to 213 historic scans (2.99).
_LEAST_CHROMA = 1.5
_SHOWS = {
    triage.BLANK: "shows nothing: an even surface",
    triage.TEXT: "is a page of text",
    triage.NEGATIVE: "looks like a negative",
}


def decide(found: Triage, config: ColorizeConfig) -> tuple[str, str, str]:
    """Returns the action (COLORIZE, COPY or SKIP), with the row's reason and message; both "" for COLORIZE."""
    if found.kind in triage.UNSUITABLE:
        return _skip(found, "unsuitable") if config.unsuitable == "skip" else _COLORIZED
    if found.kind == triage.NEGATIVE and config.negatives == "skip":
        return _skip(found, "negatives")
    if found.kind_by_tone == triage.TONED:
        message = f"is toned: chroma {found.tone.chroma} CIE units; --toned says skip"
        return {"keep": (COPY, "toned_kept", ""), "skip": (SKIP, "toned", message)}.get(config.toned, _COLORIZED)
    if found.kind_by_tone == triage.COLOUR:
        message = f"has colours already: spread {found.tone.spread} CIE units; --color_inputs says skip"
        actions = {"copy": (COPY, "copied", ""), "skip": (SKIP, "color_input", message)}
        return actions.get(config.color_inputs, _COLORIZED)
    return _COLORIZED


def _skip(found: Triage, flag: str) -> tuple[str, str, str]:
    return SKIP, found.kind, f"{_SHOWS[found.kind]}; --{flag} says skip"


def notes(found: Triage) -> tuple[str, ...]:
    """Returns the notes on a coloured copy of an unsuitable scan."""
    return (_SHOWS[found.kind],) if found.kind in _SHOWS else ()


def check_colored(lightness: np.ndarray, ab: np.ndarray, saturation: float = 1.0) -> None:
    """Checks that a coloured copy will have colours, at the size of ab.

    Args:
        lightness: [h, w] float32 L*.
        ab: [h2, w2, 2] float32, the model's answer.
        saturation: factor on the chroma.

    Raises:
        Uncolored: the mean chroma is that of a gray picture.
    """
    small = resizing.resize(np.ascontiguousarray(lightness), *ab.shape[:2])
    rgb = gamut.lab_to_rgb(np.dstack([small, ab * np.float32(saturation)]))
    chroma = difference.mean_chroma(cielab.rgb_to_lab(rgb))
    if chroma < _LEAST_CHROMA:
        raise errors.Uncolored(
            f"the model gave it a mean chroma of {chroma:.2f} CIE units; under {_LEAST_CHROMA} it counts as gray"
        )
