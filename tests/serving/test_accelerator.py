"""--accelerator: the model's step alone has it, whatever lies between steps; the copies are the same."""

import datetime

import apache_beam as beam
import pytest

from photochrom import errors
from photochrom.model import bundle
from serving import colorize, pipeline
from serving.config import ColorizeConfig
from serving.screening import exclusion
from tests.test_buckets_end_to_end import contents

L4 = "type:nvidia-l4;count:1;install-nvidia-driver"


def test_only_the_model_s_step_has_the_hint(tint):
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


def test_the_copies_are_the_same(gray_folder, tint, tmp_path):
    flags = [f"--input={gray_folder}", f"--model={tint}", "--max_failures=100%", "--date=2026-01-31"]
    colorize.run([*flags, f"--output={tmp_path}/alike"])
    colorize.run([*flags, f"--output={tmp_path}/apart", f"--accelerator={L4}"])
    assert contents(f"{tmp_path}/apart/images") == contents(f"{tmp_path}/alike/images") != {}


def test_what_is_no_hint_is_said(tint):
    with pytest.raises(ValueError, match="--accelerator is l4, expected a type and a number such as type:nvidia-l4"):
        ColorizeConfig(input=("in",), output="out", model=tint, accelerator="l4")


def test_gpus_for_all_workers_as_well_are_refused(tint, tmp_path):
    flags = [f"--input={tmp_path}", f"--output={tmp_path}/out", f"--model={tint}", f"--accelerator={L4}"]
    with pytest.raises(errors.UsageError, match="give one of them"):
        colorize.run([*flags, "--dataflow_service_options=worker_accelerator=type:nvidia-l4;count:1"])
