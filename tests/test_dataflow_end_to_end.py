"""colorize on Dataflow, up to the service's door: what is submitted is run, and makes what the local runner makes."""

import io
import json
import tarfile
import time
from types import SimpleNamespace

import apache_beam as beam
import pytest
from apache_beam.internal.gcp import auth
from apache_beam.options import pipeline_options
from apache_beam.runners.dataflow import dataflow_runner
from apache_beam.utils import retry

from photochrom import errors
from photochrom.jobs import beam_job, dataflow
from photochrom.storage import files
from serving import colorize
from serving.manifest import reader
from tests.support import dataflow_service
from tests.support.dataflow_service import RUNNING
from tests.test_buckets_end_to_end import contents, rows

pytestmark = pytest.mark.job  # whole jobs or trainings

IMAGE = "europe-west1-docker.pkg.dev/project-1/photochrom/colorize:1"
GPU = "worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver"


@pytest.fixture
def service(store, tmp_path, monkeypatch):
    """The service, credentials that it takes, and a runner that asks it often."""
    with dataflow_service.running() as running:
        (tmp_path / "key.json").write_text(running.key())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        monkeypatch.setattr(auth._Credentials, "_credentials_init", False)
        often = SimpleNamespace(time=time.time, sleep=lambda seconds: time.sleep(seconds / 100))
        monkeypatch.setattr(dataflow_runner, "time", often)
        monkeypatch.setattr(retry.Clock, "sleep", lambda self, seconds: time.sleep(seconds / 1000))
        yield running


@pytest.fixture
def archive(bucket, gray_folder, tint):
    """Flags of the job: scans and model in a bucket."""
    files.copy_folder(str(gray_folder), f"{bucket}/in/{gray_folder.name}")
    files.copy_folder(tint, f"{bucket}/model")
    where = [f"--input={bucket}/in/{gray_folder.name}", f"--output={bucket}/out", f"--model={bucket}/model"]
    return [*where, "--max_failures=100%", "--date=2026-01-31"]


def on_dataflow(service, bucket, *flags):
    where = ["--project=project-1", "--region=europe-west1", f"--temp_location={bucket}/tmp"]
    others = [f"--sdk_container_image={IMAGE}", f"--dataflow_endpoint={service.endpoint}"]
    return ["--runner=DataflowRunner", *where, *others, *flags]


def test_submitted_graph_makes_the_same_copies(service, bucket, archive, gray_folder, tint, tmp_path, capsys):
    of_workers = ["--machine_type=g2-standard-8", "--max_num_workers=7", "--disk_size_gb=60"]
    of_gpus = [f"--dataflow_service_options={GPU}", "--experiments=no_use_multiple_sdk_containers"]
    colorize.run([*archive, *on_dataflow(service, bucket, "--setup_file=./setup.py", *of_workers, *of_gpus)])
    local = [f"--input={gray_folder}", f"--output={tmp_path}/out", f"--model={tint}", *archive[3:]]
    colorize.run(local)
    assert contents(f"{bucket}/out/images") == contents(f"{tmp_path}/out/images")
    for ours, theirs in zip(rows(f"{bucket}/out"), rows(f"{tmp_path}/out"), strict=True):
        differing = {name for name, value in ours.items() if value != theirs[name]}
        assert differing <= {"source_version"}  # a generation, or a time of modification

    (job,) = service.jobs.values()
    (pool,) = job["environment"]["workerPools"]
    assert (pool["machineType"], pool["diskSizeGb"]) == ("g2-standard-8", 60)
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 7
    assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert job["environment"]["serviceOptions"] == [GPU]
    assert "no_use_multiple_sdk_containers" in job["environment"]["experiments"]
    assert job["name"].startswith("photochrom-") and job["name"][len("photochrom-") :].islower()

    staged = {package["name"]: package["location"] for package in pool["packages"]}
    path = staged["workflow.tar.gz"].replace("storage.googleapis.com/", "gs://")
    assert path.startswith(f"{bucket}/tmp/{job['name']}.")
    with tarfile.open(fileobj=io.BytesIO(files.read_bytes(path))) as package:
        names = {name.partition("/")[2] for name in package.getnames()}
    assert {"serving/pipeline.py", "photochrom/model/default/model.json", "setup.py"} <= names
    proto = dataflow_service.staged_pipeline(job)
    (environment,) = proto.components.environments.values()
    assert any(path.encode() in dependency.type_payload for dependency in environment.dependencies)

    (run,) = reader.read_runs(f"{bucket}/out")
    assert (run.listed, run.done) == (9, 6)
    assert not list(files.list_all(f"{bucket}/out/manifest/pending"))
    assert not files.exists(f"{bucket}/out/.colorize")


