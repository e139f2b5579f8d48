import os
import subprocess
import sys

import apache_beam as beam
import pytest
from apache_beam.options import pipeline_options
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from photochrom import errors
from photochrom.jobs import beam_job
from photochrom.sources import inputs


def test_the_local_runner_uses_all_cores_and_downloads_nothing(monkeypatch):
    monkeypatch.setattr("multiprocessing.cpu_count", lambda: 7)
    options = beam_job.parse_options([]).get_all_options()
    assert options["runner"] == "DirectRunner"
    assert options["direct_num_workers"] == 7
    assert options["update_compatibility_version"] == "2.77.0"


def test_flags_choose_otherwise():
    options = beam_job.parse_options(["--direct_num_workers=1", "--direct_running_mode=in_memory"]).get_all_options()
    assert (options["direct_num_workers"], options["direct_running_mode"]) == (1, "in_memory")


def test_another_runner_gets_its_flags_and_none_of_ours():
    options = beam_job.parse_options(["--runner=FlinkRunner", "--flink_master=localhost:8081"])
    assert options.get_all_options(drop_default=True)["flink_master"] == "localhost:8081"
    assert options.view_as(pipeline_options.StandardOptions).runner == "FlinkRunner"
    assert "direct_num_workers" not in options.get_all_options(drop_default=True)


@pytest.mark.parametrize("flag", ["--imagesize=3", "--direct_num_worker=3", "stray"])
def test_a_flag_that_nobody_knows_is_refused(flag):
    with pytest.raises(errors.UsageError, match=r"unknown flag .*neither this job nor Beam has it"):
        beam_job.parse_options([flag])


def test_a_value_that_beam_does_not_take_is_refused():
    with pytest.raises(errors.UsageError, match="has a value that it does not take"):
        beam_job.parse_options(["--direct_num_workers=many"])


def test_sources_of_several_inputs_are_listed(photo_folder, tmp_path):
    parsed = inputs.parse([str(photo_folder / "coffee"), str(photo_folder / "rocket" / "*.jpg")])
    expected = [f"coffee/{i}.jpg" for i in range(6)] + [f"{i}.jpg" for i in range(6)]
    with TestPipeline() as pipeline:
        sources = (
            pipeline | beam.Create(parsed) | beam_job.ListSources(str(tmp_path / "spool"), str(tmp_path / "progress"))
        )
        assert_that(sources | beam.Map(lambda source: source.key), equal_to(expected))


def test_a_pipeline_that_does_not_end_as_done_is_a_failure(monkeypatch):
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
from photochrom import beam_io
beam_io.run(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(str), beam_io.parse_options([]))
print(asked)
"""


def test_a_pipeline_on_the_local_runner_asks_no_network_and_starts_no_program(tmp_path):
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
