import tifffile

from photochrom.imaging import tags

# Where the name here is another than tifffile's.
OTHER_NAMES = {
    "THRESHHOLDING": "Thresholding",
    "PHOTOSHOP": "ImageResources",
    "IPTC": "IPTCNAA",
    "ICC_PROFILE": "InterColorProfile",
    "EXIF_IFD": "ExifTag",
    "GPS_IFD": "GPSTag",
    "INTEROPERABILITY_IFD": "InteroperabilityTag",
}
TYPES = {
    "BYTE", "ASCII", "SHORT", "LONG", "RATIONAL", "SBYTE", "UNDEFINED", "SSHORT", "SLONG", "SRATIONAL", "FLOAT",
    "DOUBLE", "IFD", "LONG8", "SLONG8", "IFD8", "UTF8",
}  # fmt: skip


def numbers() -> dict[str, int]:
    return {name: value for name, value in vars(tags).items() if name.isupper() and isinstance(value, int)}


def test_tags_agree_with_tifffile():
    found = {name: value for name, value in numbers().items() if name not in TYPES | {"IPTC_RESOURCE"}}
    assert len(found) > 90
    for name, value in found.items():
        expected = tifffile.TIFF.TAGS[value]
        assert OTHER_NAMES.get(name, name).replace("_", "").lower() == expected.lower(), name


def test_tags_are_stated_once():
    values = [value for name, value in numbers().items() if name not in TYPES]
    assert len(values) == len(set(values))


def test_type_sizes_agree_with_tifffile():
    ours = {name: tags.TYPE_SIZES[value] for name, value in numbers().items() if name in TYPES - {"UTF8"}}
    theirs = {kind.name: tifffile.TIFF.DATA_FORMATS[kind] for kind in tifffile.DATATYPE if kind.name in ours}
    sizes = {"B": 1, "s": 1, "H": 2, "I": 4, "b": 1, "h": 2, "i": 4, "f": 4, "d": 8, "Q": 8, "q": 8}
    assert ours == {name: int(format[:-1] or 1) * sizes[format[-1]] for name, format in theirs.items()}


def test_structure_holds_blocks_of_tiff_alone():
    assert tags.ONLY_IN_TIFF <= tags.STRUCTURE
    assert not tags.STRUCTURE & (tags.DESCRIPTIVE | {tags.ORIENTATION, tags.EXIF_IFD, tags.GPS_IFD})
