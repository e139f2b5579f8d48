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
def test_rgb_to_lab_of_the_primaries(rgb, lab):
    assert cielab.rgb_to_lab(np.uint8([[rgb]]))[0, 0] == pytest.approx(lab, abs=0.02)
    assert cielab.rgb_to_lab(np.float64([[rgb]]) / 255)[0, 0] == pytest.approx(lab, abs=0.02)


def test_rgb_to_lab_agrees_with_scikit_image(lattice):
    np.testing.assert_allclose(cielab.rgb_to_lab(lattice), skimage.color.rgb2lab(lattice), atol=0.03)


def test_rgb_to_lab_stays_within_stated_range(lattice):
    lab = cielab.rgb_to_lab(lattice)
    assert (lab.min(axis=(0, 1)) >= (-0.01, -87, -108)).all()
    assert (lab.max(axis=(0, 1)) <= (100.01, 99, 95)).all()
    assert lab.dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 4, 4), (4, 4)])
def test_rgb_to_lab_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"expected \[H, W, 3\]"):
        cielab.rgb_to_lab(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_to_lightness_agrees_with_rgb_to_lab(dtype):
    full = np.iinfo(dtype).max
    gray = (np.arange(256) * (full // 255)).astype(dtype)[None]
    of_rgb = cielab.rgb_to_lab(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))[:, :, 0]
    np.testing.assert_allclose(cielab.gray_to_lightness(gray), of_rgb, atol=0.01)


def test_luminance_to_lightness_of_middle_gray():
    # CIE 15:2004: Y = 0.18418651851 is L* 50.
    assert cielab.luminance_to_lightness(np.array(0.18418651851)) == pytest.approx(50, abs=1e-6)
