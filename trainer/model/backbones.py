"""Pretrained networks of keras.applications as a layer over L*."""

import sys
from typing import Any

import keras

from photochrom import errors
from photochrom.model import signature
from trainer.model import efficientnet_lite
from trainer.model.layers import AtLeast, LightnessToRgb

# px: the smallest picture of which InceptionResNetV2's unpadded convolutions leave anything is 75.
_MIN_SIZE = 3 * signature.SIZE_STEP


# The strides of the features beside the last map's, px of L*.
STRIDES = (4, 8, 16)
_OWN = {"EfficientNetLite0": efficientnet_lite}


def names() -> list[str]:
    """Returns the architectures that --backbone accepts, beside `none`."""
    # Keras pads NASNet by sizes known when it is built; ours differ from picture to picture.
    theirs = [name for name in dir(keras.applications) if name[0].isupper() and not name.startswith("NASNet")]
    return sorted([*theirs, *_OWN])


def check_name(name: str) -> None:
    """Raises UsageError if there is no such architecture."""
    if name not in (*names(), "none"):
        raise errors.UsageError(f"--backbone is {name}, expected none or one of {', '.join(names())}")


@keras.saving.register_keras_serializable("photochrom")
class Backbone(keras.layers.Layer):
    """What a network without its top sees in a gray picture, at several scales.

    Always in inference mode: batch normalisation keeps its pretrained statistics, for a training batch
    of 16 gray pictures has worse ones.

    Input shape: [B, H, W, 1], L* in [0, 100].
    Output shape: a list, fine to coarse: the last map before each halving from the STRIDES that the network has,
        about [B, H/4, W/4, C4], [B, H/8, W/8, C8], [B, H/16, W/16, C16], and its last map, about [B, H/32, W/32, C].

    Args:
        architecture: EfficientNetLite0 or a class of keras.applications.
        weights: `imagenet` downloads those of keras.applications, None leaves them random.
    """

    def __init__(self, architecture: str, weights: str | None = None, **kwargs: Any):
        # Pixels reach the network as float32; its own layers then cast to what they compute in.
        super().__init__(autocast=False, **kwargs)
        self.architecture = architecture
        self.weights_source = weights
        build = getattr(_OWN.get(architecture, keras.applications), architecture)
        self.network = build(include_top=False, weights=weights, input_shape=(None, None, 3))
        self.features = keras.Model(self.network.input, [*_taps(self.network), self.network.output])
        # What this architecture does to RGB in 0..255; those with built-in preprocessing have a no-op here.
        self._preprocess = sys.modules[build.__module__].preprocess_input
        self._at_least = AtLeast(_MIN_SIZE, dtype="float32")
        self._to_rgb = LightnessToRgb()

    def call(self, lightness: Any) -> list[Any]:
        rgb = self._to_rgb(self._at_least(lightness))
        return self.features(self._preprocess(rgb), training=False)

    def compute_output_shape(self, input_shape: tuple) -> list[tuple]:
        return [(input_shape[0], None, None, output.shape[-1]) for output in self.features.outputs]

    def upper_variables(self, share: float) -> list[keras.Variable]:
        """Returns what fine-tuning trains: the last `share` of the layers with weights, but no normalisation.

        Of InceptionResNetV2 a third are the blocks from `block17_16` on, 33 of its 54 million weights.
        """
        layers = [layer for layer in self.network.layers if layer.trainable_variables and not _is_normalization(layer)]
        first = round(len(layers) * (1 - share))
        return [variable for layer in layers[first:] for variable in layer.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "architecture": self.architecture, "weights": self.weights_source}


def _taps(network: keras.Model) -> list[Any]:
    """Returns, for each of STRIDES that the network goes through, what its first halving of that map starts from."""
    strides = {id(tensor): 1 for tensor in network.inputs}
    taps: dict[int, Any] = {}
    for layer in network.layers[1:]:
        for node in layer._inbound_nodes:
            before = max(strides.get(id(tensor), 1) for tensor in node.input_tensors)
            after = before * _stride(layer)
            if after > before and before in STRIDES:
                taps.setdefault(before, _unpadded(node.input_tensors[0]))
            strides.update((id(tensor), after) for tensor in node.outputs)
    return [taps[stride] for stride in STRIDES if stride in taps]


def _stride(layer: keras.layers.Layer) -> int:
    """Returns by how much a layer shrinks a map."""
    strides = getattr(layer, "strides", 1)
    return strides if isinstance(strides, int) else strides[0]


def _unpadded(tensor: Any) -> Any:
    """Returns the map behind the padding that some networks lay around it before they halve it."""
    layer = tensor._keras_history.operation
    return layer.input if isinstance(layer, keras.layers.ZeroPadding2D) else tensor


def _is_normalization(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)
