import numpy as np
import pytest
import tensorflow as tf

from photochrom.color import ab_bins
from trainer.training import losses


def _tensors(values):
    return {name: tf.constant(value, tf.float32) for name, value in values.items()}


BATCH = {"ab": np.array([[[[30.0, 0.0]], [[0.0, 4.0]]]]), "weight": np.array([[[[4.0]], [[1.0]]]])}


def test_losses_of_regression_by_hand():
    batch = {name: np.repeat(values, 2, axis=2) for name, values in BATCH.items()}
    gray, bins = np.zeros((1, 2, 2, 2)), np.zeros((1, 1, 1, len(ab_bins.centres())))
    outputs = {"ab": gray, "mean": gray, "doubt_logits": bins}
    terms = losses.losses(_tensors(batch), _tensors(outputs), rebalance=0.5, picture_weight=2.0)
    # Huber: 30 - 5 = 25 weighted by sqrt(4); 4**2 / 20 = 0.8; the mean is over 2 pixels of 2 channels.
    # The picture: log of the mean of 30**2 and 4**2, and of 2.
    assert float(terms["loss"][0]) == pytest.approx((2 * 25 + 0.8) / 4 + 2 * np.log(458 + 2))
    # Equally likely bins.
    assert float(terms["doubt_loss"][0]) == pytest.approx(np.log(len(ab_bins.centres())))


def test_uncertainty_loss_uses_pixels_of_its_bins():
    truth = np.full((1, 4, 4, 2), -60.0)
    truth[:, 1::2, 1::2] = 30.0, -10.0
    shares = losses.soft_bins(_tensors({"ab": truth[:, 1::2, 1::2]})["ab"])
    outputs = _tensors({"ab": truth, "mean": truth}) | {"doubt_logits": tf.math.log(shares + 1e-12)}
    batch = _tensors({"ab": truth, "weight": truth[..., :1]})
    entropy = float(-tf.reduce_sum(shares * tf.math.log(shares + 1e-12), -1)[0, 0, 0])
    assert float(losses.losses(batch, outputs, 0.0, 0.0)["doubt_loss"][0]) == pytest.approx(entropy, abs=1e-4)


@pytest.mark.parametrize(
    ("outputs", "names"), [({"mean"}, {"loss"}), ({"doubt_logits"}, {"doubt_loss"}), (set(), set())]
)
def test_losses_are_those_of_the_outputs(outputs, names):
    values = {"mean": np.zeros((1, 2, 1, 2)), "doubt_logits": np.zeros((1, 1, 0, len(ab_bins.centres())))}
    given = _tensors({name: values[name] for name in outputs})
    assert set(losses.losses(_tensors(BATCH), given, 1.0, 1.0)) == names


def test_observations_by_hand():
    ab = np.array([[[[15.0, 0.0]], [[0.0, 0.0]]]])
    outputs = {"ab": 2 * ab, "mean": ab}
    seen = {name: float(value[0]) for name, value in losses.observe(_tensors(BATCH), _tensors(outputs)).items()}
    gain = 10 * np.log10((458 + 2) / ((15**2 + 4**2) / 2 + 2))
    calibrated = 10 * np.log10((458 + 2) / (4**2 / 2 + 2))
    assert seen == pytest.approx({"chroma": 15, "true_chroma": 17, "gain": gain, "calibrated_gain": calibrated})


def test_cross_entropy_is_least_for_true_distribution():
    truth = tf.constant([[[[33.0, -12.0]]]])
    shares = losses.soft_bins(truth)
    right = {
        "logits": tf.math.log(shares + 1e-12),
        "ab": truth,
        "mean": truth,
    }
    wrong = {**right, "logits": tf.zeros_like(shares)}
    batch = {"ab": truth, "weight": tf.ones((1, 1, 1, 1))}
    least, most = (float(losses.losses(batch, outputs, 1.0, 0.0)["loss"][0]) for outputs in (right, wrong))
    assert least == pytest.approx(float(-tf.reduce_sum(shares * tf.math.log(shares + 1e-12))), abs=1e-4)
    assert most == pytest.approx(np.log(len(ab_bins.centres())), abs=1e-4)
