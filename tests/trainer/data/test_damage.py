import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from photochrom.color import cielab
from trainer.data import damage
from trainer.data.draws import Draws

COUNT = 32


@pytest.fixture
def draw() -> Draws:
    return Draws(tf.constant([1, 2], tf.int64), tf.constant(COUNT))


@pytest.fixture(scope="module")
def pictures(photographs) -> tf.Tensor:
    lightness = cielab.rgb_to_lab(np.ascontiguousarray(photographs["coffee"][100:228, 200:328]))[..., :1]
    return tf.constant(np.repeat(lightness[None], COUNT, axis=0))


def changes(after: tf.Tensor, before: tf.Tensor) -> np.ndarray:
    return (after - before).numpy()[..., 0]


def test_scratches_are_thin_and_strong(pictures, draw):
    moved = np.abs(changes(damage.scratch(pictures, draw), pictures))
    assert ((moved > 5).mean(axis=(1, 2)) < 0.15).all()
    assert moved.max(axis=(1, 2)).mean() > 15


def test_stains_are_smooth_and_mostly_dark(pictures, draw):
    moved = changes(damage.stain(pictures, draw), pictures)
    assert moved.mean() < -1
    assert np.abs(np.diff(moved, axis=1)).max() < 10 < np.abs(moved).max()


def test_fading_raises_one_side_towards_paper(draw):
    dark = tf.fill([COUNT, 64, 64, 1], 20.0)
    moved = changes(damage.fade(dark, draw), dark)
    assert (moved >= 0).all() and 5 < moved.max() <= 65 * 0.6
    corners = moved[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners.max(axis=1) - corners.min(axis=1) > 3).all()


def test_halftone_keeps_the_mean_and_the_extremes(draw):
    gray = tf.fill([COUNT, 128, 128, 1], 50.0)
    moved = changes(damage.print_in_halftone(gray, draw), gray)
    assert np.abs(moved.mean(axis=(1, 2))).max() < 0.3
    assert (moved.std(axis=(1, 2)) > 1).all()
    white = tf.fill([COUNT, 16, 16, 1], 100.0)
    np.testing.assert_array_equal(damage.print_in_halftone(white, draw), white)


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_compress_is_that_of_jpeg(pictures, quality):
    picture = pictures[:1]
    found = damage.compress(picture, tf.fill([1, 1, 1, 1], float(quality))).numpy()[0, ..., 0]
    buffer = io.BytesIO()
    gray = np.rint(picture.numpy()[0, ..., 0] * 2.55).astype(np.uint8)
    Image.fromarray(gray).save(buffer, "JPEG", quality=quality)
    expected = np.asarray(Image.open(buffer)) / 2.55
    assert np.abs(found - expected).mean() < 0.5
    assert np.abs(found - picture.numpy()[0, ..., 0]).mean() > (0.1 if quality == 90 else 0.8)


def test_damage_is_a_function_of_its_seed(pictures):
    def damaged(seed: int) -> tf.Tensor:
        return damage.damage(pictures, Draws(tf.constant([seed, 0], tf.int64), tf.constant(COUNT)))

    np.testing.assert_array_equal(damaged(1), damaged(1))
    moved = np.abs(changes(damaged(1), pictures)).max(axis=(1, 2))
    assert 0.1 < (moved == 0).mean() < 0.6  # some have none
    assert np.abs(changes(damaged(1), damaged(2))).max() > 5
