import dataclasses
import json

import pytest

from photochrom import errors
from serving.review import decisions
from serving.review.decisions import ACCEPT, CONFLICT, LATER, REJECT, STALE, UNDECIDED, Decision

COPY, OTHER = "1" * 64, "2" * 64
GOOD = Decision("a.jpg", COPY, ACCEPT, "", "Ada", "2026-01-31T12:00:00Z")


def line(**values) -> dict:
    return {**dataclasses.asdict(GOOD), **values}


@pytest.fixture
def read(tmp_path):
    def read(*lines) -> decisions.Decisions:
        path = tmp_path / "decisions.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
        return decisions.read(str(path))

    return read


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([], UNDECIDED),
        ([line()], ACCEPT),
        ([line(decision=LATER)], UNDECIDED),
        ([line(key="b.jpg")], UNDECIDED),
        ([line(copy_sha256=OTHER)], STALE),
        ([line(), line(reviewer="Grace", decision=REJECT)], CONFLICT),
        ([line(), line(reviewer="Grace", decision=LATER)], ACCEPT),
        ([line(), line(reviewer="Grace", decision=REJECT, copy_sha256=OTHER)], ACCEPT),
        ([line(), line(decision=REJECT, time="2026-02-01T00:00:00Z")], REJECT),
        ([line(decision=REJECT, time="2026-02-01T00:00:00Z"), line()], REJECT),
        ([line(), line(decision=REJECT)], REJECT),
    ],
)
def test_verdict_follows_last_decisions(read, lines, verdict):
    assert read(*lines).verdict("a.jpg", COPY) == verdict


def test_reason_is_the_last_one_given(read):
    found = read(line(reason="red"), line(reviewer="Eve", time="2026-02-01T00:00:00Z", reason="green"), line(key="b"))
    assert found.reason("a.jpg") == "green" and found.reason("b") == found.reason("c") == ""


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line(decision="delete"), "decision is 'delete', expected accept, reject or later"),
        (line(copy_sha256="1" * 63), "expected a SHA-256"),
        (line(time="yesterday"), "expected a time such as 2026-01-31T12:00:00Z"),
        (line(key=""), "expected the key of an input"),
        (line(reviewer=3), "reviewer is '3', expected a text"),
        (line(reason="x" * 5000), "reason has 5000 characters"),
        ({"key": "a.jpg"}, "has no copy_sha256"),
        ([], "expected a JSON object"),
    ],
)
def test_bad_line_is_named(read, bad, message):
    with pytest.raises(errors.UsageError, match="line 2: ") as caught:
        read(line(), bad)
    assert message in str(caught.value)


def test_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe{}")
    for name in ("a.jsonl", "none.jsonl", "."):
        with pytest.raises(errors.UsageError, match="--decisions"):
            decisions.read(str(tmp_path / name))


def test_no_file_decides_nothing():
    assert decisions.read("").verdict("a.jpg", COPY) == UNDECIDED
