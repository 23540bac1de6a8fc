"""Patch sums the fast way (ours): what Algorithm 1 asks for, however many patches there are."""

from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from maam_lib.windows import Padding, Pair, along_side

FEW_ROWS = 40  # of patches, up to which a matrix product is faster than running sums on a CPU (measured)
Side = tuple[int, int, int]  # pixels of a frame's side, of a patch's, and the stride


def sum_patches(error: Tensor, patch: Pair, stride: Pair, padding: Padding) -> Tensor:
    """`pscd.patch_sums`, the faster of two ways: (B, H, W) -> (B, ph, pw).

    A filter of ones is separable, so the sums are a product of three matrices, D E A: D (ph, H) adds the rows of each
    patch, A (W, pw) its columns. With more than FEW_ROWS rows of patches on a CPU, OpenCV's running sums are faster;
    they know neither gradients nor a graph that is compiled or exported.
    """
    down, across = zip(error.shape[1:], patch, stride, strict=True)
    on_cpu = error.device.type == "cpu"
    exact = error.float() if on_cpu and error.dtype != torch.float64 else error.double()
    plain = on_cpu and not (error.requires_grad or torch.compiler.is_compiling())
    if plain and -(-down[0] // down[2]) > FEW_ROWS:
        return _running_sums(exact, down, across, padding).to(error.dtype)
    add_rows, add_columns = (torch.from_numpy(_membership(*side, padding)).to(exact) for side in (down, across))
    return (add_rows @ exact @ add_columns.T).to(error.dtype)


@lru_cache(maxsize=64)
def _membership(n: int, window: int, step: int, padding: Padding) -> np.ndarray:
    """float32 (windows, n): 1 where a pixel of a side belongs to a window, else 0."""
    before, _, firsts = along_side(n, window, step, padding)
    offset = np.arange(n) + before - firsts[:, None]
    return ((offset >= 0) & (offset < window)).astype(np.float32)


def _running_sums(error: Tensor, down: Side, across: Side, padding: Padding) -> Tensor:
    """The same: the patch that begins at each pixel minus the zeros before it, and then every stride-th of them."""
    (top, _, tops), (left, _, lefts) = (along_side(*side, padding) for side in (down, across))
    rows, columns = slice(0, tops[-1] + 1, down[2]), slice(0, lefts[-1] + 1, across[2])
    sums = np.empty((len(error), len(tops), len(lefts)), error.numpy().dtype)
    for one, out in zip(error.numpy(), sums, strict=True):
        shape, before = (across[1], down[1]), (left, top)
        out[:] = cv2.boxFilter(one, -1, shape, None, before, False, cv2.BORDER_CONSTANT)[rows, columns]
    whole = torch.from_numpy(sums)
    return whole.clamp_(min=0) if error.min() >= 0 else whole  # rounding leaves a little below 0
