import keras
import numpy as np
import pytest

from photochrom.color import ab_bins
from trainer.model import build, heads


def _lightness(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 1)).astype(np.float32)


def test_classification_predicts_mean_of_bins_untrained():
    outputs = build.build_model(build.Shape(4, 4, 4, "classification", 0.4))(_lightness(1, 32, 64))
    assert outputs["ab"].shape == (1, 8, 16, 2)
    assert outputs["logits"].shape == (1, 8, 16, len(ab_bins.centres()))
    # Untrained, all bins are equally likely: the mean of all colours, with maximal uncertainty.
    np.testing.assert_allclose(outputs["ab"][0, 0, 0], ab_bins.centres().mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(outputs[heads.UNCERTAINTY], 1, atol=1e-5)


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, 0.75), (0.5, 0.9), (0.1, 1.0)])
def test_temperature_sharpens_towards_likeliest_colour(temperature, expected):
    colorizer = build.build_model(build.Shape(4, 4, 16, "classification", temperature))
    _, bias = colorizer.get_layer(heads.COLOUR_HEAD).weights
    scores = np.full(len(ab_bins.centres()), -30.0)
    scores[[7, 200]] = np.log(0.25), np.log(0.75)
    bias.assign(scores)
    ab = np.asarray(colorizer(_lightness(1, 32, 32))["ab"])[0, 0, 0]
    seven, two_hundred = ab_bins.centres()[[7, 200]]
    np.testing.assert_allclose(ab, expected * two_hundred + (1 - expected) * seven, atol=1e-2)


def test_untrained_regression_is_gray_with_low_confidence():
    outputs = build.build_model(build.Shape(4, 4, 2))(_lightness(1, 32, 32))
    assert np.all(np.asarray(outputs["ab"]) == 0)
    # All bins are equally likely.
    np.testing.assert_allclose(outputs[heads.UNCERTAINTY], 1, atol=1e-5)
    np.testing.assert_allclose(outputs["confidence"], np.exp(-1), atol=1e-5)


@pytest.mark.parametrize("head", heads.HEADS)
def test_outputs_stay_float32_under_mixed_precision(head):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        outputs = build.build_model(build.Shape(4, 4, 4, head)).output
    finally:
        keras.config.set_dtype_policy("float32")
    assert {name: value.dtype for name, value in outputs.items()} == dict.fromkeys(outputs, "float32")


def test_uncertainty_bins_are_centred_on_loss_pixels():
    colorizer = build.build_model(build.Shape(4, 4, 2))
    kernel = next(
        v for v in colorizer.variables if v.path == colorizer.get_layer(heads.UNCERTAINTY_HEAD).path + "/kernel"
    )
    kernel.assign(np.ones(kernel.shape))
    features = colorizer.get_layer(heads.COLOUR_HEAD).input
    bins = keras.Model(features, colorizer.get_layer(heads.UNCERTAINTY_HEAD).output)
    seen = []
    for row in range(4):
        spot = np.zeros((1, 4, 4, features.shape[-1]), np.float32)
        spot[:, row] = 1
        seen.append(np.abs(bins(spot) - bins(np.zeros_like(spot)))[0, 0].max() > 1e-6)
    assert seen == [True, True, True, False]  # around the second pixel
    assert slice(1, None, 2) == heads.UNCERTAINTY_PIXELS


def test_names_are_those_of_existing_bundles():
    outputs = build.build_model(build.Shape(4, 4, 2)).output
    assert set(outputs) == {"ab", "mean", "doubt_logits", "doubt", "confidence"}
    assert (heads.COLOUR_HEAD, heads.UNCERTAINTY_HEAD) == ("ab_head", "doubt_head")
