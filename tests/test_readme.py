"""Commands, flags, links and code in README and docs are valid."""

import importlib
import pathlib
import re
import shlex

import pytest
from PIL import Image

from photochrom import cli, dataset, demo
from photochrom.jobs import beam_job
from photochrom.sources.source import Source
from pipelines import prepare
from serving.manifest.rows import Row

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: pathlib.Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.replace("\\\n", "").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("photochrom ")]


@pytest.mark.parametrize("argv", commands(), ids=" ".join)
def test_every_command_parses(argv):
    parser = importlib.import_module(cli.COMMANDS[argv[0]].module).build_parser()
    _, unknown = parser.parse_known_args(argv[1:])
    if argv[0] in ("prepare", "colorize"):
        beam_job.parse_options(unknown)  # raises if Beam does not know it either
    else:
        assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^\s*(?:`)?make ([\w-]+)", page.read_text(), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_resolves(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_named_flag_exists():
    known = set()
    for command in cli.COMMANDS.values():
        known |= set(importlib.import_module(command.module).build_parser()._option_string_actions)
    named = {flag for page in PAGES for flag in re.findall(r"`(--\w+(?:=\w+)?)", page.read_text())}
    of_worker_pools = {"--container_executable", "--worker_pool"}
    for flag in named:
        name, _, value = flag.partition("=")
        if name not in known | of_worker_pools:
            beam_job.parse_options([f"{name}={value or 1}"])  # raises if Beam does not know it either


def test_dataset_snippet_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    prepare.run([f"--input={demo.SAMPLES / 'colour'}", "--output=dataset", "--image_size=64"])
    capsys.readouterr()
    _execute("docs/datasets.md")
    assert capsys.readouterr().out == "(64, 64, 1) (32, 32, 2)\n" * 3


def test_readme_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("I;16", (64, 48), 20000).save("scan.tif")
    _execute("README.md")
    with Image.open("coloured.png") as coloured:
        assert (coloured.mode, coloured.size) == ("RGB", (64, 48))


def _execute(page: str) -> None:
    (snippet,) = blocks(ROOT / page, "python")
    exec(compile(snippet, page, "exec"), {})


def test_every_snippet_is_of_a_page_that_runs():
    assert [page.name for page in PAGES if blocks(page, "python")] == ["README.md", "datasets.md"]


def test_formats_page_names_every_feature_and_field():
    page = (ROOT / "docs/formats.md").read_text()
    fields = Row.of(Source("key", "path")).to_json()
    for name in (*dataset.FEATURES, *fields):
        assert f"`{name}`" in page, name


def test_readme_is_short_and_keeps_its_headings():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    assert {"Install", "Quick start", "Guarantees", "Limitations"} <= set(re.findall(r"^## (.+)$", text, re.MULTILINE))


def test_every_page_is_named_in_readme_or_contributing():
    text = "".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in text] == []
