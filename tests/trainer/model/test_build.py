import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.color import ab_bins
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.data.stream import TrainStream
from trainer.model import backbones, build, heads
from trainer.model.backbones import Backbone
from trainer.training import loop, losses


def _lightness(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 1)).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 4, 16])
def test_output_is_smaller_by_ab_stride(stride):
    outputs = build.build_model(build.Shape(4, 4, stride))(_lightness(1, 32, 64))
    assert outputs["ab"].shape == (1, 32 // stride, 64 // stride, 2)
    assert outputs["confidence"].shape == (1, 32 // stride, 64 // stride, 1)


def test_classification_answers_from_within_the_colours_of_srgb():
    outputs = build.build_model(build.Shape(4, 4, 4, "classification", 0.4))(_lightness(1, 32, 64))
    assert outputs["ab"].shape == (1, 8, 16, 2)
    assert outputs["logits"].shape == (1, 8, 16, len(ab_bins.centres()))
    # Untrained, every bin is as likely as any other: the mean of all colours, and no idea which.
    np.testing.assert_allclose(outputs["ab"][0, 0, 0], ab_bins.centres().mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(outputs["doubt"], 1, atol=1e-5)


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, 0.75), (0.5, 0.9), (0.1, 1.0)])
def test_temperature_sharpens_towards_the_likeliest_colour(temperature, expected):
    colorizer = build.build_model(build.Shape(4, 4, 16, "classification", temperature))
    _, bias = colorizer.get_layer("ab_head").weights
    scores = np.full(len(ab_bins.centres()), -30.0)
    scores[[7, 200]] = np.log(0.25), np.log(0.75)
    bias.assign(scores)
    ab = np.asarray(colorizer(_lightness(1, 32, 32))["ab"])[0, 0, 0]
    seven, two_hundred = ab_bins.centres()[[7, 200]]
    np.testing.assert_allclose(ab, expected * two_hundred + (1 - expected) * seven, atol=1e-2)


def test_untrained_regression_answers_gray_with_little_confidence():
    outputs = build.build_model(build.Shape(4, 4, 2))(_lightness(1, 32, 32))
    assert np.all(np.asarray(outputs["ab"]) == 0)
    # Every bin is as likely as any other.
    np.testing.assert_allclose(outputs["doubt"], 1, atol=1e-5)
    np.testing.assert_allclose(outputs["confidence"], np.exp(-1), atol=1e-5)


def test_result_does_not_depend_on_the_rest_of_the_batch():
    colorizer = build.build_model(build.Shape(4, 4, 2), Backbone("MobileNetV3Small", name="backbone"))
    for variable in colorizer.get_layer("ab_head").variables:
        variable.assign(np.random.default_rng(1).normal(0, 0.1, variable.shape))
    pictures = _lightness(3, 64, 64)
    together = colorizer(pictures, training=False)["ab"]
    np.testing.assert_allclose(colorizer(pictures[:1], training=False)["ab"][0], together[0], atol=1e-3)


@pytest.mark.parametrize("head", heads.HEADS)
def test_what_is_answered_stays_float32_under_mixed_precision(head):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        outputs = build.build_model(build.Shape(4, 4, 4, head)).output
    finally:
        keras.config.set_dtype_policy("float32")
    assert {name: value.dtype for name, value in outputs.items()} == dict.fromkeys(outputs, "float32")


def test_colours_and_doubt_learn_apart(dataset):
    config = TrainConfig(data="", model_dir="", learning_rate=0.01)
    colorizer = build.build_model(build.Shape(4, 4, 2))
    phases = loop.make_phases(config, colorizer, TrainStream(Dataset(dataset), 4, 4, 0))
    batch = _tensors({"lightness": _lightness(1, 32, 32), "ab": np.full((1, 16, 16, 2), 20.0)})
    batch["weight"] = batch["ab"][..., :1]
    changed = []
    for phase in (phases[0], phases[-1]):
        before = [variable.numpy() for variable in colorizer.variables]
        loop.make_train_step(tf.distribute.get_strategy(), phase, config)(batch)
        pairs = zip(colorizer.variables, before, strict=True)
        changed.append({variable.path for variable, values in pairs if not np.array_equal(variable.numpy(), values)})
    colours, doubt = changed
    assert {"ab_head/kernel", "ab_head/bias"} <= colours
    assert {"doubt_head/kernel", "doubt_head/bias"} <= doubt
    assert len(doubt) == 5  # with a convolution and two averages; the bins start from zero and pass on no gradient yet
    assert not colours & doubt


def test_bins_for_doubt_stand_where_their_loss_looks():
    colorizer = build.build_model(build.Shape(4, 4, 2))
    kernel = next(v for v in colorizer.variables if v.path == colorizer.get_layer("doubt_head").path + "/kernel")
    kernel.assign(np.ones(kernel.shape))
    features = colorizer.get_layer("ab_head").input
    bins = keras.Model(features, colorizer.get_layer("doubt_head").output)
    seen = []
    for row in range(4):
        spot = np.zeros((1, 4, 4, features.shape[-1]), np.float32)
        spot[:, row] = 1
        seen.append(np.abs(bins(spot) - bins(np.zeros_like(spot)))[0, 0].max() > 1e-6)
    assert seen == [True, True, True, False]  # around the second pixel
    assert slice(1, None, 2) == heads.DOUBT_PIXELS


def test_unknown_backbone_is_answered_with_the_list():
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


def test_taps_are_the_maps_that_a_halving_starts_from():
    backbone = Backbone("EfficientNetLite0")
    names = [
        output._keras_history.operation.input._keras_history.operation.name for output in backbone.features.outputs
    ]
    assert names == ["b3_bn0", "b5_bn0", "b11_bn0", "head_bn"]


