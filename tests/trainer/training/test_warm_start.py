import pathlib

import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.model.bundle import Bundle
from trainer.config import TrainConfig
from trainer.model import build, heads
from trainer.training import warm_start

pytestmark = pytest.mark.job  # whole jobs or trainings

SHAPE = {"backbone": "none", "width": 4, "decoder_width": 6, "head": "classification"}
CONFIG = TrainConfig(data="lab", model_dir="run", init=("start",), learning_rate=0.02)


def _bundle(**changed):
    return Bundle(pathlib.Path("start"), {"image_size": 64, "ab_stride": 2, "settings": SHAPE, **changed})


def test_adopt_shape_takes_only_the_shape():
    adopted = warm_start.adopt_shape(CONFIG, [_bundle(settings={**SHAPE, "learning_rate": 0.5})])
    assert {name: getattr(adopted, name) for name in SHAPE} == SHAPE
    assert (adopted.learning_rate, adopted.data) == (0.02, "lab")


@pytest.mark.xdist_group("finished")
def test_load_weights_takes_mean_of_bundles(finished, tmp_path):
    model = build.build_model(build.Shape(8, 32, 2))
    warm_start.load_weights(model, [finished[1]])
    before = [variable.numpy() for variable in model.variables]
    for variable in model.variables:
        variable.assign(variable + 2.0)
    tf.train.Checkpoint(model=model).write(str(tmp_path / "saved_model/variables/variables"))
    warm_start.load_weights(model, [finished[1], Bundle(tmp_path, {})])
    saturation = id(model.get_layer(heads.SATURATION).factor)
    for variable, values in zip(model.variables, before, strict=True):
        expected = 1 if id(variable) == saturation else values + 1
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.xdist_group("finished")
def test_load_weights_resets_saturation(finished):
    settings = finished[1].info["settings"]
    model = build.build_model(build.Shape(settings["width"], settings["decoder_width"], 2))
    warm_start.load_weights(model, [finished[1]])
    assert np.abs(model.get_layer("ab_head").kernel.numpy()).max() > 0
    assert float(model.get_layer(heads.SATURATION).factor) == 1


@pytest.mark.xdist_group("finished")
@pytest.mark.parametrize("shape", [build.Shape(8, 8, 2, "classification"), build.Shape(4, 32, 2)])
def test_load_weights_refuses_other_network(finished, shape):
    with pytest.raises(errors.UsageError, match="does not fit the network"):
        warm_start.load_weights(build.build_model(shape), [finished[1]])
