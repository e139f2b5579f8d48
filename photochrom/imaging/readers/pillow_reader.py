"""Reads the pixels of most formats: by Pillow, or by `high_bit_depth` where Pillow would lose bits."""

import contextlib
import dataclasses
import io
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from photochrom.imaging import icc, jp2, stated_colour
from photochrom.imaging.picture import FORMATS, check_size
from photochrom.imaging.readers import bmp_rle, high_bit_depth, jpeg, jpeg_end, png
from photochrom.imaging.stored_pixels import Samples, of_channels, scale_floats

# Pillow could open others too; EPS, for one, runs Ghostscript.
_FORMATS = tuple(format for format in FORMATS if format not in ("TIFF", "HEIF", "JPEGXL", "PDF"))
_SRGB_GAMMA = 1 / 2.2
# A gAMA that differs from that of sRGB by no more than this share counts as equal.
_GAMMA_TOLERANCE = 0.05
_limit_lock = threading.Lock()


@contextlib.contextmanager
def without_size_limit() -> Iterator[None]:
    """Suspends Pillow's own limits on pixels and texts, for callers that check sizes against theirs.

    The limits are variables of the whole process, so one thread at a time is let in.
    """
    with _limit_lock:
        limits = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = None, png.MAX_CHUNK_BYTES
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = limits


