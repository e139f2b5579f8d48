import json
import pathlib
import shutil

import pytest

from photochrom import errors
from photochrom.model import bundle


@pytest.fixture
def copied(tint, tmp_path):
    return pathlib.Path(shutil.copytree(tint, tmp_path / "bundle"))


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


@pytest.mark.parametrize("text", ["", "{", "\udcff"])
def test_open_bundle_refuses_unreadable_descriptions(copied, text):
    (copied / "model.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(errors.UsageError, match=r"is no model bundle: model\.json is missing or broken"):
        bundle.open_bundle(str(copied))


@pytest.mark.parametrize(("info", "found"), [([], "list"), ({}, "None"), ({"format_version": 7}, "7")])
def test_open_bundle_names_both_formats(copied, info, found):
    (copied / "model.json").write_text(json.dumps(info))
    with pytest.raises(errors.UsageError, match=f"has bundle format {found}, this version reads format 1"):
        bundle.open_bundle(str(copied))
