"""Decodes an image file: bytes in, upright 8- or 16-bit pixels in sRGB out, or a DataError that says why not.

Both Beam jobs read every file through `decode`, so that training and serving see the same pixels. A TIFF is read by
`tiff`, what has more than 8 bit in another format by `deep`, all else by Pillow; `icc` brings the colours to sRGB and
`embedded` collects the metadata.
"""

import dataclasses
import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from photochrom import errors
from photochrom.imaging import embedded_metadata, high_bit_depth, icc, jp2, jpeg, tiff, tiff_directory
from photochrom.imaging.picture import Picture
from photochrom.imaging.stored_pixels import Samples, of_channels, scale_floats

# Judged by content. Whatever else Pillow could open (EPS runs Ghostscript, for one) is no image here.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".dib",
     ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpx", ".avif")
)  # fmt: skip
_BY_PILLOW = tuple(format for format in FORMATS if format != "TIFF")

# `decode` checks the header's size against its own limit before any pixel is allocated.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, *, max_pixels: int, draft_size: int = 0, page: int = 0) -> Picture:
    """Decodes an image file.

    The orientation is applied; an embedded ICC profile is converted to sRGB, gray stays gray; palettes, CMYK, L*a*b*
    and 1-bit images are expanded; more than 8 bit become 16. Of an animation the first frame is taken.

    Args:
        data: the file's content.
        max_pixels: the most pixels, checked in the header before any are allocated.
        draft_size: if not 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as both sides
            stay at least this long, px: libjpeg's scaled inverse DCT, several times faster.
        page: which page of a TIFF, from 0, less than `count_pages(data)`.

    Raises:
        NotAnImage: the content is of no format in FORMATS.
        TooLarge: more than max_pixels.
        DecodeError: broken, without that page, or of a depth, colour space, range or compression that is not read.
    """
    try:
        if tiff_directory.is_tiff(data):
            return _decode_tiff(data, max_pixels, page)
        if page:
            raise _no_such_page(page, 1)
        return _decode_other(data, max_pixels, draft_size)
    except errors.DataError:
        raise
    except UnidentifiedImageError as error:
        raise errors.NotAnImage(
            f"no image of a known format: {len(data)} bytes that begin with {data[:8]!r}, "
            f"expected one of {', '.join(FORMATS)}"
        ) from error
    except Exception as error:  # three libraries and a dozen codecs raise whatever they meet in broken bytes
        raise errors.DecodeError(f"broken image: {type(error).__name__}: {error}") from error


def count_pages(data: bytes) -> int:
    """Returns how many pages `decode` can be asked for: those of a TIFF, from its directories alone; else 1.

    Thumbnails, lower levels of a pyramid and masks are no pages. A chain that comes round again ends there. Of one that
    is cut off, what is lost counts as one more page, and broken content as one, which `decode` then refuses.
    """
    try:
        reader = tiff_directory.Reader(data) if tiff_directory.is_tiff(data) else None
        return len(reader.pages) + reader.is_cut if reader else 1
    except errors.DecodeError:
        return 1


def _no_such_page(page: int, pages: int) -> errors.DecodeError:
    return errors.DecodeError(f"no page {page}, the file has {pages}: 0 to {pages - 1}", "no_such_page")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise errors.TooLarge(f"image is too large: {width}x{height} px, at most {max_pixels} px")
    if width < 1 or height < 1:
        raise errors.DecodeError(f"image of {width}x{height} px")


def _decode_tiff(data: bytes, max_pixels: int, page: int) -> Picture:
    reader = tiff_directory.Reader(data)
    pages = len(reader.pages)
    if reader.is_cut and page == pages:
        raise errors.DecodeError(f"what follows page {pages} is cut off or damaged: its directory cannot be read")
    if not 0 <= page < pages:
        raise _no_such_page(page, pages)
    directory = reader.pages[page]
    width, height = tiff.size(reader, directory)
    _check_size(width, height, max_pixels)
    samples, is_upright = tiff.read(reader, directory)
    about = embedded_metadata.of_tiff(reader, directory)
    notes: tuple[str, ...] = (
        () if pages == 1 else (f"first of {pages} pages" if page == 0 else f"page {page + 1} of {pages}",)
    )
    if reader.is_cut:
        notes += (f"what follows page {pages} is cut off or damaged",)
    picture = _picture(samples, about, "TIFF", (width, height), 1 if is_upright else about.orientation)
    return dataclasses.replace(picture, notes=notes + picture.notes)


