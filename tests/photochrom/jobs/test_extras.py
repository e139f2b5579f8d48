"""Commands without an optional package: each module is blocked in a process of its own."""

import pathlib
import re
import runpy
import subprocess
import sys

import pytest
import setuptools

from photochrom import errors
from photochrom.jobs import extras

ROOT = pathlib.Path(__file__).parents[3]
WITHOUT = (
    "import sys\n"
    "for name in sys.argv.pop(1).split(','): sys.modules[name] = None\n"
    "from photochrom import cli\n"
    "sys.exit(cli.main(sys.argv[1:]))"
)


def without(modules: str, *argv: str) -> tuple[int, str]:
    """Runs a command in which modules cannot be imported; returns its exit status and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, modules, *argv], check=False, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("module", "command", "package", "extra"),
    [
        ("tensorflow_transform", "prepare", "tensorflow-transform", "prepare"),
        ("scipy", "train", "scipy", "train"),
        ("jinja2", "evaluate", "jinja2", "train"),
        ("skimage", "demo", "scikit-image", "train"),
    ],
)
def test_missing_package_is_one_line_with_its_extra(module, command, package, extra):
    message = f"photochrom {command} needs {package}, which is not installed: pip install 'photochrom[{extra}]'"
    assert without(module, command) == (2, f"photochrom: {message}\n")


def test_help_needs_no_optional_package():
    assert without("tensorflow_transform,skimage,scipy,jinja2", "prepare", "--help") == (0, "")


@pytest.mark.job
def test_colorize_needs_no_optional_package(tint, gray_folder, tmp_path):
    paths = [f"--model={tint}", f"--input={gray_folder / 'tall.tif'}", f"--output={tmp_path}"]
    status, said = without(",".join([*extras.EXTRAS, "boto3", "tensorboard"]), "colorize", *paths)
    assert status == 0, said


@pytest.mark.parametrize("blocked", ["google.cloud", "google.cloud.dataflow_v1beta3"])
def test_dataflow_without_its_client_is_one_line(monkeypatch, blocked):
    monkeypatch.delitem(sys.modules, "google.cloud.dataflow_v1beta3", raising=False)  # imported by another test
    monkeypatch.setitem(sys.modules, blocked, None)
    with pytest.raises(errors.UsageError, match=r"needs apache-beam\[gcp\], .* pip install 'photochrom\[gcp\]'"):
        extras.check("--runner=DataflowRunner", ["google.cloud.dataflow_v1beta3"])


def setup_arguments(monkeypatch) -> dict:
    """Returns what setup.py gives to setuptools."""
    found: dict = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: found.update(arguments))
    runpy.run_path(str(ROOT / "setup.py"))
    return found


def test_each_optional_module_is_in_its_extra(monkeypatch):
    arguments = setup_arguments(monkeypatch)
    optional = arguments["extras_require"]
    for package, extra in extras.EXTRAS.values():
        assert any(requirement.startswith(package) for requirement in optional[extra]), package
        assert not any(re.match(rf"{re.escape(package)}\W", one) for one in arguments["install_requires"]), package
    everything = {
        requirement for name in ("prepare", "train", "gcp", "s3", "c2pa", "lite0") for requirement in optional[name]
    }
    assert set(optional["all"]) == everything <= set(optional["dev"])


def test_description_for_an_index_has_no_relative_link(monkeypatch):
    text = setup_arguments(monkeypatch)["long_description"]
    assert "# Photochrom" in text
    assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]*)\)", text))
