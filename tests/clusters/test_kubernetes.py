"""The example for Flink's Kubernetes operator is complete, and its flags and versions are valid."""

import pathlib
import re

import pytest
import yaml

from photochrom.jobs import beam_job
from serving import colorize

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def parts():
    """Each object by its kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((ROOT / "docs/flink-on-kubernetes.yaml").read_text())}


def launcher(parts):
    return parts["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


def job_server(parts):
    return parts["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def worker_pool(parts):
    pods = parts["FlinkDeployment"]["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]
    return next(one for one in pods if one["name"] == "worker-pool")


def test_flags_are_known_to_colorize_and_beam(parts):
    _, beam_flags = colorize.build_parser().parse_known_args(launcher(parts)["args"])
    given = beam_job.parse_options(beam_flags).get_all_options()  # raises if Beam does not know one
    assert (given["runner"], given["environment_type"]) == ("PortableRunner", "EXTERNAL")
    assert given["environment_config"] == f"localhost:{worker_pool(parts)['ports'][0]['containerPort']}"


def test_endpoints_of_launcher_and_job_server_match(parts):
    name, ports = parts["Service"]["metadata"]["name"], {one["port"] for one in parts["Service"]["spec"]["ports"]}
    asked = re.findall(r"--(?:job|artifact)_endpoint=(\S+):(\d+)", " ".join(launcher(parts)["args"]))
    served = re.findall(r"--(?:job|artifact)-port=(\d+)", " ".join(job_server(parts)["args"]))
    assert asked == [(name, port) for port in served]
    assert {int(port) for port in served} == ports
    master = parts["FlinkDeployment"]["metadata"]["name"]
    assert f"--flink-master={master}-rest:8081" in job_server(parts)["args"]


def test_versions_match_each_other_and_the_locked_ones(parts):
    locked = re.search(r"^apache-beam==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    line, server = re.fullmatch(r"apache/beam_flink([\d.]+)_job_server:(\S+)", job_server(parts)["image"]).groups()
    assert server == locked
    assert launcher(parts)["image"] == worker_pool(parts)["image"] == f"REGISTRY/photochrom:{locked}"
    flink = parts["FlinkDeployment"]["spec"]
    assert flink["image"].startswith(f"flink:{line}-")
    assert flink["flinkVersion"] == "v" + line.replace(".", "_")


def test_taskmanagers_mount_the_staged_files(parts):
    folder = next(one.partition("=")[2] for one in job_server(parts)["args"] if one.startswith("--artifacts-dir="))
    pods = parts["FlinkDeployment"]["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]
    mounts = {one["mountPath"] for one in pods[0]["volumeMounts"]}
    assert folder in mounts & {one["mountPath"] for one in job_server(parts)["volumeMounts"]}
