"""Whole training runs with small settings, in this process or in one of their own."""

import os
import subprocess
import sys

from photochrom.model.bundle import Bundle

FLAGS = {
    "backbone": "none",
    "width": 8,
    "batch_size": 4,
    "steps": 6,
    "fine_tune_steps": 4,
    "confidence_steps": 2,
    "eval_every": 4,
    "checkpoint_every": 3,
    "chroma_ratio": 0.6,
    "seed": 0,
}
# The description of a bundle, before it is sealed.
INFO = {
    "name": "tiny",
    "version": "0",
    "image_size": 64,
    "ab_stride": 2,
    "backbone": "none",
    "backbone_weights": {"source": "none", "sha256": ""},
    "data_digest": "sha256:0",
    "steps": 1,
    "metrics": {
        "loss": 1.0,
        "chroma": 1.0,
        "true_chroma": 2.0,
        "expected_error_off_by": 3.0,
        "gain": 1.5,
        "calibrated_gain": 1.4,
        "examples": 4,
    },
    "licences": {"code": "Apache-2.0", "backbone_weights": "none used"},
}


def argv(dataset, model_dir, **changed) -> list[str]:
    """Returns the flags of a small run, some of them changed."""
    flags = {"data": dataset, "model_dir": model_dir, **FLAGS, **changed}
    return [f"--{name}={value}" for name, value in flags.items()]


def train(dataset, model_dir, **changed) -> Bundle:
    """Trains with FLAGS, some of them changed."""
    from trainer import train as command

    return command.run(argv(dataset, model_dir, **changed))


def train_in_process(code: str, flags: list[str]) -> subprocess.CompletedProcess:
    """Trains in a process of its own, which runs `code` first."""
    program = "\n".join(
        ("import sys", code, "from photochrom import cli", "from trainer import train",
         "sys.exit(cli.call(train.run, sys.argv[1:]))")
    )  # fmt: skip
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, "-c", program, *flags], check=False, capture_output=True, text=True, env=environment
    )
