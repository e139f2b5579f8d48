"""What encoder, decoder and heads are made of."""

from typing import Any

from keras import layers


def convolve(x: Any, filters: int, strides: int = 1) -> Any:
    """A 3x3 convolution, normalised and rectified: [B, H, W, C] -> [B, H / strides, W / strides, filters]."""
    return activate(layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x))


def activate(x: Any) -> Any:
    """Normalises over the batch and rectifies."""
    # Inference uses the moving averages: they must have arrived after a few hundred steps.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
