"""The canary: a few pictures that show whether another model is worse, before it makes a whole archive again.

The new model colours them into the scratch folder, by the job's own graph, and the copies are compared with the
existing ones.
"""

import dataclasses
import heapq
from collections.abc import Callable
from typing import Any

import numpy as np

from photochrom import errors
from photochrom.color import cielab, difference, gamut
from photochrom.imaging import contact_sheet, resizing
from photochrom.model.bundle import Bundle
from photochrom.sources import keys
from photochrom.storage import files
from serving.config import ColorizeConfig
from serving.manifest import layout, reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import DONE, Row

# px of the longer side at which copies are compared, and are shown.
_SIZE = 256
# Pictures on the sheet.
_SHOWN = 24


@dataclasses.dataclass(frozen=True)
class Drift:
    """The difference between the copies of two models.

    Attributes:
        pictures: how many were compared.
        ciede2000: mean over the pictures; one to which the new model gave no colour counts as gray.
        chroma_ratio: the new copies' mean chroma over that of the old ones.
        uncoloured: share of pictures that the new model gave no colour, or failed on, 0..1.
        sheet: PNG file: some of the pictures, old and new side by side.
    """

    pictures: int
    ciede2000: float
    chroma_ratio: float
    uncoloured: float
    sheet: bytes

    def __str__(self) -> str:
        return (
            f"{self.pictures} pictures: CIEDE2000 {self.ciede2000:.2f} on average from the copies that exist, "
            f"{self.chroma_ratio:.2f} of their chroma, {self.uncoloured:.1%} uncoloured"
        )


def choose(config: ColorizeConfig, model: Bundle) -> list[Row]:
    """Returns rows of `config.canary` pictures that the last run's model coloured, if that is another than this one.

    They are those with the least digests of their keys: a deterministic pseudo-random sample.
    """
    runs = reader.read_runs(config.output) if config.canary else []
    if not runs or runs[-1].model_digest == model.digest:
        return []
    by_the_last = (
        row
        for _, row in reader.read_rows(config.output)
        if row.status == DONE and not row.reason and row.model_digest == runs[-1].model_digest
    )
    return heapq.nsmallest(config.canary, by_the_last, key=lambda row: keys.digest(row.key))


def check(
    config: ColorizeConfig, model: Bundle, colorize: Callable[[ColorizeConfig, frozenset[str]], Any]
) -> Drift | None:
    """Colours a few pictures by the new model and compares; None if there is nothing to compare.

    Args:
        config: the job's settings.
        model: the new model.
        colorize: runs the job by other settings, on the inputs of these keys alone.

    OUT/manifest/canary.png shows them.
    """
    chosen = choose(config, model)
    if not chosen:
        return None
    trial = dataclasses.replace(config, output=OutputPaths(config.output).canary, limit=0, estimate=False)
    colorize(trial, frozenset(row.key for row in chosen))
    new = {row.key: row for _, row in reader.read_rows(trial.output)}
    drift = compare(config, trial, [(row, new[row.key]) for row in chosen if row.key in new])
    if drift:
        files.write_bytes(_sheet_path(config), drift.sheet)
    return drift


def is_too_far(drift: Drift | None, config: ColorizeConfig) -> bool:
    """Whether the run has to stop."""
    return drift is not None and drift.ciede2000 > config.canary_max_drift


def report(drift: Drift, config: ColorizeConfig) -> None:
    """Prints the difference between the copies.

    Raises:
        PhotochromError: too far.
    """
    if is_too_far(drift, config):
        raise errors.PhotochromError(
            f"the canary stopped the run, nothing was changed: of {drift}; --canary_max_drift allows "
            f"{config.canary_max_drift}. {_sheet_path(config)} shows them; raise it, or give --canary=0, to continue "
            "with this model"
        )
    print(f"canary: {drift}")


def _sheet_path(config: ColorizeConfig) -> str:
    return OutputPaths(config.output).at(layout.CANARY_SHEET)


def compare(config: ColorizeConfig, trial: ColorizeConfig, pairs: list[tuple[Row, Row]]) -> Drift | None:
    """Compares copies; None if none of the old ones can be read any more.

    Args:
        config: settings of the copies that exist.
        trial: settings of the new ones.
        pairs: the rows of both.
    """
    differences, chromas, shown = [], [], []
    uncoloured = 0
    for old, new in pairs:
        before = _read(config, old)
        if before is None:
            continue
        after = _read(trial, new)
        uncoloured += after is None
        old_lab = cielab.rgb_to_lab(before)
        new_lab = old_lab * np.array([1, 0, 0], np.float32) if after is None else cielab.rgb_to_lab(after)
        differences.append(difference.ciede2000(old_lab, new_lab).mean())
        chromas.append((difference.mean_chroma(old_lab), difference.mean_chroma(new_lab)))
        shown.append((before, gamut.lab_to_rgb(new_lab), old.key))
    if not differences:
        return None
    old_chroma, new_chroma = np.mean(chromas, axis=0)
    return Drift(
        len(differences), float(np.mean(differences)), float(new_chroma / max(old_chroma, 1e-3)),
        uncoloured / len(differences), _sheet(shown[:_SHOWN]),
    )  # fmt: skip


def _sheet(shown: list[tuple[np.ndarray, np.ndarray, str]]) -> bytes:
    pictures, captions = [one[:2] for one in shown], [one[2] for one in shown]
    return contact_sheet.to_png(contact_sheet.contact_sheet(pictures, captions, headings=("is there", "new"), strips=3))


def _read(config: ColorizeConfig, row: Row) -> np.ndarray | None:
    """Returns a copy, [h, w, 3] uint8 of `_SIZE`; None if it does not exist or cannot be read."""
    if not row.output:
        return None
    try:
        rgb = config.decoder().decode(files.read_bytes(files.join(config.output, row.output))).opaque_rgb()
    except (OSError, errors.DataError):
        return None
    return resizing.fit(rgb, _SIZE)
