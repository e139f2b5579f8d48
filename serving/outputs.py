"""Writes a coloured copy: the file's format and size kept, its metadata carried over, and what was done said in it."""

import dataclasses
import io
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from photochrom import __version__, images

# Formats that are written as they came; all others become PNG, which loses nothing.
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_ORIENTATION_TAG = 274
_XMP_TAG = 700
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:stRef="http://ns.adobe.com/xap/1.0/sType/ResourceRef#" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<xmp:CreatorTool>Photochrom {version}</xmp:CreatorTool>
<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>
<Iptc4xmpExt:AISystemUsed>Photochrom, model {model}</Iptc4xmpExt:AISystemUsed>
<Iptc4xmpExt:AISystemVersionUsed>{digest}</Iptc4xmpExt:AISystemVersionUsed>
<xmpMM:DerivedFrom rdf:parseType="Resource"><stRef:documentID>sha256:{source}</stRef:documentID></xmpMM:DerivedFrom>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What an output says of itself.

    Attributes:
        model_name, model_digest: of the bundle.
        source_sha256: digest of the original's bytes, hex.
    """

    model_name: str
    model_digest: str
    source_sha256: str

    def to_xmp(self) -> bytes:
        """Returns the XMP packet.

        Source: IPTC Photo Metadata Standard 2025.1 for DigitalSourceType and the AI system, XMP part 2 for the rest.
        """
        values = {
            "version": __version__,
            "model": self.model_name,
            "digest": self.model_digest,
            "source": self.source_sha256,
        }
        return _XMP.format(**{name: escape(value) for name, value in values.items()}).encode()


def file_name(path: str, format: str) -> str:
    """Returns the output's name: the input's, with an end added where the format changes or the end belies it."""
    suffixes = _SUFFIXES.get(format, _SUFFIXES["PNG"])
    return path if path.lower().endswith(suffixes) else path + suffixes[0]


def encode(rgb: np.ndarray, original: images.Picture, provenance: Provenance) -> tuple[bytes, tuple[str, ...]]:
    """Encodes a coloured copy.

    Args:
        rgb: [H, W, 3] uint8 sRGB.
        original: whose format, opacity, EXIF and resolution are kept.
        provenance: what is said in its XMP.

    Returns:
        The file's bytes, and notes on what could not be kept.
    """
    format = original.format if original.format in _SUFFIXES else "PNG"
    pixels = rgb
    notes: tuple[str, ...] = ()
    if original.alpha is not None and format != "JPEG":
        pixels = np.dstack([rgb, original.alpha])
    if original.pixels.dtype != np.uint8:
        notes += ("written with 8 bit a channel",)
    exif = _upright_exif(original.metadata.exif)
    if original.metadata.exif and not exif:
        notes += ("broken EXIF not carried over",)
    buffer = io.BytesIO()
    options = _OPTIONS[format](provenance.to_xmp(), exif)
    if original.metadata.dpi:
        options["dpi"] = original.metadata.dpi
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue(), notes


def _upright_exif(exif: bytes) -> bytes:
    """Returns the EXIF block with its orientation reset, since the pixels are upright now; b"" if it is broken."""
    try:
        block = Image.Exif()
        block.load(exif)
        block[_ORIENTATION_TAG] = 1
        return block.tobytes() if exif else b""
    except Exception:  # Pillow raises whatever it meets in a broken block
        return b""


def _jpeg(xmp: bytes, exif: bytes) -> dict[str, Any]:
    # 4:4:4: the colour is what is new, so it is not halved. An APP1 segment holds at most 64 KB.
    return {"quality": 95, "subsampling": 0, "xmp": xmp, **({"exif": exif} if 0 < len(exif) < 65_000 else {})}


def _png(xmp: bytes, exif: bytes) -> dict[str, Any]:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return {"pnginfo": chunks, **({"exif": exif} if exif else {})}


def _tiff(xmp: bytes, exif: bytes) -> dict[str, Any]:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[_XMP_TAG] = 1
    tags[_XMP_TAG] = xmp
    return {"compression": "tiff_adobe_deflate", "tiffinfo": tags}


def _webp(xmp: bytes, exif: bytes) -> dict[str, Any]:
    return {"quality": 95, "method": 4, "xmp": xmp, **({"exif": exif} if exif else {})}


_OPTIONS = {"JPEG": _jpeg, "PNG": _png, "TIFF": _tiff, "WEBP": _webp}
