"""Pages of the site that are made from other sources: the README, the flags of all commands, docstrings.

The script by which a page that is opened from disk can search comes with the site, not from another host.
"""

import importlib
import os
import pathlib
import re
from typing import Any

from mkdocs.structure.files import File, Files

from photochrom import cli

_ROOT = pathlib.Path(__file__).parents[2]
# What `import photochrom` offers, and the formats of datasets and bundles.
_MODULES = ("serving.api", "trainer.api", "photochrom.records", "photochrom.dataset", "photochrom.model.bundle")
_WORKER, _WORKER_URL = pathlib.Path(__file__).with_name("iframe-worker.js"), "https://unpkg.com/iframe-worker/shim"
# Links out of the pages' folder, in a page and in the README.
_FROM_PAGE = re.compile(r"\[([^\]]*)\]\(\.\./([^)]+)\)")
_FROM_README = re.compile(r"\[([^\]]*)\]\((?!https:|docs/|#)([^)]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the generated pages."""
    for name, content in (("index.md", _overview()), ("commands.md", _commands()), ("python.md", _python())):
        files.append(File.generated(config, name, content=content))
    files.append(File.generated(config, _WORKER.name, abs_src_path=str(_WORKER)))
    return files


def on_post_page(output: str, **_: Any) -> str:
    """Loads that script from the site."""
    return output.replace(_WORKER_URL, _WORKER.name)


def on_post_template(output_content: str, **_: Any) -> str:
    """Does so in the page of unknown addresses."""
    return on_post_page(output_content)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Names the files of the repository that a page links to and the site does not hold."""
    return _FROM_PAGE.sub(_named, markdown)


def _named(link: re.Match[str]) -> str:
    text, path = link.groups()
    if path == "README.md":
        return f"[{text}](index.md)"
    return text if text.strip("`/") == path else f"{text} (`{path}`)"


def _overview() -> str:
    """Returns the README with links relative to the pages."""
    text = _FROM_README.sub(_named, (_ROOT / "README.md").read_text())
    return text.replace("](docs/", "](").replace('src="docs/', 'src="')


def _commands() -> str:
    os.environ["COLUMNS"] = "110"  # the width of --help
    helps = {
        name: importlib.import_module(one.module).build_parser().format_help() for name, one in cli.COMMANDS.items()
    }
    parts = [f"## photochrom {name}\n\n```text\n{text}```\n" for name, text in helps.items()]
    return f"# Commands and flags\n\n```text\n{cli.build_parser().format_help()}```\n\n" + "\n".join(parts)


def _python() -> str:
    return "# Python\n\n" + "\n\n".join(f"::: {module}" for module in _MODULES) + "\n"
