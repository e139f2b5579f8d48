"""Places within the picture that an XMP packet states: they move with the pixels.

Source: MWG Guidelines for Handling Image Metadata 2.0, section 5.9 (regions: centre and size, of 1); Microsoft's schema
of people tags (left, top, width, height, of 1); IPTC Photo Metadata Standard 2025.1, Image Region; XMP specification
part 2 for EXIF's and TIFF's properties.
"""

import math
from typing import Any

from serving.copies.frame import Frame

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
# Namespaces of regions, of an area and of the size that it applies to. ACDSee's have the same form.
_REGIONS = (
    ("http://www.metadataworkinggroup.com/schemas/regions/", "http://ns.adobe.com/xmp/sType/Area#",
     "http://ns.adobe.com/xap/1.0/sType/Dimensions#"),
    ("http://ns.acdsee.com/regions/", "http://ns.acdsee.com/sType/Area#", "http://ns.acdsee.com/sType/Dimensions#"),
)  # fmt: skip
_PAIRS = (
    ((_TIFF, "XResolution"), (_TIFF, "YResolution")),
    ((_EXIF, "FocalPlaneXResolution"), (_EXIF, "FocalPlaneYResolution")),
)
_SUBJECTS = ((_EXIF, "SubjectArea"), (_EXIF, "SubjectLocation"))
_RECTANGLE = (_MICROSOFT, "Rectangle")
_BOUNDARY = (_IPTC_EXT, "RegionBoundary")
# The most names in a note, and characters of one.
_MAX_NAMES, _MAX_NAME = 20, 60

Name = tuple[str, str]


class _Values:
    """The simple properties of an element, which XMP writes as attributes or as elements with text alone."""

    def __init__(self, element: Any):
        self._nodes: dict[Name, Any] = {}
        for node in element.childNodes:
            if node.nodeType == node.ELEMENT_NODE and all(c.nodeType == c.TEXT_NODE for c in node.childNodes):
                self._nodes[node.namespaceURI, node.localName] = node
        for node in element.attributes.values():
            self._nodes[node.namespaceURI, node.localName] = node

    def __contains__(self, name: Name) -> bool:
        return name in self._nodes

    def __getitem__(self, name: Name) -> str:
        node = self._nodes[name]
        return str(node.value) if node.nodeType == node.ATTRIBUTE_NODE else _text(node)

    def __setitem__(self, name: Name, value: str) -> None:
        node = self._nodes[name]
        if node.nodeType == node.ATTRIBUTE_NODE:
            node.value = value
        else:
            _set_text(node, value)

    def text(self, namespace: str, name: str) -> str:
        """Returns a value; "" where it is missing."""
        return self[namespace, name] if (namespace, name) in self._nodes else ""

    def number(self, namespace: str, name: str) -> float:
        """Returns a number; 0 where it is missing.

        Raises:
            ValueError: it is none.
        """
        return _number(self[namespace, name]) if (namespace, name) in self else 0.0

    def change(self, namespace: str, **numbers: float) -> None:
        """Sets those numbers of a namespace that are there already."""
        for name, value in numbers.items():
            if (namespace, name) in self:
                self[namespace, name] = _digits(value)


def move(rdf: Any, frame: Frame) -> tuple[str, ...]:
    """Moves all places in the element rdf:RDF; returns a note if properties that cannot be moved are removed."""
    if frame.is_same:
        return ()
    lost = set()
    for description in _elements(rdf):
        if frame.is_swapped:
            _swap_pairs(_Values(description))
        for prop in _elements(description):
            try:
                _move_property(prop, frame)
            except ValueError:
                lost.add(prop.localName[:_MAX_NAME])
                description.removeChild(prop)
    names = ", ".join(sorted(lost)[:_MAX_NAMES])
    return (f"XMP properties whose places cannot be moved with the pixels are not kept: {names}",) if lost else ()


def _elements(node: Any) -> list[Any]:
    return [child for child in node.childNodes if child.nodeType == child.ELEMENT_NODE]


def _name(node: Any) -> Name:
    return node.namespaceURI, node.localName


def _swap_pairs(values: _Values) -> None:
    for across, down in _PAIRS:
        if across in values and down in values:
            values[across], values[down] = values[down], values[across]


