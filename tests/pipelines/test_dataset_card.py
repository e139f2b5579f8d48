import dataclasses

import pytest

from photochrom.dataset import DatasetInfo, NearDuplicates, Split
from pipelines import dataset_card
from pipelines.config import PrepareConfig

CONFIG = PrepareConfig(
    ("photos",), "/data/my <set>/", licence="CC-BY-4.0", credit="Ada & <b>Bo</b>", homepage="https://a.example"
)
STATISTICS = {name: {"mean": 1.5, "std": 2.25} for name in ("lightness", "a", "b")}
INFO = DatasetInfo(
    digest="sha256:" + "a" * 64,
    settings={"image_size": 256, "ab_stride": 2, "compression": "none"},
    splits={"train": Split(1200, (600, 600)), "test": Split(34, (34,))},
    photochrom_version="1",
    inputs=1300,
    examples=1234,
    refused={"decode:undecodable": 6, "screen:grayscale": 60},
    near_duplicates=NearDuplicates(1, 2, 0),
)


def test_card_states_origin_counts_and_statistics():
    card = dataset_card.write_card(CONFIG, INFO, STATISTICS)
    for line in (
        'license: "cc-by-4.0"',
        'size_categories: ["1K<n<10K"]',
        "| train | 1200 | 2 |",
        "| test | 34 | 1 |",
        "| screen:grayscale | 60 |",
        "| a* | 1.50 | 2.25 |",
        "| homepage | <https://a.example> |",
        "| records | 1234, of 1300 inputs |",
        f"| digest | `{INFO.digest}` |",
    ):
        assert line in card.splitlines()
    assert "<b>" not in card and "# 1234 photographs in CIE L" in card


def test_card_is_the_same_in_any_folder():
    elsewhere = dataclasses.replace(CONFIG, output="elsewhere")
    assert dataset_card.write_card(elsewhere, INFO, STATISTICS) == dataset_card.write_card(CONFIG, INFO, STATISTICS)


def test_card_without_flags_says_so():
    bare = PrepareConfig(("photos",), "out")
    info = dataclasses.replace(INFO, refused={}, splits={"train": Split(0, ())}, examples=0)
    card = dataset_card.write_card(bare, info, STATISTICS)
    assert "| licence | not stated |" in card and 'license: "unknown"' in card and "None." in card
    assert "## Samples" not in card and 'size_categories: ["n<1K"]' in card


def test_flags_of_the_card_change_no_record():
    assert CONFIG.record_settings() == PrepareConfig(("photos",), "x").record_settings()


@pytest.mark.parametrize("name", ["licence", "credit", "homepage"])
def test_text_of_several_lines_is_refused(name):
    with pytest.raises(ValueError, match=f"--{name} is .* on one line"):
        PrepareConfig(("photos",), "x", **{name: "a\nb"})
