"""The graph of `photochrom prepare`, step by step."""

import dataclasses
from typing import Any

import apache_beam as beam

from photochrom import beam_io, files
from photochrom.archives import Source
from photochrom.inputs import Input
from pipelines import card, shards, splits, statistics
from pipelines.config import PrepareConfig


@dataclasses.dataclass
class PrepareDataset(beam.PTransform):
    """Inputs -> dataset_info: lists them, writes the shards, analyses the training records, writes the card.

    Only keys and locators cross a shuffle; a worker reads, decodes and writes its whole shard.
    """

    config: PrepareConfig

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        scratch = scratch_folder(self.config)
        progress_folder = files.join(scratch, "progress")
        sources = listed_inputs | "List" >> beam_io.ListSources(files.join(scratch, "spool"), progress_folder)
        summaries = (
            sources
            | "Assign" >> beam.Map(_assign, beam.pvalue.AsSingleton(_count(sources)), self.config)
            | "GroupByShard" >> beam.GroupByKey()
            | "WriteShards" >> beam.ParDo(shards.WriteShard(self.config, progress_folder))
        )
        analysis = (
            summaries
            | "TrainOnly" >> beam.Filter(lambda summary: summary["split"] == "train" and summary["examples"])
            | "Analyze" >> statistics.AnalyzeRecords(self.config, files.join(scratch, "tft"))
        )
        return (
            listed_inputs.pipeline
            | "Once" >> beam.Create([None])
            | "WriteCard"
            >> beam.Map(card.write, beam.pvalue.AsList(summaries), beam.pvalue.AsList(analysis), self.config)
        )


def scratch_folder(config: PrepareConfig) -> str:
    """Returns the folder for what is under way, deleted at the end."""
    return files.join(config.output, ".prepare")


def _count(sources: beam.PCollection) -> beam.PCollection:
    return sources | "Count" >> beam.combiners.Count.Globally()


def _assign(source: Source, total: int, config: PrepareConfig) -> tuple[tuple[str, int, int], Source]:
    shares = splits.parse(config.split)
    counts = splits.count_shards(shares, config.num_shards, total)
    shard = splits.assign(source.key, shares, counts, config.seed)
    return (shard.split, shard.number, shard.num_shards), source


def build(pipeline: beam.Pipeline, inputs: list[Input], config: PrepareConfig) -> Any:
    """Adds the whole job to a pipeline."""
    return pipeline | "Inputs" >> beam.Create(inputs) | "Prepare" >> PrepareDataset(config)
