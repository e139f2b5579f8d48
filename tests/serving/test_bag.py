"""Bags of a real run, held against bagit-python's own validator in a process of its own."""

import datetime
import hashlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import unicodedata

import bagit
import pytest

from photochrom import cli, errors
from serving import bag, colorize
from serving.config import ColorizeConfig

# One worker makes what several tests need.
pytestmark = pytest.mark.xdist_group("test_bag")

DATE = "--date=2026-01-02"
NAMES = ("-dash.jpg", "a  b.jpg", "new\nline.jpg", unicodedata.normalize("NFD", "café.jpg"), "#*~.jpg", "\\back.jpg")


def tree(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows(output: pathlib.Path) -> dict[str, dict]:
    lines = (output / "manifest/items-00000-of-00001.jsonl").read_text().splitlines()
    return {row["key"]: row for row in map(json.loads, lines)}


def rewrite(output: pathlib.Path, found: dict[str, dict]) -> None:
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in found.values())
    (output / "manifest/items-00000-of-00001.jsonl").write_text(text)


def rename(output: pathlib.Path, key: str, name: str) -> None:
    """Renames a copy and says so in its row."""
    found = rows(output)
    (output / found[key]["output"]).rename(output / name)
    rewrite(output, {**found, key: {**found[key], "output": name}})


def validate(folder: pathlib.Path) -> subprocess.CompletedProcess:
    argv = [sys.executable, "-m", "bagit", "--validate", str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def finished(tint, gray_folder, tmp_path_factory):
    """The output of a run on scans whose names are hard on a manifest."""
    folder = tmp_path_factory.mktemp("bag")
    shutil.copytree(gray_folder, folder / "scans")
    for name in NAMES:
        shutil.copy(folder / "scans/tall.tif", folder / "scans" / name)
    argv = [f"--model={tint}", f"--input={folder / 'scans'}", f"--output={folder / 'coloured'}", "--max_failures=50%"]
    colorize.run(argv)
    return folder / "coloured"


@pytest.fixture
def output(finished, tmp_path):
    """A copy of it, to be spoilt."""
    return pathlib.Path(shutil.copytree(finished, tmp_path / "coloured"))


@pytest.fixture(scope="module")
def bagged(finished, tmp_path_factory):
    target = tmp_path_factory.mktemp("bags") / "bag"
    before = tree(finished)
    bag.run([str(finished), f"--output={target}", DATE, "--info=Source-Organization=City Archive: Über 1=2"])
    assert tree(finished) == before, "the output folder was touched"
    return target


def test_a_stock_validator_accepts_the_bag(bagged):
    done = validate(bagged)
    assert done.returncode == 0 and "is valid" in done.stderr, done.stderr
    assert (bagged / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def test_the_payload_is_the_copies_and_the_manifest_with_the_digests_of_the_rows(bagged, finished):
    listed = bagit.Bag(str(bagged)).payload_entries()
    copies = {f"data/{row['output']}": row["output_sha256"] for row in rows(finished).values() if row["output"]}
    assert len(copies) == 12
    assert {path: digests["sha256"] for path, digests in listed.items() if "/images/" in path} == copies
    listings = {f"data/manifest/{name}" for name in ("items-00000-of-00001.jsonl", "runs.jsonl", "summary.json")}
    assert set(listed) == {*copies, *listings}
    assert all(len(digests["sha512"]) == 128 for digests in listed.values())


def test_bag_info_says_what_it_is(bagged):
    info = bagit.Bag(str(bagged)).info
    payload = tree(bagged / "data")
    assert info["Bagging-Date"] == "2026-01-02"
    assert info["Payload-Oxum"] == f"{sum(map(len, payload.values()))}.{len(payload)}"
    assert info["Source-Organization"] == "City Archive: Über 1=2"
    assert info["Bag-Software-Agent"].startswith("Photochrom 0.")
    assert "15 inputs, 12 done, 2 skipped, 1 failed" in info["External-Description"]


def test_the_same_run_and_date_give_the_same_bytes_copied_or_linked(bagged, finished, tmp_path):
    bag.run(
        [
            str(finished),
            f"--output={tmp_path / 'b'}",
            DATE,
            "--link",
            "--info=Source-Organization=City Archive: Über 1=2",
        ]
    )
    assert tree(tmp_path / "b") == tree(bagged)
    name = "images/scans/tall.tif"
    assert (tmp_path / "b/data" / name).samefile(finished / name)
    assert not (bagged / "data" / name).samefile(finished / name)


def test_without_flags_the_bag_lies_beside_and_is_of_today(output):
    found = bag.run([str(output)])
    assert found.path == f"{output}-bag"
    assert abs(datetime.date.fromisoformat(found.info["Bagging-Date"]) - datetime.date.today()).days <= 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: flip(f / "data/images/scans/tall.tif"), "data/images/scans/tall.tif sha256 validation failed"),
        (lambda f: flip(f / "data/manifest/items-00000-of-00001.jsonl"), "items-00000-of-00001.jsonl sha256"),
        (lambda f: flip(f / "metadata/premis-00000-of-00001.xml"), "metadata/premis-00000-of-00001.xml sha256"),
        (lambda f: (f / "data/images/scans/-dash.jpg.coloured.tif").unlink(), "but found 14 files"),
        (lambda f: (f / "metadata/premis-00000-of-00001.xml").unlink(), "exists in manifest but was not found"),
        (lambda f: (f / "data/extra").write_text(""), "but found 16 files"),
    ],
    ids=["copy", "row", "event", "lost", "lost event", "extra"],
)
def test_a_validator_finds_what_was_done_to_the_bag(bagged, tmp_path, spoil, words):
    shutil.copytree(bagged, tmp_path / "b")
    spoil(tmp_path / "b")
    done = validate(tmp_path / "b")
    assert done.returncode == 1 and words in done.stderr, done.stderr


def flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_copies_that_changed_or_are_lost_are_named_and_no_bag_is_made(output, capsys):
    flip(output / "images/scans/tall.tif")
    assert cli.main(["bag", str(output)]) == 1
    said = capsys.readouterr().err
    assert "images/scans/tall.tif: has SHA-256" in said.splitlines()[0] and "its row says" in said
    assert "photochrom: the manifest and the files do not agree, no bag was made" in said.splitlines()[-1]
    (output / "images/scans/tall.tif").unlink()
    (output / "images/scans/lossy.webp").unlink()
    assert cli.main(["bag", str(output)]) == 1
    said = capsys.readouterr().err
    assert "images/scans/tall.tif: is missing\n" in said and "images/scans/lossy.webp: is missing\n" in said
    assert "and 1 more" in said.splitlines()[-1]
    assert [path.name for path in output.parent.iterdir()] == ["coloured"]


def test_files_that_no_row_names_are_named_and_stay_out(output, capsys):
    (output / "images/scans/stray\n.jpg").write_bytes(b"x")
    (output / "manifest/notes.txt").write_text("x")
    bag.run([str(output)])
    said = capsys.readouterr().out
    assert "left out, in no row of the manifest: images/scans/stray\\x0a.jpg\n" in said
    assert "left out, in no row of the manifest: manifest/notes.txt\n" in said
    assert not [path for path in tree(pathlib.Path(f"{output}-bag")) if "stray" in path or "notes" in path]


