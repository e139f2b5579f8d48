import logging

import numpy as np
import tensorflow as tf
from tensorflow.core.util import event_pb2

from photochrom.color import gamut
from trainer.training import reporting

VALUES = {"loss": 2.0, "chroma": 3.0, "true_chroma": 6.0, "gain": 1.5}


def _events(folder):
    """Returns {(tag, step): (plugin, value)} of the event files in a folder."""
    found = {}
    for file in folder.iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = event_pb2.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag, event.step] = (value.metadata.plugin_data.plugin_name, tf.make_ndarray(value.tensor))
    return found


def test_scalars_and_pictures_have_tensorboard_format(tmp_path, caplog):
    batch = {"lightness": np.full((2, 32, 64, 1), 50.0), "ab": np.full((2, 16, 32, 2), 20.0)}
    with caplog.at_level(logging.INFO), reporting.Report(tmp_path, steps=20, step=0) as report:
        for step in range(1, 11):
            report.train(step, "loss", {**VALUES, "loss": float(step)})
        report.validation(10, "loss", VALUES, best=True)
        report.pictures(10, batch, {"ab": np.zeros((2, 16, 32, 2))})
    events = _events(tmp_path)
    assert events["train/loss", 10] == ("scalars", np.float32(5.5))
    assert events["validation/chroma_ratio", 10] == ("scalars", np.float32(0.5))
    plugin, (width, height, *pictures) = events["validation/gray_model_truth", 10]
    assert (plugin, width, height, len(pictures)) == ("images", b"192", b"32", 2)
    assert tf.io.decode_png(pictures[0]).shape == (32, 192, 3)
    assert "step 10: validation loss 2.000 (best), 1.50 dB over gray in ab, chroma ratio 0.50" in caplog.text


def test_log_lines_show_progress_without_terminal(tmp_path, caplog):
    with caplog.at_level(logging.INFO), reporting.Report(tmp_path, steps=20, step=4, log_seconds=0) as report:
        report.begin("confidence")
        report.train(5, "doubt_loss", {"doubt_loss": 2.0})
    assert "phase: confidence" in caplog.text
    assert "step 5 of 20, doubt loss 2.00, " in caplog.text
    assert "minutes left" in caplog.text


def test_scalars_are_means_over_one_phase(tmp_path):
    with reporting.Report(tmp_path, steps=20, step=0) as report:
        for step in range(1, 6):
            report.train(step, "loss", {"loss": 9.0, "gradient_norm": 9.0})
        report.begin("confidence")
        for step in range(6, 11):
            report.train(step, "doubt_loss", {"doubt_loss": 2.0, "gradient_norm": 1.0})
    events = _events(tmp_path)
    assert events["train/gradient_norm", 10] == ("scalars", np.float32(1.0))
    assert events["train/doubt_loss", 10] == ("scalars", np.float32(2.0))


def test_comparison_shows_gray_model_and_truth():
    lightness, green, blue = np.full((8, 8, 1), 50), np.full((4, 4, 2), (-30, 20)), np.full((4, 4, 2), (0, -40))
    sheet = reporting.compare(lightness, green, blue)
    assert sheet.shape == (8, 24, 3)
    for column, ab in ((4, (0, 0)), (12, (-30, 20)), (20, (0, -40))):
        expected = gamut.lab_to_rgb(np.array([[[50, *ab]]], np.float32))[0, 0]
        np.testing.assert_array_equal(sheet[4, column], expected)
