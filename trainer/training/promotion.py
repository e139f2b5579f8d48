"""Promotion of a new bundle to the current one: only if evaluation finds it significantly better.

Both bundles colour the same photographs, and their errors are compared photograph by photograph: difficult photographs
are difficult for both, so the interval of the mean difference is far narrower than those of the two means.
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
    """The decision and its reasons.

    Attributes:
        promoted: whether the new bundle is the current one now.
        reason: in words.
        difference: mean CIEDE2000 of the new bundle less that of the current one over the photographs, and its 95%
            interval, `low` to `high`; empty without a comparison.
        photographs: number of photographs compared.
    """

    promoted: bool
    reason: str
    difference: dict[str, float] = dataclasses.field(default_factory=dict)
    photographs: int = 0


def check_current(folder: str) -> None:
    """Raises UsageError if `folder` exists but holds no bundle: only a bundle is ever replaced."""
    if pathlib.Path(folder).exists():
        bundle.open_bundle(folder)


def promote_if_better(new: bundle.Bundle, current: pathlib.Path, data: str, run_folder: pathlib.Path) -> Verdict:
    """Replaces the current bundle by the new one if that is better on the dataset's validation split.

    Logs the verdict and writes it to `run_folder`/promotion.json.
    """
    verdict = _decide(new, current, data, run_folder)
    if verdict.promoted:
        _replace(new, current)
    (run_folder / _VERDICT).write_text(json.dumps(dataclasses.asdict(verdict), indent=2) + "\n")
    _log.info("%s: %s", current, verdict.reason)
    return verdict


def _decide(new: bundle.Bundle, current: pathlib.Path, data: str, run_folder: pathlib.Path) -> Verdict:
    if not current.exists():
        return Verdict(True, f"there was no bundle; {new.digest} is the current one now")
    old = bundle.open_bundle(str(current))
    if old.digest == new.digest:
        return Verdict(False, f"{new.digest} is the current one already")
    errors, old_errors = (_measure(opened, data, run_folder) for opened in (new, old))
    return compare(errors, old_errors, old.digest)


def compare(errors: dict[str, float], old_errors: dict[str, float], old_digest: str) -> Verdict:
    """Returns the verdict on a new bundle: promoted if the interval of the mean difference is below 0.

    Args:
        errors: CIEDE2000 of the new bundle by photograph.
        old_errors: that of the current bundle, for the same photographs.
        old_digest: of the current bundle, for the reason.
    """
    difference = metrics.mean_with_interval([errors[key] - old_errors[key] for key in errors])
    text = (
        f"mean CIEDE2000 over {len(errors)} photographs {difference['mean']:+.3f} "
        f"(95%: {difference['low']:+.3f} to {difference['high']:+.3f}) against {old_digest}"
    )
    better = difference["high"] < 0
    reason = f"promoted, {text}" if better else f"kept, because the new bundle is not significantly better: {text}"
    return Verdict(better, reason, difference, len(errors))


def _measure(opened: bundle.Bundle, data: str, scratch: pathlib.Path) -> dict[str, float]:
    """Returns the error of each photograph of the validation split."""
    found = inputs.parse([data])[0]
    photographs = examples.open_examples(found, "validation", opened.image_size, 0, str(scratch / "spool"))
    results = evaluator.Evaluator(opened, photographs, evaluator.Networks()).evaluate(photographs, _BATCH_SIZE)
    return {result.key: result.scores[evaluator.MODEL][_METRIC] for result in results}


def _replace(new: bundle.Bundle, current: pathlib.Path) -> None:
    """Copies the new bundle beside the current one, then renames: no reader finds a partial bundle."""
    partial, old = (current.with_name(f"{current.name}.{end}") for end in ("partial", "old"))
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    current.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(new.path, partial)
    if current.exists():
        os.rename(current, old)
    os.rename(partial, current)
    shutil.rmtree(old, ignore_errors=True)
