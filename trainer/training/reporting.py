"""Reports of a run: TensorBoard scalars and pictures, a progress bar or log lines."""

import io
import logging
import pathlib
import time
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import PIL.Image
import rich.console
import rich.progress
import tensorflow as tf

from photochrom.color import gamut
from photochrom.model import signature

_log = logging.getLogger("photochrom")
# seconds between log lines without a terminal.
LOG_SECONDS = 30
# steps over which training scalars are averaged before they are written.
_WRITE_EVERY = 10
_PICTURES = 6
_COLUMNS = (
    "{task.description}",
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    "{task.fields[status]}",
    rich.progress.TimeRemainingColumn(),
)


class Report:
    """Reports a run to TensorBoard files in `logs` and to the terminal."""

    def __init__(self, logs: pathlib.Path, steps: int, step: int, log_seconds: float = LOG_SECONDS):
        """Opens the event files.

        Args:
            logs: folder of event files.
            steps: of the whole run.
            step: the step that it starts or continues from.
            log_seconds: seconds between log lines without a terminal.
        """
        self._writer = tf.summary.create_file_writer(str(logs))
        console = rich.console.Console(stderr=True)
        self._bar = rich.progress.Progress(*_COLUMNS, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("train", total=steps, completed=step, status="")
        self._steps, self._logs_lines, self._log_seconds = steps, not console.is_terminal, log_seconds
        self._recent: list[dict[str, float]] = []
        self._logged_step, self._logged_at = step, time.monotonic()

    def __enter__(self) -> "Report":
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        self._writer.close()

    def begin(self, phase: str) -> None:
        """Starts a phase; its scalars are not averaged with those of the previous phase."""
        self._recent.clear()
        self._bar.update(self._task, description=phase)
        _log.info("phase: %s", phase)

    def train(self, step: int, objective: str, values: dict[str, float]) -> None:
        """Records a step's scalars; `objective` is the minimised one."""
        self._recent.append(values)
        status = f"{_words(objective)} {values[objective]:.2f}"
        self._bar.update(self._task, completed=step, status=status)
        if step % _WRITE_EVERY == 0:
            self._write(step, "train", {name: float(np.mean([v[name] for v in self._recent])) for name in values})
            self._recent.clear()
        elapsed = time.monotonic() - self._logged_at
        if self._logs_lines and elapsed > self._log_seconds:
            rate = (step - self._logged_step) / elapsed
            left = (self._steps - step) / rate / 60
            _log.info("step %d of %d, %s, %.2f steps/s, %.0f minutes left", step, self._steps, status, rate, left)
            self._logged_step, self._logged_at = step, time.monotonic()

    def validation(self, step: int, objective: str, values: dict[str, float], best: bool) -> None:
        """Writes and logs an evaluation's scalars, with `chroma` over `true_chroma` as `chroma_ratio`."""
        ratio = values["chroma"] / max(values["true_chroma"], 1e-6)
        self._write(step, "validation", {**values, "chroma_ratio": ratio})
        self._writer.flush()
        line = "step %d: validation %s %.3f%s, %.2f dB over gray in ab, chroma ratio %.2f"
        _log.info(line, step, _words(objective), values[objective], " (best)" if best else "", values["gain"], ratio)

    def pictures(self, step: int, batch: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Writes the first photographs of a batch: gray, the model's colours, the true ones."""
        lightness, predicted, truth = (
            np.asarray(array[:_PICTURES])
            for array in (batch[signature.LIGHTNESS], outputs[signature.AB], batch[signature.AB])
        )
        sheets = [compare(*arrays) for arrays in zip(lightness, predicted, truth, strict=True)]
        height, width = sheets[0].shape[:2]
        blobs = [str(width).encode(), str(height).encode(), *map(_png, sheets)]
        with self._writer.as_default():
            _summary("validation/gray_model_truth", tf.constant(blobs), "images", "DATA_CLASS_BLOB_SEQUENCE", step)

    def _write(self, step: int, group: str, values: dict[str, float]) -> None:
        with self._writer.as_default():
            for name, value in values.items():
                _summary(f"{group}/{name}", tf.constant(value, tf.float32), "scalars", "DATA_CLASS_SCALAR", step)


def _words(name: str) -> str:
    return name.replace("_", " ")


def compare(lightness: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns gray, model and truth side by side.

    Args:
        lightness: [H, W, 1] L*.
        predicted, truth: [h, w, 2] CIE a*, b*.

    Returns:
        [H, 3 * W, 3] uint8 sRGB.
    """
    size = lightness.shape[1::-1]
    chroma = [np.zeros_like(truth), predicted, truth]
    labs = [np.dstack([lightness, cv2.resize(ab.astype(np.float32), size)]).astype(np.float32) for ab in chroma]
    return np.hstack([gamut.lab_to_rgb(lab) for lab in labs])


def _png(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(rgb).save(file, "PNG")
    return file.getvalue()


def _summary(tag: str, value: tf.Tensor, plugin: str, data_class: str, step: int) -> None:
    """Writes a summary in TensorBoard's format; tf.summary.scalar would import TensorBoard."""
    metadata = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": plugin}, data_class=data_class)
    tf.summary.write(tag, value, step=step, metadata=metadata)
