import os
import pathlib
import subprocess
import sys

import apache_beam as beam
import pytest
from apache_beam.options import pipeline_options
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from photochrom import errors
from photochrom.jobs import beam_job, local_runner
from photochrom.sources import inputs

pytestmark = pytest.mark.job  # whole jobs or trainings


def test_local_runner_uses_all_cores_by_default(monkeypatch):
    monkeypatch.setattr("multiprocessing.cpu_count", lambda: 7)
    options = beam_job.parse_options([]).get_all_options()
    assert options["runner"] == "DirectRunner"
    assert options["direct_num_workers"] == 7


@pytest.mark.parametrize("name", ["direct", "DirectRunner", "FnApiRunner", None])
def test_local_runner_is_taken_for_tested_beam(name, caplog):
    options = beam_job.parse_options([f"--runner={name}"] if name else [])
    assert type(beam_job._runner(options)) is local_runner.LocalRunner
    assert beam.__version__ in beam_job.TESTED and not caplog.records


def test_untested_beam_runs_own_class_with_warning(monkeypatch, caplog):
    monkeypatch.setattr(beam_job, "TESTED", ("1.0",))
    assert type(beam_job._runner(beam_job.parse_options([]))) is fn_runner.FnApiRunner
    (record,) = caplog.records
    assert f"Beam {beam.__version__} is not tested, only 1.0" in record.getMessage()


def test_remote_runner_is_left_to_beam():
    assert beam_job._runner(beam_job.parse_options(["--runner=FlinkRunner"])) is None


# Prints which attributes of Beam's modules and classes an import has changed.
_CHANGED = """
import importlib, pathlib, sys
import apache_beam
from apache_beam.runners.portability import local_job_service, portable_runner
from apache_beam.runners.portability.fn_api_runner import execution, fn_runner, worker_handlers
from apache_beam.runners.worker import data_plane, sdk_worker
from apache_beam.io.aws.clients.s3 import boto3_client
from apache_beam.io.filesystems import FileSystems

def state():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("apache_beam", "boto3", "google", "grpc") and module:
            for key, value in list(vars(module).items()):
                found[name, key] = id(value)
                if isinstance(value, type):
                    found.update({(name, key, inner): id(one) for inner, one in vars(value).items()})
    return found

before = state()
for module in sys.argv[1:]:
    importlib.import_module(module)
after = state()
ignored = ("__weakref__", "__warningregistry__")
print([key for key in before if after.get(key) != before[key] and key[-1] not in ignored])
"""


def test_import_changes_nothing_in_beam():
    names = [f"photochrom.jobs.{path.stem}" for path in pathlib.Path(beam_job.__file__).parent.glob("[a-z]*.py")]
    assert "photochrom.jobs.local_workers" in names
    done = subprocess.run([sys.executable, "-c", _CHANGED, *names], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_flags_choose_otherwise():
    options = beam_job.parse_options(["--direct_num_workers=1", "--direct_running_mode=in_memory"]).get_all_options()
    assert (options["direct_num_workers"], options["direct_running_mode"]) == (1, "in_memory")


def test_other_runner_gets_only_its_flags():
    options = beam_job.parse_options(["--runner=FlinkRunner", "--flink_master=localhost:8081"])
    assert options.get_all_options(drop_default=True)["flink_master"] == "localhost:8081"
    assert options.view_as(pipeline_options.StandardOptions).runner == "FlinkRunner"
    assert "direct_num_workers" not in options.get_all_options(drop_default=True)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--imagesize=3", "unknown flag '--imagesize'; see --help"),
        ("--direct_num_worker=3", "unknown flag '--direct_num_worker', did you mean --direct_num_workers"),
        ("stray", "unexpected argument 'stray': expected flags such as --output=DIR; see --help"),
    ],
)
def test_unknown_flag_is_refused(flag, message):
    with pytest.raises(errors.UsageError, match=message):
        beam_job.parse_options([flag])


def test_value_that_beam_refuses_is_refused():
    with pytest.raises(errors.UsageError, match="argument --direct_num_workers: invalid int value: 'many'"):
        beam_job.parse_options(["--direct_num_workers=many"])


def test_sources_of_several_inputs_are_listed(photo_folder, tmp_path):
    parsed = inputs.parse([str(photo_folder / "coffee"), str(photo_folder / "rocket" / "*.jpg")])
    expected = [f"coffee/{i}.jpg" for i in range(6)] + [f"{i}.jpg" for i in range(6)]
    with TestPipeline() as pipeline:
        sources = (
            pipeline | beam.Create(parsed) | beam_job.ListSources(str(tmp_path / "spool"), str(tmp_path / "progress"))
        )
        assert_that(sources | beam.Map(lambda source: source.key), equal_to(expected))


def test_pipeline_ending_otherwise_is_failure(monkeypatch):
    class Result:
        def wait_until_finish(self):
            return "CANCELLED"

    monkeypatch.setattr(beam.Pipeline, "run", lambda self: Result())
    with pytest.raises(errors.PhotochromError, match="ended as CANCELLED, expected DONE"):
        beam_job.run(lambda pipeline: None, beam_job.parse_options([]))


# Notes what Python asks of the network, and which programs it starts, while a pipeline runs as users start one.
_WATCHED = """
import sys
asked = []
def watch(event, details):
    if event in ("urllib.Request", "subprocess.Popen"):
        asked.append((event, str(details[0])))
    elif event == "socket.getaddrinfo" and details[0] not in (None, "", "localhost", "127.0.0.1", "::1"):
        asked.append((event, str(details[0])))
sys.addaudithook(watch)
import apache_beam as beam
from photochrom.jobs import beam_job
beam_job.run(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(str), beam_job.parse_options([]))
print(asked)
"""


def test_local_runner_needs_no_network_and_no_program(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert not (tmp_path / ".apache_beam").exists()
