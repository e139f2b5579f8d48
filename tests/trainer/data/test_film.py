import numpy as np
import pytest
import tensorflow as tf

from photochrom.color import cielab
from tests.support import reference_colour
from trainer.data import film

SEED = tf.constant([1, 2], tf.int64)


@pytest.fixture(scope="module")
def batch(photographs):
    """32 crops of a photograph, ab at half of the size, as training has them."""
    lab = cielab.rgb_to_lab(np.ascontiguousarray(photographs["coffee"][100:228, 200:328]))
    small = lab[..., 1:].reshape(64, 2, 64, 2, 2).mean(axis=(1, 3))
    tensors = {"lightness": lab[..., :1], "ab": small, "weight": np.ones((64, 64, 1), np.float32)}
    return {name: tf.constant(np.repeat(values[None], 32, axis=0)) for name, values in tensors.items()}


def test_conversions_match_the_shared_package(photographs):
    lab = cielab.rgb_to_lab(photographs["chelsea"])
    linear = reference_colour.lab_to_linear(lab)
    np.testing.assert_allclose(film.lab_to_linear(tf.constant(lab)), linear, atol=1e-5)
    luminance = np.linspace(-0.1, 1, 200, dtype=np.float32)
    expected = cielab.luminance_to_lightness(np.maximum(luminance, 0))
    np.testing.assert_allclose(film.luminance_to_lightness(tf.constant(luminance)), expected, atol=1e-3)


def test_simulate_changes_only_lightness_of_the_share(batch):
    after = film.simulate(batch, 0.5, SEED)
    changed = np.abs(after["lightness"] - batch["lightness"]).max(axis=(1, 2, 3)) > 0
    assert 8 < changed.sum() < 24
    for name in ("ab", "weight"):
        assert after[name] is batch[name]
    assert after["lightness"].shape == batch["lightness"].shape
    assert 0 <= float(tf.reduce_min(after["lightness"])) <= float(tf.reduce_max(after["lightness"])) <= 100


def test_simulate_reduces_contrast_and_keeps_the_scene(batch):
    old = film.simulate(batch, 1.0, SEED)["lightness"].numpy()[..., 0]
    true = batch["lightness"].numpy()[0, ..., 0]
    likeness = [np.corrcoef(one.ravel(), true.ravel())[0, 1] for one in old]
    assert min(likeness) > 0.7
    assert np.std(old, axis=(1, 2)).mean() < np.std(true)


def test_orthochromatic_film_darkens_red():
    lab = cielab.rgb_to_lab(np.full((32, 32, 3), (200, 30, 30), np.uint8))
    red = {"lightness": lab[None, ..., :1].repeat(64, axis=0), "ab": lab[None, ::2, ::2, 1:].repeat(64, axis=0)}
    gray = {**red, "ab": np.zeros_like(red["ab"])}
    darker = film.simulate(gray, 1.0, SEED)["lightness"] - film.simulate(red, 1.0, SEED)["lightness"]
    darker = darker.numpy().mean(axis=(1, 2, 3))
    assert 20 < (darker > 5).sum() < 50  # about half of the pictures are on orthochromatic film


def test_simulate_is_a_function_of_its_seed(batch):
    first, again, other = (film.simulate(batch, 1.0, SEED + i)["lightness"] for i in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert float(tf.reduce_mean(tf.abs(first - other))) > 1
