"""The graph of `photochrom colorize`, step by step: list -> read -> batch -> infer -> write -> row of the manifest."""

import contextlib
import dataclasses
import errno
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from photochrom import archives, beam_io, errors, files, images, keys, progress
from photochrom.archives import Source
from photochrom.bundle import Bundle
from photochrom.inputs import Input
from serving import inference, manifest, outputs, provenance, scans, screen
from serving.config import ColorizeConfig
from serving.inference import Colors
from serving.manifest import Row
from serving.scans import Scan

_ROWS = "rows"
# A name that the file system will not take is bad data; a full disk is not.
_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR)


@dataclasses.dataclass
class ColorizeArchive(beam.PTransform):
    """Inputs -> summary: every listed input becomes one row of the manifest, and a coloured copy if it can."""

    config: ColorizeConfig
    bundle: Bundle
    today: str  # as YYYY-MM-DD: told, not looked up, so that all workers say the same

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        scratch = scratch_folder(self.config)
        progress_folder = files.join(scratch, "progress")
        sources = listed_inputs | "List" >> beam_io.ListSources(files.join(scratch, "spool"), progress_folder)
        scanned = (
            (
                sources | "KeySources" >> beam.WithKeys(lambda source: source.key),
                self._earlier_rows(listed_inputs.pipeline),
            )
            | "JoinEarlierRows" >> beam.CoGroupByKey()
            | "Read" >> beam.ParDo(ReadScan(self.config, self.bundle)).with_outputs(_ROWS, main="scans")
        )
        written = (
            scanned.scans
            | "Batch" >> beam.ParDo(inference.BatchByShape(self.config.batch_size))
            | "Infer" >> RunInference(self._handler().with_no_batching())
            | "Write" >> beam.MapTuple(self._write)
        )
        rows = (
            (scanned[_ROWS], written) | "AllRows" >> beam.Flatten() | "Count" >> beam.ParDo(CountRow(progress_folder))
        )
        return self._write_manifest(sources, rows)

    def _handler(self) -> inference.BundleHandler:
        return inference.BundleHandler(self.bundle.saved_model, self.config.ensemble)

    def _earlier_rows(self, pipeline: beam.Pipeline) -> beam.PCollection:
        return (
            pipeline
            | "Output" >> beam.Create([self.config.output])
            | "ReadManifest" >> beam.FlatMap(manifest.read)
            | "KeyRows" >> beam.WithKeys(lambda row: row["key"])
        )

    def _write(self, scan: Scan, colors: Colors | errors.ModelError) -> Row:
        known = _known(scan, self.config, self.bundle)
        try:
            if isinstance(colors, errors.ModelError):
                raise colors
            return _write_output(scan, colors, self.config, self.bundle, self.today)
        except errors.Uncolored as error:  # the same model would say the same again, so it is no failure to retry
            _delete_earlier(scan.earlier, self.config)
            return manifest.row(
                scan.source, manifest.SKIPPED, reason=error.reason, stage=error.stage, message=str(error), **known
            )
        except errors.DataError as error:
            return manifest.failed(scan.source, error, **known)

    def _write_manifest(self, sources: beam.PCollection, rows: beam.PCollection) -> beam.PCollection:
        total = beam.pvalue.AsSingleton(sources | "CountSources" >> beam.combiners.Count.Globally())
        listed = sources | "ListedKeys" >> beam.Map(
            lambda source, n: (manifest.shard_of(source.key, n), source.key), total
        )
        keyed_rows = rows | "ShardRows" >> beam.Map(lambda row, n: (manifest.shard_of(row["key"], n), row), total)
        shards = (
            {"listed": listed, "rows": keyed_rows}
            | "Reconcile" >> beam.CoGroupByKey()
            | "WriteRows" >> beam.Map(manifest.write_shard, self.config.output)
        )
        return (
            sources.pipeline
            | "Once" >> beam.Create([None])
            | "Summarize" >> beam.Map(manifest.write_summary, beam.pvalue.AsList(shards), self.config.output)
        )


def scratch_folder(config: ColorizeConfig) -> str:
    """Returns the folder for what is under way, deleted at the end."""
    return files.join(config.output, ".colorize")


def build(pipeline: beam.Pipeline, inputs: list[Input], config: ColorizeConfig, bundle: Bundle) -> Any:
    """Adds the whole job to a pipeline."""
    return (
        pipeline | "Inputs" >> beam.Create(inputs) | "Colorize" >> ColorizeArchive(config, bundle, provenance.today())
    )


