import subprocess
import sys

import pytest

from photochrom import errors
from photochrom.jobs import beam_job, clusters
from pipelines import prepare
from serving import colorize

GIVEN = {
    "project": "project-1",
    "region": "europe-west1",
    "temp_location": "gs://bucket/tmp",
    "setup_file": "./setup.py",
}
PATHS = {"--input": ("gs://bucket/in",), "--output": ("gs://bucket/out",)}


def options(**changed):
    flags = [f"--{name}={value}" for name, value in {**GIVEN, **changed}.items() if value is not None]
    return beam_job.parse_options(["--runner=DataflowRunner", *flags])


def test_complete_options_pass():
    clusters.check_job(options(), PATHS)
    clusters.check_job(options(setup_file=None, sdk_container_image="europe-docker.pkg.dev/p/r/i:1"), PATHS)
    clusters.check_job(beam_job.parse_options([]), {"--input": ("scans",)})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"project": None}, "DataflowRunner needs --project=ID"),
        ({"project": "12345"}, r"Invalid Project ID \(12345\).*not project number"),
        ({"region": None}, "DataflowRunner needs --region=REGION"),
        ({"temp_location": None}, "DataflowRunner needs --temp_location=gs://BUCKET/FOLDER"),
        ({"temp_location": "/tmp"}, "--temp_location in a bucket, gs://BUCKET/NAME; it is '/tmp'"),
        ({"temp_location": "gs://Bucket/tmp"}, "it is 'gs://Bucket/tmp'"),
        ({"staging_location": "stage"}, "--staging_location in a bucket"),
        ({"template_location": "template"}, "--template_location in a bucket"),
        ({"setup_file": None}, "needs --setup_file=./setup.py, or an --sdk_container_image"),
        ({"setup_file": "no/setup.py"}, "--setup_file no/setup.py does not exist"),
        ({"job_name": "Job_1"}, r"Invalid job_name \(Job_1\)"),
        ({"num_workers": 3, "max_num_workers": 2}, r"num_workers \(3\) cannot exceed max_num_workers \(2\)"),
    ],
    ids=str,
)
def test_missing_option_is_one_line(changed, said, monkeypatch):
    monkeypatch.delenv("CLOUDSDK_COMPUTE_REGION", raising=False)
    with pytest.raises(errors.UsageError, match=said) as caught:
        clusters.check_job(options(**changed), PATHS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flag", ["input", "output", "exclude"])
def test_local_path_is_refused_before_it_is_read(flag, tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg\n")
    local = {"input": "no/such/folder", "output": f"{tmp_path}/out", "exclude": f"{tmp_path}/list.txt"}[flag]
    flags = {"input": "gs://no-such-bucket/in", "output": "gs://no-such-bucket/out", flag: local, **GIVEN}
    with pytest.raises(errors.UsageError, match=f"--{flag} {local} is a path of this machine"):
        colorize.run([f"--{name}={value}" for name, value in flags.items()] + ["--runner=DataflowRunner"])
    assert not (tmp_path / "out").exists()


def test_prepare_refuses_local_output(tmp_path):
    flags = {"input": "gs://no-such-bucket/in", "output": f"{tmp_path}/out", **GIVEN}
    with pytest.raises(errors.UsageError, match=f"--output {tmp_path}/out is a path of this machine"):
        prepare.run([f"--{name}={value}" for name, value in flags.items()] + ["--runner=DataflowRunner"])


def test_prepare_makes_no_template():
    flags = {"input": "gs://no-such-bucket/in", "output": "gs://no-such-bucket/out", **GIVEN}
    flags["template_location"] = "gs://no-such-bucket/template"
    with pytest.raises(errors.UsageError, match="prepare makes no template"):
        prepare.run([f"--{name}={value}" for name, value in flags.items()] + ["--runner=DataflowRunner"])


def test_worker_imports_only_its_needs():
    unneeded = ["tensorflow", "tensorflow_transform", "keras", "matplotlib", "jinja2", "skimage", "scipy", "bagit"]
    unneeded += ["rich", "trainer", "pipelines"]
    code = f"import sys, serving.pipeline; print(*(name for name in {unneeded} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