def test_backbone_preprocesses_as_its_architecture_does():
    backbone = Backbone("ResNet50V2")
    white = np.full((1, 96, 96, 3), 255, np.float32)
    expected = backbone.network(keras.applications.resnet_v2.preprocess_input(white.copy()), training=False)
    np.testing.assert_allclose(backbone(np.full((1, 96, 96, 1), 100, np.float32))[-1], expected, atol=1e-3)


@pytest.fixture
def eagerly():
    """Runs compiled functions op by op: for one step of a deep network tracing costs far more."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_inception_resnet_v2_trains_frozen_and_fine_tuned(eagerly, dataset):
    config = TrainConfig(data="", model_dir="", steps=1, fine_tune_steps=1, learning_rate=0.01, head="regression")
    backbone = Backbone("InceptionResNetV2", name="backbone")
    colorizer = build.build_model(build.Shape(4, 4, 4), backbone)
    frozen, fine_tuning, _ = loop.make_phases(config, colorizer, TrainStream(Dataset(dataset), 4, 4, 0))
    batch = {"lightness": _lightness(1, 64, 64), "ab": np.full((1, 16, 16, 2), 30.0), "weight": np.ones((1, 16, 16, 1))}
    batch = {name: tf.constant(values, tf.float32) for name, values in batch.items()}
    for phase in (frozen, fine_tuning):
        before = [variable.numpy() for variable in backbone.variables]
        step = loop.make_train_step(tf.distribute.get_strategy(), phase, config)
        assert np.isfinite(float(step(batch)["gradient_norm"]))
        changed = {
            variable.path
            for variable, values in zip(backbone.variables, before, strict=True)
            if not np.array_equal(values, variable.numpy())
        }
        allowed = (
            {variable.path for variable in backbone.upper_variables(config.fine_tune_share)}
            if phase is fine_tuning
            else set()
        )
        assert changed <= allowed
        assert bool(changed) == bool(allowed)


def test_fine_tuning_takes_the_upper_third_without_normalisation():
    backbone = Backbone("MobileNetV3Small")
    paths = [variable.path for variable in backbone.upper_variables(0.33)]
    assert paths
    assert not [path for path in paths if "_bn" in path]
    assert all(path.rsplit("/", 2)[-2].startswith(("expanded_conv", "conv_1")) for path in paths)


def _tensors(values):
    return {name: tf.constant(value, tf.float32) for name, value in values.items()}


BATCH = {"ab": np.array([[[[30.0, 0.0]], [[0.0, 4.0]]]]), "weight": np.array([[[[4.0]], [[1.0]]]])}


def test_losses_of_regression_by_hand():
    batch = {name: np.repeat(values, 2, axis=2) for name, values in BATCH.items()}
    gray, bins = np.zeros((1, 2, 2, 2)), np.zeros((1, 1, 1, len(ab_bins.centres())))
    outputs = {"ab": gray, "mean": gray, "doubt_logits": bins}
    terms = losses.losses(_tensors(batch), _tensors(outputs), rebalance=0.5, picture_weight=2.0)
    # Huber: 30 - 5 = 25 weighted by sqrt(4); 4**2 / 20 = 0.8; the mean is over 2 pixels of 2 channels.
    # The picture: log of the mean of 30**2 and 4**2, and of 2.
    assert float(terms["loss"][0]) == pytest.approx((2 * 25 + 0.8) / 4 + 2 * np.log(458 + 2))
    # Of bins that are all as likely.
    assert float(terms["doubt_loss"][0]) == pytest.approx(np.log(len(ab_bins.centres())))


def test_doubt_is_learned_from_the_pixels_that_its_bins_stand_at():
    truth = np.full((1, 4, 4, 2), -60.0)
    truth[:, 1::2, 1::2] = 30.0, -10.0
    shares = losses.soft_bins(_tensors({"ab": truth[:, 1::2, 1::2]})["ab"])
    outputs = _tensors({"ab": truth, "mean": truth}) | {"doubt_logits": tf.math.log(shares + 1e-12)}
    batch = _tensors({"ab": truth, "weight": truth[..., :1]})
    entropy = float(-tf.reduce_sum(shares * tf.math.log(shares + 1e-12), -1)[0, 0, 0])
    assert float(losses.losses(batch, outputs, 0.0, 0.0)["doubt_loss"][0]) == pytest.approx(entropy, abs=1e-4)


def test_observations_by_hand():
    ab = np.array([[[[15.0, 0.0]], [[0.0, 0.0]]]])
    outputs = {"ab": 2 * ab, "mean": ab}
    seen = {name: float(value[0]) for name, value in losses.observe(_tensors(BATCH), _tensors(outputs)).items()}
    gain = 10 * np.log10((458 + 2) / ((15**2 + 4**2) / 2 + 2))
    assert seen == pytest.approx({"chroma": 15, "true_chroma": 17, "gain": gain})


def test_cross_entropy_is_least_for_the_true_distribution():
    truth = tf.constant([[[[33.0, -12.0]]]])
    shares = losses.soft_bins(truth)
    right = {
        "logits": tf.math.log(shares + 1e-12),
        "ab": truth,
        "mean": truth,
    }
    wrong = {**right, "logits": tf.zeros_like(shares)}
    batch = {"ab": truth, "weight": tf.ones((1, 1, 1, 1))}
    least, most = (float(losses.losses(batch, outputs, 1.0, 0.0)["loss"][0]) for outputs in (right, wrong))
    assert least == pytest.approx(float(-tf.reduce_sum(shares * tf.math.log(shares + 1e-12))), abs=1e-4)
    assert most == pytest.approx(np.log(len(ab_bins.centres())), abs=1e-4)
