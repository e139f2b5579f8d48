"""Results of single photographs, made up by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from photochrom.color import ab_bins
from trainer.evaluation import lpips, saturation
from trainer.evaluation.evaluator import GAIN, METHODS, MODEL, TRUTH, PhotographResult

ALL = (*METHODS, TRUTH)


def make_result(
    key: str,
    error: float | Sequence[float] = 1.0,
    psnr: Sequence[float] = (21.0, 20.0, 20.5),
    chroma_ratio: float = 1.0,
    true_chroma: float = 1.0,
    distance: float | None = None,
    **changed: Any,
) -> PhotographResult:
    """Returns a result; errors (CIEDE2000) and PSNR are those of METHODS in order, one error is that of all.

    Args:
        key: the photograph's.
        error: mean CIEDE2000.
        psnr: dB.
        chroma_ratio: of the model.
        true_chroma: mean C*ab of the truth.
        distance: LPIPS of all methods; None without the network.
        changed: other fields of the result.
    """
    errors = [error] * len(METHODS) if isinstance(error, int | float) else error
    scores = {
        method: {
            "psnr": psnr[place],
            GAIN: psnr[place] - psnr[1],
            "ciede2000": errors[place],
            "chroma_ratio": chroma_ratio,
            **({} if distance is None else {lpips.NAME: distance}),
        }
        for place, method in enumerate(METHODS)
    }
    values = {
        "confidence": 1 / (1 + errors[0]),
        "pictures": {name: np.zeros((2, 2, 3), np.uint8) for name in ALL},
        "scores": scores,
        "weights": {"chroma_ratio": true_chroma},
        "histograms": {name: np.ones(len(ab_bins.centres()), np.int64) for name in ALL},
        "sweep": np.ones((len(saturation.FACTORS), 4)) * (scores[MODEL][GAIN], 1, 1, 1),
        "tally": np.ones((2, 10)),
    }
    return PhotographResult(key, **{**values, **changed})
