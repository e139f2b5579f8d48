import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle
from tests.support.training import INFO
from trainer.model import build
from trainer.model.backbones import Backbone
from trainer.model.calibrated import Calibration
from trainer.training import export, warm_start

pytestmark = pytest.mark.job  # whole jobs or trainings


@pytest.fixture
def colorizer():
    built = build.build_model(build.Shape(4, 4, 2))
    built.get_layer("ab_head").kernel.assign(keras.random.normal((1, 1, 4, 2), seed=0))
    return built


def test_bundle_serves_the_signature_at_any_shape(colorizer, tmp_path):
    made = export.export_bundle(colorizer, tmp_path / "bundle", INFO)
    serve = tf.saved_model.load(made.saved_model).signatures["serving_default"]
    assert {name: (spec.dtype, spec.shape[-1]) for name, spec in serve.structured_outputs.items()} == {
        "ab": (tf.float32, 2),
        "confidence": (tf.float32, 1),
    }
    lightness = np.random.default_rng(0).uniform(0, 100, (3, 32, 160, 1)).astype(np.float32)
    answer = serve(lightness=tf.constant(lightness))
    np.testing.assert_allclose(answer["ab"], colorizer(lightness, training=False)["ab"], atol=1e-3)
    assert np.all((np.asarray(answer["confidence"]) > 0) & (np.asarray(answer["confidence"]) < 1))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bundle"]
    assert made.info["signature"]["outputs"]["ab"]["shape"] == ["B", "H/2", "W/2", 2]


def test_correction_is_part_of_the_graph(colorizer, tmp_path):
    correction = Calibration(0.8)
    correction.mean.assign(0.5)
    correction.offset.assign([1.0, 2.0])
    made = export.export_bundle(colorizer, tmp_path / "bundle", INFO, correction)
    lightness = np.random.default_rng(0).uniform(0, 100, (2, 64, 96, 1)).astype(np.float32)
    own = colorizer(lightness, training=False)["ab"]
    served = tf.saved_model.load(made.saved_model).signatures["serving_default"](lightness=tf.constant(lightness))["ab"]
    np.testing.assert_allclose(served, correction(own), atol=1e-3)
    assert np.abs(served - own).max() > 1
    # Another run starts from the network alone.
    again = build.build_model(build.Shape(4, 4, 2))
    warm_start.load_weights(again, [made])
    np.testing.assert_allclose(again(lightness, training=False)["ab"], own, atol=1e-3)


def test_differing_export_is_not_published(colorizer, tmp_path):
    with pytest.raises(errors.PhotochromError, match=r"the exported model differs .* in ab at 64x64 px, .*no bundle"):
        export.export_bundle(colorizer, tmp_path / "bundle", INFO, tolerance=-1)
    with pytest.raises(errors.UsageError, match="no model bundle"):
        bundle.open_bundle(str(tmp_path / "bundle"))


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_model_of_mixed_precision_is_exported_in_float32(mixed_precision, colorizer, tmp_path):
    lightness = np.random.default_rng(0).uniform(0, 100, (1, 64, 64, 1)).astype(np.float32)
    mixed = np.asarray(colorizer(lightness, training=False)["ab"])
    made = export.export_bundle(colorizer, tmp_path / "bundle", INFO)
    served = tf.saved_model.load(made.saved_model).signatures["serving_default"](lightness=tf.constant(lightness))["ab"]
    assert mixed.dtype == served.dtype == np.float32
    assert 0 < np.abs(mixed - served).max() < 20  # bfloat16 has 8 bits


def test_float32_reaches_into_the_backbone(mixed_precision):
    built = build.build_model(build.Shape(4, 4, 2), Backbone("MobileNetV3Small", name="backbone"))
    assert built.get_layer("backbone").network.get_layer("conv").compute_dtype == "bfloat16"
    export.compute_in_float32(built)
    backbone = built.get_layer("backbone")
    layers = [built, *built.layers, backbone.network, *backbone.network.layers, backbone.features]
    assert {layer.compute_dtype for layer in layers} == {"float32"}
