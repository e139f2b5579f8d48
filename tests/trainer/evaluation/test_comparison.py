"""Comparison of results that are made up by hand."""

import pytest

from tests.support.photograph_results import make_result
from trainer.evaluation.comparison import Comparison


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
    assert collected.shown("a_better") == collected.shown("b_better") == []
    assert len(collected.shown("sheet")) == 2
