"""Photographs of files: which are evaluated."""

import pytest
from PIL import Image

from photochrom.sources import inputs
from trainer.evaluation import examples

pytestmark = pytest.mark.job  # starts the decoder's process


@pytest.mark.parametrize(("enlarge", "used"), [(False, ["large.png"]), (True, ["large.png", "small.png"])])
def test_small_photographs_are_enlarged_on_request(photographs, tmp_path, enlarge, used):
    folder = tmp_path / "scans"
    folder.mkdir()
    picture = Image.fromarray(photographs["coffee"])
    for name, size in (("large", (90, 60)), ("small", (45, 30))):
        picture.resize(size).save(folder / f"{name}.png")
    (found,) = inputs.parse([str(folder)])
    opened = examples.open_examples(found, "", 64, 0, str(tmp_path / "spool"), enlarge)
    pictures = {example.key.rpartition("/")[2]: example.lab.shape for example in opened}
    assert sorted(pictures) == used and set(pictures.values()) == {(64, 64, 3)}
    assert [failure.reason for failure in opened.failures] == ["too_small"] * (2 - len(used))
