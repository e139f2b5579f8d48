import numpy as np
import pytest

from photochrom import errors
from photochrom.imaging import stored_pixels


@pytest.mark.parametrize(
    ("bits", "values", "expected"),
    [
        (1, [0, 1], [0, 255]),
        (2, [0, 1, 2, 3], [0, 85, 170, 255]),
        (8, [0, 7, 255], [0, 7, 255]),
        (12, [0, 2048, 4095], [0, 32776, 65535]),
        (16, [0, 5, 65535], [0, 5, 65535]),
    ],
)
def test_scale_bits_keeps_black_and_full_value(bits, values, expected):
    scaled = stored_pixels.scale_bits(np.array([values], np.uint16), bits)
    assert scaled.tolist() == [expected]
    assert scaled.dtype == (np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (np.array([[0, 65535]], np.uint32), [[0, 65535]], "uint32 samples taken as 0..65535"),
        (np.array([[0, 7]], np.int32), [[0, 7]], "int32 samples taken as 0..65535"),
        (np.array([[0, 2**32 - 1]], np.uint32), [[0, 65535]], "uint32 samples taken as 0..4294967295"),
    ],
)
def test_scale_integers_infers_the_range(values, expected, note):
    scaled, notes = stored_pixels.scale_integers(values)
    assert (scaled.tolist(), notes) == (expected, (note,))


@pytest.mark.parametrize("values", [[-1, 5], [0, 70_000]])
def test_scale_integers_refuses_signed_ranges(values):
    with pytest.raises(errors.DecodeError, match="expected unsigned ones") as caught:
        stored_pixels.scale_integers(np.array([values], np.int32))
    assert caught.value.reason == "unsupported_depth"


@pytest.mark.parametrize(
    ("values", "expected", "full"),
    [
        ([0, 1], [0, 65535], 1),
        ([-0.05, 1.09], [0, 65535], 1),
        ([0, 200], [0, 51400], 255),
        ([0, 300], [0, 300], 65535),
        ([0, 70_000], [0, 65535], 65535),
    ],
)
def test_scale_floats_takes_the_smallest_range(values, expected, full):
    scaled, notes = stored_pixels.scale_floats(np.array([values], np.float32))
    assert (scaled.tolist(), notes) == ([expected], (f"floating point samples taken as 0..{full}",))


@pytest.mark.parametrize("values", [[-0.2, 1], [0, 80_000], [0, np.inf], [np.nan, 1]])
def test_scale_floats_refuses_other_ranges(values):
    with pytest.raises(errors.DecodeError) as caught:
        stored_pixels.scale_floats(np.array([values], np.float32))
    assert caught.value.reason == "unsupported_range"


def test_unassociate_divides_by_opacity():
    colour, alpha = np.array([[0, 64, 128]], np.uint8), np.array([[0, 128, 128]], np.uint8)
    assert stored_pixels.unassociate(colour, alpha).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(("channels", "has_alpha", "space"), [(1, False, "gray"), (2, True, "gray"), (4, True, "RGB")])
def test_of_channels_separates_opacity(channels, has_alpha, space):
    samples = stored_pixels.of_channels(np.zeros((2, 3, channels), np.uint8), has_alpha)
    assert samples.space == space
    assert (samples.alpha is not None) == has_alpha
