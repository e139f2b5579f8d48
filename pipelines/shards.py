"""Writes shards. A shard is the unit of work: one worker reads, decodes and writes it as a stream, all or nothing.

photochrom.dataset lists the files of a shard. The summary, shards/train-00000-of-00004.json, is written last; it holds
the plan digest, over all that decides the shard's bytes. A shard with the same plan digest is kept unchanged.
"""

import collections
import contextlib
import dataclasses
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import apache_beam as beam

from photochrom import dataset, errors, settings
from photochrom.dataset import Shard
from photochrom.jobs import progress
from photochrom.records import LabRecord, read_tfrecords, write_tfrecord
from photochrom.sources import keys, prefetch
from photochrom.sources.source import Source, only_one
from photochrom.storage import files, json_lines
from pipelines import photographs
from pipelines.config import PrepareConfig
from pipelines.photographs import Item

# A file of a shard or of signatures, without its folder.
_NUMBERED = re.compile(r"([^/.]+-)?\d{5,}-of-\d{5,}\.[a-z]+")


@dataclasses.dataclass(frozen=True)
class ShardSummary:
    """The totals of a shard.

    Attributes:
        name: the shard's.
        file: the file of its records.
        split: its split.
        examples: number of records.
        inputs: number of records and failures.
        refused: stage:reason -> inputs.
        near_duplicates: [key, least key of its group] of the inputs that have near-duplicates.
        sha256: digest of the file of records, hex.
        plan_digest: the result of `plan_digest`.
    """

    name: str
    file: str
    split: str
    examples: int
    inputs: int
    refused: dict[str, int]
    near_duplicates: list[list[str]]
    sha256: str
    plan_digest: str

    def to_json(self) -> bytes:
        """Returns the content of the summary's file."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "ShardSummary":
        """Parses the result of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: it is no summary.
        """
        values = json.loads(data)
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


def plan(sources: Iterable[Source]) -> list[Source]:
    """Returns the sources of a shard in their order: by digest of the key, which is equivalent to a shuffle.

    A file that several inputs list is one source.
    """
    by_key: dict[str, list[Source]] = collections.defaultdict(list)
    for source in sources:
        by_key[source.key].append(source)
    unique = [only_one(same) for same in by_key.values()]
    return sorted(unique, key=lambda source: (keys.digest(source.key), source.key))


def plan_digest(sources: Iterable[Source], representatives: Mapping[str, str], config: PrepareConfig) -> str:
    """Returns the digest of all that decides a shard's bytes, as far as the listing states it.

    Args:
        sources: of the shard, in their order.
        representatives: key -> the least key of its group, of inputs that have near-duplicates.
        config: the job's settings.
    """
    listed = [(source.key, source.size, source.version, representatives.get(source.key, "")) for source in sources]
    return settings.digest([config.record_settings(), listed])


class _Paths:
    """The paths of a shard's files."""

    def __init__(self, config: PrepareConfig, shard: Shard):
        self.records = files.join(config.output, dataset.records_file(shard.name, config.compression))
        self.items = files.join(config.output, dataset.items_file(shard.name))
        self.summary = files.join(config.output, dataset.summary_file(shard.name))


def stored(config: PrepareConfig, folder: str) -> list[str]:
    """Returns the files of a folder of the dataset that are named as jobs name them, relative to the dataset."""
    start = files.join(config.output, "")
    names = (info.path.removeprefix(start) for info in files.list_folder(files.join(config.output, folder)))
    return [name for name in names if _NUMBERED.fullmatch(name.removeprefix(f"{folder}/"))]


def row_files(summary: ShardSummary, config: PrepareConfig) -> list[str]:
    """Returns the files that together have one row for each input of a shard."""
    names = [dataset.items_file(summary.name)]
    if summary.refused:
        names.append(dataset.failures_file(summary.name))
    return [files.join(config.output, name) for name in names]


def read_records(name: str, config: PrepareConfig) -> Iterator[LabRecord]:
    """Yields the records of a shard's file, in their order."""
    with files.open_read(files.join(config.output, name)) as file:
        yield from map(LabRecord.from_example, read_tfrecords(file, config.compression))