class ReadScan(beam.DoFn):
    """(key, (sources, earlier rows)) -> Scan; what needs no model or cannot be read goes to the rows at once."""

    def __init__(self, config: ColorizeConfig, bundle: Bundle):
        self._config = config
        self._bundle = bundle

    def setup(self) -> None:
        self._reader = archives.Reader(files.open_read)

    def process(self, element: tuple[str, tuple[Iterable[Source], Iterable[Row]]]) -> Iterator[Any]:
        sources, rows = sorted(element[1][0]), list(element[1][1])
        if not sources:
            return  # a row whose source is no longer listed
        source = sources[0]
        result: Scan | Row
        try:
            result = self._read(source, rows[0] if rows else None)
        except errors.DataError as error:
            result = _failed_row(source, error)
        yield result if isinstance(result, Scan) else beam.pvalue.TaggedOutput(_ROWS, result)

    def _read(self, source: Source, earlier: Row | None) -> Scan | Row:
        if source.failure:
            raise source.failure.to_error()
        data = self._reader.read(source)
        if earlier and self._is_current(earlier, data):
            beam.metrics.Metrics.counter(ColorizeArchive, "rows-kept").inc()
            return earlier
        scan = scans.read(source, data, self._bundle.image_size, self._bundle.ab_stride, self._config.max_pixels)
        if earlier:
            scan = dataclasses.replace(scan, earlier=earlier)
        screened = self._screened(scan, data)
        if screened and earlier and earlier["output"] != screened["output"]:
            _delete_earlier(earlier, self._config)
        return screened or scan

    def _screened(self, scan: Scan, data: bytes) -> Row | None:
        """Returns the row of a scan that is not to be colorized, by what triage found, or None."""
        known = _known(scan, self._config, self._bundle)
        action, reason, message = screen.decide(scan.triage, self._config)
        if action == screen.SKIP:
            return manifest.row(scan.source, manifest.SKIPPED, reason=reason, stage="screen", message=message, **known)
        if action == screen.COPY:
            name = files.join("images", keys.to_path(scan.source.key))
            _write_file(files.join(self._config.output, name), data)
            return manifest.row(
                scan.source, manifest.DONE, reason=reason, output=name, output_sha256=scan.sha256, **known
            )
        return None

    def _is_current(self, earlier: Row, data: bytes) -> bool:
        if self._config.retry == "all" or (self._config.retry == "failed" and earlier["status"] == manifest.FAILED):
            return False
        if not self._is_of_the_same(earlier, hashlib.sha256(data).hexdigest()):
            return False
        return not earlier["output"] or files.exists(files.join(self._config.output, earlier["output"]))

    def _is_of_the_same(self, earlier: Row, sha256: str) -> bool:
        """Says whether a row is of the same scan, model and settings."""
        wanted = (sha256, self._bundle.digest, self._config.output_digest())
        return (earlier["source_sha256"], earlier["model_digest"], earlier["settings_digest"]) == wanted


def _failed_row(source: Source, error: errors.DataError) -> Row:
    """A file that is no image, and whose name does not claim that it is one, was skipped rather than lost."""
    suffix = "." + source.key.lower().rpartition(".")[2]
    if isinstance(error, errors.NotAnImage) and suffix not in images.IMAGE_SUFFIXES:
        return manifest.row(source, manifest.SKIPPED, reason=error.reason, stage="screen", message=str(error))
    return manifest.failed(source, error)


def _known(scan: Scan, config: ColorizeConfig, bundle: Bundle) -> dict[str, Any]:
    """Returns what a row says of a scan that was decoded."""
    return {
        "source_sha256": scan.sha256,
        "model_digest": bundle.digest,
        "settings_digest": config.output_digest(),
        "kind": scan.triage.kind,
        "chroma": scan.triage.tone.chroma,
        "spread": scan.triage.tone.spread,
    }


def _write_output(scan: Scan, colors: Colors, config: ColorizeConfig, bundle: Bundle, today: str) -> Row:
    screen.check_colored(scan.lightness[: scan.size[0], : scan.size[1]], colors.ab, config.saturation)
    known = _known(scan, config, bundle)
    date = config.date or _earlier_date(scan, known) or today
    said = provenance.Provenance(
        bundle.info["name"],
        bundle.digest,
        scan.sha256,
        scan.source.key.replace("!", "/").rpartition("/")[2],
        date,
        config.digital_source_type,
    )
    path = files.join("images", keys.to_path(scan.source.key))
    with _unwritable_names():
        picture = scan.full_picture(config.max_pixels)
        written = outputs.write(path, picture, colors.ab, said, config)
    return manifest.row(
        scan.source,
        manifest.DONE,
        output=written.path,
        output_sha256=written.sha256,
        sidecars=written.sidecars,
        height=written.height,
        width=written.width,
        format=written.format,
        confidence=colors.confidence,
        notes=[*picture.notes, *written.notes],
        date=date,
        **known,
    )


def _earlier_date(scan: Scan, known: dict[str, Any]) -> str:
    """Returns the date of the copy that an earlier run made of the same scan by the same model and settings, or ""."""
    same = all(scan.earlier.get(name) == known[name] for name in ("source_sha256", "model_digest", "settings_digest"))
    return scan.earlier.get("date", "") if same else ""


def _delete_earlier(earlier: Row, config: ColorizeConfig) -> None:
    """Deletes the copy that an earlier run made under another model or other settings."""
    for name in filter(None, (earlier.get("output"), *earlier.get("sidecars", ()))):
        files.delete(files.join(config.output, name))


def _write_file(path: str, data: bytes) -> None:
    with _unwritable_names():
        files.write_bytes(path, data)


@contextlib.contextmanager
def _unwritable_names() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NAME_ERRORS:
            raise errors.DataError(f"cannot be written under its name: {error}", "unwritable_name", "write") from error
        raise


class CountRow(beam.DoFn):
    """Row -> the same row, counted for the eye and for Beam's metrics."""

    def __init__(self, progress_folder: str):
        self._progress_folder = progress_folder

    def process(self, row: Row) -> Iterator[Row]:
        progress.Tally.add(self._progress_folder, "done")
        name = "-".join(filter(None, ("rows", row["status"], row["reason"].replace("_", "-"))))
        beam.metrics.Metrics.counter(ColorizeArchive, name).inc()
        yield row
