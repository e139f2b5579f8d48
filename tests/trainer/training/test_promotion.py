import json
import logging

import pytest

from photochrom import errors
from photochrom.model import bundle
from trainer.training import promotion


@pytest.fixture
def promote(dataset, tmp_path, caplog):
    """Judges a bundle against the one at tmp_path/current; returns the verdict and what was told."""

    def run(new):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            verdict = promotion.promote_if_better(new, tmp_path / "current", str(dataset), tmp_path)
        assert json.loads((tmp_path / "promotion.json").read_text())["promoted"] == verdict.promoted
        return verdict, caplog.text

    return run


def test_first_bundle_is_promoted_and_the_same_one_stays(promote, timid, tmp_path):
    verdict, _ = promote(timid)
    assert verdict.promoted
    assert bundle.open_bundle(str(tmp_path / "current")).digest == timid.digest
    verdict, text = promote(timid)
    assert not verdict.promoted
    assert "is the current one already" in text


def test_better_bundle_replaces_the_current_one_and_a_worse_one_does_not(promote, timid, learned, tmp_path):
    promote(timid)
    verdict, text = promote(learned)
    assert verdict.promoted
    assert verdict.photographs == 4
    assert verdict.difference["high"] < 0
    assert "promoted, mean CIEDE2000 over 4 photographs -" in text
    verdict, text = promote(timid)
    assert not verdict.promoted
    assert "kept, because the new bundle is not significantly better: mean CIEDE2000 over 4 photographs +" in text
    assert bundle.open_bundle(str(tmp_path / "current")).digest == learned.digest
    assert sorted(path.name for path in tmp_path.glob("current*")) == ["current"]


def test_nothing_but_a_bundle_is_ever_replaced(tmp_path):
    (tmp_path / "precious").mkdir()
    with pytest.raises(errors.UsageError, match="precious is no model bundle"):
        promotion.check_current(str(tmp_path / "precious"))
