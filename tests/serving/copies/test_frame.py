import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from serving.copies.frame import Frame


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    image = Image.fromarray(stored)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_point_follows_the_pixels(orientation):
    stored = np.zeros((5, 7), np.uint8)
    stored[1, 4] = 255
    turned = upright(stored, orientation)
    ((row, column),) = np.argwhere(turned)
    height, width = turned.shape
    frame = Frame(width, height, orientation)
    assert frame.stored == (7, 5)
    assert frame.point(4.5, 1.5) == (column + 0.5, row + 0.5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_follows_the_pixels(orientation):
    stored = np.zeros((5, 7), np.uint8)
    stored[1:3, 3:6] = 255
    turned = upright(stored, orientation)
    rows, columns = np.nonzero(turned)
    frame = Frame(*turned.shape[::-1], orientation)
    left, top, width, height = frame.box(3, 1, 3, 2)
    assert (left, top, left + width, top + height) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize(
    ("frame", "is_same"), [(Frame(3, 2), True), (Frame(3, 2, 2), False), (Frame(3, 2, added_rows=1), False)]
)
def test_frame_is_same_without_turn_and_border(frame, is_same):
    assert frame.is_same is is_same
