"""XMP packets: the archive's own properties are kept, properties about the copy are added or replaced.

Source: ISO 16684-1:2019 (XMP part 1) for the packet, XMP part 2 for xmp and xmpMM, IPTC Photo Metadata Standard
2025.1 for DigitalSourceType and the AI system.
"""

import codecs
import re
from typing import Any
from xml.dom import minidom
from xml.parsers import expat
from xml.sax.saxutils import escape

from serving.copies import xmp_places
from serving.copies.frame import Frame
from serving.copies.provenance import Provenance

# Photoshop's histories make packets of some MB.
MAX_BYTES = 16_000_000
_MAX_DEPTH = 100
# Elements, attributes and comments; as a document each takes up to a kilobyte.
_MAX_NODES = 50_000
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_MM = "http://ns.adobe.com/xap/1.0/mm/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_NAMESPACES = {
    "rdf": _RDF,
    "xmp": _XMP,
    "xmpMM": _MM,
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "Iptc4xmpExt": _IPTC_EXT,
}
# Properties that the copy sets itself.
_OURS = {
    _XMP: ("CreatorTool", "MetadataDate", "ModifyDate"),
    _MM: ("DerivedFrom",),
    _IPTC_EXT: ("DigitalSourceType", "DigitalSourcefileType", "AISystemUsed", "AISystemVersionUsed"),
}
# Properties of the original's pixels or file, which would be wrong for the copy.
_UNTRUE = {
    _TIFF: (
        *("ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "Orientation"),
        *("SamplesPerPixel", "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning", "YCbCrCoefficients"),
        *("TransferFunction", "WhitePoint", "PrimaryChromaticities", "ReferenceBlackWhite", "NativeDigest"),
    ),
    _EXIF: ("ColorSpace", "PixelXDimension", "PixelYDimension", "NativeDigest"),
    _PHOTOSHOP: ("ColorMode", "ICCProfile", "LegacyIPTCDigest"),
    _XMP: ("Thumbnails",),
    _MM: ("DocumentID", "InstanceID"),
    "http://purl.org/dc/elements/1.1/": ("format",),
    "http://ns.adobe.com/xmp/note/": ("HasExtendedXMP",),
}
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="w"?>'
_BARE = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>'
# How a packet begins -> its encoding.
_ENCODINGS = (
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16")),
    *((codecs.BOM_UTF16_BE, "utf-16"), (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le")),
    *((b"\0<", "utf-16-be"), (b"", "utf-8-sig")),
)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def ours(provenance: Provenance) -> bytes:
    """Returns a packet with the properties of the copy alone."""
    return merge(b"", provenance, Frame(1, 1))[0]


def merge(source: bytes, provenance: Provenance, frame: Frame) -> tuple[bytes, tuple[str, ...]]:
    """Joins the properties of `source` and of the copy, which replace those of the same names.

    Args:
        source: the original's packet; b"" if it has none.
        provenance: of the copy.
        frame: of the copy; places in the picture move with its pixels.

    Returns:
        The packet, and notes on properties that are lost.

    Raises:
        ValueError: `source` is no XMP, is too large, or contains a DTD or entities, which XMP forbids.
    """
    document = _parse(_decode(source) if source else _BARE)
    try:
        rdf = _find_rdf(document)
        abouts = [_about(element) for element in _descriptions(rdf)]
        ids = [value for element in _descriptions(rdf) for value in _strip(element)]
        notes = xmp_places.move(rdf, frame)
        own: Any = _parse(_own(provenance, next(filter(None, abouts), ""), next(iter(ids), ""))).documentElement
        rdf.appendChild(document.importNode(own, True))
        root: Any = document.documentElement
        return f"{_HEAD}{root.toxml()}{_TAIL}".encode(), notes
    finally:
        document.unlink()


def _decode(source: bytes) -> str:
    if len(source) > MAX_BYTES:
        raise ValueError(f"XMP of {len(source)} bytes, at most {MAX_BYTES}")
    encoding = next(encoding for mark, encoding in _ENCODINGS if source.startswith(mark))
    unit = 4 if "32" in encoding else 2 if "16" in encoding else 1
    try:
        text = source[: len(source) // unit * unit].decode(encoding).strip("\0 \t\r\n\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"XMP that is not valid {encoding.removesuffix('-sig')}") from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("XMP with a document type, which may define entities")
    return re.sub(r"^<\?xml [^>]*\?>", "", text)  # it is text now, whatever encoding was stated


class _Bounds:
    """Counts what a document would hold in memory, before one is made.

    Raises:
        ValueError: it is too deep, or holds too much.
    """

    def __init__(self) -> None:
        self._depth = self._nodes = 0

    def check(self, text: str) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._other
        parser.StartCdataSectionHandler = self._other
        parser.Parse(text, True)

    def _start(self, _name: str, attributes: Any) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"XMP nested deeper than {_MAX_DEPTH}")
        self._count(1 + len(attributes))

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _other(self, *_: str) -> None:
        self._count(1)

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise ValueError(f"XMP of more than {_MAX_NODES} elements and attributes")


def _parse(text: str) -> minidom.Document:
    """Parses text without a document type: no entities but the five of XML."""
    try:
        _Bounds().check(text)
        return minidom.parseString(text.encode())
    except (expat.ExpatError, UnicodeError) as error:
        raise ValueError(f"broken XMP: {error}") from error


def _find_rdf(document: minidom.Document) -> Any:
    found = document.getElementsByTagNameNS(_RDF, "RDF")
    if len(found) != 1:
        raise ValueError(f"XMP with {len(found)} elements rdf:RDF, expected 1")
    return found[0]


def _descriptions(rdf: Any) -> list[Any]:
    return [node for node in rdf.childNodes if node.nodeType == node.ELEMENT_NODE]


def _about(description: Any) -> str:
    """Returns the subject (rdf:about) of the properties; all descriptions of a packet have the same."""
    return description.getAttributeNS(_RDF, "about")


def _strip(description: Any) -> list[str]:
    """Removes the properties in _OURS and _UNTRUE; returns the original's own id, if it has one."""
    ids = []
    for namespace, name in ((ns, name) for table in (_OURS, _UNTRUE) for ns, names in table.items() for name in names):
        nodes = [n for n in description.childNodes if (n.namespaceURI, n.localName) == (namespace, name)]
        if name == "DocumentID":
            ids += [value for value in (description.getAttributeNS(namespace, name), *map(_text, nodes)) if value]
        for node in nodes:
            description.removeChild(node)
        if description.hasAttributeNS(namespace, name):
            description.removeAttributeNS(namespace, name)
    return ids


def _text(node: Any) -> str:
    return "".join(child.data for child in node.childNodes if child.nodeType == child.TEXT_NODE).strip()


def _own(provenance: Provenance, about: str, original_id: str) -> str:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    original = f"<stRef:originalDocumentID>{_escape(original_id)}</stRef:originalDocumentID>" if original_id else ""
    return f"""<rdf:Description rdf:about="{_escape(about)}" {declared}>
<xmp:CreatorTool>{_escape(provenance.creator_tool)}</xmp:CreatorTool>
<xmp:ModifyDate>{_escape(provenance.date)}</xmp:ModifyDate>
<xmp:MetadataDate>{_escape(provenance.date)}</xmp:MetadataDate>
<Iptc4xmpExt:DigitalSourceType>{_escape(provenance.digital_source_iri)}</Iptc4xmpExt:DigitalSourceType>
<Iptc4xmpExt:AISystemUsed>{_escape(provenance.ai_system)}</Iptc4xmpExt:AISystemUsed>
<Iptc4xmpExt:AISystemVersionUsed>{_escape(provenance.model_digest)}</Iptc4xmpExt:AISystemVersionUsed>
<xmpMM:DerivedFrom rdf:parseType="Resource">
<stRef:documentID>sha256:{_escape(provenance.source_sha256)}</stRef:documentID>{original}
<stRef:filePath>{_escape(provenance.source_name)}</stRef:filePath>
</xmpMM:DerivedFrom>
</rdf:Description>"""


def _escape(value: str) -> str:
    """Escapes text; characters that XML cannot hold become question marks."""
    return escape(_FORBIDDEN.sub("?", value), {'"': "&quot;"})
