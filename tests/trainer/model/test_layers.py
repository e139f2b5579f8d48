import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom.color import cielab
from trainer.model.layers import ErrorScale, LightnessToRgb, ResizeLike, ResizeToMinimum, resize


def test_lightness_to_rgb_inverts_gray_to_lightness():
    gray = np.arange(256, dtype=np.uint8)[None]
    rgb = LightnessToRgb()(cielab.gray_to_lightness(gray)[..., None, None])
    np.testing.assert_allclose(np.asarray(rgb)[0, :, 0], np.repeat(gray[0, :, None], 3, axis=1), atol=0.01)


def test_lightness_to_rgb_stays_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert LightnessToRgb()(np.full((1, 2, 2, 1), 50, np.float32)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("size", [(16, 8), (3, 5), (7, 20), (4, 4)])
def test_resize_is_bilinear_at_pixel_centres(size):
    images = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(resize(images, *size), tf.image.resize(images, size), atol=1e-5)


def test_resize_takes_sizes_known_at_run_time_only():
    layer = ResizeLike()
    compiled = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 2])] * 2)
    assert compiled(tf.ones([1, 3, 3, 2]), tf.ones([1, 8, 6, 2])).shape == (1, 8, 6, 2)


def test_resize_to_minimum_stretches_short_axes_only():
    lightness = np.random.default_rng(0).uniform(0, 100, (1, 32, 128, 1)).astype(np.float32)
    stretched = ResizeToMinimum(96)(lightness)
    assert stretched.shape == (1, 96, 128, 1)
    np.testing.assert_allclose(ResizeToMinimum(32)(lightness), lightness, atol=1e-4)


@pytest.mark.parametrize("layer", [LightnessToRgb(), ResizeToMinimum(96), ResizeLike(), ErrorScale(20.0)])
def test_layers_survive_serialisation(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_error_scale_fits_line_and_never_falls():
    layer = ErrorScale(20.0)
    uncertainty = np.array([[0.0, 0.2], [0.5, 1.0]], np.float32)
    np.testing.assert_allclose(layer(uncertainty), 20 * uncertainty)
    layer.fit(uncertainty.ravel(), 3 + 11 * uncertainty.ravel())
    np.testing.assert_allclose(layer(uncertainty), 3 + 11 * uncertainty, rtol=1e-5)
    layer.fit(uncertainty.ravel(), 9 - uncertainty.ravel())
    assert np.ptp(layer(uncertainty)) == 0
    # Almost constant: no slope of thousands.
    layer.fit(1 - 1e-5 * uncertainty.ravel(), 9 - uncertainty.ravel())
    np.testing.assert_allclose(layer(uncertainty), 9 - uncertainty.mean(), rtol=1e-5)
