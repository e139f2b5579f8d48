"""Decodes an image file: bytes in, upright 8- or 16-bit pixels in sRGB out, or a DataError that says why not.

Both Beam jobs read every file through `decode`, so that training and serving see the same pixels.
"""

import dataclasses
import functools
import io
import struct
import zlib
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from photochrom import errors
from photochrom.metadata import Metadata

# Judged by content. Whatever else Pillow could open (EPS runs Ghostscript, for one) is no image here.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000")
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".dib",
     ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".jpx")
)  # fmt: skip

# `decode` checks the header's size against its own limit before any pixel is allocated.
Image.MAX_IMAGE_PIXELS = None
# 16-bit MinIsWhite: Pillow knows the little-endian form alone. `_sixteen_bit` inverts both.
TiffImagePlugin.OPEN_INFO.setdefault((b"MM", 0, (1,), 1, (16,), ()), ("I;16B", "I;16B"))

# What Pillow raised on 3,182 broken files; all of it is bad data.
_BROKEN = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, ZeroDivisionError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
_ORIENTATION_TAG = 274
_PHOTOMETRIC_TAG, _MIN_IS_WHITE = 262, 0
_BITS_TAG = 258
_NO_METADATA = Metadata()
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded image, upright, in sRGB.

    Attributes:
        pixels: [H, W] gray or [H, W, 3] sRGB, uint8 or uint16.
        alpha: [H, W] opacity, of the dtype of `pixels`, or None.
        format: the file's format by content, one of FORMATS.
        source_height, source_width: size of the upright original, px; more than H, W after scaled decoding.
        metadata: what the file says beside its pixels.
        notes: what a careful reader should know, in words.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    source_height: int
    source_width: int
    metadata: Metadata = _NO_METADATA
    notes: tuple[str, ...] = ()

    def opaque_rgb(self) -> np.ndarray:
        """Returns [H, W, 3] uint8 sRGB, with transparency laid over white."""
        rgb = to_uint8(self.pixels)
        if rgb.ndim == 2:
            rgb = np.repeat(rgb[:, :, None], 3, axis=2)
        if self.alpha is None:
            return rgb
        opacity = to_uint8(self.alpha)[:, :, None].astype(np.uint16)
        return ((rgb * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Scales uint16 pixels to uint8, rounding; uint8 pass through."""
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def decode(data: bytes, *, max_pixels: int, draft_size: int = 0, page: int = 0) -> Picture:
    """Decodes an image file.

    EXIF orientation is applied, an embedded ICC profile is converted to sRGB, palettes, CMYK, L*a*b* and
    1-bit images are expanded, 16-bit gray keeps its depth. Of several frames or pages the first is taken.

    Args:
        data: the file's content.
        max_pixels: the most pixels, checked in the header before any are allocated.
        draft_size: if not 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as both sides
            stay at least this long, px: libjpeg's scaled inverse DCT, several times faster.
        page: which page of a TIFF, counted from 0.

    Raises:
        NotAnImage: the content is of no format in FORMATS.
        TooLarge: more than max_pixels.
        DecodeError: broken, or of a depth that is not supported.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if page:
                image.seek(page)
            return _decode_opened(image, max_pixels, draft_size)
    except UnidentifiedImageError as error:
        raise errors.NotAnImage(
            f"no image of a known format: {len(data)} bytes that begin with {data[:8]!r}, "
            f"expected one of {', '.join(FORMATS)}"
        ) from error
    except _BROKEN as error:
        raise errors.DecodeError(f"broken image: {type(error).__name__}: {error}") from error


def count_pages(data: bytes) -> int:
    """Returns how many pages a TIFF has; 1 for what is none.

    Raises:
        DecodeError: a page is broken.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            return int(getattr(image, "n_frames", 1))
    except UnidentifiedImageError:
        return 1
    except _BROKEN as error:
        raise errors.DecodeError(f"broken image: {type(error).__name__}: {error}") from error


def _decode_opened(image: Image.Image, max_pixels: int, draft_size: int) -> Picture:
    width, height = image.size
    if width * height > max_pixels:
        raise errors.TooLarge(f"image is too large: {width}x{height} px, at most {max_pixels} px")
    format = "JPEG" if image.format == "MPO" else str(image.format)
    exif, orientation = _exif(image)
    if draft_size and format == "JPEG":
        image.draft(None, (draft_size, draft_size))
    image.load()
    pixels, alpha, notes = _pixels(image)
    if format == "TIFF":
        orientation = 1  # Pillow has turned a TIFF upright itself, and swapped its size
    if orientation >= 5:
        width, height = height, width
    return Picture(
        pixels=_upright(pixels, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        format=format,
        source_height=height,
        source_width=width,
        metadata=Metadata(exif=exif, dpi=_dpi(image)),
        notes=_page_note(image) + notes,
    )


def _page_note(image: Image.Image) -> tuple[str, ...]:
    """Counts pages; to be called last, as a broken later page leaves `image` in disorder."""
    try:
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    except _BROKEN:
        return ("first of several pages, a later one is broken",)
    return (f"first of {pages} pages",) if pages > 1 else ()


def _exif(image: Image.Image) -> tuple[bytes, int]:
    """Returns the raw EXIF block and the orientation, 1..8; a broken block is no reason to lose the pixels."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _BROKEN:
        orientation = 1
    exif = image.info.get("exif", b"")
    valid = isinstance(orientation, int) and 1 <= orientation <= 8
    return exif if isinstance(exif, bytes) else b"", orientation if valid else 1


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(v) for v in image.info["dpi"])
    except (KeyError, *_BROKEN):
        return None
    # Pillow says 1 where a TIFF or a JFIF header states none.
    return (horizontal, vertical) if 1 < horizontal < 1e5 and 1 < vertical < 1e5 else None


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Applies an EXIF orientation (EXIF 2.32, tag 274) to [H, W] or [H, W, 3]."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # 5: transposed
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pixels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Returns pixels in sRGB, opacity and notes, in the stored orientation."""
    if image.mode in _SIXTEEN_BIT_MODES:
        return _sixteen_bit(image), None, ("16 bit gray",)
    if image.mode == "F":
        raise errors.DecodeError(
            "floating point pixels are not supported, expected 1, 8 or 16 bit", "unsupported_depth"
        )
    alpha = None
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert(image.mode[:-1])
    image, notes = _to_srgb(image)
    pixels = np.asarray(image)
    return pixels, None if alpha is None or alpha.min() == 255 else alpha, notes


def _sixteen_bit(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    if values.dtype != np.uint16 and (values.min() < 0 or values.max() > 65535):
        raise errors.DecodeError("32 bit pixels are not supported, expected 1, 8 or 16 bit", "unsupported_depth")
    values = values.astype(np.uint16)
    tags: Any = getattr(image, "tag_v2", {})
    if tags.get(_BITS_TAG) == (12,):  # Pillow leaves 12 bits as 0..4095
        values = ((values.astype(np.uint32) * 65535 + 2047) // 4095).astype(np.uint16)
    return 65535 - values if tags.get(_PHOTOMETRIC_TAG) == _MIN_IS_WHITE else values


def _to_srgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Converts to 8-bit L or RGB in sRGB, by the embedded profile where there is one that works."""
    if image.mode == "1":
        return image.convert("L"), ()
    profile = image.info.get("icc_profile")
    notes: tuple[str, ...] = ()
    if image.mode == "LAB":
        return _apply(image, _transform(None, "LAB")), notes
    if profile and image.mode in ("L", "RGB", "CMYK"):
        try:
            converter = _transform(profile, image.mode)
            converted = _apply(image, converter) if converter else image
            return (converted.getchannel(0) if image.mode == "L" else converted), notes
        except (ImageCms.PyCMSError, *_BROKEN) as error:
            notes = (f"unusable ICC profile, sRGB assumed: {error}",)
    return (image if image.mode in ("L", "RGB") else image.convert("RGB")), notes


def _apply(image: Image.Image, converter: Any) -> Image.Image:
    return cast(Image.Image, ImageCms.applyTransform(image, converter))  # None only if done in place


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes | None, mode: str) -> Any:
    """Builds the colour transform to sRGB; None where the profile says that it is sRGB already."""
    source: Any = ImageCms.createProfile("LAB")
    if profile is not None:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
