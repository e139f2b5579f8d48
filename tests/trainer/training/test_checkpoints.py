import keras
import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from trainer.model import build
from trainer.training.checkpoints import Checkpoints, claim

pytestmark = pytest.mark.job  # whole jobs or trainings


def _build(width=4):
    keras.utils.set_random_seed(1)
    colorizer = build.build_model(build.Shape(width, width, 8))
    optimizer = keras.optimizers.Adam()
    optimizer.build(colorizer.trainable_variables)
    return colorizer, optimizer


def test_claimed_folder_takes_the_same_run_again(tmp_path):
    claim(tmp_path / "run", {"batch_size": 4, "data_digest": "sha256:1"})
    claim(tmp_path / "run", {"batch_size": 4, "data_digest": "sha256:1"})


def test_claimed_folder_refuses_another_run(tmp_path):
    claim(tmp_path, {"batch_size": 4, "data_digest": "sha256:1"})
    with pytest.raises(
        errors.UsageError, match="holds a run with data_digest sha256:1; this one has data_digest sha256:2"
    ):
        claim(tmp_path, {"batch_size": 4, "data_digest": "sha256:2"})


@pytest.mark.parametrize("name", ["run", "a [b]*?% {c}"])  # TensorFlow takes some paths for patterns
def test_state_is_restored_completely(tmp_path, name):
    tmp_path = tmp_path / name
    colorizer, optimizer = _build()
    optimizer.apply([tf.ones(v.shape) for v in colorizer.trainable_variables], colorizer.trainable_variables)
    written = Checkpoints(tmp_path, colorizer, [optimizer])
    written.step.assign(7)
    written.keep_if_best(3.0)
    written.keep_if_best(4.0)
    written.save()

    again, fresh = _build()
    read = Checkpoints(tmp_path, again, [fresh])
    assert read.restore()
    assert [int(v) for v in (read.step, read.phase, read.stale, fresh.iterations)] == [7, 0, 1, 1]
    assert float(read.best_loss) == 3.0
    assert read.latest == f"{tmp_path}/latest/ckpt-7"
    for expected, found in zip(
        colorizer.variables + optimizer.variables, again.variables + fresh.variables, strict=True
    ):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_phase_ends_with_best_weights(tmp_path):
    colorizer, optimizer = _build()
    checkpoints = Checkpoints(tmp_path, colorizer, [optimizer])
    best = colorizer.get_weights()
    assert checkpoints.keep_if_best(2.0)
    colorizer.set_weights([values + 1 for values in best])
    assert not checkpoints.keep_if_best(2.5)
    checkpoints.finish_phase(changes_loss=False)
    for expected, found in zip(best, colorizer.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (int(checkpoints.phase), int(checkpoints.stale)) == (1, 0)
    assert not checkpoints.keep_if_best(2.5)  # the next phase must improve on it
    checkpoints.finish_phase(changes_loss=True)
    assert checkpoints.keep_if_best(2.5)  # unless its objective is another loss


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