def prepared(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Returns the file without parts that Pillow would refuse it for, and notes on what is left out."""
    return png.without_bad_chunks(data) if png.is_png(data) else (data, ())


def open_header(data: bytes) -> Image.Image:
    """Opens an image without decoding its pixels.

    Raises:
        UnidentifiedImageError: it is of none of these formats.
    """
    header = jpeg.as_8_bit(data) if high_bit_depth.is_deep_jpeg(data) else data
    return Image.open(io.BytesIO(header), formats=_FORMATS)


def read(image: Image.Image, data: bytes, boxes: jp2.Boxes, *, max_pixels: int, draft_size: int) -> Samples:
    """Reads the pixels of an image that `open_header` opened, whose header's size the caller has checked.

    Args:
        image: the open image; of an animation the first frame is read.
        data: the file's content.
        boxes: of a JPEG 2000 file.
        max_pixels: the most pixels, for sizes in further headers.
        draft_size: as in `decoding.decode`.
    """
    samples = _deep(image, data, boxes, max_pixels)
    if samples is None:
        whole, notes = _mended(image, data)
        samples = _eight_bit(image if whole is data else open_header(whole), draft_size).with_notes(notes)
    return _with_code_points(samples, image, data)


def _mended(image: Image.Image, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Returns the file with what Pillow needs and it lacks, and notes."""
    if image.format == "BMP" and bmp_rle.is_rle(data):
        return bmp_rle.expanded(data), ()
    if image.format in ("JPEG", "MPO") and not jpeg.is_complete(data, jpeg.frame(data)):
        return jpeg_end.completed(data, _eight_bit_pixels), (
            "the end marker of the JPEG was missing, its pixels were not",
        )
    return data, ()


def _eight_bit_pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.asarray(image)


def _with_code_points(samples: Samples, image: Image.Image, data: bytes) -> Samples:
    """Adds the profile of the code points that a PNG or AVIF states; those of a PNG overrule its embedded profile."""
    points = png.code_points(data) if image.format == "PNG" else None
    if image.format == "AVIF" and "icc_profile" not in image.info:
        points = high_bit_depth.avif_code_points(data)
    if points is None:
        return samples
    profile, notes = stated_colour.of_code_points(points)
    is_overruled = image.format == "PNG" and not profile
    return dataclasses.replace(samples.with_notes(notes), profile=icc.srgb_profile() if is_overruled else profile)


def _deep(image: Image.Image, data: bytes, boxes: jp2.Boxes, max_pixels: int) -> Samples | None:
    """Reads images of more than 8 bit a channel, or with a palette that Pillow gets wrong; None for all others."""
    if high_bit_depth.is_deep_jpeg(data):
        return high_bit_depth.read_jpeg(data)
    if image.format == "PNG" and high_bit_depth.is_deep_png(data):
        image.load()  # for the chunks after the pixels
        return high_bit_depth.read_png(data)
    if image.format == "JPEG2000":
        return _deep_jpeg2000(image, data, boxes, max_pixels)
    if image.format == "AVIF" and high_bit_depth.avif_bits(data) > 8:
        return high_bit_depth.read_avif(data)
    if image.format == "PPM" and image.mode == "RGB":
        codec, _, offset, arguments = _tile(image)
        if codec == "ppm" and isinstance(arguments, tuple) and int(arguments[1]) > 255:
            return high_bit_depth.read_ppm(data, offset, *image.size, int(arguments[1]))
    return None


def _deep_jpeg2000(image: Image.Image, data: bytes, boxes: jp2.Boxes, max_pixels: int) -> Samples | None:
    header = high_bit_depth.codestream(data)
    if header is not None and high_bit_depth.is_deep(header):
        check_size(header.width, header.height, max_pixels)
        return high_bit_depth.read_jpeg2000(data, header, boxes.colour)
    if header is not None and image.mode in ("P", "PA"):
        check_size(header.width, header.height, max_pixels)
        return high_bit_depth.read_palette_jpeg2000(data)
    return None


def _eight_bit(image: Image.Image, draft_size: int) -> Samples:
    """Reads the images that Pillow reads well: up to 8 bit a channel, and 16-bit and floating point PNM."""
    if draft_size and image.format in ("JPEG", "MPO"):
        image.draft(None, (draft_size, draft_size))
    notes = _depth_notes(image)
    image.load()
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        if image.mode == "F":
            values, notes = scale_floats(values)
        return of_channels(np.clip(values, 0, 65535).astype(np.uint16), has_alpha=False, notes=notes)
    if image.mode == "CMYK":
        values = np.asarray(image)
        if image.format == "JPEG" and "adobe" not in image.info:  # Pillow inverts as Adobe does, marked or not
            values, notes = 255 - values, ("CMYK JPEG without Adobe's mark, taken as not inverted",)
        return Samples(values, "CMYK", values.dtype, None, notes)
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.has_transparency_data:
        values = np.asarray(image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"))
        return of_channels(values, has_alpha=True, notes=notes)
    values = np.asarray(image.convert("L") if image.mode == "1" else image)
    return of_channels(values if image.mode in ("1", "L", "RGB") else np.asarray(image.convert("RGB")), False, notes)


def _depth_notes(image: Image.Image) -> tuple[str, ...]:
    is_ppm = image.format == "PPM" and image.mode == "RGB"
    arguments = _tile(image)[3] if is_ppm else ()
    is_cut = isinstance(arguments, tuple) and len(arguments) > 1 and int(arguments[1]) > 255
    return ("16 bit reduced to 8",) if is_cut else ()


def _tile(image: Any) -> Any:
    """Returns codec, box, offset of the pixels in the file, and the codec's arguments."""
    return image.tile[0]


def with_frames_noted(samples: Samples, image: Image.Image) -> Samples:
    """Adds a note on the frames of an animation; counting them moves the image to other frames and back."""
    frames = getattr(image, "n_frames", 1) if getattr(image, "is_animated", False) else 1
    if frames == 1 or image.format == "MPO":
        return samples
    return dataclasses.replace(samples, notes=(*samples.notes, f"first of {frames} frames"))


def without_gamma(samples: Samples, image: Image.Image) -> Samples:
    """Converts the samples of a PNG without a profile from its gAMA to sRGB; an sRGB chunk overrules gAMA."""
    gamma = image.info.get("gamma") if image.format == "PNG" else None
    if "srgb" in image.info:
        return samples
    if samples.values.ndim == 3 and _has_other_primaries(image.info.get("chromaticity", ())):
        samples = samples.with_notes(("PNG chromaticities (cHRM) taken as sRGB's: colours are approximate",))
    if not isinstance(gamma, float):
        return samples
    values = undo_gamma(samples.values, gamma)
    if values is samples.values:
        return samples
    return dataclasses.replace(samples, values=values, notes=(*samples.notes, f"PNG gamma {gamma:g} converted"))


def _has_other_primaries(stated: tuple[float, ...]) -> bool:
    """Returns whether a PNG's cHRM (x, y of white, red, green and blue) differs from sRGB's by more than rounding."""
    white, primaries = stated_colour.PRIMARIES[1]
    return bool(stated) and max(abs(a - b) for a, b in zip(stated, (*white, *primaries), strict=True)) > 0.01


def undo_gamma(values: np.ndarray, gamma: float) -> np.ndarray:
    """Converts values stored with a PNG's gAMA exponent to sRGB's curve; values near that curve are unchanged.

    Source: PNG (third edition), 11.3.2.2: sample = light ** gamma; IEC 61966-2-1 for the curve.
    """
    if not 0.05 < gamma < 5 or abs(gamma / _SRGB_GAMMA - 1) <= _GAMMA_TOLERANCE:
        return values
    full = np.iinfo(values.dtype).max
    light = np.linspace(0, 1, full + 1) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(encoded * full).astype(values.dtype)[values]
