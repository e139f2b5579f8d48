import json
import os
import pathlib
import shutil

import pytest

from photochrom import errors
from photochrom.model import bundle, description


@pytest.fixture
def copied(tint, tmp_path):
    return pathlib.Path(shutil.copytree(tint, tmp_path / "bundle"))


def edit(folder, **values):
    """Changes values of model.json; None removes one."""
    info = {**json.loads((folder / description.FILE).read_text()), **values}
    kept = {name: value for name, value in info.items() if value is not None}
    (folder / description.FILE).write_text(json.dumps(kept))


def test_open_bundle_accepts_a_complete_bundle(tint):
    opened = bundle.open_bundle(tint)
    assert opened.info["name"] == "tint" and opened.digest.startswith("sha256:")
    assert pathlib.Path(opened.saved_model, "saved_model.pb").exists()


def test_open_bundle_detects_a_changed_file(copied):
    with open(copied / "saved_model/saved_model.pb", "ab") as file:
        file.write(b"x")
    with pytest.raises(errors.UsageError, match=r"is damaged: its files have digest sha256:.* says sha256:"):
        bundle.open_bundle(str(copied))


def test_open_bundle_detects_an_added_file(copied):
    (copied / "saved_model/extra").write_bytes(b"x")
    with pytest.raises(errors.UsageError, match="is damaged"):
        bundle.open_bundle(str(copied))


@pytest.mark.parametrize("changed", [{"image_size": 96}, {"name": "other"}, {"note": "added"}])
def test_open_bundle_detects_a_changed_description(copied, changed):
    edit(copied, **changed)
    with pytest.raises(errors.UsageError, match="is damaged: its files have digest"):
        bundle.open_bundle(str(copied))


def test_digest_covers_values_and_no_spaces(copied, tint):
    edit(copied)
    assert bundle.open_bundle(str(copied)).digest == bundle.open_bundle(tint).digest


def test_open_bundle_reads_the_first_format(copied):
    edit(copied, format_version=1, digest=bundle.digest_files(copied / "saved_model"), image_size=96)
    opened = bundle.open_bundle(str(copied))
    assert (opened.image_size, opened.digest) == (96, bundle.digest_files(copied / "saved_model"))


@pytest.mark.parametrize("changed", [{"image_size": 10**9}, {"ab_stride": 0}, {"ab_stride": None}, {"name": 1}])
@pytest.mark.parametrize("version", [1, 2])
def test_open_bundle_refuses_values_that_do_not_fit(copied, changed, version):
    edit(copied, format_version=version, **changed)
    [name] = changed
    with pytest.raises(errors.UsageError, match=rf"bundle/model\.json: {name} is .*; export the model again"):
        bundle.open_bundle(str(copied))


@pytest.mark.parametrize("text", ["", "{", "\udcff", "[" * 10**5, '{"image_size": NaN}', " " * (2 << 20)])
def test_open_bundle_refuses_unreadable_descriptions(copied, text):
    (copied / "model.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(errors.UsageError, match=r"is no model bundle: model\.json is missing or broken"):
        bundle.open_bundle(str(copied))


def test_open_bundle_opens_no_pipe(copied):
    (copied / "model.json").unlink()
    os.mkfifo(copied / "model.json")
    with pytest.raises(errors.UsageError, match=r"model\.json is missing or broken"):
        bundle.open_bundle(str(copied))


@pytest.mark.parametrize(
    ("info", "found"),
    [([], "list"), ({}, "None"), ({"format_version": 7}, "7"), ({"format_version": True}, "True"),
     ({"format_version": [2]}, r"\[2\]")],
)  # fmt: skip
def test_open_bundle_names_both_formats(copied, info, found):
    (copied / "model.json").write_text(json.dumps(info))
    with pytest.raises(errors.UsageError, match=f"has bundle format {found}, this version reads formats 1 and 2"):
        bundle.open_bundle(str(copied))


def test_open_bundle_names_both_kinds(copied):
    edit(copied, kind="features")
    with pytest.raises(errors.UsageError, match="holds a features model, expected a colorizer model that"):
        bundle.open_bundle(str(copied))


def test_seal_leaves_out_the_random_fingerprint(copied):
    (copied / "saved_model/fingerprint.pb").write_bytes(b"random")
    assert (
        bundle.seal(copied, {"name": "tint", "image_size": 64, "ab_stride": 2}).digest
        == bundle.open_bundle(str(copied)).digest
    )
    assert not (copied / "saved_model/fingerprint.pb").exists()


def test_seal_writes_no_metric_that_is_not_finite(copied):
    with pytest.raises(errors.PhotochromError, match=r"no bundle was written to .*: metrics is .*NaN"):
        bundle.seal(copied, {"name": "n", "image_size": 64, "ab_stride": 2, "metrics": {"loss": float("nan")}})
