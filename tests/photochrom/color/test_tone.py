import cv2
import numpy as np
import pytest

from photochrom.color import cielab, gamut, tone


def measured(rgb: np.ndarray) -> tone.Tone:
    return tone.measure(cielab.rgb_to_lab(rgb))


def toned(rgb: np.ndarray, dark: tuple[int, int, int], light: tuple[int, int, int]) -> np.ndarray:
    gray = rgb.mean(axis=2, keepdims=True) / 255
    return (np.array(dark) * (1 - gray) + np.array(light) * gray).astype(np.uint8)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_measure_finds_colour_in_photographs(photographs, name):
    found = measured(photographs[name])
    assert not found.is_gray and not found.is_monochrome and found.teaches_color


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
@pytest.mark.parametrize(
    ("dark", "light"), [((40, 20, 5), (250, 225, 190)), ((5, 20, 60), (215, 235, 250))], ids=["sepia", "cyanotype"]
)
def test_measure_finds_toned_photographs_monochrome(photographs, name, dark, light):
    found = measured(toned(photographs[name], dark, light))
    assert found.is_monochrome and not found.is_gray and not found.teaches_color


def test_measure_finds_gray(photographs):
    found = measured(toned(photographs["coffee"], (0, 0, 0), (255, 255, 255)))
    assert found.is_gray and found.is_monochrome and not found.teaches_color
    assert found.chroma == pytest.approx(0, abs=0.01)


def test_measure_ignores_chroma_noise_of_gray_scans(photographs):
    noise = np.random.default_rng(0).normal(0, 6, photographs["coffee"].shape)
    gray = toned(photographs["coffee"], (10, 10, 10), (245, 245, 245))
    assert measured((gray + noise).clip(0, 255).astype(np.uint8)).is_gray


def faded(dull: float) -> np.ndarray:
    """A scene in brown and green, as in an early colour photograph: hues on both sides of the mean, little chroma."""
    y, x = np.mgrid[0 : 2 * np.pi : 200j, 0 : 3 * np.pi : 300j]
    lightness = 50 + 25 * np.sin(2 * y) * np.cos(x)
    ab = np.stack([4 * np.sin(3 * x + y), 10 + 3 * np.cos(2 * x - 3 * y)], axis=-1) * dull
    return gamut.lab_to_rgb(np.dstack([lightness, ab]).astype(np.float32))


def test_measure_finds_dull_colours_in_two_dimensions():
    found = measured(faded(1.0))
    assert not found.is_monochrome and found.across > 2
    assert measured(faded(0.3)).is_monochrome


def test_measure_finds_stained_prints_monochrome(photographs):
    """A strong brown stain moves colours along one line: far, but not across it."""
    print_ = toned(photographs["chelsea"], (40, 20, 5), (250, 225, 190)).astype(np.float32)
    stain = cv2.GaussianBlur(cv2.circle(np.zeros(print_.shape[:2], np.float32), (90, 90), 40, 1, -1), (0, 0), 8)
    found = measured((print_ * (1 - stain[..., None] * np.array([0.0, 0.25, 0.6]))).astype(np.uint8))
    assert found.is_monochrome and found.stray > 10 and found.across < 2


def test_measure_finds_one_strong_colour_toned():
    found = measured(np.full((50, 50, 3), (200, 30, 30), np.uint8))
    assert found.chroma > 60 and found.spread < 0.05 and found.is_monochrome


def test_measure_accepts_a_single_pixel():
    assert measured(np.uint8([[[10, 200, 30]]])).chroma > 50


def hasler(rgb: np.ndarray) -> float:
    """Written out from the paper, in float64."""
    red, green, blue = (rgb[..., i].astype(np.float64) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    return np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())


def test_colorfulness_matches_the_paper(photographs):
    for rgb in photographs.values():
        assert tone.colorfulness(rgb) == pytest.approx(hasler(rgb), rel=1e-5)


def test_colorfulness_of_gray_is_zero():
    assert tone.colorfulness(np.full((4, 4, 3), 77, np.uint8)) == 0
