"""One photograph as a Lab record and the row of items-*.jsonl that describes it."""

import dataclasses
import hashlib

from photochrom import photograph
from photochrom.color import tone
from photochrom.records import LabRecord
from photochrom.sources import foreign
from pipelines.config import PrepareConfig


@dataclasses.dataclass(frozen=True)
class Item:
    """A row of items-*.jsonl.

    Attributes:
        key: the input's.
        format: the file's, by content.
        source_height, source_width: size of the original, px.
        source_bytes: size of the file.
        source_sha256: digest of the file, hex.
        colorfulness: the record's, by Hasler and Suesstrunk.
        notes: the decoder's.
        split, shard, position: place of the record.
        near_duplicate_of: the least key of its group, if that is another one, or "".
    """

    key: str
    format: str
    source_height: int
    source_width: int
    source_bytes: int
    source_sha256: str
    colorfulness: float
    notes: tuple[str, ...]
    split: str = ""
    shard: str = ""
    position: int = 0
    near_duplicate_of: str = ""


def to_record(key: str, data: bytes, config: PrepareConfig, spent_seconds: float = 0.0) -> tuple[LabRecord, Item]:
    """Returns the record of a colour photograph, and its row without the place of the record.

    Args:
        key: of the photograph.
        data: its file.
        config: the settings.
        spent_seconds: those of --image_timeout that reading has taken.

    Raises:
        DataError: it cannot be decoded, is too large or small, or has no colour to learn from.
    """
    with foreign.recognized(data):
        decoder, keeps = config.decoder().after(spent_seconds), config.colourless == "keep"
        picture, rgb, lab = photograph.to_lab(data, config.image_size, decoder, keeps)
    record = LabRecord.from_lab(key, lab, config.ab_stride, (picture.source_height, picture.source_width))
    return record, Item(
        key=key,
        format=picture.format,
        source_height=picture.source_height,
        source_width=picture.source_width,
        source_bytes=len(data),
        source_sha256=hashlib.sha256(data).hexdigest(),
        colorfulness=round(tone.colorfulness(rgb), 2),
        notes=picture.notes,
    )
