"""Regions follow the pixels, in every form in which XMP writes a structure."""

from xml.dom import minidom

import pytest

from serving.copies import xmp_places
from serving.copies.frame import Frame

STORED = (160, 112)
AREA = {"x": 0.78125, "y": 0.2232, "w": 0.1875, "h": 0.2679}
# Centre of the area in the upright picture, by orientation; the sides are swapped from 5 on.
CENTRES = {
    1: (0.78125, 0.2232), 2: (0.21875, 0.2232), 3: (0.21875, 0.7768), 4: (0.78125, 0.7768),
    5: (0.2232, 0.78125), 6: (0.7768, 0.78125), 7: (0.7768, 0.21875), 8: (0.2232, 0.21875),
}  # fmt: skip
SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
}


def frame(orientation: int, added_rows: int = 0) -> Frame:
    width, height = STORED if orientation < 5 else STORED[::-1]
    return Frame(width, height, orientation, added_rows)


def moved(properties: str, frame: Frame, attributes: str = "") -> tuple[minidom.Document, str]:
    """The packet after the move, and the notes."""
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    text = f"<rdf:RDF {declared}><rdf:Description {attributes}>{properties}</rdf:Description></rdf:RDF>"
    document = minidom.parseString(text)
    return document, " ".join(xmp_places.move(document.documentElement, frame))


def numbers(document: minidom.Document, prefix: str, names: str) -> list[float]:
    """Values of attributes or elements, the first of each name."""
    found = []
    for name in names.split():
        elements = document.getElementsByTagName(f"{prefix}:{name}")
        holders = [e for e in document.getElementsByTagName("*") if e.hasAttribute(f"{prefix}:{name}")]
        text = elements[0].firstChild.data if elements else holders[0].getAttribute(f"{prefix}:{name}")
        found.append(float(text))
    return found


def struct(prefix: str, values: dict, form: str, name: str) -> str:
    """A structure as XMP may write it: of elements, of attributes, or as a description."""
    if form == "elements":
        fields = "".join(f"<{prefix}:{key}>{value}</{prefix}:{key}>" for key, value in values.items())
        return f'<{name} rdf:parseType="Resource">{fields}</{name}>'
    attributes = " ".join(f'{prefix}:{key}="{value}"' for key, value in values.items())
    return f"<{name} {attributes}/>" if form == "attributes" else f"<{name}><rdf:Description {attributes}/></{name}>"


@pytest.mark.parametrize("form", ["elements", "attributes", "description"])
@pytest.mark.parametrize("orientation", CENTRES)
def test_move_turns_face_regions(orientation, form):
    size = struct("stDim", {"w": 160, "h": 112, "unit": "pixel"}, form, "mwg-rs:AppliedToDimensions")
    area = struct("stArea", {**AREA, "unit": "normalized"}, form, "mwg-rs:Area")
    item = f'<rdf:li rdf:parseType="Resource">{area}<mwg-rs:Name>Anna</mwg-rs:Name></rdf:li>'
    regions = f"{size}<mwg-rs:RegionList><rdf:Bag>{item}</rdf:Bag></mwg-rs:RegionList>"
    document, notes = moved(f'<mwg-rs:Regions rdf:parseType="Resource">{regions}</mwg-rs:Regions>', frame(orientation))
    sides = (0.1875, 0.2679) if orientation < 5 else (0.2679, 0.1875)
    assert numbers(document, "stArea", "x y w h") == pytest.approx([*CENTRES[orientation], *sides])
    assert numbers(document, "stDim", "w h") == list(STORED if orientation < 5 else STORED[::-1])
    assert not notes and document.getElementsByTagName("mwg-rs:Name")