def test_launched_template_runs_without_its_launcher(service, bucket, archive, capsys):
    flags = on_dataflow(service, bucket, f"--template_location={bucket}/templates/colorize")
    colorize.run([*archive, *flags])
    assert "nothing was coloured yet" in capsys.readouterr().out
    assert service.jobs == {} and not files.exists(f"{bucket}/out/images")
    dataflow_service.run_locally(json.loads(files.read_bytes(f"{bucket}/templates/colorize")))
    assert reader.read_summary(f"{bucket}/out").done == 6
    (run,) = reader.read_runs(f"{bucket}/out")
    assert run.done == 6
    assert not list(files.list_all(f"{bucket}/out/manifest/pending"))


def test_template_has_no_canary(service, bucket, archive):
    flags = on_dataflow(service, bucket, f"--template_location={bucket}/templates/colorize", "--canary=3")
    with pytest.raises(errors.UsageError, match="--template_location only describes one"):
        colorize.run([*archive, *flags])


def run_small(flags, output):
    """Runs a pipeline of one step, as a job does."""
    return beam_job.run(lambda root: root | beam.Create([1]), beam_job.parse_options(flags), output)


REFUSALS = [
    (
        (403, "PERMISSION_DENIED", "The caller does not have permission"),
        "the launching account needs the roles",
    ),
    ((429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Create job requests'"), "lower --max_num_workers"),
]


@pytest.mark.parametrize(("refusal", "advice"), REFUSALS, ids=["role", "quota"])
def test_refusal_is_one_line_with_advice(service, bucket, refusal, advice):
    service.refusal = refusal
    with pytest.raises(errors.PhotochromError) as caught:
        run_small(on_dataflow(service, bucket), f"{bucket}/out")
    assert "\n" not in str(caught.value)
    assert refusal[2] in str(caught.value) and advice in str(caught.value)


def test_disabled_interface_is_reported_before_any_write(service, bucket, archive):
    service.refusal = (
        403,
        "PERMISSION_DENIED",
        "Dataflow API has not been used in project 1 before or it is disabled.",
    )
    with pytest.raises(errors.PhotochromError, match=r"has not been used.*gcloud services enable dataflow.googleapis"):
        colorize.run([*archive, *on_dataflow(service, bucket)])
    assert not files.exists(f"{bucket}/out")


def test_failed_job_is_one_line_with_advice(service, bucket):
    service.error = "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'serving'\n"
    with pytest.raises(errors.PhotochromError) as caught:
        run_small(on_dataflow(service, bucket), f"{bucket}/out")
    assert "\n" not in str(caught.value)
    assert "the job failed: ModuleNotFoundError: No module named 'serving'; the workers lack the p" in str(caught.value)


@pytest.fixture
def job_under_way(service, bucket):
    """A job for the output folder whose launcher is gone."""
    options = dataflow.named(beam_job.parse_options(on_dataflow(service, bucket)), f"{bucket}/out")
    name = options.view_as(pipeline_options.GoogleCloudOptions).job_name
    service.jobs["job-0"] = {"id": "job-0", "name": name, "clientRequestId": "1", "currentState": RUNNING}


def test_files_of_a_running_job_stay(service, bucket, archive, job_under_way):
    files.write_bytes(f"{bucket}/out/.colorize/spool/member.jpg", b"of a compressed tar")
    with pytest.raises(errors.UsageError, match=r"Dataflow's job job-0 is at work there; .*jobs cancel job-0 --region"):
        colorize.run([*archive, *on_dataflow(service, bucket)])
    assert [info.path for info in files.list_all(f"{bucket}/out")] == [f"{bucket}/out/.colorize/spool/member.jpg"]


def test_two_launchers_at_once_make_one_job(service, bucket, job_under_way):
    with pytest.raises(errors.PhotochromError, match=r"job-0.*another job writes to this output folder"):
        run_small(on_dataflow(service, bucket), f"{bucket}/out")
