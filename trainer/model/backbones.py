"""Pretrained networks of keras.applications as a layer over L*."""

import sys
from collections.abc import Iterator
from typing import Any

import keras

from photochrom import errors
from photochrom.model import signature
from trainer.model import efficientnet_lite
from trainer.model.layers import LightnessToRgb, ResizeToMinimum

# px: InceptionResNetV2's unpadded convolutions need at least 75.
_MIN_SIZE = 3 * signature.SIZE_STEP
# The strides of the features beside the last map's, px of L*.
STRIDES = (4, 8, 16)
_OWN = {"EfficientNetLite0": efficientnet_lite}


def names() -> list[str]:
    """Returns the architectures that --backbone accepts, beside `none`."""
    # Keras computes NASNet's padding from sizes known when it is built; here they differ between pictures.
    theirs = [name for name in dir(keras.applications) if name[0].isupper() and not name.startswith("NASNet")]
    return sorted([*theirs, *_OWN])


def check_name(name: str) -> None:
    """Raises UsageError if there is no such architecture."""
    if name not in (*names(), "none"):
        raise errors.UsageError(f"--backbone is {name}, expected none or one of {', '.join(names())}")


@keras.saving.register_keras_serializable("photochrom")
class Backbone(keras.layers.Layer):
    """The features of a gray picture at several scales, by a pretrained network without its top.

    Always in inference mode: batch normalisation keeps its pretrained statistics, because those of a training batch
    of 16 gray pictures are worse.

    Input shape: [B, H, W, 1], L* in [0, 100].
    Output shape: a list, fine to coarse: the last map before each halving from the STRIDES that the network has,
        about [B, H/4, W/4, C4], [B, H/8, W/8, C8], [B, H/16, W/16, C16], and its last map, about [B, H/32, W/32, C].

    Args:
        architecture: EfficientNetLite0 or a class of keras.applications.
        weights: `imagenet` downloads those of keras.applications, None leaves them random.
    """

    def __init__(self, architecture: str, weights: str | None = None, **kwargs: Any):
        # Pixels reach the network as float32; its own layers then cast to their compute dtype.
        super().__init__(autocast=False, **kwargs)
        self.architecture = architecture
        self.weights_source = weights
        build = getattr(_OWN.get(architecture, keras.applications), architecture)
        self.network = build(include_top=False, weights=weights, input_shape=(None, None, 3))
        self.features = keras.Model(self.network.input, [*_taps(self.network), self.network.output])
        # From RGB in 0..255 to the architecture's input; a no-op for those with built-in preprocessing.
        self._preprocess = sys.modules[build.__module__].preprocess_input
        # Attribute and layer keep the name that the SavedModels of existing bundles have.
        self._at_least = ResizeToMinimum(_MIN_SIZE, dtype="float32", name="at_least")
        self._to_rgb = LightnessToRgb()

    def call(self, lightness: Any) -> list[Any]:
        rgb = self._to_rgb(self._at_least(lightness))
        return self.features(self._preprocess(rgb), training=False)

    def compute_output_shape(self, input_shape: tuple) -> list[tuple]:
        return [(input_shape[0], None, None, output.shape[-1]) for output in self.features.outputs]

    def upper_variables(self, share: float) -> list[keras.Variable]:
        """Returns the variables for fine-tuning: the last `share` of the layers with weights, without normalisation.

        A third of InceptionResNetV2 is the blocks from `block17_16` on, 33 of its 54 million weights.
        """
        layers = [layer for layer in self.network.layers if layer.trainable_variables and not _is_normalization(layer)]
        first = round(len(layers) * (1 - share))
        return [variable for layer in layers[first:] for variable in layer.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "architecture": self.architecture, "weights": self.weights_source}


def _taps(network: keras.Model) -> list[Any]:
    """Returns, for each of STRIDES that the network passes through, the map that its first halving starts from."""
    layers = {layer.name: layer for layer in network.layers}
    sources = _sources(network)
    strides: dict[str, int] = {}
    taps: dict[int, Any] = {}
    for name, layer in list(layers.items())[1:]:
        before = max(strides.get(source, 1) for source in sources[name])
        strides[name] = before * _stride(layer)
        if strides[name] > before and before in STRIDES:
            taps.setdefault(before, _unpadded(layer, layers.get(sources[name][0])))
    return [taps[stride] for stride in STRIDES if stride in taps]


def _sources(network: keras.Model) -> dict[str, list[str]]:
    """Returns the names of the layers and operations whose outputs each layer takes, from the network's config."""
    return {layer["name"]: list(_names_in(layer["inbound_nodes"])) for layer in network.get_config()["layers"]}


def _names_in(nodes: Any) -> Iterator[str]:
    """Yields the origin of each tensor in a layer's `inbound_nodes`, in order."""
    if isinstance(nodes, dict) and "keras_history" in nodes:
        yield nodes["keras_history"][0]
    elif isinstance(nodes, (dict, list, tuple)):
        for node in nodes.values() if isinstance(nodes, dict) else nodes:
            yield from _names_in(node)


def _stride(layer: keras.layers.Layer) -> int:
    """Returns the factor by which a layer shrinks a map."""
    strides = getattr(layer, "strides", 1)
    return strides if isinstance(strides, int) else strides[0]


def _unpadded(halving: keras.layers.Layer, source: keras.layers.Layer | None) -> Any:
    """Returns the map that a layer halves, without the padding that some networks add in a layer before it."""
    return source.input if isinstance(source, keras.layers.ZeroPadding2D) else halving.input


def _is_normalization(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)
