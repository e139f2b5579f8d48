"""A job on Google Cloud Dataflow: checks of its options before anything is listed, its name, active jobs.

Roles: https://cloud.google.com/dataflow/docs/concepts/security-and-permissions.
"""

import copy
import hashlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

from photochrom import errors
from photochrom.jobs import extras
from photochrom.storage import files

_NEED = "DataflowRunner needs"
_log = logging.getLogger("photochrom")


def is_chosen(options: pipeline_options.PipelineOptions) -> bool:
    """Whether the job runs on Dataflow."""
    return runner(options) == "dataflowrunner"


def runner(options: pipeline_options.PipelineOptions) -> str:
    """Returns the name of the runner's class in lower case, as Beam takes it in any, without its module."""
    return (options.view_as(pipeline_options.StandardOptions).runner or "directrunner").lower().rpartition(".")[2]


def is_template(options: pipeline_options.PipelineOptions) -> bool:
    """Whether the job is only described, to be launched later: by --template_location, as Flex Templates do."""
    return is_chosen(options) and bool(options.view_as(pipeline_options.GoogleCloudOptions).template_location)


def has_accelerators(options: pipeline_options.PipelineOptions) -> bool:
    """Whether all workers have GPUs."""
    services = options.view_as(pipeline_options.GoogleCloudOptions).dataflow_service_options or []
    return any(service.startswith("worker_accelerator=") for service in services)


def check(options: pipeline_options.PipelineOptions, paths: Mapping[str, Sequence[str]]) -> None:
    """Checks that a job for Dataflow has all that it needs, without a request.

    Args:
        options: Beam's.
        paths: the paths of each of the job's flags.

    Raises:
        UsageError: a flag is missing or does not fit.
    """
    extras.check("--runner=DataflowRunner", ["google.cloud.dataflow_v1beta3"])
    cloud = options.view_as(pipeline_options.GoogleCloudOptions)
    if not cloud.project:
        raise errors.UsageError(f"{_NEED} --project=ID, the project that pays for the job")
    cloud.region = cloud.region or os.environ.get("CLOUDSDK_COMPUTE_REGION")
    if not cloud.region:
        raise errors.UsageError(f"{_NEED} --region=REGION, where the workers run, such as europe-west1")
    _check_locations(cloud)
    _check_package(options)
    validator = PipelineOptionsValidator(options, None)
    wrong = [
        # Beam takes no address on loopback for one of the service.
        *(text for text in validator.validate_cloud_options(cloud) if "dataflow endpoint" not in text),
        *validator.validate_num_workers(options.view_as(pipeline_options.WorkerOptions)),
    ]
    if wrong:
        raise errors.UsageError(f"DataflowRunner: {wrong[0].rstrip('.')}")
    for flag, values in paths.items():
        for path in filter(files.is_local, values):
            raise errors.UsageError(
                f"{flag} {path} is a path of this machine, which Dataflow's workers do not see; copy it to a bucket "
                "and give gs://BUCKET/NAME"
            )


def _check_locations(cloud: pipeline_options.GoogleCloudOptions) -> None:
    for flag in ("temp_location", "staging_location", "template_location"):
        path = getattr(cloud, flag)
        if path is None and flag != "temp_location":
            continue
        if not path:
            raise errors.UsageError(f"{_NEED} --temp_location=gs://BUCKET/FOLDER, where the package and results wait")
        if not re.fullmatch(r"gs://[a-z0-9][-_a-z0-9.]+[a-z0-9]/.*", path):
            raise errors.UsageError(f"{_NEED} --{flag} in a bucket, gs://BUCKET/NAME; it is {path!r}")


def _check_package(options: pipeline_options.PipelineOptions) -> None:
    setup = options.view_as(pipeline_options.SetupOptions)
    worker = options.view_as(pipeline_options.WorkerOptions)
    if setup.setup_file and not os.path.isfile(setup.setup_file):
        raise errors.UsageError(f"--setup_file {setup.setup_file} does not exist; expected the project's setup.py")
    if not (setup.setup_file or setup.extra_packages or worker.sdk_container_image):
        raise errors.UsageError(
            f"{_NEED} --setup_file=./setup.py, or an --sdk_container_image with the package: its workers lack it"
        )


def named(options: pipeline_options.PipelineOptions, output: str) -> pipeline_options.PipelineOptions:
    """Returns a copy of the options for one job; without a name it gets one that states its output folder.

    Dataflow refuses a second job of a name while the first one runs, from any launcher.
    """
    options = copy.deepcopy(options)  # Beam writes each job's staging folder into them
    cloud = options.view_as(pipeline_options.GoogleCloudOptions)
    if not cloud.job_name:
        words = re.sub(r"[^a-z0-9]+", "-", output.lower().partition("://")[2])[-30:].strip("-")
        digest = hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:8]
        cloud.job_name = f"photochrom-{words}-{digest}"
    return options


def check_idle(options: pipeline_options.PipelineOptions, output: str) -> None:
    """Asks Dataflow for an active job of this output folder: its launcher, and with it the lock, may be gone.

    Raises:
        UsageError: there is one.
    """
    from google.cloud import dataflow_v1beta3

    cloud = named(options, output).view_as(pipeline_options.GoogleCloudOptions)
    active = dataflow_v1beta3.ListJobsRequest.Filter.ACTIVE
    request = dataflow_v1beta3.ListJobsRequest(project_id=cloud.project, location=cloud.region, filter=active)
    for job in _jobs_client(cloud).list_jobs(request):
        if job.name == cloud.job_name:
            raise errors.UsageError(
                f"--output {output}: Dataflow's job {job.id} is at work there; wait until it ends, or stop it: "
                f"gcloud dataflow jobs cancel {job.id} --region={cloud.region} --project={cloud.project}"
            )


def _jobs_client(cloud: pipeline_options.GoogleCloudOptions) -> Any:
    """Returns a client with the credentials and the endpoint that Beam's runner would use."""
    from apache_beam.internal.gcp import auth
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import dataflow_v1beta3

    credentials = (None if cloud.no_auth else auth.get_service_credentials(cloud)) or AnonymousCredentials()
    endpoint = (cloud.dataflow_endpoint or "").strip().rstrip("/")
    by_rest = "localhost" in endpoint or "sandbox" in endpoint
    if not by_rest:
        endpoint = re.sub("^https?://", "", endpoint)
    return dataflow_v1beta3.JobsV1Beta3Client(
        credentials=credentials,  # type: ignore[arg-type]  # an adapter of Beam's with Google's interface
        client_options={"api_endpoint": endpoint} if endpoint else None,
        transport="rest" if by_rest else None,
    )


def log_job(result: Any, options: pipeline_options.PipelineOptions) -> None:
    """Logs the console's address of a submitted job and the command that stops it; nothing for a described one."""
    if not result.has_job:
        return
    job_id = result.job_id()
    cloud = options.view_as(pipeline_options.GoogleCloudOptions)
    _log.info(
        "Dataflow has the job: https://console.cloud.google.com/dataflow/jobs/%s/%s?project=%s; it continues without "
        "this process; `gcloud dataflow jobs cancel %s --region=%s --project=%s` stops it",
        *(cloud.region, job_id, cloud.project, job_id, cloud.region, cloud.project),
    )
