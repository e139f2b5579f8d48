import multiprocessing
import sys
import time

import numpy as np
import pytest
from apache_beam.utils import multi_process_shared

from photochrom import errors
from photochrom.color import tone
from photochrom.model import bundle
from photochrom.sources.source import Source
from serving.inference import model_handler
from serving.inference.predictor import Colors
from serving.scans import Scan
from serving.screening import triage


def scan(key: str, value: float = 50.0, shape: tuple[int, int] = (64, 96)) -> Scan:
    lightness = np.full(shape, value, np.float32)
    size = (shape[0], shape[1] - 6)
    return Scan(Source(key, key), "", b"", None, triage.Triage("gray", tone.Tone(0, 0), {}), lightness, size)


@pytest.fixture(scope="module")
def handler(tint):
    found = model_handler.BundleHandler(bundle.open_bundle(tint))
    return found, found.load_model()


def colors(handler, scans) -> dict[str, object]:
    found, model = handler
    return {scan.source.key: result for scan, result in found.run_inference(scans, model)}


def test_padding_is_cut_off(handler):
    found = colors(handler, [scan("a", 40)])["a"]
    assert found.ab.shape == (32, 45, 2)
    np.testing.assert_allclose(found.ab[0, 0], [5, 4], atol=1e-5)
    assert found.confidence == 0.5


def test_a_scan_that_breaks_its_batch_stands_alone(handler):
    batch = [scan(str(i), 99.9 if i == 5 else 10.0 + i) for i in range(16)]
    found = colors(handler, batch)
    assert isinstance(found["5"], errors.ModelError) and "all white" in str(found["5"])
    assert sum(isinstance(value, Colors) for value in found.values()) == 15
    np.testing.assert_allclose(found["7"].ab[0, 0, 1], (50 - 17) * 0.4, rtol=1e-5)


def test_values_that_are_not_finite_are_an_error(handler):
    found = colors(handler, [scan("a", np.nan), scan("b", 50)])
    assert isinstance(found["a"], errors.ModelError)
    assert isinstance(found["b"], Colors)


def test_batches_are_full_and_of_one_shape():
    batcher = model_handler.BatchByShape(4)
    batcher.start_bundle()
    scans = [scan(str(i), shape=(64, 64) if i % 3 else (32, 128)) for i in range(20)]
    batches = [batch for one in scans for batch in batcher.process(one)]
    rest = [value.value for value in batcher.finish_bundle()]
    assert all(len(batch) == 4 for batch in batches)
    assert all(len({s.lightness.shape for s in batch}) == 1 for batch in batches + rest)
    assert sorted(int(s.source.key) for batch in batches + rest for s in batch) == list(range(20))


def test_an_ensemble_averages_and_still_sets_a_bad_scan_apart(tint):
    found = model_handler.BundleHandler(bundle.open_bundle(tint), ensemble=True)
    batch = [scan(str(i), 99.9 if i == 2 else 10.0 + i) for i in range(4)]
    results = colors((found, found.load_model()), batch)
    assert isinstance(results["2"], errors.ModelError)
    np.testing.assert_allclose(results["3"].ab[0, 0], [5, (50 - 13) * 0.4], rtol=1e-4)


def call_shared(handler, tag, answers):
    """A worker process: as RunInference does."""
    model = multi_process_shared.MultiProcessShared(handler.load_model, tag=tag, always_proxy=True).acquire()
    [(_, found)] = handler.run_inference([scan("a", 40)], model)
    answers.put(("tensorflow" in sys.modules, found.ab[0, 0].tolist()))
    time.sleep(300)


def test_a_large_model_is_loaded_by_one_process_of_a_machine_and_by_another_when_that_dies(tint, monkeypatch):
    assert not model_handler.BundleHandler(bundle.open_bundle(tint)).share_model_across_processes()
    monkeypatch.setattr(model_handler, "_LARGE_BYTES", 1000)
    found = model_handler.BundleHandler(bundle.open_bundle(tint))
    assert found.with_no_batching().share_model_across_processes()
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    tag = f"test-{multiprocessing.current_process().pid}"
    workers, got = [context.Process(target=call_shared, args=(found, tag, answers)) for _ in range(4)], []
    try:
        for worker in workers:
            if worker is workers[-1]:
                workers[0].kill()
                workers[0].join(60)
            worker.start()
            got.append(answers.get(timeout=60))
    finally:
        for worker in filter(multiprocessing.Process.is_alive, workers):
            worker.kill()
            worker.join(60)
    assert [loaded for loaded, _ in got] == [True, False, False, True]
    np.testing.assert_allclose([ab for _, ab in got], [[5, 4]] * 4, atol=1e-5)


class GoneModel:
    """A model whose process was killed."""

    def colors(self, scans):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_shared_model_whose_process_is_gone_is_said_so(tint):
    found = model_handler.BundleHandler(bundle.open_bundle(tint))
    with pytest.raises(errors.PhotochromError, match=r"process that holds the model .*; the same command continues"):
        found.run_inference([scan("a", 40)], GoneModel())
