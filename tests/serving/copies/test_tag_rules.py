"""docs/outputs.md has the table of tag_rules.py."""

import pathlib

import pytest

from photochrom.imaging import tags
from serving.copies import tag_rules
from serving.copies.tag_rules import Rule

DOCS = pathlib.Path(__file__).parents[3] / "docs/outputs.md"


def plain(number: int) -> str:
    return tags.name(number).partition(" ")[0]


def of_rules(rule: Rule) -> tuple[set[str], set[str]]:
    """Names of the fields of the first and of the EXIF directory, with that of interoperability."""
    first = {plain(tag) for tag, one in tag_rules.MAIN.items() if one is rule}
    below = {plain(tag) for tag, one in tag_rules.EXIF.items() if one is rule}
    return first, below | ({"InteroperabilityIndex"} if rule is Rule.SET else set())


def of_docs(rule: Rule) -> tuple[set[str], set[str]]:
    (line,) = (line for line in DOCS.read_text().splitlines() if line.startswith(f"| {rule.value} |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")[1:]]
    first, below = (set(cell.split(", ")) if cell else set() for cell in cells)
    return first, below


@pytest.mark.parametrize("rule", Rule)
def test_docs_list_every_field(rule):
    assert of_docs(rule) == of_rules(rule)


@pytest.mark.parametrize(
    ("tag", "type", "moves", "expected"),
    [
        (65_000, tags.ASCII, False, Rule.KEEP),
        (65_000, tags.DOUBLE, False, Rule.UPRIGHT),
        (65_000, tags.LONG, False, Rule.UPRIGHT),
        (65_000, tags.LONG, True, Rule.NOTE),
        (tags.IMAGE_WIDTH, tags.LONG, True, Rule.SET),
    ],
)
def test_of_fields_without_a_rule(tag, type, moves, expected):
    assert tag_rules.of(0, tag, type, moves=moves) is expected


def test_of_other_directories_keeps():
    assert tag_rules.of(tags.GPS_IFD, 2, tags.RATIONAL, moves=True) is Rule.KEEP
    assert tag_rules.of(tags.EXIF_IFD, 65_000, tags.LONG, moves=True) is Rule.KEEP
