"""Patch-based stride convolutional detection: from errors to scores and places (Sec. 3.4, Algorithm 1, Eq. 11-12).

Patches are (height, width), strides (vertical, horizontal), all in pixels.
"""

from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maam_lib.windows import Padding, Pair, along_side, default_stride, patch_bounds, reached

Map = TypeVar("Map", Tensor, np.ndarray)


class ScoreMaps(NamedTuple):
    """Sums over every patch of every frame, and the anomaly scores before Eq. 11."""

    appearance: Tensor  # (B, ph, pw) squared frame error summed over channels and patch
    motion: Tensor  # (B, ph, pw) absolute flow error summed over both components and patch
    fused: Tensor  # (B, ph, pw) psi * appearance + (1 - psi) * motion
    scores: Tensor  # (B,) the largest fused patch sum, higher = more abnormal


def error_maps(frames: Tensor, frame_hat: Tensor, flow: Tensor, flow_hat: Tensor) -> tuple[Tensor, Tensor]:
    """d_app = |I - I_hat|^2 and d_mot = |F - F_hat| of Algorithm 1, summed over channels: two (B, H, W), >= 0."""
    return (frames - frame_hat).square().sum(dim=1), (flow - flow_hat).abs().sum(dim=1)


def patch_sums(error: Tensor, patch: Pair, stride: Pair | None = None, padding: Padding = "same") -> Tensor:
    """Sum of every patch of an error map: (B, H, W) -> (B, ph, pw).

    Algorithm 1 convolves with a filter of ones; an integral image gives the same sums for any patch at once.
    "same": as in the released code, patches may hang over the border, where errors count as 0 (item 20), and
    ph = ceil(H / stride). "valid": whole patches only. On a CPU without gradients OpenCV does it, several times faster.
    """
    plain = error.device.type == "cpu" and not (error.requires_grad or torch.compiler.is_compiling())
    if plain and error.dtype in (torch.float32, torch.float64):
        bounds = patch_bounds(error.shape[1:], patch, stride, padding)
        return torch.from_numpy(np.stack([_sums_by_opencv(one, *bounds) for one in error.numpy()]))
    sides = zip(error.shape[1:], patch, stride or default_stride(patch), strict=True)
    (top, bottom, tops), (left, right, lefts) = (along_side(n, k, s, padding) for n, k, s in sides)
    padded = F.pad(error.double(), (left + 1, right, top + 1, bottom))  # one row and column of zeros before
    integral = padded.cumsum(dim=1).cumsum(dim=2)
    tops, lefts = (torch.from_numpy(firsts).to(error.device) for firsts in (tops, lefts))
    bottom_rows, top_rows = integral[:, tops + patch[0]], integral[:, tops]
    sums = (bottom_rows - top_rows)[:, :, lefts + patch[1]] - (bottom_rows - top_rows)[:, :, lefts]
    return sums.clamp(min=0).to(error.dtype)


Bounds = tuple[np.ndarray, np.ndarray]  # first pixel and the one after the last of every window along one side


def _sums_by_opencv(error: np.ndarray, down: Bounds, across: Bounds) -> np.ndarray:
    """The same of one map (H, W) -> (ph, pw)."""
    integral = cv2.integral(error, sdepth=cv2.CV_64F)  # (H + 1, W + 1)
    bands = integral[_evenly(down[1])] - integral[_evenly(down[0])]  # (ph, W + 1)
    sums = bands[:, _evenly(across[1])] - bands[:, _evenly(across[0])]
    return np.maximum(sums, 0, out=sums).astype(error.dtype, copy=False)


def _evenly(places: np.ndarray) -> np.ndarray | slice:
    """Evenly spaced places as a slice, which is read without a copy; others as they are."""
    step = places[1] - places[0] if len(places) > 1 else 1
    if step > 0 and (np.diff(places) == step).all():
        return slice(places[0], places[-1] + 1, step)
    return places


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
