import numpy as np
import pytest

from photochrom.model import working_size


@pytest.mark.parametrize("image_size", [32, 64, 160, 256, 512])
def test_working_shapes_are_few_and_alike(image_size):
    shapes = working_size.working_shapes(image_size)
    assert (image_size, image_size) in shapes
    assert all(height % 32 == 0 and width % 32 == 0 for height, width in shapes)
    assert {(w, h) for h, w in shapes} == set(shapes)
    assert len(shapes) <= 33
    assert max(h * w for h, w in shapes) <= 1.6 * image_size**2


@pytest.mark.parametrize(
    "size", [(480, 640), (640, 480), (1000, 1000), (100, 5000), (5000, 100), (1, 1), (1, 4000), (3, 2), (7001, 4999)]
)
@pytest.mark.parametrize("ab_stride", [1, 2, 4])
def test_working_size_keeps_the_aspect_ratio(size, ab_stride):
    shape, inner = working_size.working_size(*size, 256, ab_stride)
    most = [side - 2 * working_size.MARGIN for side in shape]
    assert tuple(most) in working_size.working_shapes(256)
    assert 0 < inner[0] <= most[0] and 0 < inner[1] <= most[1]
    assert inner[0] % ab_stride == 0 and inner[1] % ab_stride == 0
    scale = max(inner) / max(size)
    for got, wanted in zip(inner, size, strict=True):
        assert got == pytest.approx(wanted * scale, abs=ab_stride)


def test_working_size_of_usual_shapes_is_mostly_picture():
    for size in [(3, 4), (2, 3), (4, 5), (1, 1), (9, 16), (4, 3)]:
        shape, inner = working_size.working_size(size[0] * 500, size[1] * 500, 256, 2)
        filled = [side - 2 * working_size.MARGIN for side in shape]
        assert inner[0] * inner[1] >= 0.8 * filled[0] * filled[1], size


@pytest.mark.parametrize(
    ("size", "shape"), [((256, 256), (288, 288)), ((224, 4), (256, 64)), ((1, 33), (64, 96)), ((32, 64), (64, 96))]
)
def test_padded_shape_holds_picture_and_margin(size, shape):
    assert working_size.padded_shape(*size) == shape


def test_pad_by_reflection_repeats_as_often_as_needed():
    padded = working_size.pad_by_reflection(np.array([[1, 2], [3, 4]]), (64, 64))
    assert padded.shape == (64, 64)
    assert padded[16, 14:24].tolist() == [2, 1, 1, 2, 2, 1, 1, 2, 2, 1]
    assert padded[14:24, 16].tolist() == [3, 1, 1, 3, 3, 1, 1, 3, 3, 1]


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16])
def test_cut_returns_the_picture(stride):
    pixels = np.random.default_rng(0).uniform(0, 100, (48, 80, 1))
    padded = working_size.pad_by_reflection(pixels, working_size.padded_shape(48, 80))
    found = working_size.cut(padded[::stride, ::stride], (48, 80), stride)
    np.testing.assert_array_equal(found, pixels[::stride, ::stride])
