"""Whole runs of the job on real scans with a real SavedModel."""

import hashlib
import json
import shutil
import tarfile
import zipfile

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from photochrom import errors
from photochrom.color import cielab
from photochrom.color.lightness import to_lightness
from photochrom.imaging import decoding
from serving import colorize
from serving.copies import provenance
from serving.manifest.changes import Changes
from tests.support import runs
from tests.support.runs import read_rows, tree

pytestmark = pytest.mark.job  # whole jobs or trainings


@pytest.fixture(scope="module")
def finished(tint, gray_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "coloured"
    before = tree(gray_folder)
    run = runs.colorize(tint, output, gray_folder)
    assert tree(gray_folder) == before, "an original was touched"
    return output, run.rows, run.counters


def test_every_input_ends_as_exactly_one_row(finished, gray_folder):
    _, found, counted = finished
    assert set(found) == {f"scans/{path.relative_to(gray_folder)}" for path in gray_folder.rglob("*") if path.is_file()}
    status = {key.removeprefix("scans/"): (row["status"], row["reason"]) for key, row in found.items()}
    assert status == {
        "box1/square.jpg": ("done", ""),
        "box1/wide.png": ("done", ""),
        "tall.tif": ("done", ""),
        "lossy.webp": ("done", ""),
        "deep.png": ("done", ""),
        "sepia.jpg": ("done", ""),
        "colour.jpg": ("skipped", "color_input"),
        "notes.txt": ("skipped", "not_an_image"),
        "broken.jpg": ("failed", "undecodable"),
    }
    assert (counted["rows-done"], counted["rows-skipped-color-input"], counted["rows-failed-undecodable"]) == (6, 1, 1)


def test_outputs_keep_size_format_and_folder(finished, gray_folder):
    output, found, _ = finished
    for key, row in found.items():
        if row["status"] == "done":
            original = Image.open(gray_folder / key.removeprefix("scans/"))
            coloured = Image.open(output / row["output"])
            assert (coloured.size, coloured.format) == (original.size, original.format)
            assert row["output"] == f"images/{key}"
            data = (output / row["output"]).read_bytes()
            assert row["output_sha256"] == hashlib.sha256(data).hexdigest()
            assert (
                row["source_sha256"]
                == hashlib.sha256((gray_folder / key.removeprefix("scans/")).read_bytes()).hexdigest()
            )


@pytest.mark.parametrize("name", ["box1/wide.png", "tall.tif", "deep.png"])
def test_lightness_is_kept_and_colour_is_added(finished, gray_folder, name):
    output, _, _ = finished
    original = decoding.decode((gray_folder / name).read_bytes(), max_pixels=10**8).opaque_rgb()
    coloured = np.asarray(Image.open(output / "images/scans" / name))
    before, after = cielab.rgb_to_lab(original), cielab.rgb_to_lab(coloured)
    assert np.abs(before[..., 0] - after[..., 0]).max() < 0.6  # Pillow reads 8 bits of 16
    middle = (before[..., 0] > 30) & (before[..., 0] < 70)
    slope = np.polyfit(before[..., 0][middle], after[..., 2][middle], 1)[0]
    # b* = 0.4 (50 - L*) is the model's answer, which is then evened out among similar L*.
    assert slope == pytest.approx(-0.37, abs=0.06)
    assert after[..., 1][middle].mean() == pytest.approx(5, abs=1)


def test_sixteen_bit_scans_become_sixteen_bit_copies(finished, gray_folder):
    output, found, _ = finished
    original = decoding.decode((gray_folder / "deep.png").read_bytes(), max_pixels=10**8).pixels
    coloured = imagecodecs.png_decode((output / "images/scans/deep.png").read_bytes())
    assert coloured.dtype == np.uint16
    assert np.abs(to_lightness(coloured) - to_lightness(original)).max() <= 0.01
    assert not any("8 bit" in note for note in found["scans/deep.png"]["notes"])


def test_copy_made_again_keeps_date_and_bytes(tint, gray_folder, tmp_path):
    scans, output = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(gray_folder / "box1", scans)
    runs.colorize(tint, output, scans, flags=["--date=2001-02-03"])
    before = tree(output / "images")
    (output / "images/scans/wide.png").unlink()
    shutil.copy(gray_folder / "sepia.jpg", scans)
    today = provenance.today()
    colorize.run([f"--model={tint}", f"--output={output}", f"--input={scans}"])  # as on another day
    assert tree(output / "images") | before == tree(output / "images")
    dates = {key: row["date"] for key, row in read_rows(output).items()}
    assert dates.pop("scans/sepia.jpg") in (today, provenance.today())
    assert set(dates.values()) == {"2001-02-03"}
    runs.colorize(tint, output, scans, flags=["--retry=all", "--date=2002-02-02"])  # as asked
    assert {row["date"] for row in read_rows(output).values()} == {"2002-02-02"}
    assert b"<xmp:ModifyDate>2002-02-02<" in (output / "images/scans/wide.png").read_bytes()


def test_flags_of_the_copies_reach_them(tint, gray_folder, tmp_path):
    flags = ["--format=tiff", "--mark=border", "--mark_text=made", "--digital_source_type=algorithmicallyEnhanced"]
    runs.colorize(tint, tmp_path / "out", gray_folder / "tall.tif", gray_folder / "sepia.jpg", flags=flags)
    found = read_rows(tmp_path / "out")
    assert found["sepia.jpg"]["output"] == "images/sepia.jpg.coloured.tif" and found["sepia.jpg"]["format"] == "TIFF"
    assert found["tall.tif"]["height"] > 300 and "border" in found["tall.tif"]["notes"][-1]
    assert Image.open(tmp_path / "out/images/tall.tif").height == found["tall.tif"]["height"]
    assert b"algorithmicallyEnhanced<" in (tmp_path / "out/images/tall.tif").read_bytes()


def test_archives_are_read_in_place_and_become_folders(tint, finished, gray_folder, tmp_path):
    _, loose, _ = finished
    names = ("box1/square.jpg", "tall.tif", "sepia.jpg")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.write(gray_folder / name, name)
        archive.writestr("../../escape.jpg", b"x")
    for name, mode in (("b.tar", "w"), ("c.tar.gz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            for member in names:
                archive.add(gray_folder / member, member)
    inputs = [tmp_path / name for name in ("a.zip", "b.tar", "c.tar.gz")]
    runs.colorize(tint, tmp_path / "out", *inputs)
    found = read_rows(tmp_path / "out")
    assert len(found) == 10 and found["a.zip!../../escape.jpg"]["reason"] == "unsafe_name"
    for path in inputs:
        for name in names:
            row = found[f"{path.name}!{name}"]
            assert row["output"] == f"images/{path.name}/{name}"
            assert row["output_sha256"] == loose[f"scans/{name}"]["output_sha256"]
    assert not list(tmp_path.rglob("escape.jpg"))


@pytest.mark.parametrize(
    "flags",
    [
        ("--direct_num_workers=1", "--batch_size=1"),
        ("--direct_num_workers=2", "--direct_running_mode=multi_processing"),
        ("--accelerator=type:nvidia-l4;count:1;install-nvidia-driver",),
    ],
)
def test_bytes_do_not_depend_on_workers_batches_accelerators(tint, finished, gray_folder, tmp_path, flags):
    output, _, _ = finished
    runs.colorize(tint, tmp_path / "out", gray_folder, flags=flags)
    assert tree(tmp_path / "out") == tree(output)


def test_second_run_makes_only_new_changed_lost_failed(tint, gray_folder, tmp_path):
    scans, output = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(gray_folder, scans)
    runs.colorize(tint, output, scans)
    before = tree(output)
    again = runs.colorize(tint, output, scans).counters
    assert tree(output) == before
    assert again["rows-kept"] == 8  # six done, the colour picture and the text; the broken one is tried again
    assert "num_inferences" not in again
    Image.open(scans / "tall.tif").point(lambda v: 255 - v).save(scans / "tall.tif")
    shutil.copy(scans / "sepia.jpg", scans / "new.jpg")
    (output / "images/scans/lossy.webp").unlink()
    third = runs.colorize(tint, output, scans).counters
    assert third["rows-kept"] == 6
    changed = {name for name, digest in tree(output).items() if before.get(name) != digest}
    assert {name for name in changed if name.startswith("images")} == {"images/scans/tall.tif", "images/scans/new.jpg"}
    assert (output / "images/scans/lossy.webp").exists()


def test_last_lines_state_the_changes_of_the_run(tint, gray_folder, tmp_path, capsys):
    scans, output = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(gray_folder / "box1", scans)
    (scans / "broken.jpg").write_bytes(b"broken")
    runs.colorize(tint, output, scans)
    assert "in this run: 3 new, 0 changed, 0 delisted, 0 kept; 1 failed\n" in capsys.readouterr().out
    shutil.copy(gray_folder / "sepia.jpg", scans / "new.jpg")
    shutil.copy(gray_folder / "tall.tif", scans / "square.jpg")
    (scans / "wide.png").unlink()
    (scans / "cut.jpg").write_bytes(b"broken as well")
    with pytest.raises(errors.TooManyFailures, match=r"1 of 3 new or changed inputs newly failed, .* allows new:0; `"):
        runs.colorize(tint, output, scans, flags=["--max_failures=new:0", "--json"])
    *_, line, last = capsys.readouterr().out.splitlines()
    assert line == "in this run: 2 new, 1 changed, 1 delisted, 1 kept; 1 failed (1 failed before)"
    printed = json.loads(last)
    assert (printed["output"], printed["listed"], printed["failed"], printed["gone"]) == (str(output), 4, 2, 1)
    assert {name: printed["run"][name] for name in Changes._fields} == Changes(2, 1, 1, 1, 1)._asdict()


def test_rows_name_the_run_that_first_made_them(tint, gray_folder, tmp_path):
    scans, output = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(gray_folder / "box1", scans)
    (scans / "broken.jpg").write_bytes(b"broken")
    for _ in range(2):
        runs.colorize(tint, output, scans)
    shutil.copy(gray_folder / "sepia.jpg", scans / "new.jpg")
    runs.colorize(tint, output, scans, flags=["--retry=all"])
    recorded = [json.loads(line) for line in (output / "manifest/runs.jsonl").read_text().splitlines()]
    assert [(one["run"], one["listed"], one["done"], one["failed"]) for one in recorded] == [
        (1, 3, 2, 1), (2, 3, 2, 1), (3, 4, 3, 1)
    ]  # fmt: skip
    assert all(one["started"] <= one["finished"] and one["finished"].endswith("Z") for one in recorded)
    found = read_rows(output)
    assert {key.removeprefix("scans/"): row["run"] for key, row in found.items()} == {
        "square.jpg": 1, "wide.png": 1, "broken.jpg": 1, "new.jpg": 3
    }  # fmt: skip
    assert {row["model_digest"] for row in found.values() if row["status"] == "done"} == {recorded[0]["model_digest"]}


def test_colour_inputs_can_be_copied_or_colorized(tint, gray_folder, tmp_path):
    runs.colorize(tint, tmp_path / "copy", gray_folder / "colour.jpg", flags=["--color_inputs=copy"])
    assert (tmp_path / "copy/images/colour.jpg").read_bytes() == (gray_folder / "colour.jpg").read_bytes()
    assert read_rows(tmp_path / "copy")["colour.jpg"]["reason"] == "copied"
    runs.colorize(tint, tmp_path / "all", gray_folder / "colour.jpg", flags=["--color_inputs=colorize"])
    assert read_rows(tmp_path / "all")["colour.jpg"]["status"] == "done"
    assert (tmp_path / "all/images/colour.jpg").read_bytes() != (gray_folder / "colour.jpg").read_bytes()


def test_scan_that_breaks_the_model_fails(tint, gray_folder, tmp_path):
    (tmp_path / "scans").mkdir()
    Image.new("L", (90, 90), 255).save(tmp_path / "scans" / "white.png")
    shutil.copy(gray_folder / "box1" / "square.jpg", tmp_path / "scans")
    Image.new("L", (90, 90), 128).save(tmp_path / "scans" / "gray.png")
    runs.colorize(tint, tmp_path / "out", tmp_path / "scans", flags=["--unsuitable=colorize"])
    found = read_rows(tmp_path / "out")
    assert (found["scans/white.png"]["status"], found["scans/white.png"]["reason"]) == ("failed", "inference")
    assert found["scans/gray.png"]["status"] == found["scans/square.jpg"]["status"] == "done"


@pytest.fixture(scope="module")
def paged(photographs, tmp_path_factory):
    """A folder: a TIFF of three pages, loose and in a zip, one of a single page, one broken, and a colour one."""
    folder = tmp_path_factory.mktemp("paged") / "scans"
    folder.mkdir()
    pages = [Image.fromarray(photographs[name]).convert("L") for name in ("coffee", "rocket", "chelsea")]
    pages[0].save(folder / "three.tif", save_all=True, append_images=pages[1:])
    pages[0].save(folder / "one.tif")
    pages[0].save(folder / "gray.png")
    (folder / "broken.tif").write_bytes((folder / "three.tif").read_bytes()[:300])
    (folder / "one.tif#page=0001").write_bytes((folder / "one.tif").read_bytes())
    colour = [Image.fromarray(photographs[name]).convert("RGB") for name in ("coffee", "rocket")]
    colour[0].save(folder / "colour.tif", save_all=True, append_images=colour[1:])
    with zipfile.ZipFile(folder / "box.zip", "w") as archive:
        archive.write(folder / "three.tif", "p/three.tif")
    return folder, pages


def test_each_page_has_its_own_row_and_copy(tint, paged, tmp_path):
    folder, pages = paged
    runs.colorize(tint, tmp_path, folder, flags=["--pages=all", "--color_inputs=copy"])
    found = read_rows(tmp_path)
    names = [f"{file}#page={page:04d}" for file in ("three.tif", "box.zip!p/three.tif") for page in (1, 2, 3)]
    singles = ["one.tif", "one.tif#page=0001#page=0001", "gray.png"]
    broken = ["broken.tif#page=0001", "broken.tif#page=0002"]  # the lost page counts
    colour = ["colour.tif#page=0001", "colour.tif#page=0002"]
    assert set(found) == {f"scans/{name}" for name in (*names, *singles, *broken, *colour)}
    assert {found[f"scans/{name}"]["reason"] for name in broken} == {"undecodable"}
    for number, page in enumerate(pages):
        for name in (names[number], names[number + 3]):
            row = found[f"scans/{name}"]
            assert (row["status"], row["width"], row["height"]) == ("done", *page.size)
            coloured = np.asarray(Image.open(tmp_path / row["output"]))
            lightness = to_lightness(coloured), cielab.gray_to_lightness(np.asarray(page))
            assert np.abs(np.subtract(*lightness)).max() < 0.6
    assert (
        found["scans/box.zip!p/three.tif#page=0002"]["output"]
        == "images/scans/box.zip/p/three.tif#page=0002.coloured.tif"
    )
    for name in colour:
        assert (found[f"scans/{name}"]["reason"], found[f"scans/{name}"]["output"]) == (
            "copied", "images/scans/colour.tif",
        )  # fmt: skip
    assert (tmp_path / "images/scans/colour.tif").read_bytes() == (folder / "colour.tif").read_bytes()
    assert json.loads((tmp_path / "manifest/summary.json").read_text())["listed"] == 13
    again = runs.colorize(tint, tmp_path, folder, flags=["--pages=all", "--color_inputs=copy"])
    assert again.counters["rows-kept"] == 11


def test_first_page_stands_for_a_file_by_default(tint, paged, tmp_path):
    runs.colorize(tint, tmp_path, paged[0])
    found = read_rows(tmp_path)
    assert len(found) == 7 and found["scans/three.tif"]["notes"] == ["first of 3 pages"]
    assert found["scans/one.tif#page=0001"]["status"] == "done"


def test_file_that_takes_too_long_fails_alone(tint, gray_folder, endless_jpeg, tmp_path):
    shutil.copytree(gray_folder / "box1", tmp_path / "scans")
    (tmp_path / "scans/endless.jpg").write_bytes(endless_jpeg)
    runs.colorize(tint, tmp_path / "out", tmp_path / "scans", flags=["--image_timeout=3"])
    found = {key: (row["status"], row["reason"]) for key, row in read_rows(tmp_path / "out").items()}
    assert found == {
        "scans/endless.jpg": ("failed", "decode_timeout"),
        "scans/square.jpg": ("done", ""),
        "scans/wide.png": ("done", ""),
    }


def test_too_many_failures_is_raised_after_the_work(tint, gray_folder, tmp_path):
    with pytest.raises(errors.TooManyFailures, match="1 of 9 inputs failed, --max_failures allows 0"):
        runs.colorize(tint, tmp_path / "out", gray_folder, flags=["--max_failures=0"])
    assert len(read_rows(tmp_path / "out")) == 9


def test_damaged_bundle_is_refused_before_any_work(tint, gray_folder, tmp_path):
    shutil.copytree(tint, tmp_path / "bundle")
    with open(tmp_path / "bundle/saved_model/saved_model.pb", "ab") as file:
        file.write(b"x")
    with pytest.raises(errors.UsageError, match="is damaged: its files have digest"):
        runs.colorize(tmp_path / "bundle", tmp_path / "out", gray_folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model=/no/bundle"], "/no/bundle is no model bundle"),
        (["--input=/no/scans"], "--input /no/scans does not exist"),
        (["--max_failures=x"], "--max_failures is x"),
        (["--frobnicate"], "unknown flag '--frobnicate'"),
    ],
)
def test_usage_errors_come_before_any_work(tint, gray_folder, tmp_path, flags, message):
    with pytest.raises(errors.UsageError, match=message):
        runs.colorize(tint, tmp_path / "out", gray_folder, flags=flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pattern", ["in/**", "in/**/*.jpg"])
def test_output_that_a_pattern_would_find_is_refused(tint, gray_folder, tmp_path, pattern):
    (tmp_path / "in").mkdir()
    shutil.copy(gray_folder / "colour.jpg", tmp_path / "in/a.jpg")
    with pytest.raises(errors.UsageError, match=r"--output .* inside --input"):
        runs.colorize(tint, tmp_path / "in" / "out", f"{tmp_path}/{pattern}")
