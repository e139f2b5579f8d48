import dataclasses

import pytest

from photochrom.model import bundle
from photochrom.sources.source import Source
from serving.config import ColorizeConfig
from serving.manifest.rows import MadeWith, Outcome, Row
from serving.resume import identity
from serving.resume.decide import Earlier

MADE_WITH = MadeWith("aa" * 32, "sha256:m", "sha256:s")
CONFIG = ColorizeConfig(input=("in",), output="out")


def row(date: str, made_with: MadeWith = MADE_WITH) -> Row:
    return Row.of(Source("a", "a"), made_with, date=date)


@pytest.mark.parametrize(
    ("earlier", "asked", "expected"),
    [
        (Earlier(), "", "2026-11-30"),
        (Earlier((row("2001-02-03"),)), "", "2001-02-03"),
        (Earlier((), (Outcome(row("2001-02-03")),)), "", "2001-02-03"),
        (Earlier((row(""),), (Outcome(row("2001-02-03")),)), "", "2001-02-03"),  # a copied file states none
        (Earlier((row("2001-02-03", MADE_WITH._replace(model_digest="x")),)), "", "2026-11-30"),
        (Earlier((row("2001-02-03"),)), "2002-02-02", "2002-02-02"),
    ],
)
def test_copy_of_the_same_keeps_its_date(earlier, asked, expected):
    config = dataclasses.replace(CONFIG, date=asked)
    assert identity.date_of(earlier, MADE_WITH, config, "2026-11-30") == expected


def test_model_and_settings_are_part_of_the_identity(tint, strong_tint):
    weak, strong = bundle.open_bundle(tint), bundle.open_bundle(strong_tint)
    found = [identity.made_with("a", CONFIG, model) for model in (weak, weak, strong)]
    other = identity.made_with("a", dataclasses.replace(CONFIG, saturation=1.5), weak)
    assert found[0] == found[1] and len({*found, other}) == 3
