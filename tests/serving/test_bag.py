"""Bags of a real run, checked by bagit-python's own validator in a separate process."""

import datetime
import hashlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import unicodedata

import bagit
import numpy as np
import pytest
from PIL import Image

from photochrom import cli, errors
from serving import bag
from serving.manifest.layout import OutputPaths
from tests.support import runs
from tests.support.runs import ITEMS, edit_row, read_rows, tree

# One worker makes the bag that several tests need.
pytestmark = [pytest.mark.job, pytest.mark.xdist_group("test_bag")]

DATE = "--date=2026-01-02"
NAMES = ("-dash.jpg", "a  b.jpg", "new\nline.jpg", unicodedata.normalize("NFD", "café.jpg"), "#*~.jpg", "\\back.jpg")


def rename(output: pathlib.Path, key: str, name: str) -> None:
    """Renames a copy, in its row too."""
    (output / read_rows(output)[key]["output"]).rename(output / name)
    edit_row(output, key, output=name)


def validate(folder: pathlib.Path) -> subprocess.CompletedProcess:
    argv = [sys.executable, "-m", "bagit", "--validate", str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def finished(tint, gray_folder, tmp_path_factory):
    """The output of a run on scans with awkward names."""
    folder = tmp_path_factory.mktemp("bag")
    shutil.copytree(gray_folder, folder / "scans")
    for name in NAMES:
        shutil.copy(folder / "scans/tall.tif", folder / "scans" / name)
    return runs.colorize(tint, folder / "coloured", folder / "scans").output


@pytest.fixture
def output(finished, tmp_path):
    """A copy of it that the test may damage."""
    return pathlib.Path(shutil.copytree(finished, tmp_path / "coloured"))


@pytest.fixture(scope="module")
def bagged(finished, tmp_path_factory):
    target = tmp_path_factory.mktemp("bags") / "bag"
    before = tree(finished)
    bag.run([str(finished), f"--output={target}", DATE, "--info=Source-Organization=City Archive: Über 1=2"])
    assert tree(finished) == before, "the output folder was touched"
    return target


def test_stock_validator_accepts_the_bag(bagged):
    done = validate(bagged)
    assert done.returncode == 0 and "is valid" in done.stderr, done.stderr
    assert (bagged / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def test_payload_has_copies_and_manifest_with_row_digests(bagged, finished):
    listed = bagit.Bag(str(bagged)).payload_entries()
    copies = {f"data/{row['output']}": row["output_sha256"] for row in read_rows(finished).values() if row["output"]}
    assert len(copies) == 12
    assert {path: digests["sha256"] for path, digests in listed.items() if "/images/" in path} == copies
    listings = {f"data/manifest/{name}" for name in ("items-00000-of-00001.jsonl", "runs.jsonl", "summary.json")}
    assert set(listed) == {*copies, *listings}
    assert all(len(digests["sha512"]) == 128 for digests in listed.values())


def test_bag_info_describes_the_run(bagged):
    info = bagit.Bag(str(bagged)).info
    payload = [path.stat().st_size for path in (bagged / "data").rglob("*") if path.is_file()]
    assert info["Bagging-Date"] == "2026-01-02"
    assert info["Payload-Oxum"] == f"{sum(payload)}.{len(payload)}"
    assert info["Source-Organization"] == "City Archive: Über 1=2"
    assert info["Bag-Software-Agent"].startswith("Photochrom 0.")
    assert "15 inputs, 12 done, 2 skipped, 1 failed" in info["External-Description"]


def test_bag_has_the_same_bytes_copied_or_linked(bagged, finished, tmp_path):
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


def test_bag_stands_beside_the_run_by_default(output):
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
def test_validator_finds_damage_to_the_bag(bagged, tmp_path, spoil, words):
    shutil.copytree(bagged, tmp_path / "b")
    spoil(tmp_path / "b")
    done = validate(tmp_path / "b")
    assert done.returncode == 1 and words in done.stderr, done.stderr


def flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_bag_refuses_changed_or_missing_copies(output, capsys):
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


def test_bag_leaves_out_files_without_a_row(output, capsys):
    (output / "images/scans/stray\n.jpg").write_bytes(b"x")
    (output / "manifest/notes.txt").write_text("x")
    bag.run([str(output)])
    said = capsys.readouterr().out
    assert "left out, in no row of the manifest: images/scans/stray\\x0a.jpg\n" in said
    assert "left out, in no row of the manifest: manifest/notes.txt\n" in said
    assert not [path for path in tree(pathlib.Path(f"{output}-bag")) if "stray" in path or "notes" in path]


def test_bag_with_a_percent_sign_has_version_097(output):
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
    ],
)
def test_bag_refuses_names_that_it_cannot_hold(output, name, words):
    if (output / name).exists():
        edit_row(output, "scans/tall.tif", output=name)
    else:
        rename(output, "scans/tall.tif", name)
    with pytest.raises(errors.PhotochromError, match="do not agree") as caught:
        bag.run([str(output)])
    assert words in "\n".join(caught.value.problems)
    assert not pathlib.Path(f"{output}-bag").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "manifest/runs.jsonl").unlink(), "does not record the times of its runs"),
        (lambda f: (f / ITEMS).write_text(""), "has 0 rows, its summary.json says 15"),
        (lambda f: edit_row(f, "scans/tall.tif", run=2), "does not belong to a finished run"),
        (lambda f: os.mkdir(OutputPaths(str(f)).scratch), "a run is under way or did not finish"),
    ],
)
def test_bag_refuses_an_unfinished_run(output, capsys, spoil, words):
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
def test_bag_refuses_bad_flags(finished, flag, words):
    with pytest.raises(errors.UsageError) as caught:
        bag.run([str(finished), flag])
    assert words in str(caught.value)


