"""The colorizer: an encoder over L*, a pretrained backbone joined at the bottleneck, a decoder to ab."""

from typing import Any

import keras
from keras import layers

from photochrom import signature
from trainer import heads
from trainer.layers import ResizeLike

# Strides of the encoder's levels, px of L*; the last is the bottleneck.
STRIDES = (2, 4, 8, 16)


def build_model(width: int, ab_stride: int, backbone: keras.layers.Layer | None = None) -> keras.Model:
    """Builds the fused autoencoder for pictures of any size that is a multiple of signature.SIZE_STEP.

    Skips are added, not concatenated, after a 1x1 convolution at the lower resolution: a third of the
    work of U-Net's wide convolutions at the finest level.

    Args:
        width: channels at stride 2; each deeper level has twice as many.
        ab_stride: px of L* per px of ab along each axis: 1, 2, 4, 8 or 16.
        backbone: a layer from [B, H, W, 1] L* to [B, h, w, C] features; None for a plain U-Net.

    Returns:
        A model from `lightness` [B, H, W, 1] float32 to the dict that `heads.build_heads` describes.
    """
    lightness = keras.Input((None, None, 1), name=signature.LIGHTNESS, dtype="float32")
    skips = {}
    x = layers.Rescaling(1 / 50, offset=-1)(lightness)
    for level, stride in enumerate(STRIDES):
        x = _convolve(x, width * 2**level, strides=2)
        x = skips[stride] = _convolve(x, width * 2**level)
    # [B, H/16, W/16, 8 * width]
    if backbone is not None:
        x = _fuse(x, backbone(lightness))
    x = _convolve(x, x.shape[-1])
    for stride in (8, 4, 2, 1):
        if stride >= ab_stride:
            x = _decode(x, skips.get(stride), max(width * stride // 2, 1))
    # [B, H/s, W/s, width]
    return keras.Model(lightness, heads.build_heads(x), name="colorizer")


def _convolve(x: Any, filters: int, strides: int = 1, kernel_size: int = 3) -> Any:
    x = layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=False)(x)
    # Inference uses the moving averages: they must have arrived after a few hundred steps.
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)


def _fuse(x: Any, features: Any) -> Any:
    """Joins the backbone's map, and its mean over the picture, to the bottleneck.

    A sum of three projections is a concatenation followed by a 1x1 convolution, with the projections
    done where they are cheap: before resizing, and on a single vector.
    """
    channels = x.shape[-1]
    scene = layers.Dense(channels)(layers.GlobalAveragePooling2D()(features))
    places = ResizeLike()(layers.Conv2D(channels, 1, use_bias=False)(features), x)
    own = layers.Conv2D(channels, 1, use_bias=False)(x)
    x = own + places + layers.Reshape((1, 1, channels))(scene)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


def _decode(x: Any, skip: Any | None, filters: int) -> Any:
    """Doubles the resolution: [B, h, w, C] and the encoder's [B, 2h, 2w, filters] -> [B, 2h, 2w, filters]."""
    x = layers.Conv2D(filters, 1, use_bias=False)(x)
    x = layers.UpSampling2D()(x)
    if skip is not None:
        x = x + skip
    return _convolve(x, filters)
