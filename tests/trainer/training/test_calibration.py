import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.model import build, heads
from trainer.model.calibrated import Calibration
from trainer.training import calibration


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    return build.build_model(build.Shape(4, 4, 8))


@pytest.mark.parametrize(
    ("ratio", "chroma", "factor"),
    [
        (0.85, 10.0, 1.7),
        (0.0, 10.0, 1.0),  # leaves the colours as trained
        (0.85, 0.0, 1.0),  # a gray model has no chroma to scale
    ],
)
def test_saturation_follows_chroma_ratio(model, ratio, chroma, factor):
    saturation = model.get_layer(heads.SATURATION).factor
    saturation.assign(3.0)
    seen = []

    def evaluate():
        seen.append(float(saturation))
        return {"chroma": chroma, "true_chroma": 20.0}

    calibration.set_saturation(model, ratio, evaluate)
    assert seen == [1.0]  # measured without an earlier factor
    assert float(saturation) == pytest.approx(factor)


def test_correction_has_strength_in_place_of_model(model):
    correction = Calibration()
    correction.strength.assign(3.0)
    calibration.set_saturation(model, 0.85, lambda: {"chroma": 10.0, "true_chroma": 20.0}, correction)
    assert correction.describe()["strength"] == pytest.approx(1.7)
    assert float(model.get_layer(heads.SATURATION).factor) == 1


def test_correction_is_fitted_to_colours_of_model(model):
    model.get_layer(heads.COLOUR_HEAD).kernel.assign(keras.random.normal((1, 1, 16, 2), 0, 0.01, seed=0))
    lightness = tf.random.stateless_uniform((4, 32, 32, 1), (0, 1), 0, 100)
    batch = {"lightness": lightness, "ab": 0.5 * model(lightness)["ab"] + [1.0, 2.0]}
    correction = Calibration()
    calibration.fit_correction(model, correction, [batch])
    found = correction.describe()
    assert (found["mean"], found["differences"]) == pytest.approx((0.5, 0.5), abs=1e-3)
    assert (found["offset_a"], found["offset_b"]) == pytest.approx((1, 2), abs=1e-2)


def test_error_scale_fits_line_and_returns_deviation(model):
    uncertainty = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    deviation = np.where(np.arange(8) % 8 < 4, 0.5, -0.5)[None, None, :, None]  # columns 0 and 4 are used
    error = 4 + 10 * uncertainty + deviation
    batch = {"lightness": tf.zeros((1, 64, 64, 1)), "ab": np.zeros((1, 8, 8, 2), np.float32)}
    outputs = {"ab": np.concatenate([error, 0 * error], -1).astype(np.float32), heads.UNCERTAINTY: uncertainty}
    found = calibration.fit_error_scale(model, lambda lightness: outputs, [batch])
    scale = model.get_layer(heads.ERROR_SCALE)
    used = uncertainty[:, ::4, ::4]
    expected = np.polyfit(used.ravel(), error[:, ::4, ::4].ravel(), 1)
    assert (float(scale.slope), float(scale.offset)) == pytest.approx(tuple(expected), rel=1e-4)
    assert found == pytest.approx(np.abs(np.polyval(expected, used) - error[:, ::4, ::4]).mean(), rel=1e-4)


def _batch(predicted, truth):
    """Returns a batch of flat pictures of these ab, and the model's outputs for it."""
    predicted, truth = (np.broadcast_to(np.float32(ab)[:, None, None], (len(ab), 4, 4, 2)) for ab in (predicted, truth))
    return {"lightness": predicted, "ab": truth}


def _predict(lightness):
    return {"ab": lightness, heads.MEAN: lightness}


def test_subsets_have_figures_of_their_own():
    batches = [
        _batch([(3, 0), (0, 0)], [(6, 0), (0, 10)]),
        _batch([(0, 20)], [(0, 10)]),
    ]
    found = calibration.measure_subsets(["street", "x" * 120, "street"], batches, _predict)
    assert list(found) == ["street", "x" * 100]
    assert found["street"] == pytest.approx(
        {
            "photographs": 2,
            # 10 log10 of the ratio of squared errors, each + 2
            "gain": (10 * np.log10(38 / 11) + 10 * np.log10(102 / 102)) / 2,
            "chroma_ratio": 23 / 16,
            "median_chroma_ratio": (0.5 + 2) / 2,
        },
        rel=1e-5,
    )
    assert found["x" * 100]["gain"] == 0


def test_largest_subsets_are_kept():
    count = 60
    batch = _batch([(1, 1)] * count, [(1, 1)] * count)
    found = calibration.measure_subsets([str(min(number, 58)) for number in range(count)], [batch], _predict)
    assert len(found) == 50 and next(iter(found)) == "58"
