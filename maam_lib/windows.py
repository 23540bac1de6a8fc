"""Where the patches of PSCD lie (Algorithm 1): geometry alone, in NumPy, so that it also serves where torch is absent.

Patches are (height, width), strides (vertical, horizontal), all in pixels.
"""

import math
from typing import Literal

import numpy as np

Pair = tuple[int, int]
Padding = Literal["same", "valid"]


def default_stride(patch: Pair) -> Pair:
    """A quarter of the patch (Algorithm 1), to the nearest integer, halves up, at least 1."""
    down, across = (max(1, math.floor(side / 4 + 0.5)) for side in patch)
    return down, across


def along_side(n: int, window: int, step: int, padding: Padding) -> tuple[int, int, np.ndarray]:
    """Zeros before and after a side of n pixels, and the first pixel of every window on the padded side.

    "same": windows may hang over the border (released code, item 20). Raises ValueError for "valid" and a window
    longer than the side.
    """
    if padding == "valid":
        if window > n:
            raise ValueError(f"a patch side of {window} pixels does not fit into a frame side of {n}")
        return 0, 0, np.arange(0, n - window + 1, step)
    count = math.ceil(n / step)
    total = max((count - 1) * step + window - n, 0)
    before = total // 2
    return before, total - before, np.arange(count) * step


def patch_bounds(
    size: Pair, patch: Pair, stride: Pair | None = None, padding: Padding = "same"
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """First row and the one after the last, and so the columns, of every patch of a frame (H, W), cut at its border."""
    bounds = []
    for n, window, step in zip(size, patch, stride or default_stride(patch), strict=True):
        before, _, firsts = along_side(n, window, step, padding)
        bounds.append(((firsts - before).clip(0, n), (firsts - before + window).clip(0, n)))
    return bounds[0], bounds[1]


def reached(
    fused: np.ndarray,
    threshold: float,
    size: Pair,
    *,
    patch: Pair,
    stride: Pair | None = None,
    padding: Padding = "same",
) -> np.ndarray:
    """The union of all patches of one frame that reach the threshold: fused (ph, pw) -> bool (H, W).

    Boxes stand where their errors were summed; the released code shifts them by one stride (item 24).
    """
    (tops, bottoms), (lefts, rights) = patch_bounds(size, patch, stride, padding)
    found = np.zeros(size, bool)
    for i, j in zip(*np.nonzero(fused >= threshold), strict=True):
        found[tops[i] : bottoms[i], lefts[j] : rights[j]] = True
    return found
