"""A decoded picture: upright sRGB pixels, and the metadata that goes from an original to its coloured copy."""

import dataclasses

import numpy as np

from photochrom import errors

# Formats that are read, recognized by content.
FORMATS = (
    "JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000", "AVIF", "HEIF", "JPEGXL", "PDF"
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The blocks of metadata of a file, unparsed; empty where it has none.

    Attributes:
        exif: EXIF block, a TIFF header and its directories, with or without "Exif" and two zeros before it.
        xmp: XMP packet.
        iptc: IPTC-IIM records, without Photoshop's resource around them.
        icc: the profile of the file's own pixels, which are in sRGB once decoded.
        dpi: horizontal and vertical resolution of the upright picture, px per inch, or None.
        aspect: px per length across and down the upright picture, where the length is not stated; None for equal ones.
        artist, copyright, description: text of the TIFF tags 315, 33432 and 270.
        orientation: the EXIF orientation that was applied to the pixels; `exif` and `xmp` describe the stored ones.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    aspect: tuple[int, int] | None = None
    artist: str = ""
    copyright: str = ""
    description: str = ""
    orientation: int = 1

    def turned(self, orientation: int) -> "Metadata":
        """Returns the metadata of pixels that were stored in this one's orientation, once they are upright."""
        if orientation < 5:
            return dataclasses.replace(self, orientation=orientation)
        dpi = self.dpi and (self.dpi[1], self.dpi[0])
        aspect = self.aspect and (self.aspect[1], self.aspect[0])
        return dataclasses.replace(self, orientation=orientation, dpi=dpi, aspect=aspect)


_NO_METADATA = Metadata()


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded image, upright, in sRGB.

    Attributes:
        pixels: [H, W] gray or [H, W, 3] sRGB, uint8 or uint16.
        alpha: [H, W] opacity, of the dtype of `pixels`, or None.
        format: the file's format by content, one of FORMATS.
        source_height, source_width: size of the upright original, px; more than H, W after scaled decoding.
        metadata: the file's blocks of metadata.
        notes: conversions and losses, in words.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    source_height: int
    source_width: int
    metadata: Metadata = _NO_METADATA
    notes: tuple[str, ...] = ()

    def opaque_rgb(self) -> np.ndarray:
        """Returns [H, W, 3] uint8 sRGB, composed over white where it is transparent."""
        rgb = to_uint8(self.pixels)
        if rgb.ndim == 2:
            rgb = np.repeat(rgb[:, :, None], 3, axis=2)
        if self.alpha is None:
            return rgb
        opacity = to_uint8(self.alpha)[:, :, None].astype(np.uint16)
        return ((rgb * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Scales uint16 pixels to uint8, rounding; uint8 pass through."""
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Checks the size in a header, before any pixel is allocated.

    Raises:
        TooLarge: more than max_pixels.
        DecodeError: no pixels.
    """
    if width * height > max_pixels:
        raise errors.TooLarge(f"image is too large: {width}x{height} px, at most {max_pixels} px")
    if width < 1 or height < 1:
        raise errors.DecodeError(f"image of {width}x{height} px")
