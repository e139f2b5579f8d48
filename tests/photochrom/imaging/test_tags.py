import pytest
import tifffile

from photochrom.imaging import tags

GEOREFERENCE = (
    *("MODEL_PIXEL_SCALE", "INTERGRAPH_MATRIX", "MODEL_TIEPOINT", "MODEL_TRANSFORMATION"),
    *("GEO_KEY_DIRECTORY", "GEO_DOUBLE_PARAMS", "GEO_ASCII_PARAMS"),
)
# Where the name here is another than tifffile's.
OTHER_NAMES = {
    "THRESHHOLDING": "Thresholding",
    "PHOTOSHOP": "ImageResources",
    "IPTC": "IPTCNAA",
    "ICC_PROFILE": "InterColorProfile",
    "EXIF_IFD": "ExifTag",
    "GPS_IFD": "GPSTag",
    "INTEROPERABILITY_IFD": "InteroperabilityTag",
    "SUBJECT_AREA": "SubjectLocation",
    **{name: name + "_TAG" for name in GEOREFERENCE},
}
# Numbers in other lists than that of tags.
NO_TAGS = {"IPTC_RESOURCE", "INTEROPERABILITY_INDEX"}
TYPES = {
    "BYTE", "ASCII", "SHORT", "LONG", "RATIONAL", "SBYTE", "UNDEFINED", "SSHORT", "SLONG", "SRATIONAL", "FLOAT",
    "DOUBLE", "IFD", "LONG8", "SLONG8", "IFD8", "UTF8",
}  # fmt: skip


def numbers() -> dict[str, int]:
    return {name: value for name, value in vars(tags).items() if name.isupper() and isinstance(value, int)}


def plain(name: str) -> str:
    return name.replace("_", "").lower()


def test_tags_agree_with_tifffile():
    found = {name: value for name, value in numbers().items() if name not in TYPES | NO_TAGS}
    assert len(found) > 90
    for name, value in found.items():
        expected = tifffile.TIFF.TAGS[value]
        assert plain(OTHER_NAMES.get(name, name)) == plain(expected), name


def test_tags_are_stated_once():
    values = [value for name, value in numbers().items() if name not in TYPES]
    assert len(values) == len(set(values))


def test_type_sizes_agree_with_tifffile():
    ours = {name: tags.TYPE_SIZES[value] for name, value in numbers().items() if name in TYPES - {"UTF8"}}
    theirs = {kind.name: tifffile.TIFF.DATA_FORMATS[kind] for kind in tifffile.DATATYPE if kind.name in ours}
    sizes = {"B": 1, "s": 1, "H": 2, "I": 4, "b": 1, "h": 2, "i": 4, "f": 4, "d": 8, "Q": 8, "q": 8}
    assert ours == {name: int(format[:-1] or 1) * sizes[format[-1]] for name, format in theirs.items()}


def test_storage_holds_no_field_that_describes():
    described = {tags.ORIENTATION, tags.EXIF_IFD, tags.GPS_IFD, tags.PAGE_NUMBER, tags.DOCUMENT_NAME, tags.MAKE}
    assert not tags.STORAGE & (tags.BLOCKS | described)


@pytest.mark.parametrize(
    ("number", "name"),
    [(286, "XPosition (286)"), (330, "SubIFDs (330)"), (530, "YCbCrSubSampling (530)"), (65_000, "65000")],
)
def test_name_of_a_field(number, name):
    assert tags.name(number) == name


def test_names_are_bounded():
    assert tags.names(range(65_000, 65_030), 2) == "65000, 65001 and 28 more"
