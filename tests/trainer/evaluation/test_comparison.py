"""Comparison of results that are made up by hand."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from tests.support.photograph_results import ALL, make_result
from trainer.evaluation.comparison import COLUMNS, Comparison


def _compare(first_errors, second_errors, sheet_rows=2, subsets="", **changed):
    collected = Comparison(sheet_rows, subsets)
    for place, (a, b) in enumerate(zip(first_errors, second_errors, strict=True)):
        key = f"{'xy'[place % 2]}/{place}"
        collected.add(*(make_result(key, error=[error, 9, 9], **changed) for error in (a, b)))
    return collected


def test_better_shares_leave_out_equal_photographs():
    better = _compare([5, 5, 5, 5], [4, 4, 5, 6], distance=0.5).compare()["better"]
    assert {label: share["value"] for label, share in better["ciede2000"].items()} == {"A": 1 / 4, "B": 2 / 4}
    assert {share["value"] for metric in ("psnr", "lpips_alexnet") for share in better[metric].values()} == {0}


def test_higher_psnr_is_better():
    collected = Comparison(1)
    collected.add(make_result("a", psnr=[21, 20, 20]), make_result("a", psnr=[22, 20, 20]))
    better = collected.compare()["better"]
    assert better["psnr"]["B"] == {"value": 1, "low": 1, "high": 1}
    assert better["psnr"]["A"]["value"] == 0
    assert "lpips_alexnet" not in better


def test_subsets_are_compared_alone():
    found = _compare([5, 5, 5], [4, 8, 4], subsets="^(.)/").compare()
    assert {name: subset["photographs"] for name, subset in found["subsets"].items()} == {"x": 2, "y": 1}
    differences = {name: subset["differences"]["ciede2000"]["value"] for name, subset in found["subsets"].items()}
    assert differences == {"x": -1, "y": 3}
    assert found["subsets"]["x"]["better"]["ciede2000"]["B"]["value"] == 1
    assert found["differences"]["ciede2000"]["value"] == pytest.approx(1 / 3)


def test_sheets_have_largest_differences_both_ways():
    collected = _compare([5, 5, 5, 5, 5], [1, 3, 5, 7, 9])
    assert [pair.difference for pair in collected.shown("b_better")] == [-4, -2]
    assert [pair.difference for pair in collected.shown("a_better")] == [4, 2]
    assert len(collected.shown("sheet")) == 2
    assert not any(one.pictures for results in collected.models.values() for one in results.photographs)


def test_equal_models_have_no_sheet_of_differences():
    collected = _compare([5, 6], [5, 6])
    assert set(collected.files()) == {"metrics.csv", "sheet.png"}


def test_sheet_shows_gray_both_models_and_truth():
    shades = {"A": 50, "B": 100, "gray": 150, "truth": 200}

    def pictures(label):
        values = {**shades, "model": shades[label], "mean_colour": 0}
        return {name: np.full((2, 2, 3), values[name], np.uint8) for name in ALL}

    collected = Comparison(1)
    collected.add(*(make_result("a", error=e, pictures=pictures(label)) for e, label in ((2.0, "A"), (1.0, "B"))))
    sheet = np.asarray(Image.open(io.BytesIO(collected.files()["b_better.png"])))
    assert [sheet[100, 100 + 196 * column, 0] for column in range(4)] == [shades[name] for name in COLUMNS]


def test_csv_has_rows_of_both_models():
    rows = list(csv.DictReader(io.StringIO(_compare([5, 6], [4, 7], subsets="^(.)").files()["metrics.csv"].decode())))
    assert [(row["key"], row["subset"], row["method"], row["ciede2000"]) for row in rows] == [
        *(("x/0", "x", "A", "5"), ("x/0", "x", "B", "4"), ("x/0", "x", "gray", "9"), ("x/0", "x", "mean_colour", "9")),
        *(("y/1", "y", "A", "6"), ("y/1", "y", "B", "7"), ("y/1", "y", "gray", "9"), ("y/1", "y", "mean_colour", "9")),
    ]
    assert [row["confidence"] for row in rows[:4]] == ["0.166667", "0.2", "", ""]
