"""Profiles of the colours that a file states without a profile: by code points, or as Adobe RGB by DCF.

Source: ITU-T H.273 (2021), tables 2 and 3; PNG (third edition), 11.3.2.6 for cICP; CIPA DC-008 (EXIF 2.32), 4.6.5, and
JEITA CP-3461B (DCF 2.0) for its option files.
"""

import functools
from typing import NamedTuple

import imagecodecs
import numpy as np

from photochrom import errors
from photochrom.imaging import tags, tiff_directory

D65, _C, DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_BT709 = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_SMPTE_C = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
# Code -> white point, and x, y of red, green and blue.
PRIMARIES = {
    1: (D65, _BT709),
    4: (_C, (0.67, 0.33, 0.21, 0.71, 0.14, 0.08)),
    5: (D65, (0.64, 0.33, 0.29, 0.60, 0.15, 0.06)),
    6: (D65, _SMPTE_C),
    7: (D65, _SMPTE_C),
    8: (_C, (0.681, 0.319, 0.243, 0.692, 0.145, 0.049)),
    9: (D65, (0.708, 0.292, 0.170, 0.797, 0.131, 0.046)),
    11: (DCI, _P3),
    12: (D65, _P3),
    22: (D65, (0.630, 0.340, 0.295, 0.605, 0.155, 0.077)),
}
_UNSPECIFIED = (0, 2)
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
_SRGB_CURVE = 13
# Curves of video, which viewers of still pictures show as sRGB's.
_LIKE_SRGB = (1, 6, 14, 15, _SRGB_CURVE, *_UNSPECIFIED)
_HDR = {16: "PQ", 18: "HLG"}
_UNCALIBRATED, _ADOBE_RGB = 65535, 2
_INTEROPERABILITY_INDEX, _OPTION_FILE = 1, "R03"


class CodePoints(NamedTuple):
    """Codes of H.273 for the primaries and the transfer curve of a picture, and whether 0 is black in its values."""

    primaries: int
    transfer: int
    is_full_range: bool = True


def of_code_points(points: CodePoints) -> tuple[bytes, tuple[str, ...]]:
    """Returns the profile of RGB pixels with these code points, b"" for those of sRGB, and notes."""
    notes: tuple[str, ...] = ()
    if points.transfer in _HDR:
        notes = (f"HDR ({_HDR[points.transfer]}) taken as sRGB: lightness is approximate",)
    elif points.transfer not in (*_LIKE_SRGB, *GAMMAS):
        notes = (f"transfer curve {points.transfer} of H.273 taken as sRGB",)
    if not points.is_full_range:
        notes += ("values of narrow range, stated by H.273, taken as of full range: lightness is approximate",)
    if points.primaries not in (*PRIMARIES, *_UNSPECIFIED):
        notes += (f"primaries {points.primaries} of H.273 taken as sRGB",)
    primaries = points.primaries if points.primaries in PRIMARIES else 1
    gamma = GAMMAS.get(points.transfer, 0.0)
    if primaries == 1 and not gamma:
        return b"", notes
    if points.transfer not in _HDR:
        notes += (f"colours of code points {points.primaries} and {points.transfer} of H.273 converted",)
    return profile(*PRIMARIES[primaries], gamma), notes


@functools.lru_cache(maxsize=16)
def profile(white: tuple[float, ...], primaries: tuple[float, ...], gamma: float = 0.0) -> bytes:
    """Returns a profile of RGB.

    Args:
        white: its chromaticity x, y.
        primaries: x, y of red, green and blue.
        gamma: of its curve: light = value ** gamma; 0 for sRGB's curve.
    """
    curve = {"gamma": gamma} if gamma else {"transferfunction": _srgb_curve()}
    return imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, **curve)


def _srgb_curve() -> np.ndarray:
    """Returns [4096] uint16 light of sRGB values. Source: IEC 61966-2-1."""
    values = np.linspace(0, 1, 4096)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.rint(light * 65535).astype(np.uint16)


def of_exif(exif: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Returns Adobe RGB's profile where an EXIF block states that space (DCF's option file), else b"", and notes."""
    if not _states_adobe_rgb(exif):
        return b"", ()
    return imagecodecs.cms_profile("adobergb"), ("Adobe RGB, stated by EXIF without a profile, converted",)


def _states_adobe_rgb(exif: bytes) -> bool:
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    try:
        reader = tiff_directory.Reader(exif)
        below = _below(reader, reader.directory(reader.first_offset), tags.EXIF_IFD)
        space = reader.number(below, tags.COLOR_SPACE)
        if space != _UNCALIBRATED:
            return space == _ADOBE_RGB  # as some cameras write it
        interoperability = _below(reader, below, tags.INTEROPERABILITY_IFD)
        return reader.text(interoperability, _INTEROPERABILITY_INDEX, 4) == _OPTION_FILE
    except errors.DecodeError:
        return False


def _below(reader: tiff_directory.Reader, directory: tiff_directory.Directory, number: int) -> tiff_directory.Directory:
    offset = reader.number(directory, number)
    if not offset:
        raise errors.DecodeError(f"no directory {number}")
    return reader.directory(offset)
