import numpy as np
import pytest

from photochrom.color import cielab, gamut
from tests.support import reference_colour

# Half a level of 16-bit sRGB moves a* and b* by less than this, CIE units, in the darkest colours by most.
ROUNDING = 0.02


@pytest.fixture(scope="module")
def lattice():
    """Every 15th level of sRGB: [324, 18, 3] uint8."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, len(levels), 3)


@pytest.fixture(scope="module")
def wanted():
    """[200, 50, 3] L*a*b*, most of it outside the gamut."""
    return np.random.default_rng(0).uniform((2, -128, -128), (98, 127, 127), (200, 50, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def shown(wanted):
    """L*a*b* of the 16-bit pixels that are made of `wanted`."""
    return cielab.rgb_to_lab(gamut.lab_to_rgb(wanted, np.uint16) / 65535)


def is_shown_by_srgb(lab: np.ndarray) -> np.ndarray:
    linear = reference_colour.lab_to_linear(lab)
    return ((linear >= 0) & (linear <= 1)).all(axis=2)


def chroma(lab: np.ndarray) -> np.ndarray:
    return np.hypot(lab[..., 1], lab[..., 2])


def test_lab_to_rgb_inverts_rgb_to_lab(lattice):
    lab = cielab.rgb_to_lab(lattice)
    np.testing.assert_array_equal(gamut.lab_to_rgb(lab), lattice)
    np.testing.assert_allclose(gamut.lab_to_rgb(lab, np.uint16), lattice.astype(int) * 257, atol=2)


def test_lab_to_rgb_keeps_lightness_and_hue(wanted, shown):
    assert not is_shown_by_srgb(wanted).all()
    np.testing.assert_allclose(shown[:, :, 0], wanted[:, :, 0], atol=0.01)
    # On the same ray: the distance of (a*, b*) from it is 0, and the dot product is not negative.
    cross = shown[:, :, 1] * wanted[:, :, 2] - shown[:, :, 2] * wanted[:, :, 1]
    np.testing.assert_allclose(cross / chroma(wanted), 0, atol=ROUNDING)
    assert ((shown[:, :, 1:] * wanted[:, :, 1:]).sum(axis=2) >= -ROUNDING).all()


def test_lab_to_rgb_keeps_the_largest_chroma(wanted, shown):
    reduced = chroma(wanted) - chroma(shown) > ROUNDING
    more = wanted.copy()
    more[:, :, 1:] *= ((chroma(shown) + 0.1) / chroma(wanted))[:, :, None]
    assert reduced.any()
    assert not reduced[is_shown_by_srgb(wanted)].any()
    assert not is_shown_by_srgb(more)[reduced].any()


def test_lab_to_rgb_keeps_lightness_at_8_bits(wanted):
    moved = np.abs(cielab.rgb_to_lab(gamut.lab_to_rgb(wanted))[:, :, 0] - wanted[:, :, 0])
    assert moved.max() <= 0.5
