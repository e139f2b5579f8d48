"""Options of the copies: the settings of a job that decide how a copy is made from a picture and its colours."""

import dataclasses

from serving.copies import formats, label
from serving.credentials.signer import Credentials


@dataclasses.dataclass(frozen=True)
class CopyOptions:
    """How copies are made.

    Attributes:
        format: one of formats.CHOICES.
        quality: of the lossy formats, 1..100, libjpeg's and libwebp's scale; a WebP of quality 100 is lossless.
        subsampling: of the chroma in a JPEG, one of formats.SUBSAMPLINGS; a lossy WebP always has 4:2:0.
        saturation: factor on the chroma.
        mark: the visible label, one of label.CHOICES.
        mark_text: its text.
        credentials: sign the copies, or None.
    """

    format: str = formats.KEEP
    quality: int = 95
    subsampling: str = formats.SUBSAMPLINGS[0]
    saturation: float = 1.0
    mark: str = label.NONE
    mark_text: str = label.DEFAULT_TEXT
    credentials: Credentials | None = None
