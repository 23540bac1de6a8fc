"""Patch-based stride convolutional detection: from errors to scores and places (Sec. 3.4, Algorithm 1, Eq. 11-12).

Patches are (height, width), strides (vertical, horizontal), all in pixels.
"""

from functools import lru_cache, reduce
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from maam_lib.windows import Padding, Pair, along_side, default_stride, reached

FEW_ROWS = 40  # of patches, up to which a matrix product is faster than running sums on a CPU (measured)
Map = TypeVar("Map", Tensor, np.ndarray)


class ScoreMaps(NamedTuple):
    """Sums over every patch of every frame, and the anomaly scores before Eq. 11."""

    appearance: Tensor  # (B, ph, pw) squared frame error summed over channels and patch
    motion: Tensor  # (B, ph, pw) absolute flow error summed over both components and patch
    fused: Tensor  # (B, ph, pw) psi * appearance + (1 - psi) * motion
    scores: Tensor  # (B,) the largest fused patch sum, higher = more abnormal


def error_maps(frames: Tensor, frame_hat: Tensor, flow: Tensor, flow_hat: Tensor) -> tuple[Tensor, Tensor]:
    """d_app = |I - I_hat|^2 and d_mot = |F - F_hat| of Algorithm 1, summed over channels: two (B, H, W), >= 0."""
    of_frames, of_flow = (
        zip(x.unbind(1), hat.unbind(1), strict=True) for x, hat in ((frames, frame_hat), (flow, flow_hat))
    )
    appearance = reduce(torch.add, ((pixel - made).square_() for pixel, made in of_frames))
    motion = reduce(torch.add, ((moved - made).abs_() for moved, made in of_flow))
    return appearance, motion  # channel by channel, since these maps fit into a processor's cache


def patch_sums(error: Tensor, patch: Pair, stride: Pair | None = None, padding: Padding = "same") -> Tensor:
    """Sum of every patch of an error map: (B, H, W) -> (B, ph, pw).

    Algorithm 1 convolves with a filter of ones. The filter is separable, so the sums are a product of three matrices,
    D E A: D (ph, H) adds the rows of each patch, A (W, pw) its columns. Where patches are dense, OpenCV's running sums
    are faster still. "same": as in the released code, patches may hang over the border, where errors count as 0
    (item 20), and ph = ceil(H / stride). "valid": whole patches only.
    """
    down, across = zip(error.shape[1:], patch, stride or default_stride(patch), strict=True)
    on_cpu = error.device.type == "cpu"
    exact = error.float() if on_cpu and error.dtype != torch.float64 else error.double()
    plain = on_cpu and not (error.requires_grad or torch.compiler.is_compiling())
    if plain and -(-down[0] // down[2]) > FEW_ROWS:
        return _running_sums(exact, down, across, padding).to(error.dtype)
    add_rows, add_columns = (torch.from_numpy(_membership(*side, padding)).to(exact) for side in (down, across))
    return (add_rows @ exact @ add_columns.T).to(error.dtype)


Side = tuple[int, int, int]  # pixels of a frame's side, of a patch's, and the stride


@lru_cache(maxsize=64)
def _membership(n: int, window: int, step: int, padding: Padding) -> np.ndarray:
    """float32 (windows, n): 1 where a pixel of a side belongs to a window, else 0."""
    before, _, firsts = along_side(n, window, step, padding)
    offset = np.arange(n) + before - firsts[:, None]
    return ((offset >= 0) & (offset < window)).astype(np.float32)


def _running_sums(error: Tensor, down: Side, across: Side, padding: Padding) -> Tensor:
    """The same: the patch that begins at each pixel less the zeros before it, and then every stride-th of them."""
    (top, _, tops), (left, _, lefts) = (along_side(*side, padding) for side in (down, across))
    rows, columns = slice(0, tops[-1] + 1, down[2]), slice(0, lefts[-1] + 1, across[2])
    sums = np.empty((len(error), len(tops), len(lefts)), error.numpy().dtype)
    for one, out in zip(error.numpy(), sums, strict=True):
        shape, before = (across[1], down[1]), (left, top)
        out[:] = cv2.boxFilter(one, -1, shape, None, before, False, cv2.BORDER_CONSTANT)[rows, columns]
    return torch.from_numpy(sums).clamp_(min=0)


def fuse(appearance: Map, motion: Map, psi: float) -> Map:
    """e_fuse = psi * e_app + (1 - psi) * e_mot of Algorithm 1, for maps of any shape, psi in [0, 1]."""
    return psi * appearance + (1 - psi) * motion


def score_maps(
    frames: Tensor,
    frame_hat: Tensor,
    flow: Tensor,
    flow_hat: Tensor,
    *,
    patch: Pair,
    stride: Pair | None = None,
    psi: float,
    padding: Padding = "same",
) -> ScoreMaps:
    """Algorithm 1 without its last line: patch maps and one anomaly score per frame.

    Frames (B, C, H, W) in [-1, 1] and flows (B, 2, H, W) in pixels per frame with what the network made of them.
    `psi` in [0, 1] weighs appearance; the paper prints none. `stride=None` is a quarter of the patch.
    The released strides and psi can be given as settings of a recipe (items 19 and 21).
    """
    appearance, motion = (
        patch_sums(error, patch, stride, padding) for error in error_maps(frames, frame_hat, flow, flow_hat)
    )
    fused = fuse(appearance, motion, psi)
    return ScoreMaps(appearance, motion, fused, fused.amax(dim=(1, 2)))


def normalise(scores: np.ndarray) -> np.ndarray:
    """Eq. 11: scores (T,) to [0, 1] by the smallest and largest of them; all equal gives zeros. The AUC stays."""
    low, high = scores.min(), scores.max()
    return np.zeros_like(scores) if high == low else (scores - low) / (high - low)


def classify(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Eq. 12: 1 (abnormal) where the score reaches the threshold tau, else 0; uint8 of the scores' shape."""
    return (np.asarray(scores) >= threshold).astype(np.uint8)


def localise(
    fused: Tensor,
    threshold: float,
    size: Pair,
    *,
    patch: Pair,
    stride: Pair | None = None,
    padding: Padding = "same",
) -> Tensor:
    """Where the anomaly is: the union of all patches that reach the threshold; fused (B, ph, pw) -> bool (B, H, W).

    Boxes stand where their errors were summed; the released code shifts them by one stride (item 24).
    """
    where = {"patch": patch, "stride": stride, "padding": padding}
    found = [reached(sums, threshold, size, **where) for sums in fused.detach().cpu().numpy()]
    return torch.from_numpy(np.stack(found)).to(fused.device)


def pixel_scores(
    fused: Tensor, size: Pair, *, patch: Pair, stride: Pair | None = None, padding: Padding = "same"
) -> Tensor:
    """A score for every pixel: the largest of the sums of the patches that cover it (ours); (B, ph, pw) -> (B, H, W).

    It reaches a threshold exactly where `localise` finds something. Pixels that no patch covers have 0, the
    smallest sum that there is.
    """
    spread = fused
    for dim, sides in enumerate(zip(size, patch, stride or default_stride(patch), strict=True), start=1):
        n, window, step = sides
        before, _, firsts = along_side(n, window, step, padding)
        covered = spread.new_zeros(*spread.shape[:dim], n, *spread.shape[dim + 1 :])
        for i, first in enumerate(firsts.tolist()):
            start, end = max(first - before, 0), min(first - before + window, n)
            part = covered.narrow(dim, start, end - start)
            torch.maximum(part, spread.narrow(dim, i, 1), out=part)
        spread = covered
    return spread
