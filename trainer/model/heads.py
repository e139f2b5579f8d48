"""What the decoder's features are read as: ab, and how far off it may be.

`regression` names one colour for each pixel. `classification` spreads it over the ab bins that sRGB has, so that a
shirt can be red or blue rather than brown, and is read as the mean of the sharpened distribution
(R. Zhang, P. Isola, A. Efros, "Colorful Image Colorization", ECCV 2016, section 2.3). How far off a colour may be
follows from how evenly the bins are spread; `regression` has bins for that alone.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from photochrom.color import ab_bins
from photochrom.model import signature
from trainer.model.blocks import convolve
from trainer.model.layers import ErrorScale, Factor

REGRESSION, CLASSIFICATION = HEADS = ("regression", "classification")
# Training's outputs beside those of the signature: the expected colour, before it is sharpened and saturated, the
# scores of the bins, from which `classification` reads its colours and `regression` (DOUBT_LOGITS) nothing but doubt,
# and how evenly these are spread, 0..1.
MEAN = "mean"
LOGITS = "logits"
DOUBT_LOGITS = "doubt_logits"
DOUBT = "doubt"
# Names of the layers that are fitted once the rest is trained: how strong colours are, and doubt to expected error.
SATURATION, ERROR_SCALE = "saturation", "error_scale"
# sRGB reaches |a*|, |b*| of 107.9: a bounded head cannot name a colour far outside of any gamut.
_AB_LIMIT = 110.0
# ab units. A pixel expected to be off by 20, a typical chroma, has confidence 1/e.
_ERROR_SCALE = 20.0
# Channels that the bins of `regression` are read from.
_DOUBT_WIDTH = 64
# They stand at every second px of ab along each axis, for neighbours are alike. A convolution with strides of 2 pads
# an even size at its end alone, so the first is centred on the second pixel.
_DOUBT_STRIDE = 2
DOUBT_PIXELS = slice(1, None, _DOUBT_STRIDE)


def build_head(kind: str, features: Any, temperature: float = 1.0) -> dict[str, Any]:
    """Returns the model's outputs by name, all float32 whatever the features are computed in.

    The heads' last layers start from zero, so an untrained model answers the grayest that it can.

    Args:
        kind: one of HEADS.
        features: [B, h, w, C].
        temperature: by which the distribution of `classification` is sharpened: 1 leaves it, 0.4 is half way to its
            most likely colour.

    Returns:
        `ab` and `mean` [B, h, w, 2] CIE a*, b*; `logits` [B, h, w, Q], or of `regression` `doubt_logits`
        [B, h/2, w/2, Q]; `doubt` [B, h, w, 1], the bins' entropy over the largest; `confidence` [B, h, w, 1] in 0..1.
    """
    outputs = _regress(features) if kind == REGRESSION else _classify(features, temperature)
    outputs[signature.AB] = Factor(name=SATURATION)(outputs[signature.AB])
    expected_error = ErrorScale(_ERROR_SCALE, name=ERROR_SCALE)(outputs[DOUBT])
    return {**outputs, signature.CONFIDENCE: ops.exp(-expected_error / _ERROR_SCALE)}


def _regress(features: Any) -> dict[str, Any]:
    ab = _AB_LIMIT * ops.tanh(_read("ab", 2, features))
    # Learning to doubt must not bend the features that colour is read from.
    doubting = convolve(ops.stop_gradient(features), _DOUBT_WIDTH, _DOUBT_STRIDE)
    logits = _read("doubt", len(ab_bins.centres()), doubting)
    doubt = layers.UpSampling2D(_DOUBT_STRIDE, dtype="float32")(_entropy(logits))
    return {signature.AB: ab, MEAN: ab, DOUBT_LOGITS: logits, DOUBT: doubt}


def _classify(features: Any, temperature: float) -> dict[str, Any]:
    centres = ab_bins.centres()
    logits = _read("ab", len(centres), features)
    return {
        signature.AB: ops.matmul(ops.softmax(logits / temperature, axis=-1), centres),
        MEAN: ops.matmul(ops.softmax(logits, axis=-1), centres),
        LOGITS: logits,
        DOUBT: _entropy(logits),
    }


def _entropy(logits: Any) -> Any:
    """Returns the entropy over the largest that there is, 0..1, without gradient: [B, h, w, Q] -> [B, h, w, 1]."""
    shares, log_shares = ops.softmax(logits, axis=-1), ops.log_softmax(logits, axis=-1)
    entropy = -ops.sum(shares * log_shares, axis=-1, keepdims=True)
    return ops.stop_gradient(entropy) / math.log(logits.shape[-1])


def _read(name: str, channels: int, features: Any) -> keras.KerasTensor:
    return layers.Conv2D(channels, 1, kernel_initializer="zeros", dtype="float32", name=f"{name}_head")(features)
