import numpy as np
import pytest

from photochrom.color import smoothing


@pytest.fixture
def two_surfaces() -> tuple[np.ndarray, np.ndarray]:
    """L* of a dark and a light half at four times the size, and their blue and yellow."""
    lightness = np.full((96, 128), 30, np.float32)
    lightness[:, 64:] = 70
    ab = np.empty((24, 32, 2), np.float32)
    ab[:, :16], ab[:, 16:] = (5, -30), (0, 40)
    return lightness, ab


def test_smooth_evens_out_a_surface(two_surfaces):
    lightness, ab = two_surfaces
    uneven = ab + np.random.default_rng(0).normal(0, 4, ab.shape).astype(np.float32)
    error = smoothing.smooth(uneven, lightness) - ab
    assert error.std() < 1.2
    assert np.abs(error[:, 14:18]).max() < 5


def test_smooth_mixes_nothing_across_edges(two_surfaces):
    lightness, ab = two_surfaces
    np.testing.assert_allclose(smoothing.smooth(ab, lightness), ab, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_smooth_accepts_small_pictures(shape):
    ab = np.full((*shape, 2), 12, np.float32)
    found = smoothing.smooth(ab, np.full((9, 50), 40, np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ab, rtol=1e-5)
