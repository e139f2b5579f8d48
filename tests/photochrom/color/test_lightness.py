"""L* of a copy equals L* of the scan, at 8 and at 16 bit, by the formula in double precision."""

import numpy as np
import pytest

from photochrom.color import cielab, compose
from photochrom.color.lightness import Lightness, to_lightness
from photochrom.imaging import resizing

# The most that L* may move: half a CIE unit at 8 bit, a hundredth at 16.
BARS = [(np.uint8, 0.5), (np.uint16, 0.01)]
# Linear sRGB to Y (IEC 61966-2-1, 7 digits after Lindbloom), written down once more.
_RGB_TO_Y = np.array([0.2126729, 0.7151522, 0.0721750])


def exact_lightness(pixels: np.ndarray) -> np.ndarray:
    linear = cielab.srgb_to_linear(pixels / np.iinfo(pixels.dtype).max)
    return cielab.luminance_to_lightness(linear @ _RGB_TO_Y if pixels.ndim == 3 else linear)


def moved(pixels: np.ndarray, ab: np.ndarray) -> float:
    rgb = compose.compose(Lightness(pixels)[:], ab, depth=pixels.dtype)
    assert rgb.dtype == pixels.dtype and rgb.shape == (*pixels.shape[:2], 3)
    return float(np.abs(exact_lightness(rgb) - exact_lightness(pixels)).max())


@pytest.mark.parametrize(("depth", "bar"), BARS)
@pytest.mark.parametrize("strength", [5, 40, 128])  # in gamut mostly, both, outside mostly
def test_compose_keeps_lightness_of_every_gray(depth, bar, strength):
    levels = np.arange(np.iinfo(depth).max + 1, dtype=depth)  # all of them
    gray = np.resize(levels, (4, 65536))
    ab = np.random.default_rng(strength).uniform(-strength, strength, (4, 65536, 2)).astype(np.float32)
    assert moved(gray, ab) <= bar


@pytest.mark.parametrize(("depth", "bar"), BARS)
@pytest.mark.parametrize("darker", [1, 40])
def test_compose_keeps_lightness_of_every_tone(depth, bar, darker):
    random = np.random.default_rng(darker)
    toned = (random.integers(0, np.iinfo(depth).max + 1, (500, 300, 3)) // darker).astype(depth)
    assert moved(toned, random.uniform(-100, 100, (500, 300, 2)).astype(np.float32)) <= bar


@pytest.mark.parametrize(("depth", "bar"), BARS)
@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_compose_keeps_lightness_of_photographs(photographs, depth, bar, name):
    toned = photographs[name].astype(np.uint32) * (np.iinfo(depth).max // 255)
    ab = np.random.default_rng(0).normal(0, 40, (20, 30, 2)).astype(np.float32)
    assert moved(toned.astype(depth), ab) <= bar
    assert moved(toned[..., 1].astype(depth), ab) <= bar


def test_compose_of_true_ab_returns_16_bits(photographs):
    rgb = photographs["chelsea"].astype(np.uint16) * 257
    lab = cielab.rgb_to_lab(rgb / 65535)
    back = compose.compose(np.ascontiguousarray(lab[:, :, 0]), lab[:, :, 1:], depth=np.uint16)
    assert np.abs(back.astype(int) - rgb).max() <= 4


def test_lightness_rows_equal_the_whole():
    toned = np.random.default_rng(0).integers(0, 65536, (50, 20, 3)).astype(np.uint16)
    lightness = Lightness(toned)
    assert lightness.shape == (50, 20)
    np.testing.assert_array_equal(lightness[10:20], np.asarray(lightness)[10:20])
    np.testing.assert_array_equal(lightness[10:20, 3:5], np.asarray(lightness)[10:20, 3:5])
    np.testing.assert_allclose(lightness[:], exact_lightness(toned), atol=1e-3)


@pytest.mark.parametrize("size", [(7, 5), (50, 20), (20, 20), (80, 30), (80, 5)])
def test_lightness_resized_equals_the_whole_resized(size):
    lightness = Lightness(np.random.default_rng(0).integers(0, 65536, (50, 20)).astype(np.uint16))
    np.testing.assert_allclose(lightness.resized(*size), resizing.resize(lightness[:], *size), atol=1e-4)


def test_to_lightness_agrees_with_rgb_to_lab(photographs):
    rgb = photographs["coffee"]
    np.testing.assert_allclose(to_lightness(rgb), cielab.rgb_to_lab(rgb)[:, :, 0], atol=0.01)
