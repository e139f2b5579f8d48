"""The graph of `photochrom prepare`, step by step."""

import array
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam

from photochrom.jobs import beam_job
from photochrom.model.bundle import Bundle
from photochrom.sources import keys
from photochrom.sources.inputs import Input
from photochrom.sources.source import Source
from photochrom.storage import files
from pipelines import card, shards, splits
from pipelines.config import PrepareConfig
from pipelines.embeddings import EmbedShards
from pipelines.near_duplicates.find import FindNearDuplicates
from pipelines.reconciliation import Reconcile
from pipelines.statistics import analyze


class DivideKind(beam.CombineFn):
    """Positions of the keys of a kind -> edges of the splits; 8 bytes for each key."""

    def __init__(self, config: PrepareConfig):
        self._shares = splits.parse(config.split)

    def create_accumulator(self) -> array.array:
        return array.array("d")

    def add_input(self, positions: array.array, position: float) -> array.array:
        positions.append(position)
        return positions

    def merge_accumulators(self, accumulators: Iterable[array.array]) -> array.array:
        merged = self.create_accumulator()
        for positions in accumulators:
            merged.extend(positions)
        return merged

    def extract_output(self, positions: array.array) -> list[float]:
        return splits.divide(positions, self._shares)


@dataclasses.dataclass
class PrepareDataset(beam.PTransform):
    """Inputs -> DatasetInfo: lists them, groups near-duplicates, writes the shards, analyses the training records.

    Only keys and locators cross a shuffle; a worker reads, decodes and writes its whole shard.

    Attributes:
        config: the job's settings.
        network: whose features are cached for the training records, if any.
        work: folder for TensorFlow's own files, which must exist; by default the scratch folder.
    """

    config: PrepareConfig
    network: Bundle | None = None
    work: str = ""

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        scratch = self.config.scratch
        progress_folder = files.join(scratch, "progress")
        sources = listed_inputs | "List" >> beam_job.ListSources(files.join(scratch, "spool"), progress_folder)
        total = beam.pvalue.AsSingleton(_count(sources))
        found = self._near_duplicates(sources, total, progress_folder)
        representatives = beam.pvalue.AsDict(found["groups"])
        summaries = (
            sources
            | "Assign" >> beam.Map(_assign, total, representatives, self._edges(sources, representatives), self.config)
            | "GroupByShard" >> beam.GroupByKey()
            | "WriteShards" >> beam.ParDo(shards.WriteShard(self.config, progress_folder), representatives)
        )
        training = summaries | "TrainOnly" >> beam.Filter(lambda summary: summary.split == "train" and summary.examples)
        reconciled = summaries | "Reconcile" >> Reconcile(sources, self.config)
        analysis = training | "Analyze" >> analyze.AnalyzeRecords(self.config, self.work or scratch)
        return (
            listed_inputs.pipeline
            | "Once" >> beam.Create([None])
            | "WriteCard"
            >> beam.Map(
                card.write,
                beam.pvalue.AsList(summaries),
                beam.pvalue.AsList(found["files"]),
                beam.pvalue.AsList(self._embed(training)),
                beam.pvalue.AsList(analysis),
                beam.pvalue.AsSingleton(reconciled),
                self.config,
                self.network,
            )
        )

    def _edges(self, sources: beam.PCollection, representatives: beam.pvalue.AsDict) -> beam.pvalue.AsDict:
        """Returns the edges of the splits by kind; empty without --stratify."""
        if not self.config.stratify:
            return beam.pvalue.AsDict(sources.pipeline | "NoKinds" >> beam.Create([]))
        return beam.pvalue.AsDict(
            sources
            | "FindKind" >> beam.Map(_position, representatives, self.config)
            | "DivideKinds" >> beam.CombinePerKey(DivideKind(self.config))
        )

    def _near_duplicates(
        self, sources: beam.PCollection, total: beam.pvalue.AsSingleton, progress_folder: str
    ) -> dict[str, beam.PCollection]:
        if self.config.near_duplicates == "ignore":
            names = ("groups", "files")
            return {name: sources.pipeline | f"No{name.title()}" >> beam.Create([]) for name in names}
        return sources | "FindNearDuplicates" >> FindNearDuplicates(self.config, total, progress_folder)

    def _embed(self, training: beam.PCollection) -> beam.PCollection:
        if self.network is None:
            return training.pipeline | "NoEmbeddings" >> beam.Create([])
        return training | "Embed" >> EmbedShards(self.config, self.network)


def _count(sources: beam.PCollection) -> beam.PCollection:
    return sources | "Count" >> beam.combiners.Count.Globally()


def _position(source: Source, representatives: Mapping[str, str], config: PrepareConfig) -> tuple[str, float]:
    """Returns the kind of a source, and the position at which it is assigned to a split."""
    key = representatives.get(source.key, source.key)
    return splits.kind(key, splits.compile_kinds(config.stratify)), keys.fraction(key, config.seed)


def _assign(
    source: Source,
    total: int,
    representatives: Mapping[str, str],
    edges: Mapping[str, Sequence[float]],
    config: PrepareConfig,
) -> tuple[tuple[str, int, int], Source]:
    shares = splits.parse(config.split)
    counts = splits.count_shards(shares, config.num_shards, total)
    representative = representatives.get(source.key, source.key)
    own = edges[splits.kind(representative, splits.compile_kinds(config.stratify))] if edges else ()
    shard = splits.assign(source.key, shares, counts, config.seed, representative, own)
    return (shard.split, shard.number, shard.num_shards), source


def build(
    pipeline: beam.Pipeline, inputs: list[Input], config: PrepareConfig, network: Bundle | None = None, work: str = ""
) -> Any:
    """Adds the whole job to a pipeline; the arguments are those of PrepareDataset."""
    return pipeline | "Inputs" >> beam.Create(inputs) | "Prepare" >> PrepareDataset(config, network, work)
