"""Distances between colours (CIEDE2000), and from gray (chroma)."""

import numpy as np


def ciede2000(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the colour difference CIEDE2000, [H, W], of two [H, W, 3] CIE L*a*b*; about 1 is just noticeable.

    Source: CIE 142-2001, as corrected by Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula",
    Color Research & Application 30(1), 2005; kL = kC = kH = 1.
    """
    from skimage import color as skimage_color  # here: it takes half a second

    return skimage_color.deltaE_ciede2000(lab, other)


def mean_chroma(lab: np.ndarray) -> float:
    """Returns the mean of C*ab = sqrt(a*^2 + b*^2) (CIE 15:2004) over [H, W, 3] L*a*b*."""
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())
