"""The graph of `photochrom colorize`, step by step: list -> read -> batch -> infer -> write -> row of the manifest."""

import contextlib
import dataclasses
import datetime
import os
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from photochrom.jobs import beam_job, progress
from photochrom.model.bundle import Bundle
from photochrom.sources.inputs import Input
from photochrom.storage import files
from photochrom.storage.names import folded
from serving import naming, pages, read_scans, write_copies
from serving.config import ColorizeConfig
from serving.copies import provenance
from serving.inference import batching, model_handler
from serving.manifest import writer
from serving.manifest.changes import Changes
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import FAILED, Outcome, Summary
from serving.resume import journal
from serving.resume.ledger import ReadLedger
from serving.screening.exclusion import ExclusionList
from serving.trial import estimate, sample


@dataclasses.dataclass
class ColorizeArchive(beam.PTransform):
    """Inputs -> summary: every listed input becomes one row of the manifest, and a coloured copy if it can."""

    config: ColorizeConfig
    bundle: Bundle
    today: str  # YYYY-MM-DD, the same for all workers
    exclusions: ExclusionList
    started: datetime.datetime
    only: frozenset[str] = frozenset()  # keys of the inputs that count; all if it is empty

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        paths = OutputPaths(self.config.output)
        ledger = listed_inputs.pipeline | "Ledger" >> ReadLedger(self.config.output)
        before = ledger.pop("before")
        sources = listed_inputs | "List" >> self._list(paths)
        if self.config.sample_size:
            sources = sources | "Sample" >> sample.TakeSample(self.config.sample_size, paths.progress)
        if self.config.pages == "all":
            split = pages.SplitPages(ledger["finished"], self.config.decoder(), paths.progress)
            sources = sources | "Pages" >> split
        if self.only:
            sources = sources | "Only" >> beam.Filter(lambda source, wanted: source.key in wanted, self.only)
        grouped = {
            name: found | f"Group{name.title()}" >> beam.MapTuple(lambda key, one: (naming.group(key), one))
            for name, found in ledger.items()
        }
        scanned = (
            {"sources": sources | "GroupSources" >> beam.WithKeys(lambda source: naming.group(source.key)), **grouped}
            | "JoinLedger" >> beam.CoGroupByKey()
            | "Read" >> read_scans.ReadScans(self.config, self.bundle, self.exclusions, self.today)
        )
        written = (
            scanned["scans"]
            | "Batch" >> beam.ParDo(batching.BatchByShape(self.config.batch_size))
            | "NoteBegun" >> beam.ParDo(journal.NoteBegun(self.config.output))
            | "Infer" >> self._infer(paths.progress)
            | "Write" >> beam.ParDo(write_copies.WriteCopies(self.config, self.bundle))
        )
        noted = {
            name: rows | f"Note{name}" >> beam.ParDo(journal.NoteOutcomes(self.config.output))
            for name, rows in (("Written", written), ("Others", scanned[read_scans.NEW]))
        }
        # Counted before they are flattened: the local runner starts the next step when all elements exist.
        counted = (
            rows | f"Count{name}" >> beam.ParDo(CountRow(paths.progress))
            for name, rows in {**noted, "Kept": scanned[read_scans.KEPT]}.items()
        )
        outcomes = tuple(counted) | "AllOutcomes" >> beam.Flatten()
        rows = outcomes | "Rows" >> beam.Map(lambda outcome: outcome.row)
        # Any, as the other paths: Flink mixes no coders in a Flatten.
        of_rows = beam.FlatMap(lambda outcome: outcome.obsolete).with_output_types(Any)
        obsolete = outcomes | "ObsoleteOfRows" >> of_rows
        obsolete = (obsolete, scanned[read_scans.OBSOLETE]) | "Obsolete" >> beam.Flatten()
        deleted = self._delete_obsolete(obsolete, rows, scanned[read_scans.DELISTED])
        return self._write_manifest(sources, rows, scanned[read_scans.DELISTED], before, deleted)

    def _list(self, paths: OutputPaths) -> beam.PTransform:
        counted_as = progress.FOUND if self.config.sample_size else progress.LISTED
        return beam_job.ListSources(paths.spool, paths.progress, self.exclusions.covers, counted_as)

    def _infer(self, progress_folder: str) -> beam.PTransform:
        handler = model_handler.BundleHandler(self.bundle, self.config.ensemble, progress_folder)
        # Workers that share a model identify it by its digest: another job's model may be loaded beside it.
        infer = RunInference(handler.with_no_batching(), model_identifier=self.bundle.digest)
        return infer.with_resource_hints(accelerator=self.config.accelerator) if self.config.accelerator else infer

    def _delete_obsolete(
        self, obsolete: beam.PCollection, rows: beam.PCollection, delisted: beam.PCollection
    ) -> beam.PCollection:
        """Deletes the files of earlier runs that no row names any more, once all rows are known."""
        named, kept = (
            part | name >> beam.FlatMap(lambda row: [(folded(path), path) for path in row.paths])
            for name, part in (("Named", rows), ("NamedByDelisted", delisted))
        )
        return (
            {"obsolete": obsolete | "KeyObsolete" >> beam.WithKeys(folded), "named": named, "kept": kept}
            | "JoinPaths" >> beam.CoGroupByKey()
            | "NamedNoMore" >> beam.FlatMap(_named_no_more, self.config.output)
            | "Delete" >> beam.Map(lambda path, output: files.delete_within(output, [path]), self.config.output)
        )

    def _write_manifest(
        self,
        sources: beam.PCollection,
        rows: beam.PCollection,
        delisted: beam.PCollection,
        before: beam.PCollection,
        deleted: beam.PCollection,
    ) -> beam.PCollection:
        """Writes the rows, after the deletions: if a run is killed in between, the next one makes the missing files."""
        total = beam.pvalue.AsSingleton(sources | "CountSources" >> beam.combiners.Count.Globally())
        output = sources.pipeline | "OutputFolder" >> beam.Create([self.config.output])
        run = beam.pvalue.AsSingleton(output | "NumberRun" >> beam.Map(writer.next_run))
        listed = sources | "ListedKeys" >> beam.Map(
            lambda source, n: (writer.shard_of(source.key, n), source.key), total
        )
        rows, delisted, before = (
            part | f"Shard{name}" >> beam.Map(lambda row, n: (writer.shard_of(row.key, n), row), total)
            for name, part in (("Rows", rows), ("Delisted", delisted), ("Before", before))
        )
        shards = (
            {"listed": listed, "rows": rows, "gone": delisted, "before": before}
            | "Reconcile" >> beam.CoGroupByKey()
            | "WriteRows" >> beam.Map(writer.write_shard, self.config.output, run, beam.pvalue.AsList(deleted))
        )
        return (
            output
            | "Summarize" >> beam.Map(writer.write_summary, beam.pvalue.AsList(shards))
            | "EndRun" >> beam.Map(_end_run, self.config, self.bundle, self.started, run, beam.pvalue.AsList(shards))
        )


