import logging
import pathlib
import socket
import subprocess
import sys
import zipfile

import pytest

from photochrom import errors
from photochrom.jobs import beam_job, clusters

JAVA_TRACE = """\
Pipeline job-1 failed in state FAILED: org.apache.flink.runtime.JobException: Recovery is suppressed
	at org.apache.flink.runtime.ExecutionFailureHandler.handleFailure(ExecutionFailureHandler.java:219)
Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 5: Traceback (most recent):
  File "apache_beam/runners/worker/sdk_worker.py", line 313, in _execute
    response = task()
ModuleNotFoundError: No module named 'serving'

	at org.apache.beam.runners.fnexecution.control.FnApiControlClient.completeExceptionally(FnApiControlClient.java:1)
Caused by: java.util.concurrent.ExecutionException: later
"""


@pytest.fixture
def unused_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def options(*flags):
    return beam_job.parse_options(flags)


@pytest.mark.parametrize("runner", ["--runner=direct", "--runner=DirectRunner", "--direct_num_workers=1"])
def test_local_runner_needs_no_cluster(runner):
    assert clusters.is_local(options(runner))


def test_other_runners_are_clusters():
    assert not clusters.is_local(options("--runner=FlinkRunner"))
    assert not clusters.is_local(options("--runner=DataflowRunner", "--project=p", "--temp_location=gs://b/t"))


def test_unreachable_jobmanager_is_reported(unused_port):
    with pytest.raises(errors.PhotochromError, match=r"no Flink JobManager answers at 127.0.0.1:\d+ .*--flink_master"):
        clusters.check(options("--runner=FlinkRunner", f"--flink_master=127.0.0.1:{unused_port}"))


def test_unreachable_job_server_is_reported_before_building(unused_port):
    flags = ["--runner=PortableRunner", f"--job_endpoint=127.0.0.1:{unused_port}"]
    with pytest.raises(errors.PhotochromError, match=r"nothing answers at 127.0.0.1:\d+ .*--job_endpoint"):
        beam_job.run(lambda pipeline: pytest.fail("was built"), options(*flags))


def test_jar_that_is_not_beams_is_refused(tmp_path):
    (tmp_path / "text.jar").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "other.jar", "w") as jar:
        jar.writestr("org/example/Main.class", "")
    for name, expected in (
        ("text", "is not a readable jar"),
        ("none", "is not a readable jar"),
        ("other", "does not hold Beam's Flink runner"),
    ):
        with pytest.raises(errors.UsageError, match=expected):
            clusters.check(options("--runner=FlinkRunner", f"--flink_job_server_jar={tmp_path / name}.jar"))


def test_cause_of_java_trace_is_workers_error():
    assert clusters.find_cause(JAVA_TRACE) == "ModuleNotFoundError: No module named 'serving'"
    assert (
        clusters.find_cause("Caused by: java.net.ConnectException: refused\n\tat x")
        == "java.net.ConnectException: refused"
    )
    assert clusters.find_cause("nothing of the kind") == ""


def test_failed_job_is_one_line_and_log():
    with pytest.raises(errors.PhotochromError) as caught, clusters.explained(options("--runner=FlinkRunner")):
        logging.getLogger("apache_beam").error("all that Beam says")
        raise RuntimeError(JAVA_TRACE)
    message = str(caught.value)
    assert "\n" not in message
    assert "No module named 'serving'; the workers lack the package: give --setup_file=./setup.py" in message
    log = pathlib.Path(message.rpartition(" in ")[2])
    assert "all that Beam says" in log.read_text()
    assert "ExecutionFailureHandler.java:219" in log.read_text()
    log.unlink()


def test_log_of_failed_job_stays_in_file():
    code = (
        "import logging, sys\n"
        "from photochrom import cli\n"
        "from photochrom.jobs import beam_job, clusters\n"
        "def run(argv):\n"
        "    with clusters.explained(beam_job.parse_options(['--runner=FlinkRunner'])):\n"
        "        logging.getLogger('apache_beam').error('all that Beam says')\n"
        "        logging.getLogger('photochrom').info('how far it is')\n"
        "        raise RuntimeError('it broke')\n"
        "sys.exit(cli.call(run, []))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "all that Beam says" not in done.stderr
    *_, shown, last = done.stderr.splitlines()
    assert shown.endswith("INFO how far it is") and last.startswith(
        "photochrom: the job failed: RuntimeError: it broke"
    )
    log = pathlib.Path(last.rpartition(" in ")[2])
    assert "all that Beam says" in log.read_text()
    log.unlink()
