import json
import logging

import pytest

from photochrom import errors
from photochrom.model import bundle
from trainer.training import promotion


@pytest.fixture
def promote(dataset, tmp_path, caplog):
    """Compares a bundle with the one at tmp_path/current; returns the verdict and the log."""

    def run(new):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            verdict = promotion.promote_if_better(new, tmp_path / "current", str(dataset), tmp_path)
        assert json.loads((tmp_path / "promotion.json").read_text())["promoted"] == verdict.promoted
        return verdict, caplog.text

    return run


def test_first_bundle_is_promoted_once(promote, timid, tmp_path):
    verdict, _ = promote(timid)
    assert verdict.promoted
    assert bundle.open_bundle(str(tmp_path / "current")).digest == timid.digest
    verdict, text = promote(timid)
    assert not verdict.promoted
    assert "is the current one already" in text


def test_only_better_bundle_replaces_current_one(promote, timid, learned, tmp_path):
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


def test_only_a_bundle_is_ever_replaced(tmp_path):
    (tmp_path / "precious").mkdir()
    with pytest.raises(errors.UsageError, match="precious is no model bundle"):
        promotion.check_current(str(tmp_path / "precious"))


NOISE = [3.0, -3.0] * 10


@pytest.mark.parametrize(
    ("differences", "promoted", "reason"),
    [
        ([-1.0] * 20, True, "promoted, mean CIEDE2000 over 20 photographs -1.000 (95%: -1.000 to -1.000) against old"),
        ([1.0] * 20, False, "kept, because the new bundle is not significantly better: mean"),
        ([0.0] * 20, False, "kept, "),
        ([noise - 0.1 for noise in NOISE], False, "kept, "),  # lower, but within its interval
        ([noise - 4 for noise in NOISE], True, "promoted, "),
        ([-1.0], True, "promoted, mean CIEDE2000 over 1 photographs"),
    ],
)
def test_compare_promotes_significant_improvements_only(differences, promoted, reason):
    old = {str(number): 10.0 + number for number in range(len(differences))}
    new = {key: old[key] + difference for key, difference in zip(old, differences, strict=True)}
    verdict = promotion.compare(new, old, "old")
    assert (verdict.promoted, verdict.photographs) == (promoted, len(differences))
    assert verdict.reason.startswith(reason)
    assert verdict.difference["mean"] == pytest.approx(sum(differences) / len(differences))