def test_a_percent_sign_stays_as_it_is_in_a_bag_of_version_0_97(output):
    rename(output, "scans/tall.tif", "images/scans/100%25 at 5%20.tif")
    assert bag.run([str(output)]).version_info == (0, 97)
    done = validate(pathlib.Path(f"{output}-bag"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images/scans/a%0ab.tif", "has %0A or %0D in its name"),
        ("images/scans/a.tif ", "ends with a space"),
        ("images/scans/" + unicodedata.normalize("NFC", "café.jpg.coloured.tif"), "by Unicode's normalization alone"),
        ("images/scans/sepia.jpg", "is named by more than one row"),
        ("images/../manifest/summary.json", "expected a path below images/, in the row of scans/tall.tif"),
        ("manifest/summary.json", "expected a path below images/"),
        ("/etc/passwd", "expected a path below images/"),
    ],
)
def test_names_that_a_bag_cannot_hold_are_refused(output, name, words):
    if name.startswith("images/scans/") and not (output / name).exists():
        rename(output, "scans/tall.tif", name)
    else:
        found = rows(output)
        found["scans/tall.tif"]["output"] = name
        rewrite(output, found)
    with pytest.raises(errors.PhotochromError, match="do not agree") as caught:
        bag.run([str(output)])
    assert words in "\n".join(caught.value.problems)
    assert not pathlib.Path(f"{output}-bag").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "is no folder"),
        (lambda f: (f / "manifest/summary.json").unlink(), "has no manifest/summary.json: no run has finished there"),
        (lambda f: (f / "manifest/summary.json").write_text("{"), "manifest is broken"),
        (lambda f: (f / "manifest/runs.jsonl").unlink(), "does not tell when its runs were"),
        (lambda f: (f / "manifest/runs.jsonl").write_text('{"run": 1}\n'), "manifest is broken: KeyError"),
        (lambda f: (f / "manifest/items-00000-of-00001.jsonl").write_text(""), "has 0 rows, its summary.json says 15"),
        (lambda f: (f / "manifest/items-00000-of-00001.jsonl").write_text("{"), "broken after row 0"),
        (lambda f: (f / "manifest/items-00000-of-00001.jsonl").write_text("[]\n"), "line 1 ([]) is no row"),
        (lambda f: rewrite(f, {k: {**r, "run": 2} for k, r in rows(f).items()}), "does not belong to a finished run"),
        (
            lambda f: os.mkdir(ColorizeConfig(("x",), str(f)).scratch),
            "a run is under way or did not come to its end",
        ),
    ],
)
def test_a_run_that_did_not_finish_is_bad_usage(output, capsys, spoil, words):
    spoil(output)
    assert cli.main(["bag", str(output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not pathlib.Path(f"{output}-bag").exists()


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--date=2026-02-30", "--date is '2026-02-30', expected a day such as 2026-11-30"),
        ("--date=20260102", "expected a day"),
        ("--info=Source-Organization", "expected LABEL=VALUE"),
        ("--info=A: b\nPayload-Oxum=1.1", "expected LABEL=VALUE"),
        ("--info=Contact-Name=a\nPayload-Oxum: 1.1", "on one line"),
        ("--info=Contact-Name=a\u2028b", "on one line"),
        ("--info=Contact-Name= ", "expected a value of 1 to 2000 characters"),
        ("--info=payload-oxum=1.1", "payload-oxum is written by photochrom bag itself"),
        ("--info=Bagging-Date=2026-01-01", "--date sets it"),
        ("--output=gs://bucket/bag", "is not a local folder"),
    ],
)
def test_bad_flags_are_told_before_any_work(finished, flag, words):
    with pytest.raises(errors.UsageError) as caught:
        bag.run([str(finished), flag])
    assert words in str(caught.value)


def test_a_bag_is_never_written_over_or_into_the_run(output):
    (output.parent / "bag").mkdir()
    with pytest.raises(errors.UsageError, match="is there already; delete it"):
        bag.run([str(output), f"--output={output.parent / 'bag'}"])
    with pytest.raises(errors.UsageError, match="lies inside"):
        bag.run([str(output), f"--output={output / 'bag'}"])
    with pytest.raises(errors.UsageError, match="gs://bucket/run is not a local folder"):
        bag.run(["gs://bucket/run", f"--output={output.parent / 'other'}"])


def test_repeated_info_is_repeated(output):
    info = ["--info=Contact-Name=Ada", "--info=Contact-Name=Bo", DATE]
    assert bag.run([str(output), *info]).info["Contact-Name"] == ["Ada", "Bo"]


def test_links_to_another_file_system_are_refused(output):
    memory = pathlib.Path("/dev/shm")
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == output.stat().st_dev:
        pytest.skip("has no second file system")
    target = memory / f"photochrom-bag-{os.getpid()}"
    with pytest.raises(errors.UsageError, match="put the bag on the same file system, or leave --link out"):
        bag.run([str(output), f"--output={target}", "--link"])
    assert not target.exists() and not list(memory.glob(".photochrom-tmp-*"))


def test_a_disk_that_takes_no_more_leaves_no_half_of_a_bag(output, capsys):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        status = cli.main(["bag", str(output)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (line,) = capsys.readouterr().err.splitlines()
    assert status == 1 and "coloured-bag could not be written: [Errno 27]" in line
    assert [path.name for path in output.parent.iterdir()] == ["coloured"]


def test_help_waits_for_no_heavy_library():
    code = "import sys; from serving import bag; bag.build_parser(); sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_files_beside_a_copy_come_into_the_bag(output, tmp_path):
    found = rows(output)
    row = found["scans/tall.tif"]
    name, content = f"{row['output']}.iptc", b"records"
    (output / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    rewrite(output, {**found, row["key"]: {**row, "sidecars": {name: digest}}})
    bag.run([str(output), f"--output={tmp_path / 'bag'}", DATE])
    assert bagit.Bag(str(tmp_path / "bag")).payload_entries()[f"data/{name}"]["sha256"] == digest
    assert validate(tmp_path / "bag").returncode == 0
