"""The rule for each field of an original's EXIF and TIFF directories in its copy: docs/outputs.md has this table."""

import enum

from photochrom.imaging import tags


class Rule(enum.Enum):
    """The fate of a field in the copy; the values are the words of docs/outputs.md."""

    KEEP = "kept"
    TURN = "turned with the picture"
    UPRIGHT = "kept if the picture is neither turned nor mirrored nor gets a border, else left out with a note"
    BLACK = "the same, and only if it is 0: black stays black"
    SET = "set to the copy's value, if the original has it"
    STORAGE = "left out: it describes the original's stored pixels, the copy has its own"
    NOTE = "left out with a note"


_GEOREFERENCE = (
    tags.MODEL_PIXEL_SCALE, tags.INTERGRAPH_MATRIX, tags.MODEL_TIEPOINT, tags.MODEL_TRANSFORMATION,
    tags.GEO_KEY_DIRECTORY, tags.GEO_DOUBLE_PARAMS, tags.GEO_ASCII_PARAMS,
)  # fmt: skip
_ABOUT_THE_PICTURE = (
    tags.DOCUMENT_NAME, tags.IMAGE_DESCRIPTION, tags.MAKE, tags.MODEL, tags.PAGE_NAME, tags.PAGE_NUMBER, tags.SOFTWARE,
    tags.DATE_TIME, tags.ARTIST, tags.HOST_COMPUTER, tags.TARGET_PRINTER, tags.COPYRIGHT, tags.GDAL_METADATA,
    tags.XP_TITLE, tags.XP_COMMENT, tags.XP_AUTHOR, tags.XP_KEYWORDS, tags.XP_SUBJECT, tags.RATING, tags.RATING_PERCENT,
    tags.PRINT_IMAGE_MATCHING, tags.PADDING,
)  # fmt: skip
# The first directory.
MAIN = {
    **dict.fromkeys(tags.STORAGE, Rule.STORAGE),
    **dict.fromkeys((*_ABOUT_THE_PICTURE, tags.EXIF_IFD, tags.GPS_IFD), Rule.KEEP),
    **dict.fromkeys((tags.X_RESOLUTION, tags.Y_RESOLUTION), Rule.TURN),
    tags.RESOLUTION_UNIT: Rule.KEEP,
    **dict.fromkeys((tags.X_POSITION, tags.Y_POSITION, *_GEOREFERENCE), Rule.UPRIGHT),
    **dict.fromkeys((tags.CLIP_PATH, tags.X_CLIP_PATH_UNITS, tags.Y_CLIP_PATH_UNITS), Rule.UPRIGHT),
    tags.GDAL_NODATA: Rule.BLACK,
    **dict.fromkeys((tags.IMAGE_WIDTH, tags.IMAGE_LENGTH, tags.ORIENTATION, tags.YCBCR_POSITIONING), Rule.SET),
    **dict.fromkeys((tags.SUB_IFDS, tags.GLOBAL_PARAMETERS_IFD, tags.IMAGE_SOURCE_DATA), Rule.NOTE),
    **dict.fromkeys(tags.BLOCKS, Rule.NOTE),
}
# The EXIF directory; all other fields are kept.
EXIF = {
    **dict.fromkeys((tags.COLOR_SPACE, tags.PIXEL_X_DIMENSION, tags.PIXEL_Y_DIMENSION), Rule.SET),
    **dict.fromkeys((tags.FOCAL_PLANE_X_RESOLUTION, tags.FOCAL_PLANE_Y_RESOLUTION), Rule.TURN),
    **dict.fromkeys((tags.SUBJECT_AREA, tags.SUBJECT_LOCATION), Rule.TURN),
    **dict.fromkeys((tags.COMPRESSED_BITS_PER_PIXEL, tags.GAMMA), Rule.STORAGE),
}
# The interoperability directory.
INTEROPERABILITY = {tags.INTEROPERABILITY_INDEX: Rule.SET}
# Fields that change places when rows become columns.
PAIRS = (
    (tags.X_RESOLUTION, tags.Y_RESOLUTION),
    (tags.FOCAL_PLANE_X_RESOLUTION, tags.FOCAL_PLANE_Y_RESOLUTION),
)
_TABLES = {0: MAIN, tags.EXIF_IFD: EXIF, tags.INTEROPERABILITY_IFD: INTEROPERABILITY}


def of(directory: int, tag: int, type: int, *, moves: bool) -> Rule:
    """Returns the rule for a field.

    A field of the first directory that is not in the table is kept if it is text; a number may be a place in the
    picture.

    Args:
        directory: the tag of its directory, 0 for the first.
        tag: of the field.
        type: of its value.
        moves: whether the block gets a new layout, in which offsets that no program knows would be wrong.
    """
    table = _TABLES.get(directory, {})
    if tag in table or directory:
        return table.get(tag, Rule.KEEP)
    if moves and type in tags.MAY_BE_OFFSETS:
        return Rule.NOTE
    return Rule.KEEP if type in (tags.ASCII, tags.UTF8) else Rule.UPRIGHT
