import json
import pathlib
import shutil

import pytest

from photochrom import errors
from photochrom.model import bundle


@pytest.fixture
def copied(tint, tmp_path):
    return pathlib.Path(shutil.copytree(tint, tmp_path / "bundle"))


def test_a_whole_bundle_opens(tint):
    opened = bundle.open_bundle(tint)
    assert opened.info["name"] == "tint" and opened.digest.startswith("sha256:")
    assert pathlib.Path(opened.saved_model, "saved_model.pb").exists()


def test_a_changed_file_is_found(copied):
    with open(copied / "saved_model/saved_model.pb", "ab") as file:
        file.write(b"x")
    with pytest.raises(errors.UsageError, match=r"is damaged: its files have digest sha256:.* says sha256:"):
        bundle.open_bundle(str(copied))


def test_an_added_file_is_found(copied):
    (copied / "saved_model/extra").write_bytes(b"x")
    with pytest.raises(errors.UsageError, match="is damaged"):
        bundle.open_bundle(str(copied))


@pytest.mark.parametrize("text", ["", "{", "\udcff"])
def test_a_folder_without_a_readable_description_is_no_bundle(copied, text):
    (copied / "model.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(errors.UsageError, match=r"is no model bundle: model\.json is missing or broken"):
        bundle.open_bundle(str(copied))


@pytest.mark.parametrize(("info", "found"), [([], "list"), ({}, "None"), ({"format_version": 7}, "7")])
def test_another_format_names_both_sides(copied, info, found):
    (copied / "model.json").write_text(json.dumps(info))
    with pytest.raises(errors.UsageError, match=f"has bundle format {found}, this version reads format 1"):
        bundle.open_bundle(str(copied))
