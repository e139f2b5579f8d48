"""Reads pages of a PDF by PDFium (pypdfium2): the pixels of a page's only picture, else the page rendered.

Source: ISO 32000-1, 8.9.5 (an image fills the unit square, its top row at y = 1), 7.7.3.3 (/Rotate, clockwise) and
9.3.6 (text render mode 3 is invisible: the text layer of a scan).
"""

import dataclasses
import functools
import itertools
import math
import re
from typing import Any

import numpy as np

from photochrom import errors
from photochrom.imaging import embedded_metadata
from photochrom.imaging.picture import check_size
from photochrom.imaging.stored_pixels import Samples, of_channels

_MARK = b"%PDF-"
# ISO 32000-1, Annex H.3: readers accept a header within the first 1024 bytes.
_MARK_WITHIN = 1024
_TEXT = frozenset((*b"\t\n\r\f\x1b\xef\xbb\xbf", *range(32, 127)))
_PNM = re.compile(rb"P[1-7Ff]\s")
_POINTS_PER_INCH = 72
# Resolution of a page without pictures, and the limits of one that follows its pictures.
_TEXT_DPI, _LEAST_DPI, _MOST_DPI = 300, 150, 1200
# Pictures on less of the page, a logo for one, do not decide its resolution.
_LEAST_SHARE = 0.1
_MOST_OBJECTS, _MOST_DEPTH = 10_000, 8
# A picture that is turned by more than this share of its width has no orientation of EXIF.
_SKEW = 1e-3
_MAX_TEXT = 10_000
# Signs of an image's x and y axis on the screen, and whether they are swapped -> EXIF's orientation.
_ORIENTATIONS = {
    (False, 1, 1): 1, (False, -1, 1): 2, (False, -1, -1): 3, (False, 1, -1): 4,
    (True, 1, 1): 5, (True, 1, -1): 6, (True, -1, -1): 7, (True, -1, 1): 8,
}  # fmt: skip


def is_pdf(data: bytes) -> bool:
    """Returns whether the content begins like a PDF, perhaps after lines of text, as of a printer or a mail."""
    at = data.find(_MARK, 0, _MARK_WITHIN)
    return at == 0 or (at > 0 and _TEXT.issuperset(data[:at]) and not _PNM.match(data))


def count_pages(data: bytes) -> int:
    """Returns the number of pages that a PDF states.

    Raises:
        DecodeError: it cannot be opened.
    """
    with _opened(data) as document:
        return len(document)


def read(data: bytes, page: int, max_pixels: int) -> tuple[Samples, embedded_metadata.Embedded]:
    """Reads a page as 8 bit gray or RGB.

    Raises:
        TooLarge: its picture, or the page at its resolution, has more than max_pixels.
        DecodeError: it cannot be opened, or has no such page.
    """
    with _opened(data) as document:
        if not 0 <= page < len(document):
            raise errors.DecodeError(
                f"no page {page}, the file has {len(document)}: 0 to {len(document) - 1}", "no_such_page"
            )
        opened = document[page]
        texts = document.get_metadata_dict(skip_empty=True)
        objects = list(itertools.islice(opened.get_objects(max_depth=_MOST_DEPTH), _MOST_OBJECTS + 1))
        only = _only_picture(objects)
        orientation = _orientation(only, opened.get_rotation()) if only and not _is_stencil(only) else 0
        if orientation:
            samples, dpi = _own_pixels(only, max_pixels), _dpi(only)
        else:
            resolution = round(max(_dpi(only))) if only else _resolution(opened, objects)
            samples, dpi = _rendered(opened, resolution, max_pixels), (float(resolution), float(resolution))
        pages = len(document)
    place = f"first of {pages} pages" if page == 0 else f"page {page + 1} of {pages}"
    about = embedded_metadata.of_blocks(b"", b"", b"", (place,) if pages > 1 else ())
    metadata = dataclasses.replace(
        about.metadata,
        dpi=dpi,
        artist=texts.get("Author", "")[:_MAX_TEXT],
        description=texts.get("Title", "")[:_MAX_TEXT],
    )
    return samples, about._replace(metadata=metadata, orientation=orientation or 1)


def _opened(data: bytes) -> Any:
    import pypdfium2  # seven megabytes, which most helpers never need

    _without_system_fonts()
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise errors.DecodeError(f"PDF that cannot be opened: {error}; remove its password or its damage") from error


