import numpy as np
import pytest

from photochrom.imaging.picture import Picture
from serving.copies import label
from serving.copies.raster import Raster

AB = np.full((2, 3, 2), (10, 20), np.float32)


def raster(depth: type = np.uint8, **options) -> Raster:
    random = np.random.default_rng(0)
    full = np.iinfo(depth).max
    pixels, alpha = (random.integers(0, full, (80, 120)).astype(depth) for _ in range(2))
    return Raster(Picture(pixels, alpha, "PNG", 80, 120), AB, depth, **options)


@pytest.mark.parametrize("style", label.CHOICES)
@pytest.mark.parametrize("keeps_alpha", [False, True])
def test_raster_rows_equal_the_whole(style, keeps_alpha):
    whole = raster(mark=label.make(style, "AI", 80, 120), keeps_alpha=keeps_alpha)
    height = whole.shape[0]
    pieces = [whole.rows(slice(top, min(top + 11, height))) for top in range(0, height, 11)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole.array())
    assert whole.array().shape == whole.shape


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_raster_is_opaque_below_the_label(depth):
    mark = label.make(label.CORNER, "AI", 80, 120)
    plain, marked = raster(depth).array(), raster(depth, mark=mark).array()
    covered = np.zeros((80, 120), bool)
    covered[mark.top :, mark.left :] = mark.opacity > 0
    assert covered.any()
    assert (marked[covered][:, 3] == np.iinfo(depth).max).all()
    np.testing.assert_array_equal(marked[~covered], plain[~covered])


def test_raster_composes_alpha_over_white():
    transparent = Picture(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), "PNG", 4, 4)
    assert (Raster(transparent, AB, keeps_alpha=False).array() == 255).all()


@pytest.mark.parametrize(("stored", "depth", "expected"), [(np.uint8, np.uint16, 0x4040), (np.uint16, np.uint8, 0x40)])
def test_raster_converts_alpha_to_its_depth(stored, depth, expected):
    value = 0x40 if stored == np.uint8 else 0x4040
    picture = Picture(np.zeros((4, 4), stored), np.full((4, 4), value, stored), "PNG", 4, 4)
    assert (Raster(picture, AB, depth).array()[:, :, 3] == expected).all()
