"""The full pass of tensorflow-transform: exact histograms of all training records, and the graph made from them.

The graph, saved as `transform_fn/`, converts a batch of raw records to the training tensors of photochrom.dataset, and
to `*_counts`, int64 [B, n]: the histograms themselves, the same in each row.

The counts are outputs because tensorflow-transform stores the results of its analyzers as constants of the graph;
calling it is the way to read them.

The only module that imports tensorflow_transform, which makes tf.keras Keras 2.
"""

import dataclasses
import tempfile
import uuid
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options import pipeline_options

from photochrom import dataset, records
from photochrom.color import ab_bins
from photochrom.model import loaded
from photochrom.storage import files
from pipelines.config import PrepareConfig
from pipelines.shards import ShardSummary
from pipelines.statistics import histograms

# Zhang 2016, section 2.2: the prior is smoothed with sigma 5 and mixed half and half with a uniform one.
_SMOOTHING_SIGMA = 5.0
_UNIFORM_SHARE = 0.5


def rebalancing_weights(counts: tf.Tensor) -> tf.Tensor:
    """Returns the weight of each ab bin, rare colours more, with mean 1 over the counted pixels.

    Args:
        counts: [Q] int64, pixels in each bin of photochrom.color.ab_bins.

    Returns:
        [Q] float64.

    Source: Zhang 2016, section 2.2, equation 4.
    """
    prior = tf.cast(counts, tf.float64) / tf.cast(tf.maximum(tf.reduce_sum(counts), 1), tf.float64)
    smooth = tf.linalg.matvec(tf.constant(_smoothing_kernel()), prior)
    mixed = (1 - _UNIFORM_SHARE) * smooth + _UNIFORM_SHARE / len(ab_bins.centres())
    weights = 1 / mixed
    return weights / tf.maximum(tf.reduce_sum(prior * weights), 1e-12)


def _smoothing_kernel() -> np.ndarray:
    centres = ab_bins.centres().astype(np.float64)
    squared = np.square(centres[:, None] - centres[None]).sum(axis=-1)
    kernel = np.exp(-squared / (2 * _SMOOTHING_SIGMA**2))
    return kernel / kernel.sum(axis=0)


