import numpy as np
import pytest
import skimage.color

from photochrom.color import cielab

# Lindbloom, http://www.brucelindbloom.com, CIE Color Calculator: sRGB, D65, no adaptation.
GOLDEN = {
    (255, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 255, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 255): (32.2970, 79.1875, -107.8602),
    (255, 255, 0): (97.1393, -21.5537, 94.4780),
    (0, 255, 255): (91.1132, -48.0875, -14.1312),
    (255, 0, 255): (60.3242, 98.2343, -60.8249),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


@pytest.fixture(scope="module")
def lattice():
    """Every 15th level of sRGB: [324, 18, 3] uint8."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, len(levels), 3)


@pytest.mark.parametrize(("rgb", "lab"), GOLDEN.items())
def test_lab_of_the_primaries(rgb, lab):
    assert cielab.rgb_to_lab(np.uint8([[rgb]]))[0, 0] == pytest.approx(lab, abs=0.02)
    assert cielab.rgb_to_lab(np.float64([[rgb]]) / 255)[0, 0] == pytest.approx(lab, abs=0.02)


def test_lab_agrees_with_scikit_image(lattice):
    np.testing.assert_allclose(cielab.rgb_to_lab(lattice), skimage.color.rgb2lab(lattice), atol=0.03)


def test_lab_stays_within_the_stated_range(lattice):
    lab = cielab.rgb_to_lab(lattice)
    assert (lab.min(axis=(0, 1)) >= (-0.01, -87, -108)).all()
    assert (lab.max(axis=(0, 1)) <= (100.01, 99, 95)).all()
    assert lab.dtype == np.float32


def test_every_8_bit_colour_of_the_lattice_comes_back(lattice):
    np.testing.assert_array_equal(cielab.lab_to_rgb(cielab.rgb_to_lab(lattice)), lattice)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 4, 4), (4, 4)])
def test_lab_refuses_what_is_no_picture(shape):
    with pytest.raises(ValueError, match=r"expected \[H, W, 3\]"):
        cielab.rgb_to_lab(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_and_rgb_have_the_same_lightness(dtype):
    full = np.iinfo(dtype).max
    gray = (np.arange(256) * (full // 255)).astype(dtype)[None]
    of_rgb = cielab.rgb_to_lab(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))[:, :, 0]
    np.testing.assert_allclose(cielab.gray_to_lightness(gray), of_rgb, atol=0.01)


def test_lightness_alone_is_that_of_lab(lattice):
    np.testing.assert_allclose(cielab.rgb_to_lightness(lattice), cielab.rgb_to_lab(lattice)[:, :, 0], atol=0.01)


def test_middle_gray_has_the_lightness_of_the_formula():
    # CIE 15:2004: Y = 0.18418651851 is L* 50.
    assert cielab.luminance_to_lightness(np.array(0.18418651851)) == pytest.approx(50, abs=1e-6)


def outside_gamut() -> np.ndarray:
    random = np.random.default_rng(0)
    low, high = (2, -128, -128), (98, 127, 127)
    return random.uniform(low, high, (200, 50, 3)).astype(np.float32)


def test_fitted_colours_keep_lightness_and_hue_and_are_in_gamut():
    lab = outside_gamut()
    fitted = cielab.fit_to_gamut(lab)
    assert not cielab.is_in_gamut(lab).all()
    assert cielab.is_in_gamut(fitted).all()
    np.testing.assert_array_equal(fitted[:, :, 0], lab[:, :, 0])
    # a*, b* on the same ray: the cross product is 0 and the dot product is not negative.
    cross = fitted[:, :, 1] * lab[:, :, 2] - fitted[:, :, 2] * lab[:, :, 1]
    np.testing.assert_allclose(cross, 0, atol=0.02)
    assert ((fitted[:, :, 1:] * lab[:, :, 1:]).sum(axis=2) >= 0).all()


def test_fitted_colours_have_as_much_chroma_as_fits():
    lab = outside_gamut()
    fitted = cielab.fit_to_gamut(lab)
    moved = (fitted != lab).any(axis=2)
    more = fitted.copy()
    more[:, :, 1:] *= (1 + 0.1 / np.maximum(np.hypot(fitted[:, :, 1], fitted[:, :, 2]), 0.1))[:, :, None]
    assert moved.any()
    assert not cielab.is_in_gamut(more)[moved].any()


def test_colours_inside_the_gamut_are_left_alone(lattice):
    lab = cielab.rgb_to_lab(lattice)
    np.testing.assert_array_equal(cielab.fit_to_gamut(lab), lab)


def test_lightness_survives_rounding_to_8_bits():
    lab = outside_gamut()
    moved = np.abs(cielab.rgb_to_lab(cielab.lab_to_rgb(lab))[:, :, 0] - lab[:, :, 0])
    assert moved.max() <= 0.5
