"""The Flex Template is valid for the job, Beam and Google's interface: its parameters are flags of colorize.

`python -m tests.test_flex_template` rewrites the metadata.
"""

import argparse
import json
import pathlib
import re

from google.cloud import dataflow_v1beta3
from google.protobuf import json_format

from photochrom.jobs import beam_job
from serving import colorize

ROOT = pathlib.Path(__file__).parents[1]
METADATA = ROOT / "dataflow/colorize.json"
IN_BUCKETS = ("input", "output")
# A template only describes a job, so it cannot inspect the copies of a trial; its file of flags is the launcher's own.
NEEDS_A_LAUNCHER = ("canary", "canary_max_drift", "config")


def parameter(action: argparse.Action) -> dict:
    """Returns a flag as Google's ParameterMetadata."""
    shown = {
        "name": action.dest,
        "label": action.dest.replace("_", " ").capitalize(),
        "helpText": action.help.partition(" (default: %(default)s)")[0].replace("%%", "%"),
        "isOptional": not action.required,
    }
    if action.choices:
        options = [{"value": choice, "label": choice} for choice in action.choices]
        return {**shown, "paramType": "ENUM", "enumOptions": options, "defaultValue": action.default}
    kind = {"paramType": "NUMBER" if action.type in (int, float) else "TEXT"}
    default = {"defaultValue": str(action.default)} if action.default not in (None, "", []) else {}
    return {**shown, **kind, **default, **({"regexes": ["^gs://.+$"]} if action.dest in IN_BUCKETS else {})}


def metadata() -> dict:
    """Returns the template's metadata: a parameter for each flag with a value, as parameters always have one."""
    parser = colorize.build_parser()
    taking = [action for action in parser._actions if action.nargs is None and action.dest not in NEEDS_A_LAUNCHER]
    parameters = [parameter(action) for action in taking]
    return {"name": "Photochrom colorize", "description": parser.description, "parameters": parameters}


def strictly(message: type, value: dict):
    """Returns the message that JSON describes; raises if it has a field that the message lacks."""
    return json_format.ParseDict(value, message.pb(message()), ignore_unknown_fields=False)


def test_parameters_are_the_flags_with_their_help():
    assert json.loads(METADATA.read_text()) == metadata()


def test_metadata_is_valid_for_google():
    given = json.loads(METADATA.read_text())
    spec = {"image": "europe-docker.pkg.dev/p/r/i:1", "metadata": given, "sdkInfo": {"language": "PYTHON"}}
    parsed = strictly(dataflow_v1beta3.ContainerSpec, spec)
    assert [one.name for one in parsed.metadata.parameters if not one.is_optional] == ["input", "output"]


def test_nightly_launch_names_parameters_of_the_template():
    given = json.loads((ROOT / "dataflow/nightly.json").read_text())
    parsed = strictly(dataflow_v1beta3.LaunchFlexTemplateRequest, given)
    assert set(parsed.launch_parameter.parameters) <= {one["name"] for one in metadata()["parameters"]}
    argv = [f"--{name}={value}" for name, value in parsed.launch_parameter.parameters.items()]
    _, unknown = colorize.build_parser().parse_known_args(argv)
    assert unknown == []


def test_flags_of_the_launcher_are_known_to_beam():
    names = ("project", "region", "job_name", "temp_location", "staging_location", "template_location", "machine_type")
    names += ("sdk_container_image", "service_account_email", "subnetwork", "setup_file", "requirements_file")
    numbers = ("max_num_workers", "num_workers", "disk_size_gb")
    flags = [f"--{name}=x" for name in names] + [f"--{name}=1" for name in numbers] + ['--labels={"a": "b"}']
    beam_job.parse_options(["--runner=DataflowRunner", *flags])  # raises if Beam does not know one


def test_image_has_the_locked_versions():
    recipe = (ROOT / "dataflow/Dockerfile").read_text()
    locked = re.search(r"^apache-beam==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert re.findall(r"^FROM apache/beam_python3\.11_sdk:(\S+)$", recipe, re.MULTILINE) == [locked]
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", recipe, re.MULTILINE)
    assert all((ROOT / name).exists() for line in copied for name in line.split())
    assert {"photochrom", "pipelines", "trainer", "serving"} <= set(" ".join(copied).split())


if __name__ == "__main__":
    METADATA.write_text(json.dumps(metadata(), indent=2, ensure_ascii=False) + "\n")
