"""The dataset's card: dataset_info.json, features.json, the statistics as JSON and as pictures. Written last."""

import collections
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from photochrom import __version__, records, settings
from photochrom.color import ab_bins, cielab
from photochrom.imaging import contact_sheet
from photochrom.model.bundle import Bundle
from photochrom.storage import files
from pipelines import embeddings
from pipelines.config import PrepareConfig
from pipelines.near_duplicates import leaks, signatures
from pipelines.statistics import analyze

INFO = "dataset_info.json"
_SHEET_ROWS, _SHEET_COLUMNS = 4, 8


def write(
    _: Any,
    summaries: Iterable[dict[str, Any]],
    signed: Iterable[str],
    embedded: Iterable[dict[str, Any]],
    __: Any,
    ___: Any,
    config: PrepareConfig,
    network: Bundle | None,
) -> dict[str, Any]:
    """Writes the card from the shards' summaries and returns what dataset_info.json says.

    A Beam step with five side inputs: the summaries, the paths of the signatures, what was embedded by `network`, and
    the ends of the full pass and of the reconciliation, for which it waits.
    """
    summaries = sorted(summaries, key=lambda summary: summary["name"])
    _delete_strangers(config, summaries)
    _delete_other_signatures(config, set(signed))
    embedded = list(embedded)
    embeddings.delete_others(config, embedded)
    counts = analyze.read_counts(config)
    _write_json(config, "features.json", records.FEATURES)
    _write_json(config, "statistics/statistics.json", describe_counts(counts))
    _plot(config, counts)
    _write_sheet(config, summaries)
    info = {**dataset_info(config, summaries), "embedding": embeddings.describe(embedded, network)}
    _write_json(config, INFO, info)
    return info


def _write_json(config: PrepareConfig, name: str, values: Any) -> None:
    files.write_bytes(files.join(config.output, name), (json.dumps(values, indent=2, sort_keys=True) + "\n").encode())


def dataset_info(config: PrepareConfig, summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the content of dataset_info.json; its digest covers the settings and every shard's bytes."""
    refused: collections.Counter[str] = collections.Counter()
    splits: dict[str, Any] = {}
    for summary in summaries:
        refused.update(summary["refused"])
        split = splits.setdefault(summary["split"], {"examples": 0, "shard_lengths": [], "files": [], "sha256": []})
        split["examples"] += summary["examples"]
        split["shard_lengths"].append(summary["examples"])
        split["files"].append(summary["file"])
        split["sha256"].append(summary["sha256"])
    inputs = sum(summary["inputs"] for summary in summaries)
    content = {"settings": config.record_settings(), "splits": splits}
    return {
        "format_version": records.FORMAT_VERSION,
        "photochrom_version": __version__,
        "digest": settings.digest(content),
        "inputs": inputs,
        "examples": sum(split["examples"] for split in splits.values()),
        "refused": dict(sorted(refused.items())),
        "near_duplicates": leaks.report(summaries, config),
        **content,
    }


def describe_counts(counts: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns moments, prior and weights from the histograms, in CIE units; of the train split alone."""
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
    """Draws how often each ab bin occurs, in its colour's place."""
    from matplotlib import figure  # slow to import, and not needed by workers that only write shards

    grid = np.full(ab_bins.in_gamut().shape, np.nan)
    grid[ab_bins.in_gamut()] = np.log10(np.maximum(counts["ab_counts"], 0.5) / max(counts["ab_counts"].sum(), 1))
    canvas = figure.Figure(figsize=(6, 5), layout="constrained")
    axes = canvas.subplots()
    half = ab_bins.WIDTH / 2
    extent = (
        ab_bins.B_CENTRES[0] - half,
        ab_bins.B_CENTRES[-1] + half,
        ab_bins.A_CENTRES[0] - half,
        ab_bins.A_CENTRES[-1] + half,
    )
    shown = axes.imshow(grid, origin="lower", extent=extent, cmap="viridis")
    axes.set(xlabel="b*", ylabel="a*", title="ab of the train split, log10 of the share of pixels")
    canvas.colorbar(shown)
    with files.create(files.join(config.output, "statistics/gamut.png")) as file:
        canvas.savefig(file, format="png", dpi=100, metadata={"Software": None})


def _write_sheet(config: PrepareConfig, summaries: list[dict[str, Any]]) -> None:
    """Draws the first records of the train split: what the network will see."""
    pictures: list[np.ndarray] = []
    for summary in (s for s in summaries if s["split"] == "train"):
        with files.open_read(files.join(config.output, summary["file"])) as file:
            for data in records.read_tfrecords(file, config.compression):
                if len(pictures) == _SHEET_ROWS * _SHEET_COLUMNS:
                    break
                pictures.append(cielab.lab_to_rgb(records.LabRecord.from_example(data).to_lab()))
    rows = [pictures[i : i + _SHEET_COLUMNS] for i in range(0, len(pictures), _SHEET_COLUMNS)]
    if rows:
        files.write_bytes(
            files.join(config.output, "statistics/contact_sheet.png"),
            contact_sheet.to_png(contact_sheet.contact_sheet(rows)),
        )


def _delete_strangers(config: PrepareConfig, summaries: list[dict[str, Any]]) -> None:
    """Deletes shards of an earlier plan, such as those of another number of shards."""
    names = {summary["name"] for summary in summaries}
    for info in list(files.list_folder(files.join(config.output, "shards"))):
        name = info.path.rsplit("/", 1)[1].removesuffix(".json")
        if name not in names:
            stem = files.join(config.output, name)
            items = [files.join(config.output, f"{kind}-{name}.jsonl") for kind in ("items", "failures")]
            for path in (f"{stem}.tfrecord", f"{stem}.tfrecord.gz", *items, info.path):
                files.delete(path)


def _delete_other_signatures(config: PrepareConfig, paths: set[str]) -> None:
    """Deletes files of signatures of an earlier plan, made for another number of inputs."""
    for info in list(files.list_folder(files.join(config.output, signatures.FOLDER))):
        if info.path not in paths:
            files.delete(info.path)
