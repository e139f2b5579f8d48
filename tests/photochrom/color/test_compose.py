import numpy as np

from photochrom.color import cielab, compose
from photochrom.color.lightness import to_lightness


def test_compose_keeps_lightness_under_any_colour(photographs):
    lightness = to_lightness(photographs["coffee"])
    ab = np.random.default_rng(0).uniform(-128, 127, (25, 37, 2)).astype(np.float32)
    rgb = compose.compose(lightness, ab)
    assert np.abs(to_lightness(rgb) - lightness).max() <= 0.5


def test_compose_of_true_ab_returns_the_photograph(photographs):
    rgb = photographs["chelsea"]
    lab = cielab.rgb_to_lab(rgb)
    np.testing.assert_array_equal(compose.compose(np.ascontiguousarray(lab[:, :, 0]), lab[:, :, 1:]), rgb)


def test_compose_in_bands_has_no_seam(monkeypatch):
    random = np.random.default_rng(0)
    lightness = random.uniform(0, 100, (37, 20)).astype(np.float32)
    ab = random.uniform(-50, 50, (5, 4, 2)).astype(np.float32)
    whole = compose.compose(lightness, ab)
    monkeypatch.setattr(compose, "_BAND_PIXELS", 60)
    np.testing.assert_array_equal(compose.compose(lightness, ab), whole)


def test_compose_without_colour_is_gray():
    lightness = np.linspace(0, 100, 256, dtype=np.float32)[None]
    rgb = compose.compose(lightness, np.zeros((1, 1, 2), np.float32))
    assert (np.ptp(rgb, axis=2) <= 1).all()  # the white point of the matrix is rounded


def test_compose_saturation_scales_chroma():
    lightness, ab = np.full((4, 4), 60, np.float32), np.full((4, 4, 2), (10, 20), np.float32)
    lab = cielab.rgb_to_lab(compose.compose(lightness, ab, saturation=0.5, depth=np.uint16) / 65535)
    np.testing.assert_allclose(lab, np.full((4, 4, 3), (60, 5, 10)), atol=0.01)
