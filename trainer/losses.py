"""What training minimises and what it watches, per photograph, in ab units."""

import math
from typing import Any

from keras import ops

from photochrom import ab_bins, signature
from trainer import heads

# ab units: an error below this is squared, above it counts linearly, so that pixels whose colour
# cannot be known (a shirt may be red or blue) do not pull everything to gray. 10 is a bin of ab_bins.
_HUBER_DELTA = 10.0
# ab units: how far a true colour reaches into the bins around it (Zhang 2016, section 2.1).
_SOFT_SIGMA = 5.0
# Square ab units: the error of one unit on each axis, below which no picture is worth more effort.
_LEAST_ERROR = 2.0


def losses(batch: dict[str, Any], outputs: dict[str, Any], rebalance: float, picture_weight: float) -> dict[str, Any]:
    """Returns the terms that training minimises.

    Args:
        batch: `ab` [B, h, w, 2] CIE a*, b*; `weight` [B, h, w, 1], rarer colours above 1.
        outputs: the model's.
        rebalance: exponent of the weights, 0..1.
        picture_weight: of the logarithm of a picture's error beside that of its pixels.

    Returns:
        Each [B] float32: `loss` the weighted cross-entropy (nats) or Huber loss (ab units) and the picture's
        term; where colour is not read from bins, `doubt_loss` the cross-entropy (nats) of those that tell doubt.
    """
    truth, mean = batch[signature.AB], outputs[heads.MEAN]
    weight = batch["weight"] ** rebalance
    distance = _cross_entropy(truth, outputs[heads.LOGITS]) if heads.LOGITS in outputs else _huber(truth - mean)
    loss = _mean(weight * distance)
    if picture_weight:
        loss = loss + picture_weight * _log_error(truth, mean)
    if heads.DOUBT_LOGITS not in outputs:
        return {"loss": loss}
    some = truth[:, heads.DOUBT_PIXELS, heads.DOUBT_PIXELS]
    return {"loss": loss, "doubt_loss": _mean(_cross_entropy(some, outputs[heads.DOUBT_LOGITS]))}


def objective(terms: dict[str, Any]) -> Any:
    """Returns the scalar to minimise.

    What is summed shares no variable, so it needs no balance; the optimizer bounds the length of the gradients of all.
    """
    return ops.mean(sum(terms.values()))


def observe(batch: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """Returns what tells how good a model is, beside its losses, each [B] float32.

    Returns:
        `chroma` and `true_chroma`, the means of prediction and truth, ab units; `gain`, by how much the mean colour is
        nearer to the truth than gray is, dB of ab.
    """
    truth = batch[signature.AB]
    gain = _log_error(truth, 0.0) - _log_error(truth, outputs[heads.MEAN])
    return {
        "chroma": _mean(_norm(outputs[signature.AB])),
        "true_chroma": _mean(_norm(truth)),
        "gain": gain * (10 / math.log(10)),
    }


def soft_bins(ab: Any) -> Any:
    """Returns the share of each bin in a colour: [B, h, w, 2] -> [B, h, w, Q], a Gaussian around it.

    Zhang 2016 takes the 5 nearest bins; those further away have next to nothing of it anyway.
    """
    centres = ab_bins.centres()
    # -|ab - centre|^2 / (2 sigma^2), less what is the same for all bins.
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
