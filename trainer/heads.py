"""What the decoder's features are read as: ab, and how far off it may be.

Another reading of colour (a distribution over photochrom.ab_bins, say) is another function here.
"""

from typing import Any

import keras
from keras import layers, ops

from photochrom import signature

# Training's output beside those of the signature: the distance in ab that the model expects to be off by.
EXPECTED_ERROR = "expected_error"
# sRGB reaches |a*|, |b*| of 107.9: a bounded head cannot name a colour far outside of any gamut.
_AB_LIMIT = 110.0
# ab units. A pixel expected to be off by 20, a typical chroma, has confidence 1/e.
_ERROR_SCALE = 20.0


def build_heads(features: Any) -> dict[str, Any]:
    """Returns the model's outputs by name, all float32 whatever the features are computed in.

    The heads' last layers start from zero, so an untrained model answers gray: the best constant guess.

    Args:
        features: [B, h, w, C].

    Returns:
        `ab` [B, h, w, 2] CIE a*, b*; `expected_error` [B, h, w, 1] ab units; `confidence` [B, h, w, 1] in 0..1.
    """
    ab = _AB_LIMIT * ops.tanh(_read("ab", 2, features))
    # Learning to doubt must not bend the features that colour is read from.
    hidden = layers.Conv2D(16, 1, activation="relu", name="doubt")(ops.stop_gradient(features))
    expected_error = _ERROR_SCALE * ops.softplus(_read("error", 1, hidden))
    return {
        signature.AB: ab,
        signature.CONFIDENCE: ops.exp(-expected_error / _ERROR_SCALE),
        EXPECTED_ERROR: expected_error,
    }


def _read(name: str, channels: int, features: Any) -> keras.KerasTensor:
    return layers.Conv2D(channels, 1, kernel_initializer="zeros", dtype="float32", name=f"{name}_head")(features)
