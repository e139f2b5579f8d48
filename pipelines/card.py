"""Writes the description of a dataset after all shards: dataset_info.json, README.md, features.json, statistics."""

import collections
import dataclasses
import itertools
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from photochrom import __version__, dataset, records, settings
from photochrom.color import ab_bins, gamut
from photochrom.dataset import DatasetInfo, Split
from photochrom.imaging import contact_sheet
from photochrom.model.bundle import Bundle
from photochrom.storage import files
from pipelines import dataset_card, embeddings, shards
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import report
from pipelines.shards import ShardSummary
from pipelines.statistics import analyze

_SHEET_PICTURES, _SHEET_COLUMNS = 32, 8


def write(
    _: Any,
    summaries: Iterable[ShardSummary],
    signed: Iterable[str],
    embedded: Iterable[embeddings.ShardFeatures],
    __: Any,
    ___: Any,
    config: PrepareConfig,
    network: Bundle | None,
) -> DatasetInfo:
    """Writes the description from the shards' summaries and returns the content of dataset_info.json.

    A Beam step with five side inputs: the summaries, the paths of the signatures, the features by `network`, and the
    ends of the full pass and of the reconciliation, on which it waits.
    """
    summaries = sorted(summaries, key=lambda summary: summary.name)
    _delete_other_shards(config, summaries)
    _delete_other_signatures(config, set(signed))
    embedded = list(embedded)
    embeddings.delete_others(config, embedded)
    counts = analyze.read_counts(config)
    _write_json(config, dataset.FEATURES_FILE, {name: one._asdict() for name, one in dataset.FEATURES.items()})
    statistics = describe_counts(counts)
    _write_json(config, dataset.STATISTICS, statistics)
    _plot(config, counts)
    _write_sheet(config, summaries)
    info = dataclasses.replace(dataset_info(config, summaries), embedding=embeddings.describe(embedded, network))
    files.write_bytes(
        files.join(config.output, dataset.CARD), dataset_card.write_card(config, info, statistics).encode()
    )
    _write_json(config, dataset.INFO, info.to_json())
    return info


def _write_json(config: PrepareConfig, name: str, values: Any) -> None:
    files.write_bytes(files.join(config.output, name), (json.dumps(values, indent=2, sort_keys=True) + "\n").encode())


def dataset_info(config: PrepareConfig, summaries: list[ShardSummary]) -> DatasetInfo:
    """Returns the content of dataset_info.json without features; its digest covers the settings and all shards."""
    refused: collections.Counter[str] = collections.Counter()
    for summary in summaries:
        refused.update(summary.refused)
    names = dict.fromkeys(summary.split for summary in summaries)
    splits = {name: _split([summary for summary in summaries if summary.split == name]) for name in names}
    recorded = config.record_settings()
    hashed = {"settings": recorded, "splits": {name: dataclasses.asdict(split) for name, split in splits.items()}}
    return DatasetInfo(
        digest=settings.digest(hashed),
        settings=recorded,
        splits=splits,
        photochrom_version=__version__,
        inputs=sum(summary.inputs for summary in summaries),
        examples=sum(summary.examples for summary in summaries),
        refused=dict(sorted(refused.items())),
        near_duplicates=report.count_groups(summaries, config),
    )


def _split(summaries: list[ShardSummary]) -> Split:
    return Split(
        examples=sum(summary.examples for summary in summaries),
        shard_lengths=tuple(summary.examples for summary in summaries),
        files=tuple(summary.file for summary in summaries),
        sha256=tuple(summary.sha256 for summary in summaries),
    )


def describe_counts(counts: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns moments, prior and weights from the histograms of the train split, in CIE units."""
    weights = analyze.rebalancing_weights(counts["ab_counts"]).numpy()
    total = max(int(counts["ab_counts"].sum()), 1)
    return {
        "split": "train",
        "ab_pixels": int(counts["ab_counts"].sum()),
        "lightness": _moments(np.arange(256) / records.LIGHTNESS_SCALE, counts["lightness_counts"]),
        "a": _moments(np.arange(-128, 128), counts["a_counts"]),
        "b": _moments(np.arange(-128, 128), counts["b_counts"]),
        "ab_bins": ab_bins.centres().astype(int).tolist(),
        "ab_prior": (counts["ab_counts"] / total).tolist(),
        "ab_weights": weights.tolist(),
    }


def _moments(values: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    total = max(counts.sum(), 1)
    mean = float((values * counts).sum() / total)
    return {"mean": mean, "std": float(np.sqrt((np.square(values - mean) * counts).sum() / total))}


def _plot(config: PrepareConfig, counts: dict[str, np.ndarray]) -> None:
    """Plots the frequency of each ab bin over the ab plane."""
    from matplotlib import figure  # slow to import; workers that only write shards do not need it

    grid = np.full(ab_bins.in_gamut().shape, np.nan)
    grid[ab_bins.in_gamut()] = np.log10(np.maximum(counts["ab_counts"], 0.5) / max(counts["ab_counts"].sum(), 1))
    canvas = figure.Figure(figsize=(6, 5), layout="constrained")
    axes = canvas.subplots()
    half = ab_bins.WIDTH / 2
    sides = [
        side for centres in (ab_bins.A_CENTRES, ab_bins.B_CENTRES) for side in (centres[0] - half, centres[-1] + half)
    ]
    shown = axes.imshow(grid.T, origin="lower", extent=tuple(sides), cmap="viridis")
    axes.set(xlabel="a*", ylabel="b*", title="ab of the train split, log10 of the share of pixels")
    canvas.colorbar(shown)
    with files.create(files.join(config.output, dataset.GAMUT_PLOT)) as file:
        canvas.savefig(file, format="png", dpi=100, metadata={"Software": None})


def _write_sheet(config: PrepareConfig, summaries: list[ShardSummary]) -> None:
    """Draws the first records of the train split, as the network will see them, with their keys."""
    records = (
        record
        for summary in summaries
        if summary.split == "train"
        for record in shards.read_records(summary.file, config)
    )
    shown = [(gamut.lab_to_rgb(one.to_lab()), one.key) for one in itertools.islice(records, _SHEET_PICTURES)]
    if shown:
        pictures, captions = zip(*shown, strict=True)
        sheet = contact_sheet.contact_sheet([[one] for one in pictures], captions, strips=_SHEET_COLUMNS)
        files.write_bytes(files.join(config.output, dataset.CONTACT_SHEET), contact_sheet.to_png(sheet))


def _delete_other_shards(config: PrepareConfig, summaries: list[ShardSummary]) -> None:
    """Deletes shards of an earlier plan, such as those of another number of shards."""
    kept = {summary.name for summary in summaries}
    stored = {dataset.shard_of(path) for path in shards.stored(config, dataset.SUMMARIES)}
    for name in sorted(stored - kept):
        files.delete_within(config.output, dataset.shard_files(name))


def _delete_other_signatures(config: PrepareConfig, paths: set[str]) -> None:
    """Deletes files of signatures of an earlier plan, for another number of inputs."""
    kept = {path.rpartition("/")[2] for path in paths}
    stored = shards.stored(config, dataset.SIGNATURES)
    files.delete_within(config.output, [path for path in stored if path.rpartition("/")[2] not in kept])
