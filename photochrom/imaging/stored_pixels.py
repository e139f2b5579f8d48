"""Brings stored samples of any depth to uint8 or uint16, where 0 is black (or no ink) and the full value white."""

import dataclasses

import numpy as np

from photochrom import errors

# Floats a little beyond the range come from sharpening or resampling, far beyond it from another scale.
_OVERSHOOT = 0.1


@dataclasses.dataclass(frozen=True)
class Samples:
    """Pixels as a file stores them, in its own colour space and orientation.

    Attributes:
        values: [H, W] or [H, W, C] uint8 or uint16; for Lab [H, W, 3] float32 L* 0..100, a*, b*.
        space: "gray", "RGB", "CMYK" (the full value is full ink) or "Lab" (D50).
        dtype: of the final pixels: uint8 or uint16.
        alpha: [H, W] opacity of `dtype`, or None.
        notes: conversions and assumptions made while reading.
        profile: ICC profile of the values, where the file states their colours otherwise than by an embedded one.
    """

    values: np.ndarray
    space: str
    dtype: np.dtype
    alpha: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    profile: bytes = b""

    def with_notes(self, notes: tuple[str, ...]) -> "Samples":
        """Returns the samples with more notes."""
        return dataclasses.replace(self, notes=self.notes + notes) if notes else self


def of_channels(values: np.ndarray, has_alpha: bool, notes: tuple[str, ...] = ()) -> Samples:
    """Splits [H, W] or [H, W, 1..4] values into gray or RGB and alpha, the last channel if `has_alpha`."""
    if values.ndim == 2:
        values = values[:, :, None]
    alpha = values[:, :, -1] if has_alpha else None
    colour = values[:, :, : values.shape[2] - has_alpha]
    if colour.shape[2] not in (1, 3):
        raise errors.DecodeError(f"{values.shape[2]} channels, expected gray or RGB", "unsupported_colour")
    space = "gray" if colour.shape[2] == 1 else "RGB"
    return Samples(colour[:, :, 0] if space == "gray" else colour, space, values.dtype, alpha, notes)


def scale_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Scales unsigned integers of `bits` 1..16 to uint8 (up to 8 bits) or uint16, rounding; the full value stays so.

    Raises:
        DecodeError: more than 16 bits.
    """
    if not 1 <= bits <= 16:
        raise errors.DecodeError(f"{bits} bit samples are not supported, expected 1 to 16", "unsupported_depth")
    dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    full = 255 if bits <= 8 else 65535
    if bits in (8, 16):
        return values.astype(dtype, copy=False)
    # By table: no copy of the pixels in a wider type.
    table = (np.arange(2**bits, dtype=np.uint32) * full + (2**bits - 1) // 2) // (2**bits - 1)
    return table.astype(dtype)[values.astype(dtype, copy=False) & (2**bits - 1)]


def scale_integers(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scales 32-bit integers to uint16.

    If none is over 65535 they are 16 bits in a wide type, as ImageJ and GDAL write them: scaled by the whole range
    the picture would be black. Otherwise unsigned ones are scaled by their full range.

    Raises:
        DecodeError: signed integers that are negative or over 65535.
    """
    least, most = int(values.min()), int(values.max())
    if least >= 0 and most <= 65535:
        return values.astype(np.uint16), (f"{values.dtype} samples taken as 0..65535",)
    if values.dtype != np.uint32:
        raise errors.DecodeError(
            f"{values.dtype} samples from {least} to {most} are not supported, expected unsigned ones",
            "unsupported_depth",
        )
    scaled = np.empty(values.shape, np.uint16)
    for row, out in zip(values, scaled, strict=True):  # row by row: no 64-bit copy of the whole
        out[...] = (row.astype(np.uint64) * 65535 + 2**31) // (2**32 - 1)
    return scaled, ("uint32 samples taken as 0..4294967295",)


def scale_floats(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scales floats to uint16. No field states their range, so the smallest that contains them is taken: 0..1, 0..255
    or 0..65535, with a tenth of that as overshoot, which is clipped.

    Raises:
        DecodeError: not finite, or outside of all these ranges.
    """
    least, most = float(values.min()), float(values.max())
    if not np.isfinite([least, most]).all():
        raise errors.DecodeError("floating point samples that are not finite", "unsupported_range")
    full = next((full for full in (1, 255, 65535) if most <= (1 + _OVERSHOOT) * full), 0)
    if full and least >= -_OVERSHOOT * full:
        scaled = np.empty(values.shape, np.uint16)
        for row, out in zip(values, scaled, strict=True):
            out[...] = np.clip(np.rint(row.astype(np.float64) * (65535 / full)), 0, 65535)
        return scaled, (f"floating point samples taken as 0..{full}",)
    raise errors.DecodeError(
        f"floating point samples from {least:g} to {most:g}, expected 0..1, 0..255 or 0..65535", "unsupported_range"
    )


def unassociate(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divides premultiplied [H, W] or [H, W, C] values by their opacity (TIFF 6.0, ExtraSamples 1)."""
    full = np.iinfo(values.dtype).max
    out = np.empty_like(values)
    for row, opacity, target in zip(values, alpha, out, strict=True):
        divisor = np.maximum(opacity, 1).astype(np.uint32)
        divisor = divisor[:, None] if row.ndim == 2 else divisor
        target[...] = np.minimum((row.astype(np.uint32) * full + divisor // 2) // divisor, full)
    return out
