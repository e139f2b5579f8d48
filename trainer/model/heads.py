"""Output heads: from the decoder's features to ab, uncertainty and confidence.

`regression` predicts one colour for each pixel. `classification` predicts a distribution over the ab bins within
sRGB, so that a shirt can be red or blue rather than brown, and reads it as the mean of the sharpened distribution
(R. Zhang, P. Isola, A. Efros, "Colorful Image Colorization", ECCV 2016, section 2.3). Uncertainty is the entropy of
the bins; `regression` has bins for uncertainty alone.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from photochrom.color import ab_bins
from photochrom.model import signature
from trainer.model.layers import ErrorScale, Factor, convolve

REGRESSION, CLASSIFICATION = HEADS = ("regression", "classification")
# Outputs for training, beside those of the signature: the expected colour before sharpening and saturation; the scores
# of the bins, LOGITS where `classification` reads colours from them, UNCERTAINTY_LOGITS where `regression` reads only
# uncertainty; and the uncertainty, 0..1. The strings are those of existing checkpoints and bundles.
MEAN = "mean"
LOGITS = "logits"
UNCERTAINTY_LOGITS = "doubt_logits"
UNCERTAINTY = "doubt"
# Names of layers with weights that existing checkpoints and bundles hold.
COLOUR_HEAD, UNCERTAINTY_HEAD = "ab_head", "doubt_head"
# Layers that are fitted after training: the strength of the colours, and the line from uncertainty to expected error.
SATURATION, ERROR_SCALE = "saturation", "error_scale"
# sRGB reaches |a*|, |b*| of 107.9: a bounded head cannot predict a colour far outside any gamut.
_AB_LIMIT = 110.0
# ab units. A pixel with an expected error of 20, a typical chroma, has confidence 1/e.
_ERROR_SCALE = 20.0
# Channels of the features that `regression` reads its bins from.
_UNCERTAINTY_WIDTH = 64
# `regression` has bins at every second px of ab along each axis, because neighbours are alike. A convolution with
# strides of 2 pads an even size at its end only, so the first is centred on the second pixel.
_UNCERTAINTY_STRIDE = 2
UNCERTAINTY_PIXELS = slice(1, None, _UNCERTAINTY_STRIDE)


def build_head(kind: str, features: Any, temperature: float = 1.0) -> dict[str, Any]:
    """Returns the model's outputs by name, all float32 whatever dtype the features are computed in.

    The last layers start from zero, so an untrained model predicts the grayest colour that it can.

    Args:
        kind: one of HEADS.
        features: [B, h, w, C].
        temperature: sharpens the distribution of `classification`: 1 leaves it, 0.4 is halfway to its most likely
            colour.

    Returns:
        `ab` and `mean` [B, h, w, 2] CIE a*, b*; LOGITS [B, h, w, Q], or for `regression` UNCERTAINTY_LOGITS
        [B, h/2, w/2, Q]; UNCERTAINTY [B, h, w, 1], the bins' entropy over its maximum; `confidence` [B, h, w, 1] in
        0..1.
    """
    outputs = _regress(features) if kind == REGRESSION else _classify(features, temperature)
    outputs[signature.AB] = Factor(name=SATURATION)(outputs[signature.AB])
    expected_error = ErrorScale(_ERROR_SCALE, name=ERROR_SCALE)(outputs[UNCERTAINTY])
    return {**outputs, signature.CONFIDENCE: ops.exp(-expected_error / _ERROR_SCALE)}


def _regress(features: Any) -> dict[str, Any]:
    ab = _AB_LIMIT * ops.tanh(_read(COLOUR_HEAD, 2, features))
    # Learning uncertainty must not change the features that colour is read from.
    branch = convolve(ops.stop_gradient(features), _UNCERTAINTY_WIDTH, _UNCERTAINTY_STRIDE)
    logits = _read(UNCERTAINTY_HEAD, len(ab_bins.centres()), branch)
    uncertainty = layers.UpSampling2D(_UNCERTAINTY_STRIDE, dtype="float32")(_entropy(logits))
    return {signature.AB: ab, MEAN: ab, UNCERTAINTY_LOGITS: logits, UNCERTAINTY: uncertainty}


def _classify(features: Any, temperature: float) -> dict[str, Any]:
    centres = ab_bins.centres()
    logits = _read(COLOUR_HEAD, len(centres), features)
    return {
        signature.AB: ops.matmul(ops.softmax(logits / temperature, axis=-1), centres),
        MEAN: ops.matmul(ops.softmax(logits, axis=-1), centres),
        LOGITS: logits,
        UNCERTAINTY: _entropy(logits),
    }


def _entropy(logits: Any) -> Any:
    """Returns the entropy over its maximum, 0..1, without gradient: [B, h, w, Q] -> [B, h, w, 1]."""
    shares, log_shares = ops.softmax(logits, axis=-1), ops.log_softmax(logits, axis=-1)
    entropy = -ops.sum(shares * log_shares, axis=-1, keepdims=True)
    return ops.stop_gradient(entropy) / math.log(logits.shape[-1])


def _read(name: str, channels: int, features: Any) -> keras.KerasTensor:
    return layers.Conv2D(channels, 1, kernel_initializer="zeros", dtype="float32", name=name)(features)
