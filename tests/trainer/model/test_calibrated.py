import numpy as np
import pytest
import tensorflow as tf

from trainer.model.calibrated import Calibration


def _pictures(count=6, seed=0):
    """Returns random ab pictures [B, 8, 8, 2] with different means."""
    random = np.random.default_rng(seed)
    return (random.normal(0, 12, (count, 1, 1, 2)) + random.normal(0, 8, (count, 8, 8, 2))).astype(np.float32)


def test_calibration_is_identity_until_set():
    ab = _pictures()
    np.testing.assert_allclose(Calibration()(ab), ab, atol=1e-5)


def test_fit_recovers_shrink_and_offset():
    ab, calibration = _pictures(), Calibration()
    mean = ab.mean(axis=(1, 2), keepdims=True)
    truth = 0.8 * (0.7 * ab + 0.3 * mean) + np.float32([2, -1])
    calibration.fit([(ab[:4], truth[:4]), (ab[4:], truth[4:])])  # batches of two sizes
    found = calibration.describe()
    assert found["mean"] == pytest.approx(0.8, abs=1e-4)
    assert found["differences"] == pytest.approx(0.8 * 0.7, abs=1e-4)
    assert (found["offset_a"], found["offset_b"]) == pytest.approx((2, -1), abs=1e-3)
    np.testing.assert_allclose(calibration(ab), truth, atol=1e-3)


def test_fit_is_least_squares_of_noisy_truth():
    ab, calibration = _pictures(20), Calibration()
    truth = 0.5 * ab + _pictures(20, seed=1)
    calibration.fit([(ab, truth)])
    best = np.square(calibration(ab) - truth).mean()
    for variable in (calibration.mean, calibration.differences, calibration.offset):
        for step in (-0.02, 0.02):
            variable.assign_add(step * tf.ones_like(variable))
            assert np.square(calibration(ab) - truth).mean() > best
            variable.assign_sub(step * tf.ones_like(variable))


@pytest.mark.parametrize("predicted", [np.zeros((3, 4, 4, 2), np.float32), _pictures(1)])
def test_fit_of_constant_colours_keeps_their_slope(predicted):
    calibration = Calibration()
    calibration.fit([(predicted, _pictures(len(predicted), seed=3)[:, : predicted.shape[1], : predicted.shape[2]])])
    assert calibration.describe()["mean"] == 1  # of one picture, or of gray ones
    assert np.isfinite(calibration(predicted)).all()


def test_fit_never_turns_colours_round():
    ab, calibration = _pictures(), Calibration()
    calibration.fit([(ab, -ab)])
    assert calibration.describe()["mean"] == calibration.describe()["differences"] == 0


def test_exponent_changes_chroma_alone():
    ab = np.float32([[[[16, 0], [0, 64], [3, 4], [0.01, 0]]]])
    calibrated = np.asarray(Calibration(0.5)(ab))
    chroma = np.linalg.norm(calibrated, axis=-1)[0, 0]
    # 16 stays, others move towards it by the square root; next to gray the factor is that of a chroma of 1.
    np.testing.assert_allclose(chroma, [16, 32, 16 * (5 / 16) ** 0.5, 0.04], rtol=1e-4)
    hue = ab / np.linalg.norm(ab, axis=-1)[..., None]
    np.testing.assert_allclose(calibrated / chroma[None, None, :, None], hue, atol=1e-5)
    assert np.isfinite(np.asarray(Calibration(0.5)(np.zeros_like(ab)))).all()
