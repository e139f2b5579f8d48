"""A shard is the unit of work: one worker reads, decodes and writes it as a stream, whole or not at all.

Beside OUT/train-00000-of-00004.tfrecord lie items-train-00000-of-00004.jsonl, failures-... if there are any, and
shards/train-00000-of-00004.json: the digest of what went in and the shard's totals, written last. A shard whose
plan digest is there already is kept as it is.
"""

import collections
import contextlib
import dataclasses
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import apache_beam as beam

from photochrom import errors, settings
from photochrom.jobs import progress
from photochrom.records import LabRecord, read_tfrecords, write_tfrecord
from photochrom.sources import keys
from photochrom.sources.prefetch import Reading
from photochrom.sources.source import Source, only_one
from photochrom.storage import files, json_lines
from pipelines import photographs
from pipelines.config import PrepareConfig
from pipelines.splits import Shard


def plan(sources: Iterable[Source]) -> list[Source]:
    """Returns the sources of a shard in their order: by digest of the key, which is as good as shuffled.

    A file that several inputs list is one source.
    """
    by_key: dict[str, list[Source]] = collections.defaultdict(list)
    for source in sources:
        by_key[source.key].append(source)
    unique = [only_one(same) for same in by_key.values()]
    return sorted(unique, key=lambda source: (keys.digest(source.key), source.key))


def plan_digest(sources: Iterable[Source], representatives: Mapping[str, str], config: PrepareConfig) -> str:
    """Returns the digest of all that decides a shard's bytes, as far as a listing can know it.

    Args:
        sources: of the shard, in their order.
        representatives: key -> the least key of its group, of inputs that have near-duplicates.
        config: the job's settings.
    """
    listed = [(source.key, source.size, source.version, representatives.get(source.key, "")) for source in sources]
    return settings.digest([config.record_settings(), listed])


class _Paths:
    """Where the files of a shard lie."""

    def __init__(self, config: PrepareConfig, shard: Shard):
        self.records = files.join(config.output, file_name(shard, config))
        self.items = files.join(config.output, f"items-{shard.name}.jsonl")
        self.failures = files.join(config.output, f"failures-{shard.name}.jsonl")
        self.summary = files.join(config.output, "shards", f"{shard.name}.json")


def row_files(summary: dict[str, Any], config: PrepareConfig) -> list[str]:
    """Returns the files that hold a row for each input of a shard."""
    kinds = ("items", "failures") if summary["refused"] else ("items",)
    return [files.join(config.output, f"{kind}-{summary['name']}.jsonl") for kind in kinds]


def file_name(shard: Shard, config: PrepareConfig) -> str:
    """Returns the name of a shard's file of records."""
    return f"{shard.name}.tfrecord" + (".gz" if config.compression == "gzip" else "")


def read_records(name: str, config: PrepareConfig) -> Iterator[LabRecord]:
    """Yields the records of a shard's file, in their order."""
    with files.open_read(files.join(config.output, name)) as file:
        yield from map(LabRecord.from_example, read_tfrecords(file, config.compression))


class WriteShard(beam.DoFn):
    """(Shard, sources), with a side input of groups of near-duplicates -> the shard's summary, its files written."""

    def __init__(self, config: PrepareConfig, progress_folder: str):
        self._config = config
        self._progress_folder = progress_folder

    def setup(self) -> None:
        self._reading = Reading()

    def teardown(self) -> None:
        self._reading.close()

    def process(
        self, element: tuple[tuple[str, int, int], Iterable[Source]], representatives: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        shard, sources = Shard(*element[0]), plan(element[1])
        digest = plan_digest(sources, representatives, self._config)
        paths = _Paths(self._config, shard)
        summary = _kept(paths, digest, self._config)
        if summary is None:
            summary = self._write(shard, sources, representatives, digest, paths)
            beam.metrics.Metrics.counter(type(self), "shards-written").inc()
        else:
            progress.Tally.add(self._progress_folder, "done", len(sources))
            beam.metrics.Metrics.counter(type(self), "shards-kept").inc()
        yield summary

    def _write(
        self, shard: Shard, sources: list[Source], representatives: Mapping[str, str], digest: str, paths: _Paths
    ) -> dict[str, Any]:
        items: list[dict[str, Any]] = []
        failures: list[errors.Failure] = []
        with _opened(paths.records, self._config.compression) as (stream, hasher):
            for source, read in self._reading.each(sources):
                try:
                    record, item = photographs.to_record(source.key, read(), self._config)
                except errors.DataError as error:
                    failures.append(errors.Failure.of(source.key, error))
                else:
                    write_tfrecord(stream, record.to_example())
                    place = {"split": shard.split, "shard": shard.name, "position": len(items)}
                    items.append({**item, **place, "near_duplicate_of": _original(source.key, representatives)})
                progress.Tally.add(self._progress_folder, "done")
        files.write_bytes(paths.items, json_lines.encode(items))
        _write_failures(paths.failures, failures)
        summary = {
            "name": shard.name,
            "file": file_name(shard, self._config),
            "split": shard.split,
            "examples": len(items),
            "inputs": len(sources),
            "refused": dict(sorted(collections.Counter(f"{f.stage}:{f.reason}" for f in failures).items())),
            "near_duplicates": [[s.key, representatives[s.key]] for s in sources if s.key in representatives],
            "sha256": hasher.hexdigest(),
            "plan_digest": digest,
        }
        files.write_bytes(paths.summary, json.dumps(summary, sort_keys=True).encode())
        self._count(summary)
        return summary

    def _count(self, summary: dict[str, Any]) -> None:
        beam.metrics.Metrics.counter(type(self), "records-written").inc(summary["examples"])
        for reason, count in summary["refused"].items():
            beam.metrics.Metrics.counter(type(self), f"refused-{reason.replace(':', '-')}").inc(count)


def _original(key: str, representatives: Mapping[str, str]) -> str:
    """Returns the least key of the group of near-duplicates of which `key` is another one, or ""."""
    representative = representatives.get(key, key)
    return "" if representative == key else representative


def _kept(paths: _Paths, digest: str, config: PrepareConfig) -> dict[str, Any] | None:
    """Returns the summary of a shard that is there already, made from the same plan."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        summary = json.loads(files.read_bytes(paths.summary))
        if summary["plan_digest"] == digest and all(map(files.exists, [paths.records, *row_files(summary, config)])):
            return summary
    return None


def _write_failures(path: str, failures: list[errors.Failure]) -> None:
    if failures:
        files.write_bytes(path, json_lines.encode(dataclasses.asdict(failure) for failure in failures))
    else:
        files.delete(path)


@contextlib.contextmanager
def _opened(path: str, compression: str) -> Iterator[tuple[Any, Any]]:
    """Opens a shard for writing; yields the stream to write to and the hasher of what lands in the file."""
    with files.create(path) as file:
        hashing = _HashingFile(file)
        if compression == "gzip":
            with gzip.GzipFile(filename="", mode="wb", fileobj=hashing, mtime=0, compresslevel=1) as stream:  # type: ignore[call-overload]
                yield stream, hashing.hasher
        else:
            yield hashing, hashing.hasher


class _HashingFile:
    """Passes writes on and hashes them."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.hasher = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hasher.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()
