"""The table of formats in docs/files.md is what the decoder does: `python -m tests.test_docs_files` writes it."""

import io
import pathlib
import struct
import sys
from collections.abc import Callable

import imagecodecs
import numpy as np
import pillow_heif
import pyjpegxl
import pytest
import skimage.data
from PIL import Image, PngImagePlugin

from photochrom.imaging import decoding, unread
from photochrom.imaging.picture import FORMATS, Picture
from serving.copies import formats

DOCS = pathlib.Path(__file__).parents[1] / "docs/files.md"
RGB = np.ascontiguousarray(skimage.data.coffee()[100:180, 100:240])
DEEP = RGB.astype(np.uint16) * 257
RGBA = np.dstack([RGB, np.where(RGB[:, :, 1] > 60, 255, 0).astype(np.uint8)])
ADOBE = imagecodecs.cms_profile("adobergb")
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEGXL": (".jxl",),
    "PDF": (".pdf",),
}
COLUMNS = ("format", "file names", "depth", "opacity", "profile", "EXIF orientation", "EXIF", "XMP", "pictures", "copy")


def exif() -> Image.Exif:
    block = Image.Exif()
    block[274], block[270] = 6, "Harbour, 1903"
    return block


def saved(values: np.ndarray, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format, **options)
    return buffer.getvalue()


def png(values: np.ndarray, **options) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", options.pop("xmp", b"").decode())
    return saved(values, "PNG", pnginfo=info, **options)


def tiff(values: np.ndarray, **options) -> bytes:
    block = options.pop("exif", exif())
    block[700] = options.pop("xmp", b"")
    return saved(values, "TIFF", tiffinfo=block, **options)


def heif(values: np.ndarray, **options) -> bytes:
    mode = f"RGB{'A' * (values.shape[2] == 4)}{';16' * (values.dtype == np.uint16)}"
    file = pillow_heif.from_bytes(mode, values.shape[1::-1], values.tobytes())
    file.info["icc_profile"] = options.pop("icc_profile", b"")
    buffer = io.BytesIO()
    file.save(buffer, quality=90, chroma=444, **options)
    return buffer.getvalue()


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def jpegxl(values: np.ndarray, **options) -> bytes:
    head = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    block = bytes(4) + options["exif"].tobytes().removeprefix(b"Exif\0\0") if "exif" in options else b""
    codestream = imagecodecs.jpegxl_encode(values, lossless=True, usecontainer=False)
    return head + box(b"Exif", block) + box(b"xml ", options.get("xmp", b"")) + box(b"jxlc", codestream)


def jpeg2000(values: np.ndarray, **options) -> bytes:
    uuids = {b"JpgTiffExif->JP2": options["exif"].tobytes() if "exif" in options else b"",
             bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): options.get("xmp", b"")}  # fmt: skip
    return saved(values, "JPEG2000") + b"".join(box(b"uuid", key + body) for key, body in uuids.items())


def plain(format: str) -> Callable[..., bytes]:
    return lambda values, **_: saved(values, format)


def same(format: str) -> Callable[..., bytes]:
    return lambda values, **options: saved(values, format, **options)


def fast_avif(values: np.ndarray, **options) -> bytes:
    return saved(values, "AVIF", speed=10, **options)


MAKERS: dict[str, Callable[..., bytes]] = {
    "JPEG": same("JPEG"), "PNG": png, "TIFF": tiff, "WEBP": same("WEBP"), "GIF": plain("GIF"), "BMP": plain("BMP"),
    "PPM": plain("PPM"), "JPEG2000": jpeg2000, "AVIF": fast_avif, "HEIF": heif, "JPEGXL": jpegxl,
    "PDF": plain("PDF"),
}  # fmt: skip
COLOURED: dict[str, Callable[[], bytes]] = {
    "TIFF": lambda: saved(RGB, "TIFF", icc_profile=ADOBE),
    "JPEG2000": lambda: with_profile(saved(RGB, "JPEG2000")),
    "JPEGXL": lambda: pyjpegxl.encode_from_numpy(RGB, lossless=True, icc=ADOBE),
}
DEEP_FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: imagecodecs.jpeg8_encode(DEEP >> 4, level=90, bitspersample=12),
    "PNG": lambda: imagecodecs.png_encode(DEEP),
    "TIFF": lambda: saved(DEEP[:, :, 1], "TIFF"),
    "PPM": lambda: b"P6\n140 80\n65535\n" + DEEP.astype(">u2").tobytes(),
    "JPEG2000": lambda: imagecodecs.jpeg2k_encode(DEEP, level=0, reversible=True),
    "AVIF": lambda: imagecodecs.avif_encode(DEEP >> 6, bitspersample=10, level=90),
    "HEIF": lambda: heif(DEEP),
    "JPEGXL": lambda: imagecodecs.jpegxl_encode(DEEP, lossless=True),
}


