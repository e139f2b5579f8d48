import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.model import bundle, loaded, signature

LIGHTNESS = np.linspace(0, 100, 2 * 32 * 64, dtype=np.float32).reshape(2, 32, 64, 1)


@pytest.fixture
def model(tmp_path):
    """Returns a function that saves and loads a network: named outputs from [B, H, W, 1] L*."""

    def make(outputs, name=signature.NAME):
        module = tf.Module()
        spec = tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)
        module.serve = tf.function(outputs, input_signature=[spec])
        tf.saved_model.save(module, str(tmp_path / "saved_model"), signatures={name: module.serve})
        return loaded.Model(bundle.seal(tmp_path, {"name": "tiny", "image_size": 32, "ab_stride": 2}))

    return make


def colorizer(ab_factor=1.0, confidence=0.5):
    def outputs(lightness):
        small = lightness[:, ::2, ::2]
        return {signature.AB: tf.concat([small, -small], -1) * ab_factor, signature.CONFIDENCE: small * 0 + confidence}

    return outputs


def test_predict_returns_ab_and_confidence(model):
    loaded_model = model(colorizer())
    for predict in (loaded_model.predict, loaded_model.predict_checked):
        ab, confidence = predict(LIGHTNESS)
        assert ab.shape == (2, 16, 32, 2) and confidence.shape == (2, 16, 32, 1)
        np.testing.assert_array_equal(ab[..., 0], LIGHTNESS[:, ::2, ::2, 0])
        assert (confidence == 0.5).all()


def test_features_returns_maps_in_order(model):
    maps = model(lambda lightness: {f"map_{i}": lightness[:, :: 2**i, :: 2**i] + i for i in range(11)})
    shapes = [one.shape[1:3] for one in maps.features(LIGHTNESS)]
    assert shapes == [(-(-32 // 2**i), -(-64 // 2**i)) for i in range(11)]


def test_path_with_wildcards_is_no_pattern(tmp_path):
    module = tf.Module()
    module.factor = tf.Variable(2.0)  # read by RestoreV2, which looks for files that match the path
    module.double = tf.function(lambda x: x * module.factor, input_signature=[tf.TensorSpec([], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    folder = (tmp_path / "saved").rename(tmp_path / "a [b]*?% {c}")
    assert float(loaded.load(str(folder), "bundle").double(3.0)) == 6


def test_damaged_variables_are_one_line(tmp_path):
    module = tf.Module()
    module.factor = tf.Variable(tf.ones([100]))
    tf.saved_model.save(module, str(tmp_path))
    (tmp_path / "variables/variables.data-00000-of-00001").write_bytes(b"x")
    with pytest.raises(errors.UsageError, match=r"^bundle cannot be loaded: .*; copy or export it again$") as refused:
        loaded.load(str(tmp_path), "bundle")
    assert "\n" not in str(refused.value)


def test_missing_signature_is_refused(model):
    with pytest.raises(errors.UsageError, match="has no signature 'serving_default'; export the model again"):
        model(colorizer(), name="train")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (colorizer(ab_factor=np.nan), "ab values that are not finite"),
        (colorizer(confidence=1.1), r"returned confidence from 1\.1\d* to 1\.1\d*, expected 0 to 1"),
        (colorizer(confidence=-0.1), "returned confidence from -0.1"),
        (colorizer(confidence=np.nan), "returned confidence from nan to nan"),
        (lambda lightness: {signature.AB: lightness}, r"the model failed: unexpected content \(KeyError\)"),
    ],
)
def test_predict_checked_refuses_invalid_outputs(model, outputs, message):
    with pytest.raises(errors.PhotochromError, match=message):
        model(outputs).predict_checked(LIGHTNESS)


def test_predict_checked_allows_rounding_of_confidence(model):
    assert model(colorizer(confidence=1.0005)).predict_checked(LIGHTNESS)


def test_predict_leaves_tensorflow_errors_to_the_caller(model):
    def outputs(lightness):
        with tf.control_dependencies([tf.debugging.assert_less(lightness, 50.0, message="too light")]):
            return colorizer()(lightness)

    failing = model(outputs)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too light"):
        failing.predict(LIGHTNESS)
    with pytest.raises(errors.PhotochromError, match=r"the model failed: .*too light"):
        failing.predict_checked(LIGHTNESS)
