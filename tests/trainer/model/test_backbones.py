import keras
import numpy as np
import pytest

from photochrom import errors
from trainer.model import backbones
from trainer.model.backbones import Backbone

pytestmark = pytest.mark.job  # whole jobs or trainings

# For each network the index, among the network's layers, of the layer whose output is used at each stride.
TAPS = {
    "EfficientNetLite0": [28, 45, 97, 140],
    "InceptionResNetV2": [16, 260, 604, 779],
    "MobileNetV3Small": [19, 37, 111, 156],
    "EfficientNetV2B0": [20, 35, 151, 269],
    "VGG16": [9, 13, 17, 18],
    "ResNet50V2": [32, 78, 146, 189],
}


def _lightness(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 1)).astype(np.float32)


def test_unknown_backbone_is_refused_with_list():
    with pytest.raises(
        errors.UsageError, match=r"--backbone is ResNet, expected none or one of ConvNeXtBase.*Xception"
    ):
        backbones.check_name("ResNet")
    with pytest.raises(errors.UsageError, match="--backbone is NASNetMobile"):
        backbones.check_name("NASNetMobile")


@pytest.mark.parametrize("name", ["EfficientNetLite0", "MobileNetV3Small", "EfficientNetV2B0", "VGG16", "ResNet50V2"])
def test_backbones_take_small_pictures_of_any_shape(name):
    backbone = Backbone(name)
    *fine, coarse = backbone(_lightness(1, 32, 160))
    assert coarse.shape == (1, 3, 5, backbone.network.output_shape[-1])
    # About H/4, H/8 and H/16 of the 96 x 160 px that the network gets.
    assert [(round(24 / m.shape[1]), round(40 / m.shape[2])) for m in fine] == [(1, 1), (2, 2), (4, 4)]
    assert all(np.isfinite(features).all() for features in [*fine, coarse])


@pytest.mark.parametrize("name", TAPS)
def test_taps_are_inputs_of_each_halving(name):
    backbone = Backbone(name)
    outputs = [layer.output for layer in backbone.network.layers]
    found = [next(i for i, tensor in enumerate(outputs) if tensor is tap) for tap in backbone.features.outputs]
    assert found == TAPS[name]


def test_backbone_preprocesses_like_its_architecture():
    backbone = Backbone("ResNet50V2")
    white = np.full((1, 96, 96, 3), 255, np.float32)
    expected = backbone.network(keras.applications.resnet_v2.preprocess_input(white.copy()), training=False)
    np.testing.assert_allclose(backbone(np.full((1, 96, 96, 1), 100, np.float32))[-1], expected, atol=1e-3)


def test_upper_variables_exclude_normalisation():
    backbone = Backbone("MobileNetV3Small")
    paths = [variable.path for variable in backbone.upper_variables(0.33)]
    assert paths
    assert not [path for path in paths if "_bn" in path]
    assert all(path.rsplit("/", 2)[-2].startswith(("expanded_conv", "conv_1")) for path in paths)
