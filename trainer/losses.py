"""What training minimises and what it watches, per photograph, in ab units."""

from typing import Any

from keras import ops

from photochrom import signature
from trainer import heads

# ab units: an error below this is squared, above it counts linearly, so that pixels whose colour
# cannot be known (a shirt may be red or blue) do not pull everything to gray. 10 is a bin of ab_bins.
_HUBER_DELTA = 10.0


def measure(batch: dict[str, Any], outputs: dict[str, Any], rebalance: float) -> dict[str, Any]:
    """Measures predictions.

    Args:
        batch: `ab` [B, h, w, 2] CIE a*, b*; `weight` [B, h, w, 1], rarer colours above 1.
        outputs: the model's.
        rebalance: exponent of the weights, 0..1.

    Returns:
        Each [B] float32, ab units: `loss` the weighted Huber loss, `confidence_loss` how far off the
        expected error is, `chroma` and `true_chroma` the means of prediction and truth.
    """
    truth, predicted = batch[signature.AB], outputs[signature.AB]
    weight = batch["weight"] ** rebalance
    error = ops.stop_gradient(_norm(truth - predicted))
    return {
        "loss": _mean(weight * _huber(truth - predicted)),
        "confidence_loss": _mean(ops.abs(outputs[heads.EXPECTED_ERROR] - error)),
        "chroma": _mean(_norm(predicted)),
        "true_chroma": _mean(_norm(truth)),
    }


def objective(measures: dict[str, Any]) -> Any:
    """Returns the scalar to minimise. The heads share no gradient, so their losses need no balance."""
    return ops.mean(measures["loss"] + measures["confidence_loss"])


def _huber(difference: Any) -> Any:
    size = ops.abs(difference)
    return ops.where(size <= _HUBER_DELTA, size**2 / (2 * _HUBER_DELTA), size - _HUBER_DELTA / 2)


def _norm(ab: Any) -> Any:
    # [B, h, w, 2] -> [B, h, w, 1]
    return ops.sqrt(ops.sum(ab**2, axis=-1, keepdims=True))


def _mean(pixels: Any) -> Any:
    return ops.mean(pixels, axis=(1, 2, 3))
