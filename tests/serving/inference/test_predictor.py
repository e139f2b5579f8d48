"""The cost of a model's failures: a real SavedModel that is poisoned by white, and whose memory is limited."""

import numpy as np
import pytest
import tensorflow as tf

from photochrom import errors
from photochrom.color import tone
from photochrom.model import bundle, signature, working_size
from photochrom.sources.source import Source
from serving import write_copies
from serving.config import ColorizeConfig
from serving.inference import memory
from serving.inference.memory import Room
from serving.inference.predictor import Colors, Predictor
from serving.manifest.rows import Row
from serving.scans import Candidate, Scan
from serving.screening import triage

SIDE = 160
MEMORY_BYTES = 1 << 16
POISON = 99.9  # L* of the first px
MODEL_FAILS, MEMORY_LACKS = "inference", "out_of_memory"


class Moody(tf.Module):
    """Notes the size of each batch. Above `most` px it puts more into a staging area than the memory limit of that.

    A request for too much from the allocator gets the same error, but TensorFlow waits 10 s each time before it.
    """

    def __init__(self):
        super().__init__()
        self.most = tf.Variable(10**9)
        self.calls = tf.Variable(0)
        self.sizes = tf.Variable(tf.zeros([1000], tf.int32))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name=signature.LIGHTNESS)])
    def predict(self, lightness):
        size = tf.shape(lightness)[0]
        noted = self.sizes.scatter_nd_update([[self.calls]], [size])
        with tf.control_dependencies([noted]):
            counted = self.calls.assign_add(1)
        first = lightness[:, 0, 0, 0]
        too_much = tf.size(lightness) > self.most
        with tf.control_dependencies([counted]):
            work = tf.zeros([tf.where(too_much, MEMORY_BYTES + 1, 1)], tf.uint8)
            staged = tf.raw_ops.Stage(values=[work], memory_limit=MEMORY_BYTES, shared_name="work")
        with tf.control_dependencies([staged]):
            unstaged = tf.raw_ops.Unstage(dtypes=[tf.uint8], memory_limit=MEMORY_BYTES, shared_name="work")
        with tf.control_dependencies(unstaged):
            check = tf.debugging.assert_less(first, POISON - 1, message="poisoned")
        with tf.control_dependencies([check]):
            small = tf.nn.avg_pool2d(lightness, 2, 2, "SAME")
        return {signature.AB: tf.concat([small, -small], axis=-1), signature.CONFIDENCE: small * 0 + 0.5}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("moody")
    model = Moody()
    tf.saved_model.save(model, str(folder), signatures={signature.NAME: model.predict})
    return str(folder)


def predictor_of(loaded) -> Predictor:
    """Returns a predictor of a SavedModel, which no bundle may hold: it has a state."""

    def predict(lightness):
        outputs = loaded.signatures[signature.NAME](**{signature.LIGHTNESS: tf.constant(lightness)})
        return outputs[signature.AB].numpy(), outputs[signature.CONFIDENCE].numpy()

    return Predictor(predict, 2, Room())


@pytest.fixture
def model(saved):
    """A predictor, and the SavedModel that it runs."""
    loaded = tf.saved_model.load(saved)
    predictor = predictor_of(loaded)
    predictor.colors(batch(2))  # measures the memory of a picture
    sizes(loaded)
    return predictor, loaded


def scan(number: int, first: float = 0.0, shape: tuple[int, int] = (SIDE, SIDE)) -> Scan:
    lightness = np.full(shape, 10.0 + number, np.float32)
    lightness[0, 0] = first
    source = Source(str(number), str(number))
    found = triage.Triage("gray", tone.Tone(0, 0), {})
    height, width = (side - 2 * working_size.MARGIN for side in shape)
    return Scan(source, "", b"", None, found, lightness, (height, width - 6))


def batch(count: int, *odd: int, first: float = 0.0) -> list[Scan]:
    return [scan(i, first if i in odd else 0.0) for i in range(count)]


def sizes(loaded) -> list[int]:
    """Returns the sizes of the batches that it was called with, and forgets them."""
    found = loaded.sizes.numpy()[: loaded.calls.numpy()].tolist()
    loaded.calls.assign(0)
    return found


def reasons(results) -> dict[str, str]:
    return {one.source.key: error.reason for one, error in results if isinstance(error, errors.ModelError)}


@pytest.mark.parametrize("bad", [0, 40, 63])
def test_one_bad_scan_in_64_costs_13_calls(model, bad):
    predictor, loaded = model
    results = predictor.colors(batch(64, bad, first=POISON))
    assert len(sizes(loaded)) == 13
    assert [int(one.source.key) for one, _ in results] == list(range(64))
    assert reasons(results) == {str(bad): MODEL_FAILS}
    for one, colors in results:
        if int(one.source.key) != bad:
            assert colors.ab[5, 5] == pytest.approx([10 + int(one.source.key), -10 - int(one.source.key)])
            assert not colors.notes


def test_first_call_measures_how_many_fit(saved, monkeypatch):
    loaded = tf.saved_model.load(saved)
    predictor = predictor_of(loaded)
    assert not reasons(predictor.colors(batch(16)))
    assert sizes(loaded)[0] == 2
    a_picture = 16 * SIDE**2  # so small that the memory of the process may suffice
    assert predictor._room._bytes_a_pixel * SIDE**2 >= a_picture
    predictor._room._bytes_a_pixel = 16
    monkeypatch.setattr(memory, "available", lambda: int(4 * 5.5 * a_picture))
    results = predictor.colors(batch(16))
    assert not reasons(results) and sizes(loaded) == [5, 5, 5, 2]  # a scan alone is given twice
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert not reasons(predictor.colors(batch(2))) and sizes(loaded) == [2, 2]
    monkeypatch.setattr(memory, "available", lambda: None)  # no Linux
    assert not reasons(predictor.colors(batch(16))) and sizes(loaded) == [16]


