import datetime
import multiprocessing
import sys
import time

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.utils import multi_process_shared

from photochrom import errors
from photochrom.color import tone
from photochrom.model import bundle, working_size
from photochrom.sources.source import Source
from serving import colorize, pipeline
from serving.config import ColorizeConfig
from serving.inference import model_handler
from serving.inference.predictor import Colors
from serving.manifest.rows import Row
from serving.scans import Candidate, Scan
from serving.screening import exclusion, triage

pytestmark = pytest.mark.job  # whole jobs or trainings

L4 = "type:nvidia-l4;count:1;install-nvidia-driver"


def scan(key: str, value: float = 50.0, shape: tuple[int, int] = (64, 96)) -> Candidate:
    lightness = np.full(shape, value, np.float32)
    size = (shape[0] - 2 * working_size.MARGIN, shape[1] - 2 * working_size.MARGIN - 6)
    source, found = Source(key, key), triage.Triage("gray", tone.Tone(0, 0), {})
    return Candidate(Scan(source, "", b"", None, found, lightness, size), Row.of(source))


@pytest.fixture(scope="module")
def handler(tint):
    found = model_handler.BundleHandler(bundle.open_bundle(tint))
    return found, found.load_model()


def colors(handler, scans) -> dict[str, object]:
    found, model = handler
    return {one.row.key: result for one, result in found.run_inference(scans, model)}


def test_padding_is_cut_off(handler):
    found = colors(handler, [scan("a", 40)])["a"]
    assert found.ab.shape == (16, 29, 2)
    np.testing.assert_allclose(found.ab[0, 0], [5, 4], atol=1e-5)
    assert found.confidence == 0.5


def test_scan_that_breaks_its_batch_fails_alone(handler):
    batch = [scan(str(i), 99.9 if i == 5 else 10.0 + i) for i in range(16)]
    found = colors(handler, batch)
    assert isinstance(found["5"], errors.ModelError) and "all white" in str(found["5"])
    assert sum(isinstance(value, Colors) for value in found.values()) == 15
    np.testing.assert_allclose(found["7"].ab[0, 0, 1], (50 - 17) * 0.4, rtol=1e-5)


def test_values_that_are_not_finite_are_an_error(handler):
    found = colors(handler, [scan("a", np.nan), scan("b", 50)])
    assert isinstance(found["a"], errors.ModelError)
    assert isinstance(found["b"], Colors)


def test_ensemble_averages_and_isolates_a_bad_scan(tint):
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


def test_large_model_is_loaded_by_one_process(tint, monkeypatch):
    assert not model_handler.BundleHandler(bundle.open_bundle(tint)).share_model_across_processes()
    monkeypatch.setattr(model_handler, "_LARGE_BYTES", 1000)
    found = model_handler.BundleHandler(bundle.open_bundle(tint))
    assert found.with_no_batching().share_model_across_processes()
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    tag = f"test-{multiprocessing.current_process().pid}"
    workers, got = [context.Process(target=call_shared, args=(found, tag, answers)) for _ in range(3)], []
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
    assert [loaded for loaded, _ in got] == [True, False, True]
    np.testing.assert_allclose([ab for _, ab in got], [[5, 4]] * 3, atol=1e-5)


class GoneModel:
    """A model whose process was killed."""

    def colors(self, scans):
        raise BrokenPipeError(32, "Broken pipe")


def test_lost_process_of_a_shared_model_is_reported(tint):
    found = model_handler.BundleHandler(bundle.open_bundle(tint))
    with pytest.raises(errors.PhotochromError, match=r"process that holds the model .*; the same command continues"):
        found.run_inference([scan("a", 40)], GoneModel())


def test_accelerator_is_a_hint_of_inference_alone(tint):
    config = ColorizeConfig(input=("in",), output="out", model=tint, accelerator=L4)
    root = beam.Pipeline()
    now = datetime.datetime.now(datetime.UTC)
    pipeline.build(root, [], config, bundle.open_bundle(tint), exclusion.open_list(""), now)
    parts = root.to_runner_api().components
    hinted = {
        step.unique_name
        for step in parts.transforms.values()
        if L4.encode() in parts.environments[step.environment_id].resource_hints.values()
    }
    assert hinted and all("/Infer" in name for name in hinted)
    inner = {step.unique_name for step in parts.transforms.values() if "/Infer/" in step.unique_name and step.spec.urn}
    assert {name for name in inner if "BeamML_RunInference" in name} <= hinted


def test_accelerator_refuses_what_is_no_hint(tint):
    with pytest.raises(ValueError, match="--accelerator is l4, expected a type and a number such as type:nvidia-l4"):
        ColorizeConfig(input=("in",), output="out", model=tint, accelerator="l4")


def test_accelerator_refuses_gpus_for_all_workers(tint, tmp_path):
    flags = [f"--input={tmp_path}", f"--output={tmp_path}/out", f"--model={tint}", f"--accelerator={L4}"]
    with pytest.raises(errors.UsageError, match="give one of them"):
        colorize.run([*flags, "--dataflow_service_options=worker_accelerator=type:nvidia-l4;count:1"])
