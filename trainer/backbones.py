"""Pretrained networks of keras.applications as a layer over L*."""

import sys
from typing import Any

import keras

from photochrom import errors, signature
from trainer.layers import AtLeast, LightnessToRgb

# px: the smallest picture of which InceptionResNetV2's unpadded convolutions leave anything is 75.
_MIN_SIZE = 3 * signature.SIZE_STEP


def names() -> list[str]:
    """Returns the architectures that --backbone accepts, beside `none`."""
    # Keras pads NASNet by sizes known when it is built; ours differ from picture to picture.
    return [name for name in dir(keras.applications) if name[0].isupper() and not name.startswith("NASNet")]


def check_name(name: str) -> None:
    """Raises UsageError if there is no such architecture."""
    if name not in (*names(), "none"):
        raise errors.UsageError(f"--backbone is {name}, expected none or one of {', '.join(names())}")


@keras.saving.register_keras_serializable("photochrom")
class Backbone(keras.layers.Layer):
    """The last feature map that a network without its top sees in a gray picture.

    Always in inference mode: batch normalisation keeps its pretrained statistics, for a training batch
    of 16 gray pictures has worse ones.

    Input shape: [B, H, W, 1], L* in [0, 100].
    Output shape: [B, h, w, C], about a 32nd of H and W.

    Args:
        architecture: a class of keras.applications.
        weights: `imagenet` downloads them, None leaves them random.
    """

    def __init__(self, architecture: str, weights: str | None = None, **kwargs: Any):
        # Pixels reach the network as float32; its own layers then cast to what they compute in.
        super().__init__(autocast=False, **kwargs)
        self.architecture = architecture
        self.weights_source = weights
        build = getattr(keras.applications, architecture)
        self.network = build(include_top=False, weights=weights, input_shape=(None, None, 3))
        # What this architecture does to RGB in 0..255; those with built-in preprocessing have a no-op here.
        self._preprocess = sys.modules[build.__module__].preprocess_input
        self._at_least = AtLeast(_MIN_SIZE, dtype="float32")
        self._to_rgb = LightnessToRgb()

    def call(self, lightness: Any) -> Any:
        rgb = self._to_rgb(self._at_least(lightness))
        return self.network(self._preprocess(rgb), training=False)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[0], None, None, self.network.output_shape[-1]

    def upper_variables(self) -> list[keras.Variable]:
        """Returns what fine-tuning trains: the last third of the layers with weights, but no normalisation.

        For InceptionResNetV2 these are the blocks from `block17_16` on, 33 of its 54 million weights.
        """
        layers = [layer for layer in self.network.layers if layer.trainable_variables and not _is_normalization(layer)]
        return [variable for layer in layers[len(layers) * 2 // 3 :] for variable in layer.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "architecture": self.architecture, "weights": self.weights_source}


def _is_normalization(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)