def _move_property(prop: Any, frame: Frame) -> None:
    """Moves the places in a property and all below it.

    Raises:
        ValueError: one has no numbers, or is outside of the picture.
    """
    if _name(prop) in _SUBJECTS:
        _move_subject(prop, frame)
        return
    for element in (prop, *prop.getElementsByTagName("*")):
        values = _Values(element)
        for regions, area, size in _REGIONS:
            _move_area(values, area, frame)
            if (regions, "AppliedToDimensions") in (_name(element), _name(element.parentNode)):
                _resize(values, size, frame)
            if frame.is_mirrored:
                values.change(regions, Rotation=-values.number(regions, "Rotation"))
        if _RECTANGLE in values:
            values[_RECTANGLE] = _moved_rectangle(values[_RECTANGLE], frame)
        if _name(element) == _BOUNDARY:
            _move_boundary(element, frame)


def _move_subject(prop: Any, frame: Frame) -> None:
    items = prop.getElementsByTagNameNS(_RDF, "li")
    moved = frame.subject([int(_text(item)) for item in items])
    for item, number in zip(items, moved, strict=True):
        _set_text(item, str(number))


def _move_area(values: _Values, area: str, frame: Frame) -> None:
    """Moves a region's area: its centre and size, or its diameter as a share of the shorter side."""
    if (area, "x") not in values:
        return
    (across, down), (width, height) = _scales(frame, in_px=values.text(area, "unit") == "pixel")
    x, y = frame.point(values.number(area, "x") * across, values.number(area, "y") * down)
    w, h = frame.size(values.number(area, "w") * across, values.number(area, "h") * down)
    diameter = values.number(area, "d") * min(across, down) / min(width, height)
    values.change(area, x=x / width, y=y / height, w=w / width, h=h / height, d=diameter)


def _scales(frame: Frame, *, in_px: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the factors from the unit of a place to px, and from that of the copy, across and down."""
    return ((1, 1), (1, 1)) if in_px else (frame.stored, (frame.width, frame.copy_height))


def _resize(values: _Values, size: str, frame: Frame) -> None:
    width, height = frame.size(values.number(size, "w"), values.number(size, "h"))
    values.change(size, w=width, h=height * frame.copy_height / frame.height)


def _moved_rectangle(text: str, frame: Frame) -> str:
    left, top, w, h = (_number(part) for part in text.split(","))
    (across, down), (width, height) = _scales(frame, in_px=False)
    left, top, w, h = frame.box(left * across, top * down, w * across, h * down)
    return ", ".join(map(_digits, (left / width, top / height, w / width, h / height)))


def _move_boundary(boundary: Any, frame: Frame) -> None:
    """Moves IPTC's boundary: a box (its corner), a circle (its centre, its radius by the width) or a polygon."""
    if boundary.getElementsByTagNameNS(*_BOUNDARY):
        raise ValueError("a boundary within a boundary")
    parts = [_Values(element) for element in (boundary, *boundary.getElementsByTagName("*"))]
    is_relative = all(values.text(_IPTC_EXT, "rbUnit") in ("", "relative") for values in parts)
    (across, down), (width, height) = _scales(frame, in_px=not is_relative)
    for values in parts:
        if (_IPTC_EXT, "rbX") not in values:
            continue
        x, y, w, h = (
            values.number(_IPTC_EXT, name) * scale
            for name, scale in (("rbX", across), ("rbY", down), ("rbW", across), ("rbH", down))
        )
        x, y, w, h = frame.box(x, y, w, h)
        radius = values.number(_IPTC_EXT, "rbRx") * across / width
        values.change(_IPTC_EXT, rbX=x / width, rbY=y / height, rbW=w / width, rbH=h / height, rbRx=radius)


def _text(node: Any) -> str:
    return "".join(child.data for child in node.childNodes if child.nodeType == child.TEXT_NODE)


def _set_text(node: Any, text: str) -> None:
    for child in list(node.childNodes):
        node.removeChild(child)
    node.appendChild(node.ownerDocument.createTextNode(text))


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{value} for a place in a picture")
    return value


def _digits(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
