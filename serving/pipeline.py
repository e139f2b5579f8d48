"""The graph of `photochrom colorize`, step by step: list -> read -> batch -> infer -> write -> row of the manifest."""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from photochrom.jobs import beam_job, progress
from photochrom.model.bundle import Bundle
from photochrom.sources.inputs import Input
from photochrom.storage import files
from serving import pages, read_scans, write_copies
from serving.config import ColorizeConfig
from serving.copies import provenance
from serving.inference import model_handler
from serving.manifest import manifest
from serving.manifest.manifest import Row
from serving.resume import journal
from serving.resume.ledger import ReadLedger
from serving.screening.exclusion import ExclusionList


@dataclasses.dataclass
class ColorizeArchive(beam.PTransform):
    """Inputs -> summary: every listed input becomes one row of the manifest, and a coloured copy if it can."""

    config: ColorizeConfig
    bundle: Bundle
    today: str  # as YYYY-MM-DD: told, not looked up, so that all workers say the same
    exclusions: ExclusionList
    started: datetime.datetime
    only: frozenset[str] = frozenset()  # keys of the inputs that count; all if there are none

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        scratch = self.config.scratch
        progress_folder = files.join(scratch, "progress")
        ledger = listed_inputs.pipeline | "Ledger" >> ReadLedger(self.config.output)
        sources = listed_inputs | "List" >> beam_job.ListSources(
            files.join(scratch, "spool"), progress_folder, self.exclusions.covers
        )
        if self.config.pages == "all":
            split = pages.SplitPages(ledger["finished"], self.config.decoder(), progress_folder)
            sources = sources | "Pages" >> split
        if self.only:
            sources = sources | "Only" >> beam.Filter(lambda source, wanted: source.key in wanted, self.only)
        scanned = (
            {"sources": sources | "KeySources" >> beam.WithKeys(lambda source: source.key), **ledger}
            | "JoinLedger" >> beam.CoGroupByKey()
            | "Read" >> read_scans.ReadScans(self.config, self.bundle, self.exclusions)
        )
        written = (
            scanned["scans"]
            | "Batch" >> beam.ParDo(model_handler.BatchByShape(self.config.batch_size))
            | "NoteBegun" >> beam.ParDo(journal.NoteBegun(self.config, self.bundle, self.today))
            | "Infer" >> self._infer()
            | "Write" >> beam.ParDo(write_copies.WriteCopies(self.config, self.bundle, self.today))
        )
        noted = {
            name: rows | f"Note{name}" >> beam.ParDo(journal.NoteRows(self.config.output))
            for name, rows in (("Written", written), ("Others", scanned[read_scans.NEW]))
        }
        # Counted before they flow together: the local runner begins what follows when all is there.
        counted = (
            rows | f"Count{name}" >> beam.ParDo(CountRow(progress_folder))
            for name, rows in {**noted, "Kept": scanned[read_scans.KEPT]}.items()
        )
        rows = tuple(counted) | "AllRows" >> beam.Flatten()
        deleted = self._delete_obsolete(scanned[read_scans.OBSOLETE], rows, scanned[read_scans.GONE])
        return self._write_manifest(sources, rows, scanned[read_scans.GONE], deleted)

    def _infer(self) -> beam.PTransform:
        handler = model_handler.BundleHandler(self.bundle, self.config.ensemble)
        # Workers know a model that they share by its digest: another job's may run beside it.
        infer = RunInference(handler.with_no_batching(), model_identifier=self.bundle.digest)
        return infer.with_resource_hints(accelerator=self.config.accelerator) if self.config.accelerator else infer

    def _delete_obsolete(
        self, paths: beam.PCollection, rows: beam.PCollection, gone: beam.PCollection
    ) -> beam.PCollection:
        """Deletes what an earlier run wrote and no row names any more, once all rows are known."""
        of_rows = rows | "ObsoleteOfRows" >> beam.FlatMap(lambda row: row.get(manifest.OBSOLETE, ()))
        obsolete = (
            (paths, of_rows) | "Obsolete" >> beam.Flatten() | "KeyObsolete" >> beam.Map(lambda path: (path, True))
        )
        named, kept = (
            part | name >> beam.FlatMap(lambda row: [(path, True) for path in manifest.paths_of(row)])
            for name, part in (("Named", rows), ("NamedByGone", gone))
        )
        return (
            {"obsolete": obsolete, "named": named, "kept": kept}
            | "JoinPaths" >> beam.CoGroupByKey()
            | "NamedNoMore" >> beam.Filter(_is_named_no_more)
            | "Delete"
            >> beam.Map(lambda element, output: files.delete(files.join(output, element[0])), self.config.output)
        )

    def _write_manifest(
        self, sources: beam.PCollection, rows: beam.PCollection, gone: beam.PCollection, deleted: beam.PCollection
    ) -> beam.PCollection:
        """Writes the rows, after the deletions: of a run that is killed between, the next one mends what is missing."""
        total = beam.pvalue.AsSingleton(sources | "CountSources" >> beam.combiners.Count.Globally())
        output = sources.pipeline | "OutputFolder" >> beam.Create([self.config.output])
        run = beam.pvalue.AsSingleton(output | "NumberRun" >> beam.Map(manifest.next_run))
        listed = sources | "ListedKeys" >> beam.Map(
            lambda source, n: (manifest.shard_of(source.key, n), source.key), total
        )
        rows, gone = (
            part | f"Shard{name}" >> beam.Map(lambda row, n: (manifest.shard_of(row["key"], n), row), total)
            for name, part in (("Rows", rows), ("Gone", gone))
        )
        shards = (
            {"listed": listed, "rows": rows, "gone": gone}
            | "Reconcile" >> beam.CoGroupByKey()
            | "WriteRows" >> beam.Map(manifest.write_shard, self.config.output, run, beam.pvalue.AsList(deleted))
        )
        return (
            output
            | "Summarize" >> beam.Map(manifest.write_summary, beam.pvalue.AsList(shards))
            | "EndRun" >> beam.Map(_end_run, self.config, self.bundle, self.started, run)
        )


