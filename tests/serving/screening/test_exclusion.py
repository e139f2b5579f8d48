"""The exclusion list, by itself and in whole runs."""

import fnmatch
import os
import pathlib
import shutil
import tarfile
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from serving import colorize
from serving.screening import exclusion
from tests.support import runs

pytestmark = pytest.mark.job  # whole jobs or trainings


@pytest.mark.parametrize(
    ("line", "covered", "free"),
    [
        ("scans/a.tif", ["scans/a.tif", "scans/a.tif#page=0002"], ["scans/a.tiff", "x/scans/a.tif", "scans/A.tif"]),
        ("scans/box/*", ["scans/box/1.tif", "scans/box/deep/1.tif"], ["scans/box", "scans/box2/1.tif"]),
        ("scans/box/", ["scans/box/1.tif", "scans/box/deep/1.tif"], ["scans/box", "scans/box2/1.tif"]),
        ("*/secret/*", ["a/secret/b", "a/b/secret/c/d"], ["secret/b", "a/secrets/b"]),
        ("scans/?[0-9].tif", ["scans/a7.tif"], ["scans/77.ti", "scans/aa.tif", "scans//a7.tif"]),
        ("scans/[!a]*", ["scans/b.tif"], ["scans/a.tif"]),
        ("scans/1 [copy].tif", ["scans/1 [copy].tif", "scans/1 o.tif"], ["scans/1 x.tif"]),
        ("s/box.zip", ["s/box.zip", "s/box.zip!p/1.tif", "s/box.zip!p/1.tif#page=0003"], ["s/box.zip2!a", "s/box.zi"]),
        ("s/box?.zip", ["s/box1.zip!p/1.tif"], ["s/box.zip!p/1.tif"]),
        ("s/box.zip!p/*", ["s/box.zip!p/1.tif"], ["s/box.zip", "s/box.zip!q/1.tif"]),
        ("s/box.tar!./p//1.tif", ["s/box.tar!p/1.tif"], ["s/box.tar!1.tif"]),
        ("*#page=0002", ["a.tif#page=0002"], ["a.tif", "a.tif#page=0001"]),
        ("caf\u00e9/*", ["cafe\u0301/1.tif", "caf\u00e9/1.tif"], ["cafe/1.tif"]),
    ],
)
def test_line_covers_whole_keys_and_their_contents(line, covered, free):
    patterns = exclusion.Patterns([line])
    assert [key for key in covered if not patterns.cover(key)] == []
    assert [key for key in free if patterns.cover(key)] == []
    assert patterns.idle(covered) == [] and patterns.idle([]) == patterns.idle(free) == patterns.idle([])


def test_lines_that_fit_nothing_are_reported():
    patterns = exclusion.Patterns(["a/1.tif", "a/2.tif", "b/*", "c/*", "d/", "e/"])
    assert patterns.idle(["a/1.tif", "b/1.tif", "d/x/1.tif"]) == ["a/2.tif", "c/*", "e/"]


@pytest.mark.parametrize("glob", ["scans/box{}/*", "*/box{}/*.tif", "*box{}/sub/*", "scans/bo[xX]{}/*.t?f"])
def test_thousands_of_globs_take_microseconds_a_key(glob):
    lines = [glob.format(f"{i:05d}") for i in range(4000)] + [f"scans/open/{i}.tif" for i in range(100_000)]
    patterns = exclusion.Patterns(lines)
    keys = [f"scans/box{i + 3000:05d}/sub/{i}.tif" for i in range(2000)]
    began = time.process_time()
    found = sum(map(patterns.cover, keys))
    seconds = time.process_time() - began
    assert found == 1000
    assert seconds / len(keys) < 100e-6  # each glob tried in turn: some 500


def test_globs_match_as_fnmatch_does():
    pieces = ["*", "?", "[ab]", "[!a]", "[]]", "[", "]", "a", "b", "abab", "!", "baba/", "ba"]
    random = np.random.default_rng(7)
    globs = ["".join(random.choice(pieces, random.integers(1, 7))) for _ in range(300)]
    keys = ["".join(random.choice(["a", "b", "/", "]", "[", "abab"], random.integers(1, 9))) for _ in range(100)]
    found = []
    for glob in globs:
        patterns = exclusion.Patterns([glob])
        whole = f"{glob}*" if glob.endswith("/") else glob
        for key in keys:
            found.append(fnmatch.fnmatchcase(key, whole))
            assert patterns.cover(key) == (found[-1] or key == glob), (glob, key)
    assert 500 < sum(found) < 5000


