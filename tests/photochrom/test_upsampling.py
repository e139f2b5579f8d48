import cv2
import numpy as np
import pytest

from photochrom import upsampling


@pytest.mark.parametrize("size", [(40, 30), (101, 77), (12, 9)])
def test_bands_are_opencvs_bicubic_and_do_not_depend_on_the_cut(size):
    ab = np.random.default_rng(0).normal(0, 30, (12, 9, 2)).astype(np.float32)
    lightness = np.zeros(size, np.float32)
    upsampler = upsampling.Upsampler(ab, lightness)
    whole = upsampler.rows(0, size[0])
    np.testing.assert_allclose(whole, cv2.resize(ab, size[::-1], interpolation=cv2.INTER_CUBIC), atol=0.01)
    cut = [upsampler.rows(top, min(top + 7, size[0])) for top in range(0, size[0], 7)]
    np.testing.assert_array_equal(np.concatenate(cut), whole)
