import numpy as np

from photochrom.color import ab_bins, cielab


def test_in_gamut_covers_all_of_srgb():
    random = np.random.default_rng(0)
    ab = cielab.rgb_to_lab(random.integers(0, 256, (300, 300, 3), dtype=np.uint8))[:, :, 1:]
    a, b = (np.rint(ab / ab_bins.WIDTH).astype(int) - (ab_bins.A_CENTRES[0] // 10, ab_bins.B_CENTRES[0] // 10)).T
    assert a.min() >= 0 and a.max() < len(ab_bins.A_CENTRES)
    assert b.min() >= 0 and b.max() < len(ab_bins.B_CENTRES)
    assert ab_bins.in_gamut()[a, b].all()


def test_centres_are_numbered_along_b_first():
    # Zhang 2016 counts 313 on a looser gamut; rounding a lattice of sRGB alone leaves 261.
    assert ab_bins.centres().shape == (261, 2)
    assert ab_bins.in_gamut().sum() == 261
    assert (np.lexsort(ab_bins.centres().T[::-1]) == np.arange(261)).all()


def test_nearest_bin_of_a_bin_is_itself():
    assert (ab_bins.nearest()[ab_bins.in_gamut()] == np.arange(261)).all()


def test_nearest_bin_of_a_square_outside_gamut():
    corner = np.array([ab_bins.A_CENTRES[-1], ab_bins.B_CENTRES[0]])
    distances = np.square(ab_bins.centres() - corner).sum(axis=1)
    assert ab_bins.nearest()[-1, 0] == distances.argmin()


def test_nearest_to_is_the_bin_around_a_colour():
    offsets = np.random.default_rng(0).uniform(-4.9, 4.9, (7, 261, 2))
    numbers = ab_bins.nearest_to(ab_bins.centres() + offsets)
    assert numbers.dtype == np.int32
    assert (numbers == np.arange(261)).all()


def test_nearest_to_beyond_the_grid_is_its_edge():
    assert ab_bins.centres()[ab_bins.nearest_to(np.array([[500.0, -500.0], [-500.0, 0.0]]))].tolist() == [
        [80, -110],
        ab_bins.centres()[ab_bins.nearest()[0, 11]].tolist(),
    ]
