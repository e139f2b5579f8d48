import keras
import numpy as np
import pytest

from trainer.model import build
from trainer.model.backbones import Backbone

pytestmark = pytest.mark.job  # whole jobs or trainings


def _lightness(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 1)).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 4, 16])
def test_output_is_smaller_by_ab_stride(stride):
    outputs = build.build_model(build.Shape(4, 4, stride))(_lightness(1, 32, 64))
    assert outputs["ab"].shape == (1, 32 // stride, 64 // stride, 2)
    assert outputs["confidence"].shape == (1, 32 // stride, 64 // stride, 1)


def test_result_is_independent_of_batch():
    colorizer = build.build_model(build.Shape(4, 4, 2), Backbone("MobileNetV3Small", name="backbone"))
    for variable in colorizer.get_layer("ab_head").variables:
        variable.assign(np.random.default_rng(1).normal(0, 0.1, variable.shape))
    pictures = _lightness(3, 64, 64)
    together = colorizer(pictures, training=False)["ab"]
    np.testing.assert_allclose(colorizer(pictures[:1], training=False)["ab"][0], together[0], atol=1e-3)


def test_without_backbone_computes_the_same_from_maps():
    backbone = Backbone("MobileNetV3Small", name="backbone")
    colorizer = build.build_model(build.Shape(4, 4, 2), backbone)
    colorizer.get_layer("ab_head").kernel.assign(np.random.default_rng(1).normal(0, 0.1, (1, 1, 4, 2)))
    lightness = keras.ops.convert_to_tensor(_lightness(1, 64, 64))
    rest = build.without_backbone(colorizer)
    expected = colorizer(lightness, training=False)["ab"]
    np.testing.assert_allclose(rest([lightness, *backbone(lightness)], training=False)["ab"], expected, atol=1e-3)


@pytest.mark.parametrize(("head", "outputs"), [("regression", {"mean"}), ("classification", {"mean", "logits"})])
def test_colour_branch_has_outputs_of_colour_loss(head, outputs):
    assert set(build.colour_branch(build.build_model(build.Shape(4, 4, 2, head))).output) == outputs


def test_uncertainty_branch_continues_where_features_end():
    colorizer = build.build_model(build.Shape(4, 4, 2))
    colorizer.get_layer("doubt_head").bias.assign(np.arange(261))
    features, branch = build.uncertainty_branch(colorizer)
    lightness = _lightness(1, 32, 32)
    logits = branch(features(lightness, training=False), training=False)["doubt_logits"]
    np.testing.assert_allclose(logits, colorizer(lightness, training=False)["doubt_logits"], atol=1e-4)
