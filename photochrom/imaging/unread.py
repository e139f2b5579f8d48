"""Picture formats that are not read, known by content or by name: such a file is refused by its format's name."""

import dataclasses
from collections.abc import Iterable

from photochrom import errors
from photochrom.imaging import tags, tiff_directory

_RAW = "develop it to TIFF with a raw developer"
_EXPORT = "export it as TIFF or PNG"
_RENDER = "render it to PNG or TIFF"
_CONVERT = "convert it to TIFF or PNG"
_SGI_KINDS = (b"\0\1", b"\1\1", b"\0\2", b"\1\2")  # plain or with runs, 1 or 2 bytes a sample
# Bytes at the start among which a text format is looked for.
_TEXT_BYTES = 1024


@dataclasses.dataclass(frozen=True)
class Format:
    """A format that is not read.

    Attributes:
        name: in words.
        advice: the way to a file that is read.
        suffixes: of file names, lower case.
        magics: (offset, bytes) of its content.
    """

    name: str
    advice: str
    suffixes: tuple[str, ...]
    magics: tuple[tuple[int, bytes], ...] = ()


CAMERA_RAW = Format(
    "camera raw", _RAW,
    (".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".orf", ".ori", ".rw2", ".rwl", ".raf",
     ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".mef", ".mos", ".mrw", ".erf", ".kdc", ".dcr", ".k25", ".raw",
     ".gpr"),
    ((8, b"CR\2\0"), (0, b"II\x1a\0\0\0HEAPCCDR"), (0, b"FUJIFILMCCD-RAW"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"),
     (0, b"IIU\0"), (0, b"\0MRM"), (0, b"FOVb"), (4, b"ftypcrx ")),
)  # fmt: skip
FORMATS = (
    CAMERA_RAW,
    Format("Photoshop", _EXPORT, (".psd", ".psb"), ((0, b"8BPS"),)),
    Format("PostScript", _RENDER, (".eps", ".epsf", ".ai"), ((0, b"%!PS"), (0, b"\xc5\xd0\xd3\xc6"))),
    Format("SVG", _RENDER, (".svg", ".svgz")),
    Format("DjVu", _EXPORT, (".djvu", ".djv"), ((0, b"AT&TFORM"),)),
    Format("DICOM", _EXPORT, (".dcm", ".dicom"), ((128, b"DICM"),)),
    Format("GIMP", _EXPORT, (".xcf",), ((0, b"gimp xcf"),)),
    Format("OpenEXR", _CONVERT, (".exr",), ((0, b"\x76\x2f\x31\x01"),)),
    Format("Radiance HDR", _CONVERT, (".rgbe",), ((0, b"#?RADIANCE"), (0, b"#?RGBE"))),
    Format("JPEG XR", _CONVERT, (".jxr", ".wdp", ".hdp"), ((0, b"II\xbc\x01"),)),
    Format("JPEG-LS", _CONVERT, (".jls",), ((0, b"\xff\xd8\xff\xf7"), (0, b"\xff\xd8\xff\xe8"))),
    Format("JBIG2", _CONVERT, (".jb2", ".jbig2"), ((0, b"\x97JB2\r\n\x1a\n"),)),
    Format("FITS", _CONVERT, (".fits", ".fts"), ((0, b"SIMPLE  ="),)),
    Format("Photo CD", _CONVERT, (".pcd",), ((2048, b"PCD_IPI"),)),
    Format("FlashPix", _CONVERT, (".fpx",)),
    Format("PCX", _CONVERT, (".pcx", ".dcx"), ((0, b"\x0a\x05\x01"), (0, b"\xb1\x68\xde\x3a"))),
    Format("TGA", _CONVERT, (".tga", ".icb", ".vda", ".vst")),
    Format("SGI", _CONVERT, (".sgi", ".rgba"), tuple((0, b"\x01\xda" + kind) for kind in _SGI_KINDS)),
    Format("Sun raster", _CONVERT, (".ras",), ((0, b"\x59\xa6\x6a\x95"),)),
    Format("DDS", _CONVERT, (".dds",), ((0, b"DDS \x7c\0\0\0"),)),
    Format("icon", _CONVERT, (".ico", ".cur", ".icns"), ((0, b"icns"),)),
    Format("Windows metafile", _RENDER, (".wmf", ".emf"), ((0, b"\xd7\xcd\xc6\x9a"), (40, b" EMF"))),
    Format("Macintosh PICT", _CONVERT, (".pct", ".pict")),
    Format("ILBM", _CONVERT, (".iff", ".ilbm", ".lbm"), ((8, b"ILBM"),)),
    Format("MNG", _CONVERT, (".mng", ".jng"), ((0, b"\x8aMNG"), (0, b"\x8bJNG"))),
    Format("QOI", _CONVERT, (".qoi",), ((0, b"qoif"),)),
    Format("BPG", _CONVERT, (".bpg",), ((0, b"BPG\xfb"),)),
    Format("FLIF", _CONVERT, (".flif",), ((0, b"FLIF"),)),
    Format("XBM or XPM", _CONVERT, (".xbm", ".xpm"), ((0, b"/* XPM"),)),
    Format("PAM", _CONVERT, (".pam",), ((0, b"P7\n"),)),
    Format("MrSID or ECW", _CONVERT, (".ecw",), ((0, b"msid"),)),
    Format("Affinity or CorelDRAW", _EXPORT, (".afphoto", ".cdr"), ((8, b"CDR"),)),
)  # fmt: skip
_CFA, _LINEAR_RAW = 32803, 34892
_DNG_VERSION = 50706
_MAX_DIRECTORIES = 64


def refusal(found: Format) -> errors.DecodeError:
    """Returns the error that refuses a file of this format."""
    return errors.DecodeError(f"{found.name} is not read; {found.advice}", "unsupported_format")


def by_content(data: bytes) -> Format | None:
    """Returns the format that the content begins like, or None."""
    for one in FORMATS:
        if any(data[offset : offset + len(magic)] == magic for offset, magic in one.magics):
            return one
    start = data[:_TEXT_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    is_svg = start.startswith(b"<svg") or (start.startswith((b"<?xml", b"<!")) and b"<svg" in start)
    return next(one for one in FORMATS if one.name == "SVG") if is_svg else None


def by_name(path: str) -> Format | None:
    """Returns the format that the end of a file's name claims, or None."""
    name = path.lower()
    return next((one for one in FORMATS if name.endswith(one.suffixes)), None)


def is_raw_tiff(reader: tiff_directory.Reader) -> bool:
    """Returns whether a TIFF is a camera's raw file: a DNG, or with a mosaic in a page or below one."""
    chain = reader.chain[:_MAX_DIRECTORIES]
    if reader.data[8:12] == b"CR\2\0" or _DNG_VERSION in chain[0].tags:
        return True
    return any(
        reader.number(one, tags.PHOTOMETRIC_INTERPRETATION) in (_CFA, _LINEAR_RAW) for one in _with_below(reader, chain)
    )


def _with_below(
    reader: tiff_directory.Reader, chain: Iterable[tiff_directory.Directory]
) -> Iterable[tiff_directory.Directory]:
    for one in chain:
        yield one
        for offset in reader.numbers(one, tags.SUB_IFDS, _MAX_DIRECTORIES):
            try:
                yield reader.directory(offset)
            except errors.DecodeError:
                continue
