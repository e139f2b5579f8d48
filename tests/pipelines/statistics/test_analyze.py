import json

import numpy as np
import pytest
import tensorflow as tf

from photochrom import records
from photochrom.color import ab_bins
from photochrom.model.loaded import load
from pipelines.statistics import analyze, histograms

pytestmark = pytest.mark.job  # whole jobs or trainings


def test_bin_indices_match_brute_force():
    ab = np.random.default_rng(0).integers(-128, 128, (500, 2)).astype(np.int8)
    found = ab_bins.centres()[analyze.bin_indices(tf.constant(ab)).numpy()]
    inside = [i for i, value in enumerate(found) if np.abs(value - ab[i]).max() <= 5]
    nearest = np.square(ab[:, None].astype(int) - ab_bins.centres()).sum(-1).min(axis=1)
    distance = np.square(ab - found).sum(axis=1)
    assert len(inside) > 150
    assert (distance[inside] == nearest[inside]).all()
    assert (distance <= nearest + 2 * 10 * np.sqrt(nearest) + 100).all()  # outside: nearest to the square's middle


def test_graph_and_histograms_number_bins_alike():
    """Each pair of a* and b* that a record can hold, against the graph's own bins."""
    values = np.arange(-128, 128)
    pairs = np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1).astype(np.int8)
    record = records.LabRecord("", np.full((512, 512), 200, np.uint8), pairs, 1, 1)
    found = histograms.count([record, record])
    bins = np.bincount(analyze.bin_indices(tf.constant(pairs)).numpy().ravel(), minlength=len(ab_bins.centres()))
    np.testing.assert_array_equal(found["ab_counts"], 2 * bins)
    np.testing.assert_array_equal(found["lightness_counts"].nonzero(), [[200]])
    assert (found["a_counts"] == 512).all() and (found["b_counts"] == 512).all()


def test_rebalancing_weights_favour_rare_colours():
    counts = np.zeros(len(ab_bins.centres()), np.int64)
    gray = int(np.abs(ab_bins.centres()).sum(axis=1).argmin())
    counts[gray], counts[0] = 990, 10
    weights = analyze.rebalancing_weights(tf.constant(counts)).numpy()
    assert (weights * counts).sum() / counts.sum() == 1.0 or abs((weights * counts).sum() / counts.sum() - 1) < 1e-9
    assert weights[0] > 10 * weights[gray]


def test_rebalancing_weights_of_no_pixels_are_finite():
    weights = analyze.rebalancing_weights(tf.zeros(len(ab_bins.centres()), tf.int64)).numpy()
    assert np.isfinite(weights).all()


def test_moments_and_prior_match_the_records(dataset):
    """Against NumPy over the same records: the full pass must count each pixel of the train split once."""
    path, examples = dataset
    lightness = np.concatenate([e.lightness.ravel() for e in examples["train"]]) / 2.55
    ab = np.concatenate([e.ab.reshape(-1, 2) for e in examples["train"]]).astype(float)
    found = json.loads((path / "statistics/statistics.json").read_text())
    assert found["ab_pixels"] == len(ab)
    np.testing.assert_allclose(found["lightness"]["mean"], lightness.mean(), rtol=1e-6)
    np.testing.assert_allclose(found["lightness"]["std"], lightness.std(), rtol=1e-6)
    np.testing.assert_allclose([found["a"]["mean"], found["b"]["mean"]], ab.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose([found["a"]["std"], found["b"]["std"]], ab.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(sum(found["ab_prior"]), 1)


def test_saved_graph_computes_training_tensors(dataset):
    path, examples = dataset
    folder = str(path / "transform_fn" / "transform_fn")
    loaded = load(folder, folder)
    serialized = [e.to_example() for e in examples["train"][:3]]
    tensors = loaded.transform_fn(records.parse_examples(tf.constant(serialized)))
    assert tensors["lightness"].shape == (3, 64, 64, 1) and tensors["ab"].shape == (3, 32, 32, 2)
    np.testing.assert_allclose(tensors["lightness"][0, ..., 0], examples["train"][0].lightness / 2.55, rtol=1e-5)
    np.testing.assert_array_equal(tensors["ab"][1], examples["train"][1].ab.astype(np.float32))
    weight = np.concatenate(
        [
            loaded.transform_fn(records.parse_examples(tf.constant([e.to_example()])))["weight"].numpy().ravel()
            for e in examples["train"]
        ]
    )
    assert abs(weight.mean() - 1) < 1e-3