class WriteShard(beam.DoFn):
    """(Shard, sources), with a side input of groups of near-duplicates -> ShardSummary; writes the shard's files."""

    def __init__(self, config: PrepareConfig, progress_folder: str):
        self._config = config
        self._progress_folder = progress_folder

    def setup(self) -> None:
        self._reading = prefetch.Reading(self._config.image_timeout)

    def teardown(self) -> None:
        self._reading.close()

    def process(
        self, element: tuple[tuple[str, int, int], Iterable[Source]], representatives: Mapping[str, str]
    ) -> Iterator[ShardSummary]:
        shard, sources = Shard(*element[0]), plan(element[1])
        digest = plan_digest(sources, representatives, self._config)
        paths = _Paths(self._config, shard)
        summary = _kept(shard, paths, digest, self._config)
        if summary is None:
            summary = self._write(shard, sources, representatives, digest, paths)
            beam.metrics.Metrics.counter(type(self), "shards-written").inc()
        else:
            progress.Tally.add(self._progress_folder, "done", len(sources))
            beam.metrics.Metrics.counter(type(self), "shards-kept").inc()
        yield summary

    def _write(
        self, shard: Shard, sources: list[Source], representatives: Mapping[str, str], digest: str, paths: _Paths
    ) -> ShardSummary:
        items: list[Item] = []
        failures: list[errors.Failure] = []
        with _opened(paths.records, self._config.compression) as (stream, hasher):
            for source, read in self._reading.each(sources):
                try:
                    data, seconds = prefetch.timed(read)
                    record, item = photographs.to_record(source.key, data, self._config, seconds)
                except errors.DataError as error:
                    failures.append(errors.Failure.of(source.key, error))
                else:
                    write_tfrecord(stream, record.to_example())
                    items.append(_placed(item, shard, len(items), representatives))
                progress.Tally.add(self._progress_folder, "done")
        files.write_bytes(paths.items, json_lines.encode(map(dataclasses.asdict, items)))
        _write_failures(self._config.output, dataset.failures_file(shard.name), failures)
        summary = ShardSummary(
            name=shard.name,
            file=dataset.records_file(shard.name, self._config.compression),
            split=shard.split,
            examples=len(items),
            inputs=len(sources),
            refused=dict(sorted(collections.Counter(f"{f.stage}:{f.reason}" for f in failures).items())),
            near_duplicates=[[s.key, representatives[s.key]] for s in sources if s.key in representatives],
            sha256=hasher.hexdigest(),
            plan_digest=digest,
        )
        files.write_bytes(paths.summary, summary.to_json())
        self._count(summary)
        return summary

    def _count(self, summary: ShardSummary) -> None:
        beam.metrics.Metrics.counter(type(self), "records-written").inc(summary.examples)
        for reason, count in summary.refused.items():
            beam.metrics.Metrics.counter(type(self), f"refused-{reason.replace(':', '-')}").inc(count)


def _placed(item: Item, shard: Shard, position: int, representatives: Mapping[str, str]) -> Item:
    """Returns a row with the place of its record."""
    representative = representatives.get(item.key, item.key)
    original = "" if representative == item.key else representative
    return dataclasses.replace(item, split=shard.split, shard=shard.name, position=position, near_duplicate_of=original)


def _kept(shard: Shard, paths: _Paths, digest: str, config: PrepareConfig) -> ShardSummary | None:
    """Returns the summary of a shard that an earlier run wrote from the same plan, if all its files exist."""
    stated = shard.name, dataset.records_file(shard.name, config.compression), shard.split, digest
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        summary = ShardSummary.from_json(files.read_bytes(paths.summary))
        # The file may have been edited: another shard's name in it would lead to other files.
        is_same = (summary.name, summary.file, summary.split, summary.plan_digest) == stated
        if is_same and all(map(files.exists, [paths.records, *row_files(summary, config)])):
            return summary
    return None


def _write_failures(output: str, name: str, failures: list[errors.Failure]) -> None:
    if failures:
        rows = json_lines.encode(dataclasses.asdict(failure) for failure in failures)
        files.write_bytes(files.join(output, name), rows)
    else:
        files.delete_within(output, [name])


@contextlib.contextmanager
def _opened(path: str, compression: str) -> Iterator[tuple[Any, Any]]:
    """Opens a shard for writing; yields the stream and the hasher of the stored, perhaps compressed, bytes."""
    with files.create(path) as file:
        hashing = _HashingFile(file)
        if compression == "gzip":
            with gzip.GzipFile(filename="", mode="wb", fileobj=hashing, mtime=0, compresslevel=1) as stream:  # type: ignore[call-overload]
                yield stream, hashing.hasher
        else:
            yield hashing, hashing.hasher


class _HashingFile:
    """Forwards writes to a file and hashes them."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.hasher = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hasher.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()
