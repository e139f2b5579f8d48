"""The documentation builds as a site: strictly, with all pages, and without anything from another host."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from photochrom import cli

pytestmark = pytest.mark.job
ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_site_has_all_pages_and_commands(site):
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} < {page.stem for page in site.glob("*.html")}
    commands = (site / "commands.html").read_text()
    assert all(f"photochrom {name}</h2>" in re.sub("<a .*?</a>", "", commands) for name in cli.COMMANDS)
    assert "LabRecord" in (site / "python.html").read_text()


def test_site_loads_nothing_from_other_hosts(site):
    loaded = r'<(?:script|img|iframe|link rel="stylesheet")[^>]*(?:src|href)="(?!data:)([^"]+)"'
    found = {url for page in site.glob("*.html") for url in re.findall(loaded, page.read_text())}
    assert "iframe-worker.js" in found and not [url for url in found if "//" in url]
