import struct

import pytest
from PIL import Image

from photochrom.imaging import exif, tags
from photochrom.imaging.exif import Entry
from serving.copies import exif_fields
from serving.copies.frame import Frame
from tests.support.metadata_blocks import exif_block

TURNED = Frame(30, 20, 6)


def loaded(block: bytes) -> Image.Exif:
    result = Image.Exif()
    result.load(block)
    return result


def update(main: exif.Directory, frame: Frame, moves: bool = False) -> tuple[exif.Directory, str]:
    block, notes = exif_fields.update_for(exif.Block("<", main), frame, moves=moves)
    return block.main, " ".join(notes)


def shorts(*values: int) -> Entry:
    return Entry(tags.SHORT, struct.pack(f"<{len(values)}H", *values))


def rational(value: int) -> Entry:
    return Entry(tags.RATIONAL, struct.pack("<2I", value, 1))


@pytest.mark.parametrize("order", ["<", ">"])
def test_update_for_keeps_maker_notes_in_place(order):
    before = exif_block(order)[6:]
    updated, notes = exif_fields.update_for(exif.parse(before), Frame(30, 20), moves=False)
    after = updated.to_bytes()
    assert len(after) == len(before) and not notes
    assert sum(a != b for a, b in zip(after, before, strict=True)) < 20
    assert (loaded(after)[274], loaded(after).get_ifd(0x8769)[0xA001]) == (1, 1)


def test_update_for_removes_fields_of_tiff_pixels():
    block = Image.Exif()
    block[273], block[259], block[271], block[700] = 8, 1, "Maker", b"<xmp/>"
    after, notes = exif_fields.update_for(exif.parse(block.tobytes()), Frame(1, 1), moves=False)
    assert dict(loaded(after.to_bytes())) == {271: "Maker"}
    assert "XMP (700)" in notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_update_for_swaps_resolutions_with_the_sides(orientation):
    below = {tags.FOCAL_PLANE_X_RESOLUTION: rational(5), tags.FOCAL_PLANE_Y_RESOLUTION: rational(7)}
    main = {tags.X_RESOLUTION: rational(204), tags.Y_RESOLUTION: rational(98), tags.EXIF_IFD: Entry(tags.LONG, below)}
    found, _ = update(main, Frame(30, 20, orientation))
    across, down = (98, 204) if orientation >= 5 else (204, 98)
    assert (found[tags.X_RESOLUTION], found[tags.Y_RESOLUTION]) == (rational(across), rational(down))
    focal = found[tags.EXIF_IFD].value
    first = rational(7 if orientation >= 5 else 5)
    assert focal[tags.FOCAL_PLANE_X_RESOLUTION] == first


def test_update_for_moves_a_lone_resolution():
    found, _ = update({tags.X_RESOLUTION: rational(204)}, TURNED)
    assert found == {tags.Y_RESOLUTION: rational(204)}


@pytest.mark.parametrize(
    ("before", "after"),
    [((4, 3), (17, 4)), ((4, 3, 2), (17, 4, 2)), ((4, 3, 6, 2), (17, 4, 2, 6)), ((99, 3), None), ((1,), None)],
)
def test_update_for_turns_the_subject(before, after):
    """A stored picture of 30x20 px, turned by 90 degrees clockwise."""
    main = {tags.EXIF_IFD: Entry(tags.LONG, {tags.SUBJECT_AREA: shorts(*before), tags.EXIF_VERSION: shorts(0)})}
    found, notes = update(main, Frame(20, 30, 6))
    area = found[tags.EXIF_IFD].value.get(tags.SUBJECT_AREA)
    assert area == (shorts(*after) if after else None)
    assert ("SubjectArea" in notes) == (after is None)


@pytest.mark.parametrize("frame", [Frame(30, 20, 3), TURNED, Frame(30, 20, added_rows=4)])
def test_update_for_notes_places_in_another_frame(frame):
    main = {
        tags.X_POSITION: rational(1),
        tags.GEO_KEY_DIRECTORY: shorts(1),
        65_000: shorts(1),
        65_001: exif_fields.text("private"),
        tags.PAGE_NUMBER: shorts(0, 2),
    }
    kept, no_notes = update(main, Frame(30, 20))
    assert (kept, no_notes) == (main, "")
    found, notes = update(main, frame)
    assert found.keys() == {65_001, tags.PAGE_NUMBER}
    assert "XPosition (286), GeoKeyDirectory (34735), 65000" in notes


@pytest.mark.parametrize(("value", "is_kept"), [(b"0\0", True), (b"128\0", False)])
def test_update_for_keeps_black_as_missing_data(value, is_kept):
    found, notes = update({tags.GDAL_NODATA: Entry(tags.ASCII, value)}, Frame(30, 20))
    assert (tags.GDAL_NODATA in found) is is_kept and ("GDALNodata" in notes) is not is_kept


def test_update_for_removes_another_colour_space():
    """A DCF option file is in Adobe RGB."""
    index = {tags.INTEROPERABILITY_INDEX: Entry(tags.ASCII, b"R03\0")}
    below = {tags.GAMMA: rational(2), tags.COLOR_SPACE: shorts(65_535), tags.INTEROPERABILITY_IFD: Entry(4, index)}
    main = {tags.WHITE_POINT: rational(1), tags.PRIMARY_CHROMATICITIES: rational(1), tags.EXIF_IFD: Entry(4, below)}
    found, _ = update(main, Frame(30, 20))
    assert found.keys() == {tags.EXIF_IFD}
    exif_fields_found = found[tags.EXIF_IFD].value
    assert exif_fields_found.keys() == {tags.COLOR_SPACE, tags.INTEROPERABILITY_IFD}
    assert exif_fields_found[tags.COLOR_SPACE] == shorts(1)
    assert exif_fields_found[tags.INTEROPERABILITY_IFD].value[tags.INTEROPERABILITY_INDEX].value == b"R98\0"


@pytest.mark.parametrize("moves", [False, True])
def test_update_for_notes_offsets_that_would_move(moves):
    main = {65_000: Entry(tags.LONG, struct.pack("<I", 8)), tags.MAKE: exif_fields.text("Maker")}
    found, notes = update(main, Frame(30, 20), moves)
    assert (65_000 in found) is not moves and ("65000" in notes) is moves