def decode(data: bytes) -> Picture:
    return decoding.decode(data, max_pixels=10**6)


def with_profile(data: bytes) -> bytes:
    """A JP2 whose box colr holds a profile (ISO 15444-1, I.5.3.3) in place of a number."""
    place, head = data.index(b"colr") - 4, data.index(b"jp2h") - 4
    size = int.from_bytes(data[place : place + 4], "big")
    colour = box(b"colr", b"\2\0\0" + ADOBE)
    whole = int.from_bytes(data[head : head + 4], "big") + len(colour) - size
    return data[:head] + struct.pack(">I", whole) + data[head + 4 : place] + colour + data[place + size :]


def pictures(format: str) -> str:
    """Returns what becomes of a file of two pictures."""
    try:
        data = two_pictures(format)
    except (ValueError, OSError, KeyError):
        return "-"
    if decoding.count_pages(data) == 2:
        return "pages"
    return "first" if any(note.startswith("first") for note in decode(data).notes) else "-"


def two_pictures(format: str) -> bytes:
    if format == "JPEGXL":
        return imagecodecs.jpegxl_encode(np.stack([RGB, RGB[::-1]]), lossless=True, photometric="rgb")
    if format == "HEIF":
        buffer = io.BytesIO()
        file = pillow_heif.from_pillow(Image.fromarray(RGB))
        file.add_from_pillow(Image.fromarray(RGB[::-1].copy()))
        file.save(buffer)
        return buffer.getvalue()
    if format in ("JPEG", "BMP", "PPM", "JPEG2000"):
        raise ValueError(f"{format} holds one picture")
    speed = {"speed": 10} if format == "AVIF" else {}
    return saved(RGB, format, **speed, save_all=True, append_images=[Image.fromarray(RGB[::-1].copy())])


def yes(holds: bool) -> str:
    return "yes" if holds else "-"


def row(format: str) -> tuple[str, ...]:
    """Returns the cells of a format's row, by decoding files of it."""
    make = MAKERS[format]
    first = decode(make(RGB))
    assert first.format == format
    deepest = decode(DEEP_FILES[format]()) if format in DEEP_FILES else first
    full = decode(make(RGB, exif=exif(), xmp=XMP))
    try:
        opaque = decode(make(RGBA)).alpha is None
    except OSError:  # Pillow cannot write it
        opaque = True
    coloured = decode(COLOURED.get(format, lambda: make(RGB, icc_profile=ADOBE))())
    return (
        format,
        " ".join(f"`{suffix}`" for suffix in SUFFIXES[format]),
        "to 16 bit" if deepest.pixels.dtype == np.uint16 else "8 bit",
        yes(not opaque),
        yes(coloured.metadata.icc == ADOBE),
        yes(full.pixels.shape[0] > full.pixels.shape[1]),
        yes(b"Harbour, 1903" in full.metadata.exif),
        yes(full.metadata.xmp == XMP),
        pictures(format),
        formats.choose(format, formats.KEEP, 100, 100)[0].name,
    )


def table() -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(row, FORMATS)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def unread_table() -> str:
    lines = [("format", "file names", "advice"), ("---",) * 3]
    lines += [(one.name, " ".join(f"`{suffix}`" for suffix in one.suffixes), one.advice) for one in unread.FORMATS]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def with_tables(text: str) -> str:
    for name, made in (("formats", table()), ("unread", unread_table())):
        begin, end = f"<!-- {name}: made by python -m tests.test_docs_files -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = text.partition(begin)
        text = before + begin + made + end + rest.partition(end)[2]
    return text


def test_docs_state_what_the_decoder_does():
    text = DOCS.read_text()
    assert with_tables(text) == text, "run python -m tests.test_docs_files"


def test_table_has_every_format_and_suffix():
    assert set(SUFFIXES) == set(FORMATS)
    assert {suffix for one in SUFFIXES.values() for suffix in one} == decoding.IMAGE_SUFFIXES


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_is_refused_by_size_first(format):
    with pytest.raises(decoding.errors.TooLarge, match="at most 1000 px"):
        decoding.decode(MAKERS[format](RGB), max_pixels=1000)


if __name__ == "__main__":
    sys.exit(DOCS.write_text(with_tables(DOCS.read_text())) == 0)
