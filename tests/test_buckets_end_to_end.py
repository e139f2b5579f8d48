"""prepare and colorize wholly in buckets, over a network that fails: the same bytes as on a local disk."""

import json
import pathlib
import re
import zipfile

import pytest

from photochrom import errors
from photochrom.storage import files
from pipelines import prepare
from serving import colorize, status
from tests.support.bucket_server import CUT, LOST, RESET, every

pytestmark = pytest.mark.job  # whole jobs or trainings

KINDS = ("503", "429", RESET, LOST, CUT)


def upload(folder: pathlib.Path, target: str) -> str:
    files.copy_folder(str(folder), target)
    return target


def zipped(folder: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def contents(folder: str, *left_out: str) -> dict[str, bytes]:
    found = {info.path.removeprefix(f"{folder}/"): files.read_bytes(info.path) for info in files.list_folder(folder)}
    return {name: data for name, data in found.items() if not re.fullmatch("|".join(left_out), name)}


def rows(folder: str) -> list[dict]:
    """Returns the manifest's rows without source path, source version and run number."""
    lines = b"".join(contents(f"{folder}/manifest", r"(?!items-).*").values()).splitlines()
    ours = [{**json.loads(line), "run": None, "source": None, "source_version": None} for line in lines]
    return sorted(ours, key=lambda row: row["key"])


def test_colorize_makes_the_same_of_a_bucket(store, bucket, tmp_path, gray_folder, tint, capsys):
    box = zipped(gray_folder / "box1", tmp_path / "box.zip")
    local = [f"--input={gray_folder}", f"--input={box}", f"--output={tmp_path}/out", f"--model={tint}"]
    upload(gray_folder, f"{bucket}/in/{gray_folder.name}")
    files.copy(str(box), f"{bucket}/in/box.zip")
    upload(pathlib.Path(tint), f"{bucket}/model")
    inputs = [f"--input={bucket}/in/{gray_folder.name}", f"--input={bucket}/in/box.zip"]
    remote = [*inputs, f"--output={bucket}/out", f"--model={bucket}/model"]
    colorize.run([*local, "--date=2026-01-31"])
    store.fault = every(9, *KINDS)
    colorize.run([*remote, "--date=2026-01-31"])
    store.clear()
    assert contents(f"{bucket}/out/images") == contents(f"{tmp_path}/out/images")
    for ours, theirs in zip(rows(f"{bucket}/out"), rows(f"{tmp_path}/out"), strict=True):
        assert {k: (v, theirs[k]) for k, v in ours.items() if v != theirs[k]} == {}
    before = list(files.list_folder(f"{bucket}/out/images"))
    store.clear()
    colorize.run([*remote, "--date=2026-01-31"])
    read = {request.path.rpartition("%2F")[2] for request in store.requests if request.query.get("alt") == "media"
            and "/o/in%2F" in request.path}  # fmt: skip
    assert read == {"broken.jpg", "box.zip"}  # what failed is tried again, what may have members is opened
    assert list(files.list_folder(f"{bucket}/out/images")) == before
    capsys.readouterr()
    status.run([f"{bucket}/out"])
    assert "done" in capsys.readouterr().out


def test_prepare_makes_the_same_of_a_bucket(store, bucket, tmp_path, photo_folder):
    flags = ["--image_size=32", "--num_shards=2", "--split=train=0.75,validation=0.25"]
    upload(photo_folder, f"{bucket}/in/photos")
    prepare.run([f"--input={photo_folder}", f"--output={tmp_path}/out", *flags])
    store.fault = every(9, *KINDS)
    prepare.run([f"--input={bucket}/in/photos", f"--output={bucket}/out", *flags])
    store.clear()
    # Where the inputs lie is in the settings; versions of inputs are in the shards' plans, times in SavedModels.
    left_out = (r"prepare\.json", r"shards/.*", r"transform_fn/.*", r"signatures/.*")
    assert contents(f"{bucket}/out", *left_out) == contents(f"{tmp_path}/out", *left_out)
    assert files.exists(f"{bucket}/out/transform_fn/transform_fn/saved_model.pb")


def test_bundle_damaged_in_the_bucket_is_refused(bucket, tint, gray_folder):
    upload(pathlib.Path(tint), f"{bucket}/model")
    files.write_bytes(f"{bucket}/model/saved_model/saved_model.pb", b"other")
    info = json.loads(files.read_bytes(f"{bucket}/model/model.json"))
    for digest, said in (("sha256:" + "0" * 64, "is damaged: its files have digest"), ("../x", "expected sha256:")):
        files.write_bytes(f"{bucket}/model/model.json", json.dumps({**info, "digest": digest}).encode())
        with pytest.raises(errors.UsageError, match=said):
            colorize.run([f"--input={gray_folder}", f"--output={bucket}/out", f"--model={bucket}/model"])
