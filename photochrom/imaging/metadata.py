"""What a file says of its picture beside the pixels: carried from an original to its coloured copy."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The blocks of metadata as the file holds them, unparsed; empty where it has none.

    Attributes:
        exif: EXIF block, a TIFF header and its directories, with or without "Exif" and two zeros before it.
        xmp: XMP packet.
        iptc: IPTC-IIM records, without Photoshop's resource around them.
        icc: the profile of the file's own pixels, which are in sRGB once decoded.
        dpi: horizontal and vertical resolution, or None.
        artist, copyright, description: text of the TIFF tags 315, 33432 and 270.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    artist: str = ""
    copyright: str = ""
    description: str = ""
