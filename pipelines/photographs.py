"""One photograph: the bytes of a file in, a Lab record and its row out, or a DataError that says why not."""

import hashlib
from typing import Any

import numpy as np

from photochrom import errors
from photochrom.color import cielab, tone
from photochrom.imaging import resizing
from photochrom.records import LabRecord
from pipelines.config import PrepareConfig


def to_record(key: str, data: bytes, config: PrepareConfig) -> tuple[LabRecord, dict[str, Any]]:
    """Decodes a colour photograph and returns its record and what `items-*.jsonl` says of it.

    Raises:
        DataError: it cannot be decoded, is too large or small, or has no colour to learn from.
    """
    picture = config.decoder().decode(data, draft_size=config.image_size)
    rgb = resizing.center_square(picture.opaque_rgb(), config.image_size)
    lab = cielab.rgb_to_lab(rgb)
    _check_color(lab)
    record = LabRecord.from_lab(key, lab, config.ab_stride, (picture.source_height, picture.source_width))
    return record, {
        "key": key,
        "format": picture.format,
        "source_height": picture.source_height,
        "source_width": picture.source_width,
        "source_bytes": len(data),
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "colorfulness": round(tone.colorfulness(rgb), 2),
        "notes": list(picture.notes),
    }


def _check_color(lab: np.ndarray) -> None:
    measured = tone.measure(lab)
    if not measured.teaches_color:
        raise errors.Colourless(
            f"no colour to learn from: chroma {measured.chroma}, spread {measured.spread} CIE units",
            "grayscale" if measured.is_gray else "toned",
        )
