import numpy as np
import pytest

from photochrom.model import ensemble


def _model(shift: float = 0.0):
    """A model of stride 2 whose ab is the lightness; its left half has an error of `shift`."""

    def predict(lightness):
        small = lightness.reshape(len(lightness), lightness.shape[1] // 2, 2, -1, 2).mean(axis=(2, 4))[..., None]
        wrong = np.where(np.arange(small.shape[2]) < small.shape[2] // 2, shift, 0)[:, None]
        return np.concatenate([small + wrong, small], axis=-1).astype(np.float32), np.full_like(small, 0.5)

    return predict


@pytest.fixture
def lightness():
    y, x = np.mgrid[:64, :96]
    return np.stack([x + y, 150 - x])[..., None].astype(np.float32)


def test_average_preserves_correct_answers(lightness):
    ab, confidence = ensemble.average(_model(), lightness)
    expected, _ = _model()(lightness)
    assert ab.shape == (2, 32, 48, 2)
    assert ab.dtype == confidence.dtype == np.float32
    # Bilinear interpolation holds the value at the border.
    np.testing.assert_allclose(ab[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], atol=1e-3)
    np.testing.assert_allclose(confidence, 0.5)


def test_average_halves_errors_of_one_orientation(lightness):
    right, _ = _model()(lightness)
    alone, _ = _model(shift=8)(lightness)
    averaged, _ = ensemble.average(_model(shift=8), lightness)
    error = [np.abs(ab - right)[:, 2:-2, 2:-2, 0].max() for ab in (alone, averaged)]
    assert error == pytest.approx([8, 4], abs=0.01)


def test_views_have_valid_sizes(lightness):
    shapes = [(view.shape[1:3], mirrored) for view, mirrored in ensemble.views(lightness)]
    assert shapes == [((64, 96), False), ((64, 96), True), ((64, 128), False), ((64, 128), True)]
