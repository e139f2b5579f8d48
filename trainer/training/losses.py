"""Training losses and validation measures, per photograph, in ab units."""

import math
from typing import Any

from keras import ops

from photochrom.color import ab_bins
from photochrom.dataset import WEIGHT
from photochrom.model import signature
from trainer.model import heads

# ab units: a smaller error is squared, a larger one counts linearly, so that pixels whose colour cannot be known
# (a shirt may be red or blue) do not pull everything to gray. 10 is the width of a bin of ab_bins.
_HUBER_DELTA = 10.0
# ab units: standard deviation of a true colour's share in the bins around it (Zhang 2016, section 2.1).
_SOFT_SIGMA = 5.0
# Square ab units: an error of one unit on each axis. Smaller errors of a picture gain little.
_LEAST_ERROR = 2.0
# Names of the losses in TensorBoard, the log and model.json; the second keeps the name that existing bundles have.
COLOUR, UNCERTAINTY = "loss", "doubt_loss"
# The gain of the calibrated colours.
CALIBRATED_GAIN = "calibrated_gain"


def losses(batch: dict[str, Any], outputs: dict[str, Any], rebalance: float, picture_weight: float) -> dict[str, Any]:
    """Returns the losses available for these outputs; a phase of training minimises one.

    Args:
        batch: `ab` [B, h, w, 2] CIE a*, b*; `weight` [B, h, w, 1], above 1 for rarer colours.
        outputs: the model's, or some of them.
        rebalance: exponent of the weights, 0..1.
        picture_weight: weight of the logarithm of a picture's error beside the errors of its pixels.

    Returns:
        Each [B] float32: COLOUR, from `mean`, the weighted cross-entropy (nats) or Huber loss (ab units) plus the
        picture's term; UNCERTAINTY, from heads.UNCERTAINTY_LOGITS, the cross-entropy (nats) of the uncertainty bins.
    """
    terms = {}
    if heads.MEAN in outputs:
        terms[COLOUR] = _colour_loss(batch, outputs, rebalance, picture_weight)
    if heads.UNCERTAINTY_LOGITS in outputs:
        some = batch[signature.AB][:, heads.UNCERTAINTY_PIXELS, heads.UNCERTAINTY_PIXELS]
        terms[UNCERTAINTY] = _mean(_cross_entropy(some, outputs[heads.UNCERTAINTY_LOGITS]))
    return terms


def _colour_loss(batch: dict[str, Any], outputs: dict[str, Any], rebalance: float, picture_weight: float) -> Any:
    truth, mean = batch[signature.AB], outputs[heads.MEAN]
    weight = batch[WEIGHT] ** rebalance
    distance = _cross_entropy(truth, outputs[heads.LOGITS]) if heads.LOGITS in outputs else _huber(truth - mean)
    loss = _mean(weight * distance)
    if picture_weight:
        loss = loss + picture_weight * _log_error(truth, mean)
    return loss


def observe(batch: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """Returns the validation measures beside the losses, each [B] float32.

    Returns:
        `chroma` and `true_chroma`, the means of prediction and truth, ab units; `gain`, the PSNR of ab of the mean
        colour over that of gray, dB; CALIBRATED_GAIN, that of the model's `ab`.
    """
    truth = batch[signature.AB]
    return {
        "chroma": _mean(_norm(outputs[signature.AB])),
        "true_chroma": _mean(_norm(truth)),
        "gain": _gain(truth, outputs[heads.MEAN]),
        CALIBRATED_GAIN: _gain(truth, outputs[signature.AB]),
    }


def _gain(truth: Any, predicted: Any) -> Any:
    return (_log_error(truth, 0.0) - _log_error(truth, predicted)) * (10 / math.log(10))


def soft_bins(ab: Any) -> Any:
    """Returns the share of each bin in a colour: [B, h, w, 2] -> [B, h, w, Q], a Gaussian around it.

    Zhang 2016 uses the 5 nearest bins; the shares of bins further away are negligible.
    """
    centres = ab_bins.centres()
    # -|ab - centre|^2 / (2 sigma^2), without the terms that are equal for all bins.
    scores = (ops.matmul(ab, centres.T) - (centres**2).sum(axis=1) / 2) / _SOFT_SIGMA**2
    return ops.softmax(scores, axis=-1)


def _cross_entropy(truth: Any, logits: Any) -> Any:
    return ops.categorical_crossentropy(soft_bins(truth), logits, from_logits=True)[..., None]


def _log_error(truth: Any, predicted: Any) -> Any:
    return ops.log(_mean(_square(truth - predicted)) + _LEAST_ERROR)


def _huber(difference: Any) -> Any:
    size = ops.abs(difference)
    return ops.where(size <= _HUBER_DELTA, size**2 / (2 * _HUBER_DELTA), size - _HUBER_DELTA / 2)


def _square(ab: Any) -> Any:
    # [B, h, w, 2] -> [B, h, w, 1]
    return ops.sum(ab**2, axis=-1, keepdims=True)


def _norm(ab: Any) -> Any:
    return ops.sqrt(_square(ab))


def _mean(pixels: Any) -> Any:
    return ops.mean(pixels, axis=(1, 2, 3))