def _is_named_no_more(element: tuple[str, dict[str, Iterable[bool]]]) -> bool:
    found = element[1]
    return any(found["obsolete"]) and not any(found["named"]) and not any(found["kept"])


def build(
    pipeline: beam.Pipeline,
    inputs: list[Input],
    config: ColorizeConfig,
    bundle: Bundle,
    exclusions: ExclusionList,
    started: datetime.datetime,
    only: frozenset[str] = frozenset(),
) -> Any:
    """Adds the whole job to a pipeline.

    Args:
        pipeline: Beam's.
        inputs: the listed inputs.
        config: the settings.
        bundle: the model.
        exclusions: what is left alone.
        started: when the run began.
        only: keys of the inputs that count; all if there are none.
    """
    job = ColorizeArchive(config, bundle, provenance.today(), exclusions, started, only)
    return pipeline | "Inputs" >> beam.Create(inputs) | "Colorize" >> job


def _end_run(summary: Row, config: ColorizeConfig, bundle: Bundle, started: datetime.datetime, run: int) -> Row:
    """Writes the run down and clears its notes: in the graph, for a remote job's launcher may be gone by then."""
    manifest.add_run(config.output, run, started, bundle, config.output_digest())
    journal.clear(config.output)
    return summary


class CountRow(beam.DoFn):
    """Row -> the same row, counted for the eye and for Beam's metrics."""

    def __init__(self, progress_folder: str):
        self._progress_folder = progress_folder

    def process(self, row: Row) -> Iterator[Row]:
        progress.Tally.add(self._progress_folder, "done")
        name = "-".join(filter(None, ("rows", row["status"], row["reason"].replace("_", "-"))))
        beam.metrics.Metrics.counter(ColorizeArchive, name).inc()
        yield row
