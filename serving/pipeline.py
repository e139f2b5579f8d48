"""The graph of `photochrom colorize`, step by step: list -> read -> batch -> infer -> write -> row of the manifest."""

import dataclasses
import errno
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from photochrom import archives, beam_io, compose, errors, files, images, keys, progress
from photochrom.archives import Source
from photochrom.bundle import Bundle
from photochrom.inputs import Input
from serving import inference, manifest, outputs, pages, scans
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

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        scratch = scratch_folder(self.config)
        progress_folder = files.join(scratch, "progress")
        sources = listed_inputs | "List" >> beam_io.ListSources(files.join(scratch, "spool"), progress_folder)
        if self.config.pages == "all":
            sources = sources | "Pages" >> pages.SplitPages(self.config.decoder(), progress_folder)
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
            return _write_output(scan, colors, self.config, self.bundle, known)
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
    return pipeline | "Inputs" >> beam.Create(inputs) | "Colorize" >> ColorizeArchive(config, bundle)


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
        scan = scans.read(source, data, self._bundle.image_size, self._bundle.ab_stride, self._config.decoder())
        if scan.tone.is_monochrome or self._config.color_inputs == "colorize":
            return scan
        known = _known(scan, self._config, self._bundle)
        if self._config.color_inputs == "skip":
            message = f"has colours already: spread {scan.tone.spread} CIE units; --color_inputs says skip"
            return manifest.row(
                source, manifest.SKIPPED, reason="color_input", stage="screen", message=message, **known
            )
        # All pages lie in one copy.
        name = files.join("images", keys.to_path(keys.of_file(source.key) if source.page_count > 1 else source.key))
        _write_file(files.join(self._config.output, name), data)
        return manifest.row(source, manifest.DONE, reason="copied", output=name, output_sha256=scan.sha256, **known)

    def _is_current(self, earlier: Row, data: bytes) -> bool:
        if self._config.retry == "all" or (self._config.retry == "failed" and earlier["status"] == manifest.FAILED):
            return False
        wanted = (hashlib.sha256(data).hexdigest(), self._bundle.digest, self._config.output_digest())
        if (earlier["source_sha256"], earlier["model_digest"], earlier["settings_digest"]) != wanted:
            return False
        return not earlier["output"] or files.exists(files.join(self._config.output, earlier["output"]))


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
        "chroma": scan.tone.chroma,
        "spread": scan.tone.spread,
    }


def _write_output(scan: Scan, colors: Colors, config: ColorizeConfig, bundle: Bundle, known: dict[str, Any]) -> Row:
    picture = scan.full_picture(config.decoder())
    rgb = compose.compose(scans.to_lightness(picture.pixels), colors.ab)
    provenance = outputs.Provenance(bundle.info["name"], bundle.digest, scan.sha256)
    data, notes = outputs.encode(rgb, picture, provenance)
    name = files.join("images", outputs.file_name(keys.to_path(scan.source.key), picture.format))
    _write_file(files.join(config.output, name), data)
    return manifest.row(
        scan.source,
        manifest.DONE,
        output=name,
        output_sha256=hashlib.sha256(data).hexdigest(),
        height=picture.source_height,
        width=picture.source_width,
        format=picture.format,
        confidence=colors.confidence,
        notes=[*picture.notes, *notes],
        **known,
    )


def _write_file(path: str, data: bytes) -> None:
    try:
        files.write_bytes(path, data)
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
