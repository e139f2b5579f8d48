"""The printed text of summaries that are made up by hand."""

import re

from tests.support.photograph_results import make_result
from trainer.evaluation import console
from trainer.evaluation.comparison import Comparison
from trainer.evaluation.results import Results

_SHARED = {"skipped": {"grayscale": 2}, "data": {"near_duplicates": None}, "left_out": ["LPIPS is left out"]}


def _summary(keys, subsets):
    collected = Results(1, subsets)
    for key in keys:
        collected.add(make_result(key, error=[2, 4, 1]))
    return {**_SHARED, "evaluated": len(keys), "ensemble": {}, **collected.summarize()}


def _rows(text):
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_figures_of_whole_and_subsets_are_columns():
    rows = _rows(console.format_summary("out", _summary(["x/1", "x/2", "y/1"], "^(.)/")))
    assert ["out/report.html: 3 photographs evaluated, 2 skipped"] in rows
    assert ["all photographs", "x", "y"] in rows
    assert ["photographs", "3", "2", "1"] in rows
    assert ["CIEDE2000 / gray's", *["0.500 ±0.000"] * 3] in rows
    assert ["worse than one colour, CIEDE2000", *["100.0% ±0.0%"] * 3] in rows
    assert ["confidence and CIEDE2000, rank corr.", *["-"] * 3] in rows
    assert rows[-1] == ["LPIPS is left out"]


def test_names_of_subsets_are_printable():
    text = console.format_summary("out", _summary(["\x1b[31m/1", f"{'long' * 9}/1"], "^(.*)/"))
    assert "\x1b" not in text
    assert any(row[1:] == [r"\x1b[31m", "longlo...onglong"] for row in _rows(text))


def test_many_subsets_continue_in_further_lines():
    text = console.format_summary("out", _summary([f"{place:02}/1" for place in range(14)], "^(.*)/"))
    rows = _rows(text)
    assert ["all photographs", "00", "01", "02"] in rows
    assert ["07", "08", "09", "10"] in rows
    assert ["3 more subsets are in summary.json"] in rows


def test_comparison_has_differences_of_figures():
    collected = Comparison(1, "^(.)")
    for place in range(4):
        collected.add(*(make_result(str(place), error=[error, 4, 4]) for error in (3, 2)))
    models = {
        label: {"path": f"bundle-{label}", "digest": "sha256:0", "ensemble": {}, **results.summarize()}
        for label, results in collected.models.items()
    }
    summary = {**_SHARED, "evaluated": 4, "models": models, "comparison": collected.compare()}
    rows = _rows(console.format_summary("out", summary))
    assert ["out/report.html: 4 photographs compared, 2 skipped"] in rows
    assert ["B: bundle-B, sha256:0"] in rows
    assert ["CIEDE2000", "3.000 ±0.000", "2.000 ±0.000", "-1.000 ±0.000"] in rows
    assert ["better on a photograph, CIEDE2000", "0.0% ±0.0%", "100.0% ±0.0%"] in rows
    assert ["CIEDE2000", *["-1.000 ±0.000"] * 4] in rows
    assert ["B is better, CIEDE2000", *["100.0% ±0.0%"] * 4] in rows
