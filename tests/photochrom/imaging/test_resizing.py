import numpy as np
import pytest

from photochrom import errors
from photochrom.imaging import resizing


def test_center_square_is_the_middle():
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    assert (resizing.center_square(pixels, 100) == 255).all()
    assert (resizing.center_square(pixels.swapaxes(0, 1), 50) == 255).all()


def test_center_square_refuses_small_pictures():
    resizing.center_square(np.zeros((128, 400, 3), np.uint8), 256)
    with pytest.raises(errors.TooSmall, match="400x127 px, the shorter side has to be at least 128 px"):
        resizing.center_square(np.zeros((127, 400, 3), np.uint8), 256)


def test_resize_averages_areas_and_keeps_dtype():
    pixels = np.array([[0, 100], [200, 100]], np.uint8)
    assert resizing.resize(pixels, 1, 1).tolist() == [[100]]
    assert resizing.resize(pixels, 2, 2) is pixels
    assert resizing.resize(pixels.astype(np.float32), 4, 4).dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "size", "expected"), [((30, 60, 3), 20, (10, 20, 3)), ((60, 30), 90, (90, 45)), ((1, 300), 30, (1, 30))]
)
def test_fit_gives_the_longer_side_its_size(shape, size, expected):
    assert resizing.fit(np.zeros(shape, np.uint8), size).shape == expected
