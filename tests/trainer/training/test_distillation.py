import numpy as np
import pytest
import tensorflow as tf

from trainer.data.stream import LABELLED
from trainer.training.distillation import Teachers

pytestmark = [pytest.mark.job, pytest.mark.xdist_group("finished")]


@pytest.fixture
def batch():
    return {"lightness": tf.random.stateless_uniform((2, 64, 64, 1), (1, 2), 0, 100), "ab": tf.ones((2, 32, 32, 2))}


def _teach(bundles, weight, batch):
    return tf.function(Teachers(bundles, weight).teach)(batch)["ab"].numpy()


def test_teachers_replace_true_colours_by_their_weight(finished, batch):
    whole, half = (_teach([finished[1]], weight, batch) for weight in (1.0, 0.5))
    assert np.abs(whole - 1).max() > 1
    np.testing.assert_allclose(half, (whole + 1) / 2, atol=1e-4)


def test_unlabelled_photographs_have_teachers_colours_alone(finished, batch):
    whole = _teach([finished[1]], 1.0, batch)
    mixed = _teach([finished[1]], 0.5, {**batch, LABELLED: tf.reshape([1.0, 0.0], (2, 1, 1, 1))})
    np.testing.assert_allclose(mixed, np.stack([(whole[0] + 1) / 2, whole[1]]), atol=1e-4)


def test_teachers_are_averaged(finished, learned, batch):
    bundles = [finished[1], learned]
    each = [_teach([one], 1.0, batch) for one in bundles]
    np.testing.assert_allclose(_teach(bundles, 1.0, batch), np.mean(each, axis=0), atol=1e-4)
