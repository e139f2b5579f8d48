import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.data.stream import MAPS, TrainStream
from trainer.model import build
from trainer.model.backbones import Backbone
from trainer.training import loop, losses, phases

pytestmark = pytest.mark.job  # whole jobs or trainings


def _config(**settings):
    return TrainConfig(data="", model_dir="", **settings)


def _values(batch):
    return {name: tf.constant(values, tf.float32) for name, values in batch.items()}


def _lightness(*shape):
    return np.random.default_rng(0).uniform(0, 100, (*shape, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def stream(dataset):
    return TrainStream(Dataset(dataset), 4, 4, 0)


@pytest.fixture
def backbone():
    return Backbone("MobileNetV3Small", name="backbone")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("classification", [("backbone frozen", 7, "loss"), ("fine-tuning", 5, "loss")]),
        ("regression", [("backbone frozen", 7, "loss"), ("fine-tuning", 5, "loss"), ("confidence", 3, "doubt_loss")]),
    ],
)
def test_phases_depend_on_head(stream, head, expected):
    config = _config(steps=7, fine_tune_steps=5, confidence_steps=3, head=head)
    made = phases.make_phases(config, build.build_model(build.Shape(4, 4, 2, head)), stream)
    assert [(phase.name, phase.steps, phase.objective) for phase in made] == expected
    assert [phase.steps_done for phase in made] == [0] * len(made)


@pytest.mark.parametrize("share", [0.0, 0.33, 1.0])
def test_fine_tuning_adds_upper_layers_of_backbone(stream, backbone, share):
    model = build.build_model(build.Shape(4, 4, 2), backbone)
    frozen, tuning, uncertainty = phases.make_phases(_config(fine_tune_share=share), model, stream)
    inside = {id(variable) for variable in backbone.variables}
    added = [id(variable) for variable in tuning.variables[len(frozen.variables) :]]
    assert not inside & {id(variable) for variable in (*frozen.variables, *uncertainty.variables)}
    assert tuning.variables[: len(frozen.variables)] == frozen.variables
    assert added == [id(variable) for variable in backbone.upper_variables(share)]


def test_cached_features_replace_frozen_backbone_only(stream, backbone):
    features = object()
    model = build.build_model(build.Shape(4, 4, 2), backbone)
    model.get_layer("ab_head").kernel.assign(keras.random.normal((1, 1, 4, 2), seed=0))
    frozen, tuning, _ = phases.make_phases(_config(), model, stream, features)
    assert (frozen.stream.features, tuning.stream.features) == (features, None)
    batch = {"lightness": tf.constant(_lightness(2, 64, 64))}
    cached = {**batch, MAPS: tuple(backbone(batch["lightness"]))}
    np.testing.assert_allclose(frozen.forward(cached)["mean"], tuning.forward(batch)["mean"], atol=1e-3)


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_batch_norm_keeps_moving_averages(stream, frozen):
    config = _config(freeze_batch_norm=frozen)
    model = build.build_model(build.Shape(4, 4, 2))
    made = phases.make_phases(config, model, stream)
    batch = _values({"lightness": _lightness(1, 32, 32), "ab": np.full((1, 16, 16, 2), 20.0)})
    batch["weight"] = batch["ab"][..., :1]
    moving = [variable for variable in model.non_trainable_variables if "moving" in variable.name]
    changed = []
    for phase in made[:2]:
        before = [variable.numpy() for variable in moving]
        loop.make_train_step(tf.distribute.get_strategy(), phase, config)(batch)
        pairs = zip(moving, before, strict=True)
        changed.append(any(not np.array_equal(variable.numpy(), values) for variable, values in pairs))
    assert changed == [True, not frozen]


def test_averaged_weights_replace_latest_for_a_while(stream):
    config = _config(learning_rate=0.01, weight_average=0.5)
    phase = phases.make_phases(config, build.build_model(build.Shape(4, 4, 8)), stream)[0]
    values = []
    for _ in range(3):
        phase.optimizer.apply([tf.ones(variable.shape) for variable in phase.variables], phase.variables)
        values.append(phase.variables[0].numpy())
    with phase.averaged():
        np.testing.assert_allclose(phase.variables[0].numpy(), values[0] / 4 + values[1] / 4 + values[2] / 2, rtol=1e-5)
    np.testing.assert_array_equal(phase.variables[0].numpy(), values[2])


@pytest.mark.parametrize(("step", "share"), [(0, 0.01), (5, 1.0), (100, 0.01)])
def test_learning_rate_warms_up_then_decays(stream, step, share):
    config = _config(steps=100, learning_rate=0.02)
    optimizer = phases.make_phases(config, build.build_model(build.Shape(4, 4, 8)), stream)[0].optimizer
    optimizer.iterations.assign(step)
    assert float(optimizer.learning_rate) == pytest.approx(0.02 * share, rel=1e-4)


def test_weight_decay_changes_kernels_only(stream):
    config = _config(learning_rate=0.5, weight_decay=0.5)
    model = build.build_model(build.Shape(4, 4, 8))
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    phase = phases.make_phases(config, model, stream)[0]
    phase.optimizer.apply([tf.zeros(variable.shape) for variable in phase.variables], phase.variables)
    changed = {variable.name for variable in phase.variables if not np.all(np.asarray(variable) == 1)}
    assert changed == {"kernel"}
    assert {variable.name for variable in phase.variables} == {"kernel", "bias", "beta", "gamma"}


def test_colours_and_uncertainty_learn_apart(stream):
    config = _config(learning_rate=0.01)
    colorizer = build.build_model(build.Shape(4, 4, 2))
    made = phases.make_phases(config, colorizer, stream)
    batch = _values({"lightness": _lightness(1, 32, 32), "ab": np.full((1, 16, 16, 2), 20.0)})
    batch["weight"] = batch["ab"][..., :1]
    changed = []
    for phase in (made[0], made[-1]):
        before = [variable.numpy() for variable in colorizer.variables]
        loop.make_train_step(tf.distribute.get_strategy(), phase, config)(batch)
        pairs = zip(colorizer.variables, before, strict=True)
        changed.append({variable.path for variable, values in pairs if not np.array_equal(variable.numpy(), values)})
    colours, uncertainty = changed
    assert {"ab_head/kernel", "ab_head/bias"} <= colours
    assert {"doubt_head/kernel", "doubt_head/bias"} <= uncertainty
    assert len(uncertainty) == 5  # with a convolution and two averages; zero-initialised bins pass no gradient yet
    assert not colours & uncertainty
    assert made[-1].objective == losses.UNCERTAINTY


def test_inception_resnet_v2_trains_frozen_and_fine_tuned(eagerly, stream):
    config = _config(steps=1, fine_tune_steps=1, learning_rate=0.01, head="regression")
    backbone = Backbone("InceptionResNetV2", name="backbone")
    colorizer = build.build_model(build.Shape(4, 4, 4), backbone)
    frozen, fine_tuning, _ = phases.make_phases(config, colorizer, stream)
    batch = {"lightness": _lightness(1, 64, 64), "ab": np.full((1, 16, 16, 2), 30.0), "weight": np.ones((1, 16, 16, 1))}
    for phase in (frozen, fine_tuning):
        before = [variable.numpy() for variable in backbone.variables]
        step = loop.make_train_step(tf.distribute.get_strategy(), phase, config)
        assert np.isfinite(float(step(_values(batch))["gradient_norm"]))
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
