"""Reads HEIC and HEIF files by libheif (pillow-heif), which applies their rotation and mirroring.

Source: ISO/IEC 23008-12 (HEIF), 6.5.9 and 6.5.10: the container's transforms count, EXIF's orientation does not.
"""

import dataclasses
import functools
import io
from typing import Any

import numpy as np

from photochrom.imaging import boxes, embedded_metadata, stated_colour
from photochrom.imaging.picture import check_size
from photochrom.imaging.stated_colour import CodePoints
from photochrom.imaging.stored_pixels import Samples, of_channels, scale_bits, unassociate

_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
# Any codec: AVIF has these brands as well.
_ANY_CODEC, _OF_AVIF = frozenset((b"mif1", b"msf1")), frozenset((b"avif", b"avis"))


def is_heif(data: bytes) -> bool:
    """Returns whether the content is a HEIF file that is no AVIF."""
    found = frozenset(boxes.brands(data))
    return bool(found & _BRANDS or (found & _ANY_CODEC and not found & _OF_AVIF))


@functools.cache
def _library() -> Any:
    """Returns pillow_heif: imported for the first HEIF, with the main picture alone and one thread a helper."""
    import pillow_heif

    options = pillow_heif.options
    options.DECODE_THREADS = 1
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    return pillow_heif


def read(data: bytes, max_pixels: int) -> tuple[Samples, embedded_metadata.Embedded]:
    """Reads the primary picture, upright; 10 and 12 bit become 16.

    Raises:
        TooLarge: more than max_pixels, by its header.
    """
    file = _library().open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    picture = file[file.primary_index]
    info: dict[str, Any] = picture.info
    width, height = picture.size
    check_size(width, height, max_pixels)
    bits = int(info["bit_depth"])
    profile, notes = _stated(info.get("nclx_profile"))
    if len(file) > 1:
        notes += (f"first of {len(file)} pictures" if not file.primary_index else f"main one of {len(file)} pictures",)
    samples = _samples(np.asarray(picture), bits, picture.has_alpha, picture.premultiplied_alpha)
    about = embedded_metadata.of_blocks(info.get("exif") or b"", info.get("xmp") or b"", info.get("icc_profile") or b"")
    return dataclasses.replace(samples.with_notes(notes), profile=profile), about


def _samples(values: np.ndarray, bits: int, has_alpha: bool, is_premultiplied: bool) -> Samples:
    notes = (f"{bits} bit scaled to 16",) if 8 < bits < 16 else ()
    samples = of_channels(scale_bits(values, bits), has_alpha, notes)
    if samples.alpha is None or not is_premultiplied:
        return samples
    return dataclasses.replace(samples, values=unassociate(samples.values, samples.alpha))


def _stated(nclx: dict[str, int] | None) -> tuple[bytes, tuple[str, ...]]:
    if not nclx:
        return b"", ()
    return stated_colour.of_code_points(CodePoints(nclx["color_primaries"], nclx["transfer_characteristics"]))
