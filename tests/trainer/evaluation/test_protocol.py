"""PROTOCOL.md against the code."""

import importlib.resources

import pytest

from trainer.evaluate import OUTPUTS, PROTOCOL, SHEETS
from trainer.evaluation import ab_histogram, frechet
from trainer.evaluation.evaluator import METHODS, SCORES
from trainer.evaluation.figures import FIGURES

TEXT = (importlib.resources.files("trainer.evaluation") / "PROTOCOL.md").read_text()


def test_protocol_has_version_of_summary():
    assert TEXT.startswith(f"# Evaluation protocol, version {PROTOCOL}\n")


@pytest.mark.parametrize("name", [*METHODS, *SCORES, ab_histogram.NAME, frechet.NAME])
def test_protocol_defines_every_name_in_summary(name):
    assert f"\n| `{name}` | " in TEXT


@pytest.mark.parametrize("name", FIGURES)
def test_protocol_defines_every_figure(name):
    assert f"`{name}`" in TEXT.split("## Figures")[1].split("## Distances")[0]


@pytest.mark.parametrize("name", ["report.html", "metrics.csv", "skipped.csv", *SHEETS])
def test_protocol_names_output(name):
    assert name in OUTPUTS
    assert name in TEXT
