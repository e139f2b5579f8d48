#!/usr/bin/env python3
"""Starts one Beam worker on a machine without containers, like /opt/apache/beam/boot in Beam's images.

Requests the job's options and staged files from the runner, installs the staged packages into a folder of the job, and
becomes Beam's worker. `worker_pool_main --container_executable boot.py` runs it, or the runner itself with
--environment_type=PROCESS. The packages' dependencies have to be installed: no package index is used.

Source of the contract: Beam's "Container contract" and sdks/python/container/boot.go.
"""

import argparse
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

import grpc
from apache_beam.portability.api import beam_artifact_api_pb2 as artifacts
from apache_beam.portability.api import beam_artifact_api_pb2_grpc as artifacts_grpc
from apache_beam.portability.api import beam_provision_api_pb2 as provision
from apache_beam.portability.api import beam_provision_api_pb2_grpc as provision_grpc
from apache_beam.portability.api import beam_runner_api_pb2 as runner_api
from google.protobuf import json_format, text_format

PACKAGES = (".tar.gz", ".whl", ".zip")


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("id", "provision_endpoint", "control_endpoint", "artifact_endpoint", "logging_endpoint"):
        parser.add_argument(f"--{name}")
    flags, _ = parser.parse_known_args()
    identity = (("worker_id", flags.id),)
    with grpc.insecure_channel(flags.provision_endpoint) as channel:
        request = provision.GetProvisionInfoRequest()
        info = provision_grpc.ProvisionServiceStub(channel).GetProvisionInfo(request, metadata=identity).info
    folder = pathlib.Path(tempfile.gettempdir(), "beam-workers")
    folder.mkdir(exist_ok=True)
    # The output of a worker pool's children is not read, and a full pipe would block them: they write to a file.
    log = os.open(folder / f"worker-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    staged = fetch(info.artifact_endpoint.url or flags.artifact_endpoint, info, identity, folder)
    environment = {
        **os.environ,
        "PYTHONPATH": str(install(staged)),
        "WORKER_ID": flags.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "SEMI_PERSISTENT_DIRECTORY": str(staged.parent),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    for name, endpoint, given in (
        ("LOGGING", info.logging_endpoint, flags.logging_endpoint),
        ("CONTROL", info.control_endpoint, flags.control_endpoint),
    ):
        endpoint.url = endpoint.url or given
        environment[f"{name}_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(endpoint)
    os.execve(sys.executable, [sys.executable, "-m", "apache_beam.runners.worker.sdk_worker_main"], environment)


def fetch(endpoint: str, info: provision.ProvisionInfo, identity: tuple, folder: pathlib.Path) -> pathlib.Path:
    """Downloads the staged files to FOLDER/DIGEST/staged, once for all workers with the same files."""
    names = sorted(entry.SerializeToString(deterministic=True) for entry in info.dependencies)
    digest = hashlib.sha256(b"".join(names) + info.retrieval_token.encode()).hexdigest()[:16]
    staged = folder / digest / "staged"
    staged.mkdir(parents=True, exist_ok=True)
    with open(folder / digest / "lock", "w") as lock, grpc.insecure_channel(endpoint) as channel:
        fcntl.flock(lock, fcntl.LOCK_EX)
        service = artifacts_grpc.ArtifactRetrievalServiceStub(channel)
        request = artifacts.ResolveArtifactsRequest(artifacts=info.dependencies)
        for entry in service.ResolveArtifacts(request, metadata=identity).replacements:
            role = runner_api.ArtifactStagingToRolePayload.FromString(entry.role_payload)
            target = staged / os.path.basename(role.staged_name)
            if not target.exists():
                partial = target.with_name(target.name + ".partial")
                with open(partial, "wb") as file:
                    chunks = service.GetArtifact(artifacts.GetArtifactRequest(artifact=entry), metadata=identity)
                    file.writelines(chunk.data for chunk in chunks)
                partial.rename(target)
    return staged


def install(staged: pathlib.Path) -> pathlib.Path:
    """Installs the staged packages beside the staged files and returns the folder for Python's path."""
    site = staged.with_name("site")
    with open(staged.with_name("lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = sorted(str(path) for path in staged.iterdir() if path.name.endswith(PACKAGES))
        if packages and not site.exists():
            partial = staged.with_name(f"site-{os.getpid()}")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            offline = ["--no-index", "--no-deps", "--no-build-isolation", "--no-compile", "--target", str(partial)]
            subprocess.run([*pip, *offline, *packages], check=True)
            partial.rename(site)
    return site


if __name__ == "__main__":
    main()
