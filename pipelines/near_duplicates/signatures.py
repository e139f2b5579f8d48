"""Files of the signatures of all pictures, about 500 a file, so that a resumed run need not decode them again.

The first row of OUT/signatures/00003-of-00010.jsonl is the digest of the file's inputs; each picture that could be
decoded has a row after it. One worker writes a file as a whole, as with shards, and keeps one with the same plan
digest unchanged.
"""

import base64
import contextlib
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from photochrom import dataset, errors, settings
from photochrom.imaging import resizing
from photochrom.jobs import progress
from photochrom.sources.prefetch import Reading
from photochrom.sources.source import Source, place
from photochrom.storage import files, json_lines
from pipelines import shards
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import perceptual_hash

_INPUTS_PER_FILE = 500
# px. The signature needs 16 px: a large JPEG is decoded at an eighth of its size.
_DRAFT_SIZE = 64


def file_of(digest: int, total: int) -> str:
    """Returns the file of the signature of a key with this digest; `total` is the number of sources."""
    count = math.ceil(total / _INPUTS_PER_FILE)
    return f"{digest % count:05d}-of-{count:05d}.jsonl"


def read(path: str) -> Iterator[tuple[str, bytes]]:
    """Yields key and signature of each picture in a file of signatures."""
    rows = json_lines.read(path)
    next(rows)
    for row in rows:
        yield row["key"], base64.b64decode(row["signature"])


class WriteSignatures(beam.DoFn):
    """(name, sources) -> the path of their file of signatures, written."""

    def __init__(self, config: PrepareConfig, progress_folder: str):
        self._config = config
        self._progress_folder = progress_folder

    def setup(self) -> None:
        self._reading = Reading(self._config.image_timeout)

    def teardown(self) -> None:
        self._reading.close()

    def process(self, element: tuple[str, Iterable[Source]]) -> Iterator[str]:
        name, sources = element[0], shards.plan(element[1])
        path = files.join(self._config.output, dataset.SIGNATURES, name)
        digest = self._plan_digest(sources)
        if _is_kept(path, digest):
            progress.Tally.add(self._progress_folder, "compared", len(sources))
            beam.metrics.Metrics.counter(type(self), "signatures-kept").inc(len(sources))
        else:
            rows = [{"plan_digest": digest}, *self._rows(sources)]
            files.write_bytes(path, json_lines.encode(rows))
            beam.metrics.Metrics.counter(type(self), "signatures-written").inc(len(rows) - 1)
        yield path

    def _plan_digest(self, sources: list[Source]) -> str:
        listed = [(source.key, source.size, source.version) for source in sources]
        return settings.digest([perceptual_hash.VERSION, self._config.max_pixels, listed])

    def _rows(self, sources: list[Source]) -> Iterator[dict[str, Any]]:
        for source, read in self._reading.each(sorted(sources, key=place)):  # sequential reads
            with contextlib.suppress(errors.DataError):  # the shard reports it
                yield {"key": source.key, "signature": base64.b64encode(self._signature(read())).decode()}
            progress.Tally.add(self._progress_folder, "compared")

    def _signature(self, data: bytes) -> bytes:
        picture = self._config.decoder().decode(data, draft_size=_DRAFT_SIZE)
        # The square that the record shows: a picture and its middle square give the same record.
        return perceptual_hash.signature(resizing.center_square(picture.opaque_rgb(), _DRAFT_SIZE))


def _is_kept(path: str, digest: str) -> bool:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), files.open_read(path) as file:
        return bool(json.loads(file.readline())["plan_digest"] == digest)
    return False
