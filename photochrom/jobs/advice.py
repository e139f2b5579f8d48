"""Advice for a job that failed on a cluster, by its trace."""

import dataclasses
import re

_PORTABLE, _DATAFLOW, _ANY = "portable", "dataflow", ""


@dataclasses.dataclass(frozen=True)
class _Row:
    pattern: str
    advice: str
    cluster: str = _ANY


# The first row that fits is taken. {pool} and {process} stand for facts about the job, see `find`.
# Quotas and permissions: https://cloud.google.com/dataflow/quotas
_TABLE = (
    _Row(
        r"already active job named|already an active job",
        "another job writes to this output folder: wait until it ends, or cancel it",
        _DATAFLOW,
    ),
    _Row(
        r"SERVICE_DISABLED|accessNotConfigured|has not been used in project",
        "switch the interface on: gcloud services enable dataflow.googleapis.com compute.googleapis.com",
        _DATAFLOW,
    ),
    _Row(
        r"ZONE_RESOURCE_POOL_EXHAUSTED",
        "the zone has no such machines or GPUs left: try another --region, --worker_zone or --machine_type",
        _DATAFLOW,
    ),
    _Row(
        r"QUOTA_EXCEEDED|RESOURCE_EXHAUSTED|ResourceExhausted|TooManyRequests|\b429 (GET|POST|PUT)\b|[Qq]uota '",
        "a quota of the project is used up: lower --max_num_workers, take another --region or --machine_type, wait, or "
        "ask for more (console, IAM & Admin, Quotas)",
        _DATAFLOW,
    ),
    _Row(
        r"PERMISSION_DENIED|PermissionDenied|Forbidden|\b403 (GET|POST|PUT)\b",
        "the launching account needs the roles Dataflow Developer and Service Account User, and Storage Object Admin "
        "on the bucket of --temp_location; the workers' account needs Dataflow Worker and the rights on inputs and "
        "output",
        _DATAFLOW,
    ),
    _Row(
        r"UNAUTHENTICATED|Unauthenticated|RefreshError|DefaultCredentialsError|\b401 (GET|POST|PUT)\b",
        "there are no credentials: run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
        _DATAFLOW,
    ),
    _Row(
        r"No module named '(photochrom|pipelines|serving|trainer)'",
        "the workers lack the package: give --setup_file=./setup.py, with workers that install staged packages, or an "
        "--sdk_container_image that has it",
    ),
    _Row(
        r"(No module named|cannot import name|DistributionNotFound|No matching distribution)",
        "the workers lack a dependency: install Photochrom's dependencies for their Python, in the launcher's "
        "versions, let them reach a package index, or take an --sdk_container_image that has all",
    ),
    _Row(r"(?s)ExternalEnvironment.*UNAVAILABLE|java\.net\.ConnectException", "{pool}", _PORTABLE),
    _Row(r"Process died with exit code", "{process}", _PORTABLE),
    _Row(
        r"(?i)docker",
        "--environment_type=DOCKER, the default, needs Docker on the workers; or choose PROCESS or EXTERNAL",
        _PORTABLE,
    ),
    _Row(
        r"(NoSuchMethodError|NoClassDefFoundError|ClassNotFoundException|InvalidClassException|IncompatibleClassChange)",
        "the job server's jar does not fit the cluster's Flink or Spark: take the one built for its version",
        _PORTABLE,
    ),
    _Row(
        r"Insufficient number of network buffers",
        "give the TaskManagers more: taskmanager.memory.network.min and .max",
        _PORTABLE,
    ),
    _Row(
        r"(NoResourceAvailableException|Could not acquire the minimum required resources)",
        "the cluster has too few free slots: start more TaskManagers, or lower --parallelism",
        _PORTABLE,
    ),
    _Row(
        r"(Connection refused|Max retries exceeded|RemoteDisconnected|StatusCode.UNAVAILABLE|TaskManager|heartbeat)",
        "the cluster, or a part of it, is gone; start it again",
        _PORTABLE,
    ),
)


def find(trace: str, is_dataflow: bool, **facts: str) -> str:
    """Returns the advice for a trace, "" for none.

    Args:
        trace: of the failed job, with all that was logged.
        is_dataflow: whether it ran on Dataflow; else a cluster with Beam's portable runners.
        facts: text for each placeholder of the table.
    """
    clusters = (_ANY, _DATAFLOW if is_dataflow else _PORTABLE)
    rows = (row for row in _TABLE if row.cluster in clusters and re.search(row.pattern, trace))
    return next((row.advice.format(**facts) for row in rows), "")
