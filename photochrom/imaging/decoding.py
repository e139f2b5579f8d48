"""Decodes an image file: bytes in, upright 8- or 16-bit pixels in sRGB out, or a DataError with the reason.

Both Beam jobs read every file through `decode`, so that training and serving see the same pixels. `readers` has
a module for each kind of file; `icc` converts the colours to sRGB, and `embedded_metadata` collects the metadata.
"""

import dataclasses

import numpy as np
from PIL import UnidentifiedImageError

from photochrom import errors
from photochrom.imaging import embedded_metadata, icc, jp2, stated_colour, tiff_directory, unread
from photochrom.imaging.picture import FORMATS, Picture, check_size
from photochrom.imaging.readers import heif, jpegxl, pdf, pillow_reader, tiff, tiff_checks
from photochrom.imaging.stored_pixels import Samples

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".dib",
     ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpx", ".avif", ".heic", ".heif", ".hif", ".jxl", ".pdf")
)  # fmt: skip


# Starts of formats that Pillow reads, long enough to be no text.
_MAGICS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
)  # fmt: skip
# A picture of more pixels has at least a byte for each ten; hardly any has fewer that is no blank page or bomb.
_PIXELS_OF_SMALL_FILE, _PIXELS_PER_BYTE = 100_000_000, 10


def decode(data: bytes, *, max_pixels: int, draft_size: int = 0, page: int = 0) -> Picture:
    """Decodes an image file.

    The orientation is applied; an embedded ICC profile is converted to sRGB, gray stays gray; palettes, CMYK, L*a*b*
    and 1-bit images are expanded; more than 8 bit become 16. The first frame of an animation is taken.

    Args:
        data: the file's content.
        max_pixels: the most pixels, checked in the header before any are allocated; of a file of at most 10 MB 100
            million, so that no small file fills the memory.
        draft_size: if not 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as both sides
            stay at least this long, px: libjpeg's scaled inverse DCT, several times faster.
        page: index of a page of a TIFF or PDF, from 0, less than `count_pages(data)`.

    Raises:
        NotAnImage: the content is of no format in FORMATS.
        TooLarge: more than max_pixels.
        DecodeError: broken, without that page, or of a depth, colour space, range or compression that is not read.
    """
    max_pixels = min(max_pixels, max(_PIXELS_OF_SMALL_FILE, _PIXELS_PER_BYTE * len(data)))
    try:
        with pillow_reader.without_size_limit():
            if tiff_directory.is_tiff(data):
                return _decode_tiff(data, max_pixels, page)
            if pdf.is_pdf(data):
                return _decode_blocks("PDF", *pdf.read(data, page, max_pixels))
            if page:
                raise _no_such_page(page, 1)
            if heif.is_heif(data):
                return _decode_blocks("HEIF", *heif.read(data, max_pixels))
            if jpegxl.is_jpegxl(data):
                return _decode_blocks("JPEGXL", *jpegxl.read(data, max_pixels))
            return _decode_other(data, max_pixels, draft_size)
    except errors.DataError:
        raise
    except UnidentifiedImageError as error:
        if found := unread.by_content(data):
            raise unread.refusal(found) from error
        if kind := next((kind for magic, kind in _MAGICS if data.startswith(magic)), ""):
            raise errors.DecodeError(f"truncated or damaged: it begins like a {kind}, and cannot be opened") from error
        raise errors.NotAnImage(
            f"no image of a known format: {len(data)} bytes, expected one of {', '.join(FORMATS)}"
        ) from error
    except Exception as error:  # three libraries and a dozen codecs raise any class on broken bytes
        raise errors.DecodeError(f"broken image: {errors.said(error)}") from error


def count_pages(data: bytes) -> int:
    """Returns how many pages `decode` can read: those of a TIFF, from its directories alone, or of a PDF; else 1.

    Thumbnails, lower levels of a pyramid and masks are no pages. A chain ends where it repeats. The lost rest of one
    that is cut off counts as one more page, and broken content as one page, which `decode` then refuses.
    """
    try:
        if pdf.is_pdf(data):
            return max(pdf.count_pages(data), 1)
        reader = tiff_directory.Reader(data) if tiff_directory.is_tiff(data) else None
        return len(reader.pages) + reader.is_cut if reader else 1
    except errors.DecodeError:
        return 1


def _no_such_page(page: int, pages: int) -> errors.DecodeError:
    return errors.DecodeError(f"no page {page}, the file has {pages}: 0 to {pages - 1}", "no_such_page")


def _decode_tiff(data: bytes, max_pixels: int, page: int) -> Picture:
    reader = tiff_directory.Reader(data)
    if unread.is_raw_tiff(reader):
        raise unread.refusal(unread.CAMERA_RAW)
    pages = len(reader.pages)
    if reader.is_cut and page == pages:
        raise errors.DecodeError(f"the file is cut off or damaged after page {pages}: no directory is readable")
    if not 0 <= page < pages:
        raise _no_such_page(page, pages)
    directory = reader.pages[page]
    width, height = tiff_checks.size(reader, directory)
    check_size(width, height, max_pixels)
    samples, is_upright = tiff.read(reader, directory)
    about = embedded_metadata.of_tiff(reader, directory)
    notes: tuple[str, ...] = (
        () if pages == 1 else (f"first of {pages} pages" if page == 0 else f"page {page + 1} of {pages}",)
    )
    if reader.is_cut:
        notes += (f"the file is cut off or damaged after page {pages}",)
    picture = _picture(samples, about, "TIFF", (width, height), 1 if is_upright else about.orientation)
    return dataclasses.replace(picture, notes=notes + picture.notes)


def _decode_blocks(format: str, samples: Samples, about: embedded_metadata.Embedded) -> Picture:
    """Turns the samples and blocks of a reader other than Pillow and tifffile into a picture."""
    height, width = samples.values.shape[:2]
    return _picture(samples, about, format, (width, height), about.orientation)


def _decode_other(data: bytes, max_pixels: int, draft_size: int) -> Picture:
    data, dropped = pillow_reader.prepared(data)
    with pillow_reader.open_header(data) as image:
        size = image.size
        check_size(*size, max_pixels)
        boxes = jp2.read(data) if image.format == "JPEG2000" else jp2.Boxes()
        samples = pillow_reader.read(image, data, boxes, max_pixels=max_pixels, draft_size=draft_size)
        about = embedded_metadata.of_image(image, boxes)
        if not (about.metadata.icc or samples.profile):
            samples = pillow_reader.without_gamma(samples, image)
        samples = pillow_reader.with_frames_noted(samples, image).with_notes(dropped)
        format = "JPEG" if image.format == "MPO" else str(image.format)
        return _picture(samples, about, format, size, about.orientation)


def _picture(
    samples: Samples, about: embedded_metadata.Embedded, format: str, size: tuple[int, int], orientation: int
) -> Picture:
    """Turns samples into a picture; `size` is width and height as stored, `orientation` the one still to be applied."""
    stated: tuple[str, ...] = ()
    profile = samples.profile or about.metadata.icc
    if not profile and samples.space == "RGB":
        profile, stated = stated_colour.of_exif(about.metadata.exif)
    pixels, notes = icc.to_srgb(samples, profile)
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
        metadata=about.metadata.turned(about.orientation),
        notes=depth + samples.notes + stated + notes + about.notes,
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
