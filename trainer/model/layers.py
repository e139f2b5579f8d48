"""Building blocks of encoder, decoder and heads, and layers between CIE units and the input of a pretrained network."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

# Variance of the uncertainty, which is in 0..1: values within 1e-4 of one another determine no slope.
_LEAST_VARIANCE = 1e-8


def convolve(x: Any, filters: int, strides: int = 1) -> Any:
    """A 3x3 convolution, normalised and rectified: [B, H, W, C] -> [B, H / strides, W / strides, filters]."""
    return activate(layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x))


def activate(x: Any) -> Any:
    """Normalises over the batch and rectifies."""
    # Inference uses the moving averages, which must have converged after a few hundred steps.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


@keras.saving.register_keras_serializable("photochrom")
class LightnessToRgb(keras.layers.Layer):
    """L* as the gray sRGB pixels that have it; always float32.

    Input shape: [B, H, W, 1], L* in [0, 100].
    Output shape: [B, H, W, 3], sRGB in [0, 255], three equal channels.

    Source: CIE 15:2004 for L* -> Y, IEC 61966-2-1 for the transfer curve.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, lightness: Any) -> Any:
        luminance = ops.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness * 27 / 24389)
        # The power must be finite even where the other branch is taken.
        curve = 1.055 * ops.maximum(luminance, 0.0031308) ** (1 / 2.4) - 0.055
        gray = ops.where(luminance <= 0.0031308, 12.92 * luminance, curve)
        return ops.repeat(255 * ops.clip(gray, 0, 1), 3, axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], 3)


def resize(images: Any, height: Any, width: Any) -> Any:
    """Resizes [B, h, w, C] floats bilinearly to [B, height, width, C]; the sizes may be known at run time only.

    Two products with interpolation matrices, because `keras.ops.image.resize` (3.15) takes fixed sizes only.
    Meant for small or few-channel arrays.
    """
    rows = ops.cast(_interpolation(ops.shape(images)[1], height), images.dtype)
    columns = ops.cast(_interpolation(ops.shape(images)[2], width), images.dtype)
    return ops.einsum("jw,biwc->bijc", columns, ops.einsum("ih,bhwc->biwc", rows, images))


def _interpolation(size: Any, new_size: Any) -> Any:
    """Returns the [new_size, size] float32 matrix of linear interpolation between pixel centres."""
    scale = ops.cast(size, "float32") / ops.cast(new_size, "float32")
    centres = (ops.arange(new_size, dtype="float32") + 0.5) * scale - 0.5
    centres = ops.clip(centres, 0, ops.cast(size, "float32") - 1)
    return ops.maximum(1 - ops.abs(centres[:, None] - ops.arange(size, dtype="float32")), 0)


@keras.saving.register_keras_serializable("photochrom")
class ResizeToMinimum(keras.layers.Layer):
    """Stretches each axis that is shorter than `size` px to `size` px, bilinearly.

    Input shape: [B, H, W, C].
    Output shape: [B, max(H, size), max(W, size), C].
    """

    def __init__(self, size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size

    def call(self, images: Any) -> Any:
        height, width = ops.shape(images)[1:3]
        return resize(images, ops.maximum(height, self.size), ops.maximum(width, self.size))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, height, width, channels = input_shape
        return batch, *(axis and max(axis, self.size) for axis in (height, width)), channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("photochrom")
class ResizeLike(keras.layers.Layer):
    """Resizes features bilinearly to the height and width of others, which may be known at run time only.

    Input shape: [B, h, w, C] and [B, H, W, any].
    Output shape: [B, H, W, C].
    """

    def call(self, features: Any, like: Any) -> Any:
        return resize(features, *ops.shape(like)[1:3])

    def compute_output_shape(self, features_shape: tuple, like_shape: tuple) -> tuple:
        return features_shape[0], *like_shape[1:3], features_shape[3]


@keras.saving.register_keras_serializable("photochrom")
class Factor(keras.layers.Layer):
    """Multiplies by a number, 1 until it is assigned; not trained by gradients.

    Input shape: any.
    Output shape: the same.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "trainable": False, "dtype": "float32"})

    def build(self, input_shape: tuple) -> None:
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, values: Any) -> Any:
        return self.factor * values


@keras.saving.register_keras_serializable("photochrom")
class ErrorScale(keras.layers.Layer):
    """A straight line from uncertainty to the expected error, never below 0; set by `fit`, not by gradients.

    Input shape: [B, h, w, 1], uncertainty in 0..1.
    Output shape: [B, h, w, 1], in the unit of the slope.

    Args:
        slope: the initial slope, with an offset of 0.
    """

    def __init__(self, slope: float, **kwargs: Any):
        super().__init__(**{**kwargs, "trainable": False, "dtype": "float32"})
        self.initial_slope = slope

    def build(self, input_shape: tuple) -> None:
        self.offset = self.add_weight(shape=(), initializer="zeros", name="offset")
        self.slope = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self.initial_slope), name="slope"
        )

    def call(self, uncertainty: Any) -> Any:
        return ops.relu(self.offset + self.slope * uncertainty)

    def fit(self, uncertainty: np.ndarray, error: np.ndarray) -> None:
        """Fits the line to measured errors by least squares; its slope is never negative.

        Constant uncertainty, as after very few steps of training, carries no information: the slope is then 0.
        """
        variance = float(np.var(uncertainty))
        slope = (
            max(float(np.cov(uncertainty, error, bias=True)[0, 1]) / variance, 0.0)
            if variance > _LEAST_VARIANCE
            else 0.0
        )
        self.slope.assign(slope)
        self.offset.assign(float(error.mean() - slope * uncertainty.mean()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "slope": self.initial_slope}