def test_poison_makes_no_later_batch_smaller(model):
    predictor, loaded = model
    predictor.colors(batch(8, 3, first=POISON))
    sizes(loaded)
    assert not reasons(predictor.colors(batch(8)))
    assert sizes(loaded) == [8]


def test_batch_size_that_fits_memory_is_kept(model):
    predictor, loaded = model
    loaded.most.assign(5 * SIDE**2)
    assert not reasons(predictor.colors(batch(16)))
    assert sizes(loaded) == [16, 8, 4, 4, 4, 4]
    assert not reasons(predictor.colors(batch(16)))
    assert sizes(loaded) == [4, 4, 4, 4]
    assert not reasons(predictor.colors(batch(3)))
    assert sizes(loaded) == [3]


def test_poison_and_out_of_memory_are_kept_apart(model):
    predictor, loaded = model
    loaded.most.assign(5 * SIDE**2)
    results = predictor.colors(batch(16, 6, first=POISON))
    assert reasons(results) == {"6": MODEL_FAILS}
    assert sizes(loaded) == [16, 8, 4, 4, 2, 2, 2, 2, 4, 4]
    assert predictor.colors(batch(4)) and sizes(loaded) == [4]


def test_scan_too_large_alone_is_halved(model):
    predictor, loaded = model
    loaded.most.assign(SIDE**2 // 2)
    results = predictor.colors(batch(2))
    assert sizes(loaded) == [2, 1, 1, 1, 1]  # each once unchanged, once smaller
    for one, colors in results:
        assert one.lightness.shape == (SIDE, SIDE)  # the scan itself is unchanged
        assert isinstance(colors, Colors) and colors.ab.shape == (32, 30, 2)  # 128x122 px, halved, at a stride of 2
        np.testing.assert_allclose(colors.ab[8, 8, 0], 10 + int(one.source.key), rtol=1e-5)
        assert colors.notes == ("coloured at half the working size, 64x60 px: memory was short",)


def test_out_of_memory_at_half_size_is_final(model):
    predictor, loaded = model
    loaded.most.assign(10)
    results = predictor.colors(batch(4))
    assert reasons(results) == dict.fromkeys("0123", MEMORY_LACKS)
    assert sizes(loaded) == [4, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    assert "memory does not suffice for the model at 160x160 px, nor at 96x96 px" in str(results[0][1])


def test_smallest_scan_is_not_halved(model):
    predictor, loaded = model
    loaded.most.assign(10)
    [(_, error)] = predictor.colors([scan(1, shape=(64, 64))])
    assert error.reason == MEMORY_LACKS and sizes(loaded) == [2, 1]


def test_poison_at_half_size_is_poison(model):
    predictor, loaded = model
    loaded.most.assign(SIDE**2 // 2)
    dark = Scan(**{**vars(scan(0)), "lightness": np.full((SIDE, SIDE), POISON, np.float32)})
    [(_, error)] = predictor.colors([dark])
    assert error.reason == MODEL_FAILS and "poisoned" in str(error)


def test_predictor_cuts_off_colours_of_the_border():
    def predict(lightness):  # gray at the border, as by zero padding
        ab = np.repeat(lightness[:, ::4, ::4], 2, axis=-1)
        inside = np.zeros_like(ab)
        inside[:, 4:-4, 4:-4] = ab[:, 4:-4, 4:-4]
        return inside, np.ones_like(ab[..., :1])

    [(_, colors)] = Predictor(predict, 4, Room()).colors([scan(0)])
    assert colors.ab.shape == (32, 30, 2) and np.allclose(colors.ab, 10)


def test_predictor_evens_out_colours_of_a_surface():
    def predict(lightness):
        rng = np.random.default_rng(0)
        return rng.normal(10, 3, (len(lightness), 40, 40, 2)).astype(np.float32), np.ones((len(lightness), 40, 40, 1))

    [(_, colors)] = Predictor(predict, 4, Room()).colors([scan(0)])
    assert colors.ab.std() < 1


@pytest.mark.parametrize("error", [MemoryError("no room"), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_both_out_of_memory_errors_count(error):
    def predict(lightness):
        raise error

    [(_, found)] = Predictor(predict, 2, Room()).colors([scan(0)])
    assert found.reason == MEMORY_LACKS and str(found).endswith(f"the model failed: {errors.said(error)}")


def test_row_has_the_reason_of_the_failure(tint):
    config = ColorizeConfig(input=("in",), output="out", model=tint)
    error = errors.ModelError("memory does not suffice", MEMORY_LACKS)
    candidate = Candidate(scan(0), Row.of(scan(0).source, date="2026-01-31"), frozenset({"images/0"}))
    outcome = write_copies.write((candidate, error), config, bundle.open_bundle(tint))
    row = outcome.row
    assert (row.status, row.stage, row.reason, row.date) == ("failed", "infer", MEMORY_LACKS, "")
    assert outcome.obsolete == ()  # an earlier copy is better than none
