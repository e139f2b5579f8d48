"""Whether a new bundle takes the place of the current one: only if the fixed protocol finds it better beyond chance.

Both colour the same photographs, so their errors are compared photograph by photograph: what is hard for one is hard
for the other, and the interval of the mean difference is far narrower than those of the two means.
"""

import dataclasses
import json
import logging
import os
import pathlib
import shutil

from photochrom.model import bundle
from photochrom.sources import inputs
from trainer.evaluation import evaluator, examples, metrics

_log = logging.getLogger("photochrom")
_METRIC = "ciede2000"
_BATCH_SIZE = 16
_VERDICT = "promotion.json"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was decided, and on what grounds.

    Attributes:
        promoted: whether the new bundle is the current one now.
        reason: why, in words.
        difference: mean CIEDE2000 of the new bundle less that of the current one over the photographs, and its 95%
            interval, `low` to `high`; empty where there was none to compare with.
        photographs: how many there were.
    """

    promoted: bool
    reason: str
    difference: dict[str, float] = dataclasses.field(default_factory=dict)
    photographs: int = 0


def check_current(folder: str) -> None:
    """Raises UsageError if `folder` is there but is no bundle: nothing but a bundle is ever replaced."""
    if pathlib.Path(folder).exists():
        bundle.open_bundle(folder)


def promote_if_better(new: bundle.Bundle, current: pathlib.Path, data: str, run_folder: pathlib.Path) -> Verdict:
    """Puts the new bundle in the place of the current one if it is better on the dataset's validation split.

    Writes the verdict to `run_folder`/promotion.json and tells it.
    """
    verdict = _judge(new, current, data, run_folder)
    if verdict.promoted:
        _replace(new, current)
    (run_folder / _VERDICT).write_text(json.dumps(dataclasses.asdict(verdict), indent=2) + "\n")
    _log.info("%s: %s", current, verdict.reason)
    return verdict


def _judge(new: bundle.Bundle, current: pathlib.Path, data: str, run_folder: pathlib.Path) -> Verdict:
    if not current.exists():
        return Verdict(True, f"there was no bundle; {new.digest} is the current one now")
    old = bundle.open_bundle(str(current))
    if old.digest == new.digest:
        return Verdict(False, f"{new.digest} is the current one already")
    ours, theirs = (_measure(opened, data, run_folder) for opened in (new, old))
    difference = metrics.mean_with_interval([ours[key] - theirs[key] for key in ours])
    text = (
        f"mean CIEDE2000 over {len(ours)} photographs {difference['mean']:+.3f} "
        f"(95%: {difference['low']:+.3f} to {difference['high']:+.3f}) against {old.digest}"
    )
    better = difference["high"] < 0
    reason = f"promoted, {text}" if better else f"kept, for the new bundle is not better beyond chance: {text}"
    return Verdict(better, reason, difference, len(ours))


def _measure(opened: bundle.Bundle, data: str, scratch: pathlib.Path) -> dict[str, float]:
    """Returns the error of each photograph of the validation split."""
    found = inputs.parse([data])[0]
    photographs = examples.open_examples(found, "validation", opened.image_size, 0, str(scratch / "spool"))
    judge = evaluator.Judge(opened, photographs, evaluator.Networks())
    judged = judge.judge_all(photographs, _BATCH_SIZE)
    return {one.key: one.scores[evaluator.MODEL][_METRIC] for one in judged}


def _replace(new: bundle.Bundle, current: pathlib.Path) -> None:
    """Copies the new bundle beside the current one, and renames: no moment shows half a bundle."""
    partial, old = (current.with_name(f"{current.name}.{end}") for end in ("partial", "old"))
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    current.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(new.path, partial)
    if current.exists():
        os.rename(current, old)
    os.rename(partial, current)
    shutil.rmtree(old, ignore_errors=True)
