"""The compiled loops against NumPy's double precision, tests/support/reference_colour.py."""

import hashlib
import os
import platform
import subprocess
import sys

import cv2
import numpy as np
import pytest

from photochrom.color import cielab, gamut, kernels
from photochrom.color.lightness import Lightness, to_lightness
from tests.support import reference_colour

# Most levels that a value is off, and the share of values that are off, at 8 and 16 bit. Where rounding decides a
# halving of the search for chroma otherwise, a colour moves by 1/4096 of its chroma.
BARS = [(np.uint8, 1, 1e-4), (np.uint16, 128, 0.02)]


def colours(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Returns [H, W, 3] float32 L*a*b*, about half of it outside the gamut."""
    return np.random.default_rng(seed).uniform((0, -60, -60), (100, 60, 60), (*shape, 3)).astype(np.float32)


def grid_of(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(-60, 60, (*shape, 9, 2)).astype(np.float32)


def off(found: np.ndarray, expected: np.ndarray) -> tuple[int, float]:
    distance = np.abs(found.astype(int) - expected.astype(int))
    return int(distance.max()), float((distance > 0).mean())


@pytest.mark.parametrize(("depth", "most", "share"), BARS)
def test_lab_to_rgb_agrees_with_double_precision(depth, most, share):
    lab = colours((60, 2100))  # blocks of 1024 px, and a rest
    expected = reference_colour.lab_to_rgb(lab, depth, gamut.tolerance(depth))
    found_most, found_share = off(gamut.lab_to_rgb(lab, depth), expected)
    assert found_most <= most and found_share <= share


@pytest.mark.parametrize(("depth", "most", "share"), BARS)
def test_compose_agrees_with_double_precision(depth, most, share):
    lightness, grid = colours((40, 2100))[..., 0], grid_of((7, 9))
    y, x = np.linspace(0, 6, 40).astype(np.float32), np.linspace(0, 8, 2100).astype(np.float32)
    rgb = np.empty((40, 2100, 3), depth)
    kernels.compose(np.ascontiguousarray(lightness), grid, y, x, np.float32(0.5), gamut.tolerance(depth), rgb)
    ab = 0.5 * reference_colour.read_grid(lightness, grid, y, x)
    expected = reference_colour.lab_to_rgb(np.dstack([lightness, ab]), depth, gamut.tolerance(depth))
    found_most, found_share = off(rgb, expected)
    assert found_most <= most and found_share <= share


@pytest.mark.parametrize("shape", [(7, 9), (1, 9), (7, 1), (1, 1), (2, 2)])
def test_read_grid_agrees_with_double_precision(shape):
    lightness = np.random.default_rng(0).uniform(-5, 105, (30, 50)).astype(np.float32)
    y, x = (np.linspace(0, side - 1, size).astype(np.float32) for side, size in zip(shape, (30, 50), strict=True))
    ab = np.empty((30, 50, 2), np.float32)
    kernels.read_grid(lightness, grid_of(shape), y, x, ab)
    np.testing.assert_allclose(ab, reference_colour.read_grid(lightness, grid_of(shape), y, x), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_to_lightness_agrees_with_double_precision(dtype, channels):
    full = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, full + 1, (50, 60, *channels)).astype(dtype)
    linear = cielab.srgb_to_linear(pixels / full)
    luminance = linear @ (0.2126729, 0.7151522, 0.0721750) if channels else linear
    np.testing.assert_allclose(to_lightness(pixels), cielab.luminance_to_lightness(luminance), atol=2e-4)


@pytest.mark.parametrize("size", [(7, 5), (50, 20), (49, 19), (1, 1), (50, 3)])
def test_reduced_lightness_is_the_area_average(size):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 20, 3)).astype(np.uint8)
    expected = cv2.resize(to_lightness(pixels), size[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(Lightness(pixels).resized(*size), expected, atol=1e-4)


def test_level_shares_are_averages_of_hats():
    lightness = np.random.default_rng(0).uniform(-5, 105, (12, 20)).astype(np.float32)
    shares = np.empty((4, 5, 9), np.float32)
    kernels.level_shares(lightness, shares)
    hats = np.maximum(0, 1 - np.abs(lightness.clip(0, 100)[..., None] * 0.08 - np.arange(9)))
    np.testing.assert_allclose(shares, hats.reshape(4, 3, 5, 4, 9).mean((1, 3)), atol=1e-5)


def test_kernels_stay_in_bounds_for_no_number():
    lab = np.full((2, 3, 3), np.nan, np.float32)
    assert not gamut.lab_to_rgb(lab).any()
    ab = np.empty((2, 3, 2), np.float32)
    places = np.zeros(3, np.float32)
    kernels.read_grid(lab[..., 0].copy(), grid_of((4, 4)), places, places, ab)


def test_curves_are_the_stated_polynomials():
    """The coefficients are those of Chebyshev interpolation; another precision or degree gives others."""
    for lowest, curve, found in (
        (0.0031308, lambda t: 1.055 * t ** (5 / 3) - 0.055, (kernels._E7, kernels._E6, kernels._E5, kernels._E4,
                                                             kernels._E3, kernels._E2, kernels._E1, kernels._E0)),
        (216 / 24389, lambda t: 116 * t ** (4 / 3) - 16, (kernels._L7, kernels._L6, kernels._L5, kernels._L4,
                                                          kernels._L3, kernels._L2, kernels._L1, kernels._L0)),
    ):  # fmt: skip
        fitted = np.polynomial.Chebyshev.interpolate(curve, 7, domain=[lowest**0.25, 1])
        expected = fitted.convert(kind=np.polynomial.Polynomial).coef[::-1]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def digest() -> str:
    """Returns the digest of some composed pixels and L*."""
    lab = colours((30, 1100))
    rgb = gamut.lab_to_rgb(lab, np.uint16)
    return hashlib.sha256(rgb.tobytes() + to_lightness(rgb).tobytes()).hexdigest()


def digest_of_a_process(**variables: str) -> str:
    """Returns the digest that a fresh process computes under some environment variables."""
    command = [sys.executable, "-c", f"import runpy; print(runpy.run_path({__file__!r})['digest']())"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout.strip()


def test_kernels_survive_damaged_files_of_compiled_code(tmp_path):
    assert digest_of_a_process(NUMBA_CACHE_DIR=str(tmp_path)) == digest()
    kept = list(tmp_path.rglob("*.nbc"))
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    assert kept and digest_of_a_process(NUMBA_CACHE_DIR=str(tmp_path)) == digest()


def test_kernels_compile_where_no_folder_is_writable():
    # No other locator than that of NUMBA_CACHE_DIR, which is not set: as in a read-only installation without a home.
    assert digest_of_a_process(NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator", NUMBA_CACHE_DIR="") == digest()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names a processor of that kind")
def test_kernels_give_same_bytes_on_old_processors(tmp_path):
    old = {"NUMBA_CPU_NAME": "nocona", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert digest_of_a_process(**old) == digest()
