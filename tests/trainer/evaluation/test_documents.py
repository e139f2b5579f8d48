"""Sheets and CSV files of results that are made up by hand."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from tests.support.photograph_results import ALL, make_result
from trainer.evaluation import documents
from trainer.evaluation.comparison import COLUMNS, Comparison


def test_sheet_shows_gray_both_models_and_truth():
    shades = {"A": 50, "B": 100, "gray": 150, "truth": 200}

    def pictures(label):
        values = {**shades, "model": shades[label], "mean_colour": 0}
        return {name: np.full((2, 2, 3), values[name], np.uint8) for name in ALL}

    collected = Comparison(1)
    collected.add(*(make_result("a", error=e, pictures=pictures(label)) for e, label in ((2.0, "A"), (1.0, "B"))))
    sheet = np.asarray(Image.open(io.BytesIO(documents.draw_pairs(collected.shown("b_better")))))
    assert [sheet[100, 100 + 196 * column, 0] for column in range(4)] == [shades[name] for name in COLUMNS]


def test_csv_has_rows_of_both_models():
    collected = Comparison(1, "^(.)")
    for key, errors in (("x/0", (5, 4)), ("y/1", (6, 7))):
        collected.add(*(make_result(key, error=[error, 9, 9]) for error in errors))
    rows = list(csv.DictReader(io.StringIO(documents.metrics_csv(collected.models).decode())))
    assert [(row["key"], row["subset"], row["method"], row["ciede2000"]) for row in rows] == [
        *(("x/0", "x", "A", "5"), ("x/0", "x", "B", "4"), ("x/0", "x", "gray", "9"), ("x/0", "x", "mean_colour", "9")),
        *(("y/1", "y", "A", "6"), ("y/1", "y", "B", "7"), ("y/1", "y", "gray", "9"), ("y/1", "y", "mean_colour", "9")),
    ]
    assert [row["confidence"] for row in rows[:4]] == ["0.166667", "0.2", "", ""]


@pytest.mark.parametrize("key", ["=1+1.jpg", "+1", "-1", "@SUM(A1)", "\tx", "a=1.jpg"])
def test_csv_cell_is_no_formula(key):
    collected = Comparison(1, "(.*)")
    collected.add(*(make_result(key, error=[error, 9, 9]) for error in (5, 4)))
    rows = list(csv.DictReader(io.StringIO(documents.metrics_csv(collected.models).decode(), newline="")))
    expected = key if key.startswith("a") else f"'{key}"
    assert {(row["key"], row["subset"]) for row in rows} == {(expected, expected)}
