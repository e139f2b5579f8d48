import dataclasses

import pytest

from serving.config import ColorizeConfig
from serving.manifest.rows import Run

RUN = Run(2, "2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z", "1", "tint", "m", "s", 10, 10, 0, 0)


def config(**values) -> ColorizeConfig:
    return ColorizeConfig(input=("scans",), output="out", model="bundle", **values)


@pytest.mark.parametrize(
    ("allowed", "values", "expected"),
    [
        ("0", {}, (0, 10, True)),
        ("0", {"failed": 1}, (1, 10, False)),
        ("3", {"failed": 3, "listed": 4}, (3, 4, True)),
        ("10%", {"failed": 1}, (1, 10, True)),
        ("10%", {"failed": 2}, (2, 10, False)),
        ("new:0", {"failed": 9, "new": 3}, (0, 3, True)),
        ("new:0", {"failed": 9, "new": 3, "newly_failed": 1}, (1, 3, False)),
        ("new:25%", {"failed": 9, "new": 3, "changed": 1, "newly_failed": 1}, (1, 4, True)),
        ("new:24%", {"failed": 9, "new": 3, "changed": 1, "newly_failed": 1}, (1, 4, False)),
    ],
)
def test_failures_are_judged_by_number_share_newness(allowed, values, expected):
    assert config(max_failures=allowed).judged(dataclasses.replace(RUN, **values)) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_failures": "few"}, "--max_failures is few, expected a number such as 20 or a share such as 5%"),
        ({"max_failures": "new:x"}, "--max_failures is new:x, expected a number .* such as new:0"),
        ({"batch_size": 0}, "--batch_size is 0, expected at least 1"),
        ({"limit": -1}, "--limit is -1, expected at least 0 inputs"),
        ({"max_pixels": 0}, "--max_pixels is 0, expected at least 1 px"),
        ({"quality": 0}, "--quality is 0, expected at least 1 and at most 100"),
        ({"saturation": -1.0}, "--saturation is -1.0, expected at least 0 and at most 10"),
        ({"saturation": float("nan")}, "--saturation is nan"),
        ({"mark": "corner", "mark_text": ""}, "--mark_text has 0 characters"),
        ({"date": "yesterday"}, "--date is yesterday, expected a day such as 2026-01-31 or a time"),
        ({"date": "2026-02-30"}, "--date is 2026-02-30"),
        ({"date": "20260131"}, "--date is 20260131"),
        ({"date": "2026-01-31T12:00:00"}, "--date is 2026-01-31T12:00:00, expected"),
        ({"image_timeout": 0}, "--image_timeout is 0, expected at least 1 s"),
        ({"toned": "nonsense"}, "--toned is 'nonsense', expected one of neutralize, keep, skip"),
        ({"format": "bmp"}, "--format is 'bmp', expected one of keep, jpeg, "),
    ],
)
def test_refuses_settings_that_make_no_sense(values, message):
    with pytest.raises(ValueError, match=message):
        config(**values)


@pytest.mark.parametrize(
    ("values", "size"), [({}, 0), ({"limit": 5}, 5), ({"estimate": True}, 20), ({"estimate": True, "limit": 5}, 5)]
)
def test_sample_size_follows_limit_and_estimate(values, size):
    assert config(**values).sample_size == size


def test_digest_covers_what_changes_pixels_and_nothing_else():
    assert (
        config().output_digest()
        == config(batch_size=3, retry="all", date="2026-01-31", image_timeout=7, pages="all", limit=9).output_digest()
    )
    changes = (
        *({"color_inputs": "colorize"}, {"saturation": 0.9}, {"format": "png"}, {"quality": 90}, {"mark": "corner"}),
        *({"subsampling": "4:2:0"}, {"mark_text": "x"}, {"digital_source_type": "humanEdits"}),
    )
    assert len({config(**change).output_digest() for change in ({}, *changes)}) == 1 + len(changes)


@pytest.mark.parametrize("date", ["2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00+01:00"])
def test_dates_are_those_of_xmp(date):
    assert config(date=date).date == date
