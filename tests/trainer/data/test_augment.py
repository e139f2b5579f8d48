import numpy as np
import pytest
import tensorflow as tf

from trainer.data import augment

SIZE = 64


def _ramps(count=8):
    """Lightness that encodes the position of a pixel, x and y, and ab at a quarter of the size with the same code."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    ramp = np.stack([x, y], axis=-1).astype(np.float32)[None].repeat(count, axis=0)
    small = ramp.reshape(count, SIZE // 4, 4, SIZE // 4, 4, 2).mean(axis=(2, 4))
    return {"lightness": tf.constant(ramp), "ab": tf.constant(small)}


def test_mirror_flips_all_tensors_of_some_pictures():
    before = _ramps(32)
    after = augment.mirror(before, tf.constant([3, 4], tf.int64))
    turned = np.asarray(after["lightness"][:, 0, 0, 0]) > SIZE / 2
    assert 4 < turned.sum() < 28
    for name in before:
        expected = np.where(turned[:, None, None, None], before[name][:, :, ::-1], before[name])
        np.testing.assert_array_equal(after[name], expected)


@pytest.mark.parametrize("size", [32, 64])
def test_crop_shows_one_region_in_all_tensors(size):
    cut = augment.crop(_ramps(), size, tf.constant([1, 2], tf.int64))
    lightness, ab = np.asarray(cut["lightness"]), np.asarray(cut["ab"])
    assert lightness.shape == (8, size, size, 2)
    assert ab.shape == (8, size // 4, size // 4, 2)
    # Away from the edges, where no pixel centre is outside, four px of lightness have the mean of their px of ab.
    means = lightness.reshape(8, size // 4, 4, size // 4, 4, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(means[:, 1:-1, 1:-1], ab[:, 1:-1, 1:-1], atol=1e-3)
    region = np.diff(lightness[:, size // 2, size // 4 : 3 * size // 4, 0], axis=1).mean(axis=1) * size
    assert 0.8 * size - 0.1 <= region.min() < region.max() <= min(SIZE, size * 1.6) + 0.1


def test_crop_is_a_function_of_its_seed():
    first, again, other = (augment.crop(_ramps(), 32, tf.constant([seed, 0], tf.int64)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first["ab"], again["ab"])
    assert not np.allclose(first["ab"], other["ab"])