@pytest.mark.parametrize("orientation", CENTRES)
def test_move_turns_microsofts_regions(orientation):
    text = "0.6875, 0.08925, 0.1875, 0.2679"
    document, _ = moved(f"<MP:RegionInfo><MPReg:Rectangle>{text}</MPReg:Rectangle></MP:RegionInfo>", frame(orientation))
    found = [float(v) for v in document.getElementsByTagName("MPReg:Rectangle")[0].firstChild.data.split(",")]
    w, h = (0.1875, 0.2679) if orientation < 5 else (0.2679, 0.1875)
    x, y = CENTRES[orientation]
    assert found == pytest.approx([x - w / 2, y - h / 2, w, h], abs=1e-5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"rbShape": "rectangle", "rbUnit": "relative", "rbX": 0.5, "rbY": 0.25, "rbW": 0.25, "rbH": 0.5},
         {"rbX": 0.25, "rbY": 0.5, "rbW": 0.5, "rbH": 0.25}),
        ({"rbShape": "rectangle", "rbUnit": "pixel", "rbX": 80, "rbY": 28, "rbW": 40, "rbH": 56},
         {"rbX": 28, "rbY": 80, "rbW": 56, "rbH": 40}),
        ({"rbShape": "circle", "rbUnit": "relative", "rbX": 0.5, "rbY": 0.25, "rbRx": 0.07},
         {"rbX": 0.75, "rbY": 0.5, "rbRx": 0.1}),
    ],
    ids=["box", "box-in-px", "circle"],
)  # fmt: skip
def test_move_turns_iptcs_regions(values, expected):
    boundary = struct("ext", values, "elements", "ext:RegionBoundary")
    document, notes = moved(f"<ext:ImageRegion>{boundary}</ext:ImageRegion>", frame(6))
    assert numbers(document, "ext", " ".join(expected)) == pytest.approx(list(expected.values())) and not notes


def test_move_turns_polygons():
    corners = "".join(struct("ext", {"rbX": x, "rbY": y}, "attributes", "rdf:li") for x, y in ((0, 0), (160, 28)))
    inside = f"<ext:rbUnit>pixel</ext:rbUnit><ext:rbVertices><rdf:Seq>{corners}</rdf:Seq></ext:rbVertices>"
    text = (
        f'<ext:ImageRegion><ext:RegionBoundary rdf:parseType="Resource">{inside}</ext:RegionBoundary></ext:ImageRegion>'
    )
    document, _ = moved(text, frame(6))
    items = [(li.getAttribute("ext:rbX"), li.getAttribute("ext:rbY")) for li in document.getElementsByTagName("rdf:li")]
    assert items == [("112", "0"), ("84", "160")]


def test_move_makes_room_for_a_border():
    area = struct("stArea", {"x": 0.5, "y": 0.5, "w": 0.5, "h": 0.5, "unit": "normalized"}, "elements", "mwg-rs:Area")
    document, _ = moved(f"<mwg-rs:Regions>{area}</mwg-rs:Regions>", frame(1, added_rows=112))
    assert numbers(document, "stArea", "x y w h") == [0.5, 0.25, 0.5, 0.25]


def test_move_swaps_resolutions_and_turns_the_subject():
    subject = "<exif:SubjectArea><rdf:Seq><rdf:li>40</rdf:li><rdf:li>30</rdf:li></rdf:Seq></exif:SubjectArea>"
    document, _ = moved(subject, frame(6), 'tiff:XResolution="204/1" tiff:YResolution="98/1"')
    element = document.getElementsByTagName("rdf:Description")[0]
    assert (element.getAttribute("tiff:XResolution"), element.getAttribute("tiff:YResolution")) == ("98/1", "204/1")
    assert [li.firstChild.data for li in document.getElementsByTagName("rdf:li")] == ["82", "40"]


@pytest.mark.parametrize("value", ["left", "", "nan", "1e999"])
def test_move_notes_regions_it_cannot_read(value):
    area = struct("stArea", {**AREA, "x": value}, "attributes", "mwg-rs:Area")
    document, notes = moved(f"<mwg-rs:Regions>{area}</mwg-rs:Regions><tiff:Make>Zeiss</tiff:Make>", frame(6))
    assert notes == "XMP properties whose places cannot be moved with the pixels are not kept: Regions"
    assert not document.getElementsByTagName("mwg-rs:Regions") and document.getElementsByTagName("tiff:Make")


def test_move_removes_boundaries_within_boundaries():
    inner = "<ext:RegionBoundary><ext:RegionBoundary/></ext:RegionBoundary>"
    document, notes = moved(f"<ext:ImageRegion>{inner}</ext:ImageRegion>", frame(6))
    assert notes.endswith(": ImageRegion") and not document.getElementsByTagName("ext:ImageRegion")


def test_move_leaves_upright_pictures_alone():
    area = struct("stArea", {**AREA, "x": "left"}, "attributes", "mwg-rs:Area")
    before, _ = moved(area, frame(1))
    assert before.getElementsByTagName("mwg-rs:Area")[0].getAttribute("stArea:x") == "left"
