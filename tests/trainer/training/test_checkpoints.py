import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from trainer.model import build
from trainer.training.checkpoints import Checkpoints, claim


def _build(width=4):
    keras.utils.set_random_seed(1)
    colorizer = build.build_model(build.Shape(width, width, 8))
    optimizer = keras.optimizers.Adam()
    optimizer.build(colorizer.trainable_variables)
    return colorizer, optimizer


def test_claimed_folder_takes_the_same_run_again(tmp_path):
    claim(tmp_path / "run", {"batch_size": 4, "data_digest": "sha256:1"})
    claim(tmp_path / "run", {"batch_size": 4, "data_digest": "sha256:1"})


def test_claimed_folder_refuses_another_run_naming_both(tmp_path):
    claim(tmp_path, {"batch_size": 4, "data_digest": "sha256:1"})
    with pytest.raises(
        errors.UsageError, match="holds a run with data_digest sha256:1; this one has data_digest sha256:2"
    ):
        claim(tmp_path, {"batch_size": 4, "data_digest": "sha256:2"})


def test_state_comes_back_whole(tmp_path):
    colorizer, optimizer = _build()
    optimizer.apply([tf.ones(v.shape) for v in colorizer.trainable_variables], colorizer.trainable_variables)
    written = Checkpoints(tmp_path, colorizer, [optimizer])
    written.step.assign(7)
    written.judge(3.0)
    written.judge(4.0)
    written.save()

    again, fresh = _build()
    read = Checkpoints(tmp_path, again, [fresh])
    assert read.restore()
    assert [int(v) for v in (read.step, read.phase, read.stale, fresh.iterations)] == [7, 0, 1, 1]
    assert float(read.best_loss) == 3.0
    for expected, found in zip(
        colorizer.variables + optimizer.variables, again.variables + fresh.variables, strict=True
    ):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_a_phase_ends_with_its_best_weights(tmp_path):
    colorizer, optimizer = _build()
    checkpoints = Checkpoints(tmp_path, colorizer, [optimizer])
    best = colorizer.get_weights()
    assert checkpoints.judge(2.0)
    colorizer.set_weights([values + 1 for values in best])
    assert not checkpoints.judge(2.5)
    checkpoints.finish_phase(changes_loss=False)
    for expected, found in zip(best, colorizer.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (int(checkpoints.phase), int(checkpoints.stale)) == (1, 0)
    assert not checkpoints.judge(2.5)  # the next phase has to do better
    checkpoints.finish_phase(changes_loss=True)
    assert checkpoints.judge(2.5)  # unless it is judged by something else


def test_damaged_or_foreign_checkpoint_is_a_usage_error(tmp_path):
    colorizer, optimizer = _build()
    Checkpoints(tmp_path, colorizer, [optimizer]).save()
    wider, other = _build(width=8)
    with pytest.raises(errors.UsageError, match="does not fit this model or is damaged"):
        Checkpoints(tmp_path, wider, [other]).restore()
    data = next((tmp_path / "latest").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(errors.UsageError, match="does not fit this model or is damaged"):
        Checkpoints(tmp_path, colorizer, [optimizer]).restore()