def test_bag_is_never_written_over_anything(output):
    (output.parent / "bag").mkdir()
    with pytest.raises(errors.UsageError, match="exists already; delete it"):
        bag.run([str(output), f"--output={output.parent / 'bag'}"])
    with pytest.raises(errors.UsageError, match="is inside"):
        bag.run([str(output), f"--output={output / 'bag'}"])
    with pytest.raises(errors.UsageError, match="gs://bucket/run is not a local folder"):
        bag.run(["gs://bucket/run", f"--output={output.parent / 'other'}"])


def test_bag_repeats_repeated_info(output):
    info = ["--info=Contact-Name=Ada", "--info=Contact-Name=Bo", DATE]
    assert bag.run([str(output), *info]).info["Contact-Name"] == ["Ada", "Bo"]


def test_bag_refuses_links_to_another_file_system(output):
    memory = pathlib.Path("/dev/shm")
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == output.stat().st_dev:
        pytest.skip("has no second file system")
    target = memory / f"photochrom-bag-{os.getpid()}"
    with pytest.raises(errors.UsageError, match="put the bag on the same file system, or leave --link out"):
        bag.run([str(output), f"--output={target}", "--link"])
    assert not target.exists() and not list(memory.glob(".photochrom-tmp-*"))


def test_full_disk_leaves_no_partial_bag(output, capsys):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        status = cli.main(["bag", str(output)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (line,) = capsys.readouterr().err.splitlines()
    assert status == 1 and "coloured-bag could not be written: [Errno 27]" in line
    assert [path.name for path in output.parent.iterdir()] == ["coloured"]


def test_help_imports_no_heavy_library():
    code = "import sys; from serving import bag; bag.build_parser(); sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_bag_holds_sidecars(output, tmp_path):
    row = read_rows(output)["scans/tall.tif"]
    name, content = f"{row['output']}.iptc", b"records"
    (output / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_row(output, row["key"], sidecars={name: digest})
    bag.run([str(output), f"--output={tmp_path / 'bag'}", DATE])
    assert bagit.Bag(str(tmp_path / "bag")).payload_entries()[f"data/{name}"]["sha256"] == digest
    assert validate(tmp_path / "bag").returncode == 0


def test_kept_tones_are_no_work_of_a_model(tint, photographs, tmp_path):
    (tmp_path / "scans").mkdir()
    colour = Image.fromarray(photographs["coffee"]).resize((120, 80))
    toned = np.asarray(colour.convert("L"))[:, :, None] * np.array([1.0, 0.86, 0.68])
    Image.fromarray(toned.astype(np.uint8)).save(tmp_path / "scans/sepia.tif")
    colour.save(tmp_path / "scans/two.tif", save_all=True, append_images=[colour])
    flags = ["--toned=keep", "--pages=all", "--color_inputs=copy"]
    runs.colorize(tint, tmp_path / "out", tmp_path / "scans", flags=flags)
    bag.run([str(tmp_path / "out"), f"--output={tmp_path / 'bag'}"]).validate()
    events = next((tmp_path / "bag" / "metadata").glob("premis-*.xml")).read_text()
    assert "copied unchanged: it is toned" in events and "colorization" not in events
    assert "role>model<" not in events
