import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from trainer import backbones, loop, losses, model
from trainer.backbones import Backbone
from trainer.config import TrainConfig


def _lightness(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 1)).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 4, 16])
def test_output_is_smaller_by_ab_stride(stride):
    outputs = model.build_model(4, stride)(_lightness(1, 32, 64))
    assert outputs["ab"].shape == (1, 32 // stride, 64 // stride, 2)
    assert outputs["confidence"].shape == (1, 32 // stride, 64 // stride, 1)


def test_untrained_model_answers_gray_with_some_confidence():
    outputs = model.build_model(4, 2)(_lightness(1, 32, 32))
    assert np.all(np.asarray(outputs["ab"]) == 0)
    np.testing.assert_allclose(outputs["confidence"], 0.5, atol=1e-6)


def test_result_does_not_depend_on_the_rest_of_the_batch():
    colorizer = model.build_model(4, 2, Backbone("MobileNetV3Small", name="backbone"))
    for variable in colorizer.get_layer("ab_head").variables:
        variable.assign(np.random.default_rng(1).normal(0, 0.1, variable.shape))
    pictures = _lightness(3, 64, 64)
    together = colorizer(pictures, training=False)["ab"]
    np.testing.assert_allclose(colorizer(pictures[:1], training=False)["ab"][0], together[0], atol=1e-3)


def test_colour_learns_nothing_from_the_confidence_loss():
    colorizer = model.build_model(4, 2)
    with tf.GradientTape() as tape:
        error = tf.reduce_sum(colorizer(_lightness(1, 32, 32))["expected_error"])
    learning = [
        variable.path
        for variable, gradient in zip(
            colorizer.trainable_variables, tape.gradient(error, colorizer.trainable_variables), strict=True
        )
        if gradient is not None
    ]
    assert learning == ["doubt/kernel", "doubt/bias", "error_head/kernel", "error_head/bias"]


def test_unknown_backbone_is_answered_with_the_list():
    with pytest.raises(
        errors.UsageError, match=r"--backbone is ResNet, expected none or one of ConvNeXtBase.*Xception"
    ):
        backbones.check_name("ResNet")
    with pytest.raises(errors.UsageError, match="--backbone is NASNetMobile"):
        backbones.check_name("NASNetMobile")


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetV2B0", "VGG16", "ResNet50V2"])
def test_backbones_take_small_pictures_of_any_shape(name):
    backbone = Backbone(name)
    features = backbone(_lightness(1, 32, 160))
    assert features.shape == (1, 3, 5, backbone.network.output_shape[-1])
    assert np.isfinite(features).all()


def test_backbone_preprocesses_as_its_architecture_does():
    backbone = Backbone("ResNet50V2")
    white = np.full((1, 96, 96, 3), 255, np.float32)
    expected = backbone.network(keras.applications.resnet_v2.preprocess_input(white.copy()), training=False)
    np.testing.assert_allclose(backbone(np.full((1, 96, 96, 1), 100, np.float32)), expected, atol=1e-3)


@pytest.fixture
def eagerly():
    """Runs compiled functions op by op: for one step of a deep network tracing costs far more."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_inception_resnet_v2_trains_frozen_and_fine_tuned(eagerly):
    config = TrainConfig(data="", model_dir="", steps=1, fine_tune_steps=1, learning_rate=0.01)
    backbone = Backbone("InceptionResNetV2", name="backbone")
    colorizer = model.build_model(4, 4, backbone)
    frozen, fine_tuning = loop.make_phases(config, colorizer)
    batch = {"lightness": _lightness(1, 64, 64), "ab": np.full((1, 16, 16, 2), 30.0), "weight": np.ones((1, 16, 16, 1))}
    batch = {name: tf.constant(values, tf.float32) for name, values in batch.items()}
    for phase in (frozen, fine_tuning):
        before = [variable.numpy() for variable in backbone.variables]
        step = loop.make_train_step(tf.distribute.get_strategy(), colorizer, phase, rebalance=0.5)
        assert np.isfinite(float(step(batch)["gradient_norm"]))
        changed = {
            variable.path
            for variable, values in zip(backbone.variables, before, strict=True)
            if not np.array_equal(values, variable.numpy())
        }
        allowed = {variable.path for variable in backbone.upper_variables()} if phase is fine_tuning else set()
        assert changed <= allowed
        assert bool(changed) == bool(allowed)


def test_fine_tuning_takes_the_upper_third_without_normalisation():
    backbone = Backbone("MobileNetV3Small")
    paths = [variable.path for variable in backbone.upper_variables()]
    assert paths
    assert not [path for path in paths if "_bn" in path]
    assert all(path.rsplit("/", 2)[-2].startswith(("expanded_conv", "conv_1")) for path in paths)


def test_measures_by_hand():
    batch = {"ab": np.array([[[[30.0, 0.0]], [[0.0, 4.0]]]]), "weight": np.array([[[[4.0]], [[1.0]]]])}
    outputs = {"ab": np.zeros((1, 2, 1, 2)), "expected_error": np.full((1, 2, 1, 1), 10.0)}
    measures = {
        name: float(value[0])
        for name, value in losses.measure(
            {k: tf.constant(v, tf.float32) for k, v in batch.items()},
            {k: tf.constant(v, tf.float32) for k, v in outputs.items()},
            rebalance=0.5,
        ).items()
    }
    # Huber: 30 - 5 = 25 weighted by sqrt(4); 4**2 / 20 = 0.8; the mean is over 2 pixels of 2 channels.
    assert measures == pytest.approx(
        {"loss": (2 * 25 + 0.8) / 4, "confidence_loss": (20 + 6) / 2, "chroma": 0, "true_chroma": 17}
    )