@functools.cache
def _without_system_fonts() -> Any:
    """Gives PDFium no fonts of the machine but its own, so that a page looks the same everywhere; keeps the struct."""
    import pypdfium2.raw as pdfium

    info = pdfium.FPDF_SYSFONTINFO(version=1)
    pdfium.FPDF_SetSystemFontInfo(info)
    return info


def _only_picture(objects: list[Any]) -> Any:
    """Returns the image that is all that a page shows; None for any other page."""
    import pypdfium2.raw as pdfium

    visible = [
        one
        for one in objects
        if not (
            one.type == pdfium.FPDF_PAGEOBJ_TEXT
            and pdfium.FPDFTextObj_GetTextRenderMode(one) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE
        )
    ]
    if len(visible) != 1 or visible[0].type != pdfium.FPDF_PAGEOBJ_IMAGE:
        return None
    return None if pdfium.FPDFPageObj_HasTransparency(visible[0]) else visible[0]


def _is_stencil(image: Any) -> bool:
    """Returns whether an image is a mask through which a colour is painted: its own pixels would be a negative."""
    import pypdfium2.raw as pdfium

    return image.get_metadata().colorspace == pdfium.FPDF_COLORSPACE_UNKNOWN


def _own_pixels(image: Any, max_pixels: int) -> Samples:
    width, height = image.get_px_size()
    check_size(width, height, max_pixels)
    bitmap = image.get_bitmap()
    check_size(bitmap.width, bitmap.height, max_pixels)
    return _samples(bitmap)


def _samples(bitmap: Any) -> Samples:
    values = bitmap.to_numpy()
    return of_channels(
        values.copy() if values.ndim == 2 else np.ascontiguousarray(values[:, :, 2::-1]), has_alpha=False
    )


def _rendered(page: Any, dpi: int, max_pixels: int) -> Samples:
    import pypdfium2
    import pypdfium2.raw as pdfium

    scale = dpi / _POINTS_PER_INCH
    width, height = [round(side * scale) for side in page.get_size()]
    check_size(width, height, max_pixels)
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_BGR)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    return _samples(bitmap).with_notes((f"page rendered at {dpi} dpi",))


def _resolution(page: Any, objects: list[Any]) -> int:
    """Returns the finest resolution of the pictures that cover a good part of the page, dpi."""
    width, height = page.get_size()
    found = [
        max(_dpi(one))
        for one in objects
        if hasattr(one, "get_px_size") and _covered(one) >= _LEAST_SHARE * width * height
    ]
    return round(min(max(*found, _LEAST_DPI), _MOST_DPI)) if found else _TEXT_DPI


def _axes(image: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns an image's x axis, and its y axis (downwards), in points of the page, y upwards."""
    a, b, c, d, _, _ = image.get_matrix().get()
    return (a, b), (-c, -d)


def _covered(image: Any) -> float:
    return math.prod(math.hypot(*axis) for axis in _axes(image))


def _dpi(image: Any) -> tuple[float, float]:
    """Returns the resolution along an image's own axes."""
    sides = (max(math.hypot(*axis), 1e-3) for axis in _axes(image))
    across, down = (pixels * _POINTS_PER_INCH / side for pixels, side in zip(image.get_px_size(), sides, strict=True))
    return across, down


def _orientation(image: Any, rotation: int) -> int:
    """Returns EXIF's orientation of an image on a page that is shown rotated; 0 for one at another angle."""
    if image.level:
        return 0  # within a form, whose matrix PDFium does not add
    (xx, xy), (yx, yy) = (_on_screen(axis, rotation) for axis in _axes(image))
    is_swapped = abs(xy) > abs(xx)
    along, off = ((xy, yx), (xx, yy)) if is_swapped else ((xx, yy), (xy, yx))
    if max(map(abs, off)) > _SKEW * min(map(abs, along)) or 0 in along:
        return 0
    return _ORIENTATIONS[is_swapped, int(math.copysign(1, along[0])), int(math.copysign(1, along[1]))]


def _on_screen(axis: tuple[float, float], rotation: int) -> tuple[float, float]:
    """Turns a vector of the page clockwise and its y axis downwards."""
    x, y = axis
    for _ in range(rotation // 90 % 4):
        x, y = y, -x
    return x, -y
