import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from photochrom import errors
from photochrom.sources import keys
from photochrom.sources.source import Source
from serving.manifest import writer
from serving.manifest.rows import Begun, Outcome, Row
from serving.resume import journal
from serving.trial import sample
from tests.support import counters, runs

pytestmark = pytest.mark.job  # whole jobs or trainings


def take(limit: int, names: list[str], folder) -> beam.Pipeline:
    """Takes a sample and checks that it is the one with the least digests; returns the result."""
    pipeline = TestPipeline()
    found = pipeline | beam.Create([Source(name, name) for name in names]) | sample.TakeSample(limit, str(folder))
    assert_that(found | beam.Map(lambda source: source.key), equal_to(sorted(names, key=keys.digest)[:limit]))
    return pipeline.run()


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_sample_has_the_least_digests_in_any_order(tmp_path, limit):
    names = [f"scans/{number}.tif" for number in range(40)]
    assert counters.of(take(limit, names, tmp_path))[sample.FOUND] == 40
    take(limit, names[::-1], tmp_path)


def page(number: int) -> Row:
    return Row.of(Source(f"a.tif#page={number:04d}", "a.tif"))


def test_check_refuses_a_folder_with_more_inputs(tmp_path):
    rows = [page(1), page(2), Row.of(Source("b.tif", "b.tif"))]
    writer.write_shard(
        ((0, 1), {"listed": [row.key for row in rows], "rows": rows, "gone": [], "before": []}), str(tmp_path), 1
    )
    sample.check(str(tmp_path), 2)
    with pytest.raises(errors.UsageError, match=r"has rows of more than 1 inputs.* give a larger --limit, or another"):
        sample.check(str(tmp_path), 1)
    journal.note(str(tmp_path), [Begun.of(page(3)), Outcome(Row.of(Source("c.tif", "c.tif")))])
    with pytest.raises(errors.UsageError, match="more than 2 inputs"):
        sample.check(str(tmp_path), 2)


def test_sample_grows_and_the_whole_run_keeps_it(tint, gray_folder, tmp_path, capsys):
    small = runs.colorize(tint, tmp_path, gray_folder, flags=["--limit=2"])
    large = runs.colorize(tint, tmp_path, gray_folder, flags=["--limit=4", "--estimate"])
    assert len(small.rows) == 2 and len(large.rows) == 4 and small.rows.items() <= large.rows.items()
    assert "estimate for all 9 inputs on this machine, " in capsys.readouterr().out
    whole = runs.colorize(tint, tmp_path, gray_folder)
    assert len(whole.rows) == 9 and large.rows.items() <= whole.rows.items()
    with pytest.raises(errors.UsageError, match="has rows of more than 4 inputs"):
        runs.colorize(tint, tmp_path, gray_folder, flags=["--limit=4"])
    assert runs.read_rows(tmp_path) == whole.rows


def test_estimate_of_finished_work_is_refused(tint, gray_folder, tmp_path):
    runs.colorize(tint, tmp_path, gray_folder / "tall.tif")
    with pytest.raises(errors.UsageError, match=r"--estimate measured nothing: .* another --output, or --retry=all"):
        runs.colorize(tint, tmp_path, gray_folder / "tall.tif", flags=["--estimate"])
    with pytest.raises(errors.UsageError, match="--estimate measures this machine; leave out --runner"):
        runs.colorize(tint, tmp_path, gray_folder / "tall.tif", flags=["--estimate", "--runner=FlinkRunner"])
