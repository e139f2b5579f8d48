"""The colorizer: an encoder over L*, a pretrained backbone joined at every scale, a decoder to ab."""

import dataclasses
from typing import Any

import keras
from keras import layers, ops

from photochrom.model import signature
from trainer.model import backbones, heads
from trainer.model.layers import ResizeLike, activate, convolve

# Strides of the encoder's levels, px of L*; the last is the bottleneck.
STRIDES = (2, 4, 8, 16)


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes and the head of a colorizer.

    Attributes:
        width: channels of the encoder at stride 2; each deeper level has twice as many.
        decoder_width: channels of the decoder at stride 2; each deeper level has twice as many.
        ab_stride: px of L* per px of ab along each axis: 1, 2, 4, 8 or 16.
        head: one of heads.HEADS.
        temperature: see heads.build_head.
        dropout: share of the bottleneck's channels that a training step drops.
    """

    width: int
    decoder_width: int
    ab_stride: int
    head: str = heads.REGRESSION
    temperature: float = 1.0
    dropout: float = 0.0


def build_model(shape: Shape, backbone: keras.layers.Layer | None = None) -> keras.Model:
    """Builds the fused autoencoder for pictures of any size that is a multiple of signature.SIZE_STEP.

    The maps of one scale are added, not concatenated, after a 1x1 convolution: a third of the work of U-Net's wide
    convolutions, and the same function as a concatenation followed by a 1x1 convolution.

    Args:
        shape: widths, strides and head.
        backbone: a layer from [B, H, W, 1] L* to a list of maps, such as backbones.Backbone; None for a plain U-Net.

    Returns:
        A model from `lightness` [B, H, W, 1] float32 to the dict that `heads.build_head` describes.
    """
    lightness = keras.Input((None, None, 1), name=signature.LIGHTNESS, dtype="float32")
    maps = _encode(lightness, shape.width)
    if backbone is not None:
        *fine, coarse = backbone(lightness)
        for stride, features in zip(backbones.STRIDES, fine, strict=False):
            maps[stride].append(features)
        maps[STRIDES[-1]] += [coarse, layers.GlobalAveragePooling2D(keepdims=True)(coarse)]
    x = _merge(maps[STRIDES[-1]], shape.decoder_width * STRIDES[-1] // 2)
    # [B, H/16, W/16, 8 * decoder_width]
    x = convolve(layers.SpatialDropout2D(shape.dropout)(x), x.shape[-1])
    for stride in (8, 4, 2, 1):
        if stride >= shape.ab_stride:
            x = _decode(x, maps.get(stride, []), max(shape.decoder_width * stride // 2, 1))
    # [B, H/s, W/s, decoder_width * s / 2]
    return keras.Model(lightness, heads.build_head(shape.head, x, shape.temperature), name="colorizer")


def without_backbone(model: keras.Model) -> keras.Model:
    """Returns the rest of a model of `build_model`, with the same weights, for precomputed backbone features.

    Its inputs are [`lightness`, *maps], the maps as the backbone returns them.
    """
    return keras.Model([model.input, *model.get_layer("backbone").output], model.output, name=model.name)


def colour_branch(model: keras.Model) -> keras.Model:
    """Returns the part of a model of `build_model` that the colour loss trains, with the same weights."""
    named = (heads.MEAN, heads.LOGITS)
    return keras.Model(model.input, {name: model.output[name] for name in named if name in model.output})


def uncertainty_branch(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Returns two parts of a `regression` model, with the same weights: up to the heads' input, and from there on.

    The first maps `lightness` to [B, h, w, C], the second that to heads.UNCERTAINTY_LOGITS.
    """
    features = model.get_layer(heads.COLOUR_HEAD).input
    logits = {heads.UNCERTAINTY_LOGITS: model.get_layer(heads.UNCERTAINTY_HEAD).output}
    return keras.Model(model.input, features), keras.Model(features, logits)


def _encode(lightness: Any, width: int) -> dict[int, list[Any]]:
    """Returns the encoder's map at each stride, as the first of the maps to be merged there."""
    maps = {}
    x = layers.Rescaling(1 / 50, offset=-1)(lightness)
    for level, stride in enumerate(STRIDES):
        x = convolve(convolve(x, width * 2**level, strides=2), width * 2**level)
        maps[stride] = [x]
    return maps


def _merge(maps: list[Any], filters: int) -> Any:
    """Adds projections of maps to the size of the first: [B, h, w, C1], [B, h2, w2, C2], ... -> [B, h, w, filters].

    Projection before resizing is cheap. A [B, 1, 1, C] vector is added at every position.
    """
    projected = [layers.Conv2D(filters, 1, use_bias=False)(one) for one in maps]
    return activate(_add(projected))


def _add(maps: list[Any]) -> Any:
    total, *others = maps
    for one in others:
        is_vector = one.shape[1:3] == (1, 1)
        total = ops.add(total, one if is_vector else ResizeLike()(one, total))
    return total


def _decode(x: Any, skips: list[Any], filters: int) -> Any:
    """Doubles the resolution: [B, h, w, C] and skips of about [B, 2h, 2w, any] -> [B, 2h, 2w, filters]."""
    x = layers.UpSampling2D()(layers.Conv2D(filters, 1, use_bias=False)(x))
    if skips:
        x = activate(_add([x, *(layers.Conv2D(filters, 1, use_bias=False)(skip) for skip in skips)]))
    return convolve(x, filters)
