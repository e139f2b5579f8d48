"""EfficientNet-Lite0 as a Keras model: EfficientNet-B0 without squeeze-and-excitation, with ReLU6 for swish.

Source: M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, table 1;
its Lite variant: TensorFlow's `tpu/models/official/efficientnet/lite`, whose weights lite_weights.py reads.
"""

from typing import Any, NamedTuple

import keras
from keras import layers

_STEM, _HEAD = 32, 1280
# Mean and standard deviation of ImageNet's sRGB in [0, 1], for the normalisation of the input.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class _Stage(NamedTuple):
    """Blocks of one width; the first of them has the stride."""

    blocks: int
    filters: int
    kernel_size: int
    strides: int
    expansion: int


_STAGES = (
    _Stage(1, 16, 3, 1, 1),
    _Stage(2, 24, 3, 2, 6),
    _Stage(2, 40, 5, 2, 6),
    _Stage(3, 80, 3, 2, 6),
    _Stage(3, 112, 5, 1, 6),
    _Stage(4, 192, 5, 2, 6),
    _Stage(1, 320, 3, 1, 6),
)


# Named like the networks of keras.applications.
def EfficientNetLite0(
    include_top: bool = False, weights: None = None, input_shape: tuple = (None, None, 3)
) -> keras.Model:
    """Builds the network without its top; has the arguments of the builders in keras.applications.

    Returns:
        A model from [B, H, W, 3] pixels, normalised by `preprocess_input`, to [B, H/32, W/32, 1280].

    Raises:
        ValueError: a top or named weights are requested.
    """
    if include_top or weights is not None:
        raise ValueError(f"only without top and weights, got include_top={include_top}, weights={weights}")
    pixels = keras.Input(input_shape)
    x = _normalize(layers.Conv2D(_STEM, 3, 2, "same", use_bias=False, name="stem")(pixels), "stem_bn", active=True)
    number = 0
    for stage in _STAGES:
        for block in range(stage.blocks):
            x = _block(x, f"b{number}", stage, stage.strides if block == 0 else 1)
            number += 1
    x = _normalize(layers.Conv2D(_HEAD, 1, use_bias=False, name="head")(x), "head_bn", active=True)
    return keras.Model(pixels, x, name="efficientnet_lite0")


def preprocess_input(rgb: Any) -> Any:
    """Normalises [B, H, W, 3] sRGB in 0..255 for the weights."""
    return (rgb / 255.0 - keras.ops.array(_MEAN, rgb.dtype)) / keras.ops.array(_DEVIATION, rgb.dtype)


def _block(x: Any, name: str, stage: _Stage, strides: int) -> Any:
    """An inverted residual: expand, filter depthwise, project; with a bypass if the shape is unchanged."""
    start, channels = x, x.shape[-1]
    if stage.expansion != 1:
        x = layers.Conv2D(stage.expansion * channels, 1, use_bias=False, name=f"{name}_exp")(x)
        x = _normalize(x, f"{name}_bn0", active=True)
    x = layers.DepthwiseConv2D(stage.kernel_size, strides, "same", use_bias=False, name=f"{name}_dw")(x)
    x = _normalize(x, f"{name}_bn1", active=True)
    x = layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_proj")(x)
    x = _normalize(x, f"{name}_bn2", active=False)
    return layers.Add(name=f"{name}_add")([start, x]) if strides == 1 and channels == stage.filters else x


def _normalize(x: Any, name: str, active: bool) -> Any:
    x = layers.BatchNormalization(epsilon=1e-3, name=name)(x)
    return layers.ReLU(6.0)(x) if active else x
