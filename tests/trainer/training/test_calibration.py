import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.model import build, heads
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
