"""Aggregation of results that are made up by hand."""

import numpy as np
import pytest

from tests.support.photograph_results import ALL, make_result
from trainer.evaluation import frechet, saturation
from trainer.evaluation.evaluator import METHODS
from trainer.evaluation.results import LowestRanked, Results, summarize


def _collect(*results, sheet_rows=2, subsets=""):
    collected = Results(sheet_rows, subsets)
    for result in results:
        collected.add(result)
    return collected


@pytest.mark.parametrize(("size", "kept"), [(1, ["b"]), (2, ["b", "c"]), (9, ["b", "c", "a"])])
def test_lowest_ranked_keeps_lowest_in_order(size, kept):
    lowest = LowestRanked(size)
    for rank, key in ((3.0, "a"), (1.0, "b"), (2.0, "c")):
        lowest.offer(rank, key, key)
    assert lowest.items() == kept


def test_sheets_have_lowest_and_highest_errors():
    collected = _collect(make_result("a", 5), make_result("b", 1), make_result("c", 9))
    assert [result.key for result in collected.shown("best")] == ["b", "a"]
    assert [result.key for result in collected.shown("worst")] == ["c", "a"]
    assert len(collected.shown("sheet")) == 2
    assert all(result.pictures for result in collected.shown("best"))
    assert not any(result.pictures for result in collected.photographs)


def test_selection_of_sheet_is_independent_of_errors():
    keys = [str(number) for number in range(9)]
    first, second = (_collect(*(make_result(key, error) for key, error in zip(keys, errors, strict=True)))
                     for errors in (range(9), range(9, 0, -1)))  # fmt: skip
    assert [one.key for one in first.shown("sheet")] == [one.key for one in second.shown("sheet")]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("", []),
        (r"^(\w)/", ["x", "y"]),
        (r"/(1|2)", ["1", "(no match)", "2"]),
        (r"^x/(9)?", ["(no match)"]),
    ],
)
def test_subsets_are_named_by_first_group(expression, names):
    collected = _collect(*(make_result(key) for key in ("x/1", "x/2", "x/3", "y/1")), subsets=expression)
    assert list(collected.summarize()["subsets"]) == names


def test_means_are_weighted_by_photograph():
    results = [make_result("a", chroma_ratio=0.5, true_chroma=10), make_result("b", chroma_ratio=3.0)]
    found = summarize(results, ["chroma_ratio", "ciede2000"])["model"]
    assert found["chroma_ratio"]["mean"] == pytest.approx((0.5 * 10 + 3) / 11)
    assert found["ciede2000"]["mean"] == 1


def test_metrics_are_those_that_were_measured():
    assert _collect(make_result("a")).metrics == ["psnr", "psnr_gain", "ciede2000", "chroma_ratio"]


def test_ensemble_gain_is_difference_at_unchanged_saturation():
    sweep = np.zeros((len(saturation.FACTORS), 4))
    sweep[saturation.UNCHANGED] = 3.0, 7.0, 0, 0
    gain = _collect(make_result("a", sweep=sweep, single=np.array([2.0, 9.0, 0, 0]))).ensemble_gain()
    assert {name: value["mean"] for name, value in gain.items()} == {"psnr": 1.0, "ciede2000": -2.0}
    assert _collect(make_result("a")).ensemble_gain() == {}


def test_frechet_distance_of_one_photograph_is_null():
    features = {name: np.ones(5) for name in ALL}
    found = _collect(make_result("a", features=features)).summarize()["distributions"]
    assert found[frechet.NAME] == dict.fromkeys(METHODS)
    assert frechet.NAME not in _collect(make_result("a")).summarize()["distributions"]