def _decode_other(data: bytes, max_pixels: int, draft_size: int) -> Picture:
    is_deep_jpeg = high_bit_depth.is_deep_jpeg(data)
    with Image.open(io.BytesIO(jpeg.as_8_bit(data) if is_deep_jpeg else data), formats=_BY_PILLOW) as image:
        size = image.size
        _check_size(*size, max_pixels)
        boxes = jp2.read(data) if image.format == "JPEG2000" else jp2.Boxes()
        if is_deep_jpeg:
            samples = high_bit_depth.read_jpeg(data)
        else:
            samples = _deep(image, data, boxes, max_pixels) or _eight_bit(image, draft_size)
        about = embedded_metadata.of_image(image, boxes)
        samples = _without_gamma(samples, image, about)
        samples = _with_frames_noted(samples, image)
        format = "JPEG" if image.format == "MPO" else str(image.format)
        return _picture(samples, about, format, size, about.orientation)


def _picture(
    samples: Samples, about: embedded_metadata.Embedded, format: str, size: tuple[int, int], orientation: int
) -> Picture:
    """Turns samples into a picture; `size` is width and height as stored, `orientation` what is left to apply."""
    pixels, notes = icc.to_srgb(samples, about.metadata.icc)
    alpha = samples.alpha
    if alpha is not None and alpha.min() == np.iinfo(alpha.dtype).max:
        alpha = None
    depth = () if pixels.dtype == np.uint8 else (f"16 bit {'gray' if pixels.ndim == 2 else 'colour'}",)
    width, height = size if about.orientation < 5 else size[::-1]
    return Picture(
        pixels=_upright(pixels, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        format=format,
        source_height=height,
        source_width=width,
        metadata=about.metadata,
        notes=depth + samples.notes + notes + about.notes,
    )


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Applies an EXIF orientation (EXIF 2.32, tag 274) to [H, W] or [H, W, 3]."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # 5: transposed
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _deep(image: Image.Image, data: bytes, boxes: jp2.Boxes, max_pixels: int) -> Samples | None:
    """Reads what has more than 8 bit a channel, or a palette that Pillow gets wrong; None for all else."""
    if image.format == "PNG" and high_bit_depth.is_deep_png(data):
        image.load()  # for the chunks after the pixels
        return high_bit_depth.read_png(data)
    if image.format == "JPEG2000":
        header = high_bit_depth.codestream(data)
        if header is not None and high_bit_depth.is_deep(header):
            _check_size(header.width, header.height, max_pixels)
            return high_bit_depth.read_jpeg2000(data, header, boxes.colour)
        if header is not None and image.mode in ("P", "PA"):
            _check_size(header.width, header.height, max_pixels)
            return high_bit_depth.read_palette_jpeg2000(data)
    if image.format == "AVIF" and high_bit_depth.avif_bits(data) > 8:
        return high_bit_depth.read_avif(data)
    if image.format == "PPM" and image.mode == "RGB":
        codec, _, offset, arguments = _tile(image)
        if codec == "ppm" and isinstance(arguments, tuple) and int(arguments[1]) > 255:
            return high_bit_depth.read_ppm(data, offset, *image.size, int(arguments[1]))
    return None


def _eight_bit(image: Image.Image, draft_size: int) -> Samples:
    """Reads what Pillow reads well: up to 8 bit a channel, and 16-bit and floating point PNM."""
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


def _with_frames_noted(samples: Samples, image: Image.Image) -> Samples:
    frames = getattr(image, "n_frames", 1) if getattr(image, "is_animated", False) else 1
    if frames == 1 or image.format == "MPO":
        return samples
    return dataclasses.replace(samples, notes=(*samples.notes, f"first of {frames} frames"))


def _depth_notes(image: Image.Image) -> tuple[str, ...]:
    is_ppm = image.format == "PPM" and image.mode == "RGB"
    arguments = _tile(image)[3] if is_ppm else ()
    is_cut = isinstance(arguments, tuple) and len(arguments) > 1 and int(arguments[1]) > 255
    return ("16 bit reduced to 8",) if is_cut else ()


def _tile(image: Any) -> Any:
    """Returns codec, box, offset of the pixels in the file, and the codec's arguments."""
    return image.tile[0]


def _without_gamma(samples: Samples, image: Image.Image, about: embedded_metadata.Embedded) -> Samples:
    """Applies a PNG's gAMA, which a profile or an sRGB chunk overrules."""
    gamma = image.info.get("gamma") if image.format == "PNG" else None
    if not isinstance(gamma, float) or about.metadata.icc or "srgb" in image.info:
        return samples
    values = icc.undo_gamma(samples.values, gamma)
    if values is samples.values:
        return samples
    return dataclasses.replace(samples, values=values, notes=(*samples.notes, f"PNG gamma {gamma:g} converted"))
