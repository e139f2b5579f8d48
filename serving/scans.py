"""One scan: the bytes of a file in, the inputs of the network and of the composition out, or a DataError."""

import dataclasses
import hashlib

import numpy as np

from photochrom.color.lightness import to_lightness
from photochrom.imaging import resizing
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.model import working_size
from photochrom.sources.source import Source
from serving.manifest.rows import Row
from serving.screening import triage

# A scan with more pixels is decoded a second time once it has colours, rather than kept in memory with a whole batch of
# others: 16 scans of 4 MP take 64 MB.
KEPT_PIXELS = 4_000_000


@dataclasses.dataclass(frozen=True)
class Scan:
    """A scan on its way through the model.

    Attributes:
        source: the location of its bytes.
        sha256: digest of its bytes, hex.
        data: its bytes if the picture is to be decoded again; else b"".
        picture: the decoded scan, or None.
        triage: the kind of picture, and how much colour it has.
        lightness: [h, w] float32 L*, the network's input: padded.
        size: (height, width) of the picture within `lightness`, px.
        pixel_count: of the scan at its full size.
        format: of the file, one of `picture.FORMATS`.
    """

    source: Source
    sha256: str
    data: bytes
    picture: Picture | None
    triage: triage.Triage
    lightness: np.ndarray
    size: tuple[int, int]
    pixel_count: int = 0
    format: str = ""

    @property
    def seen(self) -> np.ndarray:
        """`lightness` without its padding."""
        return working_size.cut(self.lightness, self.size)

    def full_picture(self, decoder: Decoder) -> Picture:
        """Returns the decoded scan at its full size."""
        return self.picture or decoder.decode(self.data, page=self.source.page)

    def without_picture(self) -> "Scan":
        """Returns the scan with the network's input alone."""
        return dataclasses.replace(self, data=b"", picture=None)

    def halved(self, ab_stride: int) -> "Scan | None":
        """Returns the scan at half its working size, for less memory; None at the least size that models take."""
        rows, columns = (max(ab_stride, side // (2 * ab_stride) * ab_stride) for side in self.size)
        shape = working_size.padded_shape(rows, columns)
        if shape == self.lightness.shape:
            return None
        padded = working_size.pad_by_reflection(resizing.resize(self.seen, rows, columns), shape)
        return dataclasses.replace(self, lightness=padded, size=(rows, columns))


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A scan that may get a coloured copy.

    Attributes:
        scan: the scan.
        row: its row as far as it is known before the copy is written, with the date that the copy is to state.
        earlier_paths: all files below the output folder that earlier runs may have left for it.
        path: of its copy below the output folder, if that needs no suffix.
    """

    scan: Scan
    row: Row
    earlier_paths: frozenset[str] = frozenset()
    path: str = ""


def read(
    source: Source, data: bytes, image_size: int, ab_stride: int, decoder: Decoder, kept_pixels: int = KEPT_PIXELS
) -> Scan:
    """Decodes a scan and makes the network's input; keeps pictures of up to `kept_pixels` px, the bytes of larger ones.

    Raises:
        DataError: it cannot be decoded or is too large.
    """
    picture = decoder.decode(data, page=source.page)
    seen = picture.pixels if picture.alpha is None else picture.opaque_rgb()
    height, width = seen.shape[:2]
    shape, size = working_size.working_size(height, width, image_size, ab_stride)
    working = resizing.resize(seen, *size)
    keep = height * width <= kept_pixels
    return Scan(
        source=source,
        sha256=hashlib.sha256(data).hexdigest(),
        data=b"" if keep else data,
        picture=picture if keep else None,
        triage=triage.classify(seen),
        lightness=working_size.pad_by_reflection(to_lightness(working), shape),
        size=size,
        pixel_count=height * width,
        format=picture.format,
    )