def _named_no_more(element: tuple[str, dict[str, Iterable[str]]], output: str) -> list[str]:
    """Returns the obsolete paths that no row names, in the upper or lower case of the file system either."""
    found = element[1]
    obsolete = set(found["obsolete"])
    named = {*found["named"], *found["kept"]} if obsolete else set()
    return sorted(path for path in obsolete - named if not any(_are_one_file(output, path, other) for other in named))


def _are_one_file(output: str, path: str, other: str) -> bool:
    with contextlib.suppress(OSError):  # one of them does not exist
        paths = OutputPaths(output)
        return files.is_local(output) and os.path.samefile(paths.at(path), paths.at(other))
    return False


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
        exclusions: the inputs that are not read.
        started: the start of the run.
        only: keys of the inputs that count; all if it is empty.
    """
    job = ColorizeArchive(config, bundle, provenance.today(), exclusions, started, only)
    return pipeline | "Inputs" >> beam.Create(inputs) | "Colorize" >> job


def _end_run(
    summary: Summary,
    config: ColorizeConfig,
    bundle: Bundle,
    started: datetime.datetime,
    run: int,
    shards: Iterable[writer.Shard],
) -> Summary:
    """Records the run and clears its notes: in the graph, for a remote job's launcher may have ended by then."""
    changes = Changes.total(shard.changes for shard in shards)
    writer.add_run(config.output, run, started, bundle, config.output_digest(), changes)
    journal.clear(config.output)
    return summary


class CountRow(beam.DoFn):
    """Outcome -> the same outcome, counted for the progress bar and for Beam's metrics."""

    def __init__(self, progress_folder: str):
        self._progress_folder = progress_folder

    def process(self, outcome: Outcome) -> Iterator[Outcome]:
        row = outcome.row
        if row.status == FAILED:
            progress.Tally.add(self._progress_folder, progress.FAILED)
        progress.Tally.add(self._progress_folder, progress.DONE)
        estimate.mark()
        name = "-".join(filter(None, ("rows", row.status, row.reason.replace("_", "-"))))
        beam.metrics.Metrics.counter(ColorizeArchive, name).inc()
        yield outcome