def bin_indices(ab: tf.Tensor) -> tf.Tensor:
    """Returns the nearest bin in gamut, int32 [...], of int8 ab [..., 2]."""
    steps = tf.cast(tf.round(tf.cast(ab, tf.float32) / ab_bins.WIDTH), tf.int32)
    first = [ab_bins.A_CENTRES[0] // ab_bins.WIDTH, ab_bins.B_CENTRES[0] // ab_bins.WIDTH]
    last = [len(ab_bins.A_CENTRES) - 1, len(ab_bins.B_CENTRES) - 1]
    return tf.gather_nd(tf.constant(ab_bins.nearest()), tf.clip_by_value(steps - first, 0, last))


def make_preprocessing_fn(config: PrepareConfig) -> Any:
    """Returns the function that tensorflow-transform traces: raw features -> training tensors."""
    size, ab_size = config.image_size, config.image_size // config.ab_stride

    def preprocessing_fn(raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        lightness = records.decode_lightness(raw["lightness"], size, size)
        ab = records.decode_ab(raw["ab"], ab_size, ab_size)
        bins = bin_indices(ab)
        counts = _count_dataset(raw["key"], config)
        weights = tf.cast(rebalancing_weights(counts["ab_counts"]), tf.float32)
        rows = tf.shape(bins)[0]
        return {
            dataset.LIGHTNESS: lightness,
            dataset.AB: tf.cast(ab, tf.float32),
            dataset.WEIGHT: tf.gather(weights, bins)[..., None],
            **{name: tf.tile(found[None], [rows, 1]) for name, found in counts.items()},
        }

    return preprocessing_fn


def _count_dataset(names: tf.Tensor, config: PrepareConfig) -> dict[str, tf.Tensor]:
    """Returns the histograms of the whole dataset, [n] int64; `names` is a batch of files of records, [B] string."""
    counts = tft.experimental.ptransform_analyzer(
        [names],
        histograms.CountShards(config),
        [tf.int64] * len(histograms.SIZES),
        [[size] for size in histograms.SIZES.values()],
    )
    return dict(zip(histograms.SIZES, counts, strict=True))


@dataclasses.dataclass
class AnalyzeRecords(beam.PTransform):
    """ShardSummary of training shards -> an element on which later steps wait; writes `transform_fn/`.

    TensorFlow writes the graph itself, and its own access to buckets has neither our retries nor an emulator: for an
    output in a bucket it writes below --temp_location, by default a folder of this machine, and the files are copied.

    Attributes:
        config: the job's settings.
        work: folder for its files, for an output on this machine.
    """

    config: PrepareConfig
    work: str

    def expand(self, summaries: beam.PCollection) -> beam.PCollection:
        folder = files.join(self.config.output, dataset.TRANSFORM)
        if files.is_local(folder):
            return self._analyze(summaries, files.join(self.work, "tft"), folder)
        work = _work_folder(summaries.pipeline.options)
        saved = self._analyze(summaries, files.join(work, "tft"), files.join(work, dataset.TRANSFORM))
        return (
            summaries.pipeline
            | "Work" >> beam.Create([work])
            | "Upload" >> beam.Map(_upload, folder, beam.pvalue.AsList(saved))
        )

    def _analyze(self, summaries: beam.PCollection, temp_folder: str, folder: str) -> beam.PCollection:
        shards = summaries | "SpreadShards" >> beam.Reshuffle() | "ToRow" >> beam.Map(_to_row)
        metadata = tft.DatasetMetadata.from_feature_spec(records.FEATURE_SPEC)
        with tft_beam.Context(temp_folder, desired_batch_size=1):  # one shard a batch, so that any worker may take it
            transform_fn = (shards, metadata) | "Analyze" >> tft_beam.AnalyzeDataset(make_preprocessing_fn(self.config))
        return transform_fn | "Save" >> tft_beam.WriteTransformFn(folder)


def _work_folder(options: pipeline_options.PipelineOptions) -> str:
    """Returns the folder in which TensorFlow writes files that are then copied to a bucket."""
    shared = options.view_as(pipeline_options.GoogleCloudOptions).temp_location
    return files.join(shared or tempfile.gettempdir(), f"{files.TEMPORARY_MARK}{uuid.uuid4().hex}")


def _to_row(summary: ShardSummary) -> dict[str, Any]:
    """Returns a raw record that stands for a shard: its key is the name of the file, all that the analyzer reads."""
    blank = {name: b"" if feature.dtype == tf.string else 0 for name, feature in records.FEATURE_SPEC.items()}
    return {**blank, "key": summary.file.encode()}


def _upload(work: str, folder: str, saved: list[Any]) -> str:
    """Copies the saved files to the bucket."""
    files.copy_folder(files.join(work, dataset.TRANSFORM), folder)
    parent, _, name = work.rpartition("/")
    files.clear(parent, [name])
    return folder


def read_counts(config: PrepareConfig) -> dict[str, np.ndarray]:
    """Returns the histograms from the saved graph: name -> [n] int64."""
    folder = files.join(config.output, dataset.TRANSFORM_GRAPH)
    with tempfile.TemporaryDirectory(prefix=files.TEMPORARY_MARK) as copied:
        if not files.is_local(folder):
            files.copy_folder(folder, copied)
        graph = loaded.load(folder if files.is_local(folder) else copied, folder)
    blank = records.LabRecord.blank(config.image_size, config.ab_stride).to_example()
    tensors = graph.transform_fn(records.parse_examples(tf.constant([blank])))
    return {name: tensor[0].numpy() for name, tensor in tensors.items() if name.endswith("_counts")}
