"""publish on the folders of real runs."""

import csv
import json
import pathlib

import pytest

from photochrom import cli, errors
from photochrom.storage import files, gcs_objects
from serving import publish as command
from tests.support import counters
from tests.support.runs import edit_row, read_rows, tree

pytestmark = pytest.mark.job  # whole jobs

BASE = "--base_url=https://archive.example/coloured"


def publish(output, *flags: str) -> tuple[int, int]:
    """Publishes; returns how many manifests were written, and how many pictures were made."""
    found = counters.of(command.run([str(output), BASE, *flags]))
    return found["items-published"], found["pictures-made"]


def table(output: pathlib.Path) -> dict[str, dict[str, str]]:
    with (output / "publish/items.csv").open(newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def files_of(output: pathlib.Path) -> dict[str, str]:
    return tree(output / "publish")


def documents(output: pathlib.Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in (output / "publish").rglob("*.json") if path.name != "info.json"]


@pytest.fixture
def published(output) -> pathlib.Path:
    assert publish(output, "--licence=CC0", "--credit=Ada")[0] == 6
    return output


def test_publication_has_every_file_that_it_names(published):
    found = documents(published)
    assert sorted(one["type"] for one in found) == ["Collection"] * 3 + ["Manifest"] * 6
    text = "\n".join(json.dumps(one) for one in found)
    base = BASE.partition("=")[2]
    named = {part.partition('"')[0] for part in text.split(f'"{base}/')[1:]}
    named = {name for name in named if "/canvas/" not in name}
    named |= {f"{name}/info.json" for name in named if name.count("/") == 2 and name.startswith("images/")}
    services = {name for name in named if name.count("/") == 2 and name.startswith("images/")}
    assert named - services <= set(files_of(published))
    rows = {key: row for key, row in read_rows(published).items() if row["status"] == "done"}
    assert {key: row["copy_sha256"] for key, row in table(published).items()} == {
        key: row["output_sha256"] for key, row in rows.items()
    }


def test_second_publication_and_verify_change_nothing(published, capsys):
    before = files_of(published)
    assert publish(published, "--licence=CC0", "--credit=Ada") == (6, 0)
    assert cli.main(["verify", str(published)]) == 0
    assert files_of(published) == before
    assert "open https://archive.example/coloured/collection.json" in capsys.readouterr().out


def test_publication_follows_changes_and_deletes_the_rest(published, capsys):
    edit_row(published, "scans/tall.tif", status="failed", reason="unreadable", output="", output_sha256="")
    edit_row(published, "scans/deep.png", decision="accepted")
    (published / "publish/notes.txt").write_text("mine")
    assert publish(published, "--no-accepted_only") == (5, 0)
    assert "scans/tall.tif" not in table(published) and (published / "publish/notes.txt").exists()
    assert publish(published) == (1, 0)  # one was accepted
    assert list(table(published)) == ["scans/deep.png"] and table(published)["scans/deep.png"]["decision"] == "accepted"
    assert len(documents(published)) == 3 and len(list((published / "publish/images").rglob("info.json"))) == 2
    assert "publishing the 1 accepted of 5 coloured copies" in capsys.readouterr().out


def test_item_with_a_problem_costs_itself(output, capsys):
    (output / "images/scans/lossy.webp").write_bytes(b"other")
    edit_row(output, "scans/tall.tif", source="/no/such/file.tif")
    assert publish(output)[0] == 4
    problems = {key: row["problem"] for key, row in table(output).items() if row["problem"]}
    assert problems["scans/lossy.webp"] == "the copy was changed since its row was written"
    assert problems["scans/tall.tif"] == "the scan cannot be read: there is no such file"
    assert "2 could not be published" in capsys.readouterr().out


def test_nothing_accepted_is_nothing_done(output):
    with pytest.raises(errors.NothingDone, match="none of 6 was accepted"):
        publish(output, "--accepted_only")
    assert not (output / "publish").exists()


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--base_url=archive.example", "--base_url is 'archive.example', expected a URL"),
        ("--base_url=https://a.example/?x=1", "expected a URL without"),
        ("--base_url=https://a.example/a b", "expected a URL without"),
        ("--base_url=file:///srv/www", "expected a URL without"),
        ("--base_url=https://[::1", "expected a URL without"),
        ("--credit=a\nb", "on one line"),
    ],
)
def test_bad_flags_are_refused(tmp_path, flag, words):
    with pytest.raises(errors.UsageError) as caught:
        command.run([str(tmp_path), BASE, flag])
    assert words in str(caught.value)


def test_publication_works_in_a_bucket(output, bucket):
    files.copy_folder(str(output), f"{bucket}/out")
    assert publish(f"{bucket}/out")[0] == 6
    assert publish(f"{bucket}/out") == (6, 0)
    top = gcs_objects.blob(f"{bucket}/out/publish/collection.json")
    top.reload()
    assert top.content_type == "application/json"
