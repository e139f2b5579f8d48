import dataclasses

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from photochrom.sources.source import Source
from serving.manifest import writer
from serving.manifest.changes import Before
from serving.manifest.rows import Begun, MadeWith, Outcome, Row
from serving.resume import journal
from serving.resume.ledger import ReadLedger

pytestmark = pytest.mark.job  # whole jobs or trainings

MADE_WITH = MadeWith("aa" * 32, "sha256:m", "sha256:s")


def row(key: str) -> Row:
    digests = {"output_sha256": "bb" * 32, "sidecars": {f"images/{key}.xmp": "cc" * 32}}
    return Row.of(Source(key, key), MADE_WITH, run=1, output=f"images/{key}", **digests)


def skipped(key: str) -> Row:
    return Row.of(Source(key, key), run=1).skipped("blank", "screen", "m")


@pytest.mark.parametrize(
    "exists", [(), ("a", "a.xmp"), ("a", "b", "c.xmp"), ("a", "a.xmp", "b", "b.xmp", "c", "c.xmp")]
)
def test_ledger_has_rows_notes_and_missing_files(tmp_path, exists):
    output = str(tmp_path)
    gone = [row("b"), row("x/./d")]
    groups = {"listed": ["a", "s"], "rows": [row("a"), skipped("s")], "gone": gone, "before": []}
    writer.write_shard(((0, 1), groups), output, 1)
    noted = Outcome(dataclasses.replace(row("c"), run=0), ("images/old",))
    journal.note(output, [noted, Begun.of(row("a"))])
    (tmp_path / "images").mkdir()
    for name in exists:
        (tmp_path / "images" / name).touch()
    named = {(key, f"images/{key}{end}") for key in "abc" for end in ("", ".xmp")}
    missing = sorted(one for one in named if one[1].removeprefix("images/") not in exists)
    with TestPipeline() as pipeline:
        found = pipeline | ReadLedger(output)
        expected = {"finished": [("a", row("a")), ("b", row("b")), ("s", skipped("s"))], "missing": missing,
                    "pending": [("a", Begun.of(row("a"))), ("c", noted)],
                    "before": [Before.of(row("a")), Before.of(skipped("s"))]}  # fmt: skip
        for name, elements in expected.items():
            assert_that(found[name] | f"List{name}" >> beam.Map(repr), equal_to(list(map(repr, elements))), label=name)


def test_ledger_of_a_new_folder_is_empty(tmp_path):
    with TestPipeline() as pipeline:
        for name, found in (pipeline | ReadLedger(str(tmp_path / "none"))).items():
            assert_that(found, equal_to([]), label=name)
