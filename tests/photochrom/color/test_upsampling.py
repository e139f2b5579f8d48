import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from photochrom.color import cielab
from photochrom.color.upsampling import Upsampler
from photochrom.imaging import resizing


def whole(ab, lightness):
    return Upsampler(ab, lightness).rows(0, len(lightness))


def area_average(ab, factor):
    return cv2.resize(ab, (ab.shape[1] // factor, ab.shape[0] // factor), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def coffee(photographs):
    """L* and ab of a real photograph whose sides divide by 12."""
    lab = cielab.rgb_to_lab(np.ascontiguousarray(photographs["coffee"][:396, :600]))
    return np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:])


@pytest.mark.parametrize("size", [(10, 10), (40, 30), (37, 103), (5, 30), (1, 1)])
def test_upsampler_keeps_constant_ab(size):
    ab = np.full((10, 10, 2), (12.5, -40), np.float32)
    lightness = np.random.default_rng(0).uniform(0, 100, size).astype(np.float32)
    upsampled = whole(ab, lightness)
    assert upsampled.shape == (*size, 2)
    assert upsampled.dtype == np.float32
    np.testing.assert_allclose(upsampled, np.broadcast_to((12.5, -40), (*size, 2)), atol=1e-3)


def test_upsampler_keeps_ab_of_full_size(coffee):
    lightness, ab = coffee
    np.testing.assert_array_equal(whole(ab, lightness), ab)


@pytest.mark.parametrize(("factor", "gain"), [(4, 0.2), (12, 0.2)])
def test_upsampler_edges_beat_bilinear_interpolation(coffee, factor, gain):
    lightness, ab = coffee
    small = area_average(ab, factor)
    steepness = sum(cv2.Sobel(ab, cv2.CV_32F, *axes)[..., c] ** 2 for axes in ((1, 0), (0, 1)) for c in (0, 1))
    edges = steepness >= np.quantile(steepness, 0.9)

    def error(upsampled):
        flat = np.full_like(lightness[edges], 50)
        return deltaE_ciede2000(np.c_[flat, upsampled[edges]], np.c_[flat, ab[edges]]).mean()

    bilinear = cv2.resize(small, lightness.shape[::-1], interpolation=cv2.INTER_LINEAR)
    assert error(whole(small, lightness)) < (1 - gain) * error(bilinear)


def test_upsampler_changes_colour_where_lightness_changes():
    truth = np.zeros((96, 96, 2), np.float32)
    truth[:, 43:] = (40, -20)
    lightness = np.where(np.arange(96) < 43, 30, 70) * np.ones((96, 1))
    upsampled = whole(area_average(truth, 12), lightness.astype(np.float32))
    assert np.abs(upsampled - truth)[:, [41, 42, 43, 44]].max() < 12  # bilinear interpolation is off by 20


def test_upsampler_adds_no_noise_from_unrelated_lightness(coffee):
    _, ab = coffee
    small = area_average(ab, 12)
    noise = np.random.default_rng(0).normal(50, 3, ab.shape[:2]).astype(np.float32)
    bicubic = resizing.resize(small, *ab.shape[:2])
    assert np.abs(whole(small, noise) - bicubic).mean() < 0.1 * np.abs(bicubic).mean()


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("small", [(33, 50), (35, 47)])
def test_upsampler_bands_equal_the_whole(coffee, rows, small):
    lightness, ab = coffee
    upsampler = Upsampler(resizing.resize(ab, *small), lightness)
    bands = [upsampler.rows(top, top + rows) for top in range(0, len(lightness), rows)]
    np.testing.assert_allclose(np.vstack(bands), upsampler.rows(0, len(lightness)), atol=1e-4)


@pytest.mark.parametrize("factor", [4, 12])
def test_upsampler_keeps_the_mean_of_each_px(coffee, factor):
    lightness, ab = coffee
    small = area_average(ab, factor)
    upsampled = whole(small, lightness)
    np.testing.assert_allclose(upsampled.mean((0, 1)), small.mean((0, 1)), atol=0.05)
    assert np.abs(area_average(upsampled, factor) - small).mean() < 0.3


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1), (3, 200), (2, 40000)])
@pytest.mark.parametrize("small", [(1, 1), (1, 9), (9, 1), (2, 70), (32, 32)])
def test_upsampler_accepts_thin_and_tiny_pictures(size, small):
    random = np.random.default_rng(0)
    ab = random.uniform(-100, 100, (*small, 2)).astype(np.float32)
    upsampled = whole(ab, random.uniform(0, 100, size).astype(np.float32))
    assert upsampled.shape == (*size, 2)
    assert np.isfinite(upsampled).all()


def test_upsampler_stays_finite_near_extremes():
    random = np.random.default_rng(0)
    ab = np.where(random.random((16, 16, 2)) < 0.5, -128, 127).astype(np.float32)
    lightness = np.where(random.random((200, 190)) < 0.5, -5, 130).astype(np.float32)  # beyond the range of L*
    upsampled = whole(ab, lightness)
    assert np.abs(upsampled).max() < 3 * 128