def test_no_glob_is_catastrophic():
    patterns = exclusion.Patterns(["*a" * 500 + "b", "s" + "*?" * 300 + "b"])
    began = time.process_time()
    assert not patterns.cover("s" + "a" * 1000)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot be read: .*expected a text file of keys"),
        (b"ok\n\xff\xfe\n", r"is no UTF-8 text \(byte 3\)"),
        (b"ok\n" + b"x" * 5000, "line 2: 5000 characters, at most 4096"),
        (b"".join(b"%d/*\n" % i for i in range(exclusion.MAX_GLOBS + 1)), "has 10001 globs, at most 10000"),
        (b"x\n" * (exclusion.MAX_BYTES // 2 + 1), "has more than 64 MiB"),
    ],
)
def test_bad_list_is_refused_in_one_line(tint, gray_folder, tmp_path, data, message):
    path = tmp_path / "list.txt"
    if data is not None:
        path.write_bytes(data)
    argv = [f"--model={tint}", f"--input={gray_folder}", f"--output={tmp_path / 'out'}", f"--exclude={path}"]
    with pytest.raises(errors.UsageError, match=message) as caught:
        colorize.run(argv)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_comments_blanks_and_byte_order_mark_are_ignored(tmp_path):
    (tmp_path / "list").write_bytes("\ufeff# boxes\r\n\r\n  a.tif \r\n#b.tif\n".encode())
    found = exclusion.open_list(str(tmp_path / "list"))
    assert found.covers("a.tif") and not any(map(found.covers, ["b.tif", "#b.tif", "", " "]))
    assert not exclusion.open_list("").covers("a.tif")


def test_list_that_changes_during_the_job_stops_it(tmp_path):
    (tmp_path / "list").write_text("a.tif")
    found = exclusion.open_list(str(tmp_path / "list"))
    (tmp_path / "list").write_text("b.tif")
    exclusion._load.cache_clear()
    with pytest.raises(errors.PhotochromError, match="has changed since the job began"):
        found.covers("a.tif")


def run(tint, folder, output, *lines, flags=()):
    if lines:
        (output.parent / "list.txt").write_text("\n".join(lines))
        flags = [*flags, f"--exclude={output.parent / 'list.txt'}"]
    found = runs.colorize(tint, output, folder, flags=flags).rows
    return {key.removeprefix("scans/"): row for key, row in found.items()}


@pytest.fixture(scope="module")
def scans(gray_folder, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("restricted") / "scans"
    shutil.copytree(gray_folder / "box1", folder / "box1")
    shutil.copy(gray_folder / "tall.tif", folder / "tall.tif")
    with zipfile.ZipFile(folder / "shut.zip", "w") as archive:
        archive.write(gray_folder / "tall.tif", "p/1.tif")
    with tarfile.open(folder / "part.tar.gz", "w:gz") as archive:
        archive.add(gray_folder / "tall.tif", "open.tif")
        archive.add(gray_folder / "box1/square.jpg", "closed.jpg")
    pages = [Image.open(gray_folder / "box1/wide.png"), Image.open(gray_folder / "box1/square.jpg")]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    return folder


def test_excluded_inputs_lose_their_copies_unread(tint, scans, tmp_path, capsys):
    output, all_pages = tmp_path / "out", ["--pages=all"]
    before = run(tint, scans, output, flags=all_pages)
    assert {row["status"] for row in before.values()} == {"done"} and len(before) == 8
    hidden = [
        "scans/box1/w*",
        "scans/shut.zip",
        "*/closed.jpg",
        "*!closed.jpg",
        "scans/pages.tif#page=0002",
        "typo.tif",
    ]
    for name in ("box1/wide.png", "shut.zip"):  # reading these now fails
        (scans / name).rename(tmp_path / pathlib.Path(name).name)
        os.mkfifo(scans / name) if name == "shut.zip" else (scans / name).symlink_to("/nowhere")
    try:
        after = run(tint, scans, output, *hidden, flags=all_pages)
        again = run(tint, scans, output, *hidden, flags=all_pages)
    finally:
        for name in ("box1/wide.png", "shut.zip"):
            (scans / name).unlink()
            (tmp_path / pathlib.Path(name).name).rename(scans / name)
    gone = {"box1/wide.png", "part.tar.gz!closed.jpg", "pages.tif#page=0002"}
    for key in gone:
        row = after[key]
        assert (row["status"], row["reason"], row["stage"], row["output"]) == ("skipped", "excluded", "list", "")
        assert row["notes"] == [f"the copy that an earlier run made, {before[key]['output']}, was deleted"]
    assert (after["shut.zip"]["status"], after["shut.zip"]["reason"]) == ("skipped", "excluded")
    kept = set(before) - gone - {"shut.zip!p/1.tif"}
    assert {key for key in after if after[key]["status"] == "done"} == kept
    assert all(after[key] == before[key] for key in kept)
    copies = {str(path.relative_to(output)) for path in (output / "images").rglob("*") if path.is_file()}
    assert copies == {before[key]["output"] for key in kept}
    assert again == after
    assert "no input fits 2 of the lines of --exclude, such as '*/closed.jpg'" in capsys.readouterr().out
    assert run(tint, scans, output, flags=all_pages).keys() == before.keys()
    assert (output / before["box1/wide.png"]["output"]).exists()


def test_excluded_members_of_a_tar_are_not_spooled(scans, tmp_path):
    from photochrom.sources import inputs

    [one] = inputs.parse([str(scans / "part.tar.gz")])
    [listed] = inputs.list_files(one)
    found = list(inputs.expand(listed, str(tmp_path), exclusion.Patterns(["*closed.jpg"]).cover))
    assert [(source.key, bool(source.failure)) for source in found] == [
        ("part.tar.gz!open.tif", False), ("part.tar.gz!closed.jpg", True)
    ]  # fmt: skip
    [spooled] = tmp_path.iterdir()
    assert spooled.stat().st_size == (scans / "tall.tif").stat().st_size
