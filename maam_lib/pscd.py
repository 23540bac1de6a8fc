"""Patch-based stride convolutional detection: from errors to scores and places (Sec. 3.4, Algorithm 1, Eq. 11-12).

Patches are (height, width), strides (vertical, horizontal), all in pixels.
"""

from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from maam_lib.fast import sum_patches
from maam_lib.windows import Padding, Pair, default_stride, patch_bounds, reached

Map = TypeVar("Map", Tensor, np.ndarray)


class ScoreMaps(NamedTuple):
    """Sums over every patch of every frame, and the anomaly scores before Eq. 11."""

    appearance: Tensor  # (B, ph, pw) squared frame error summed over channels and patch
    motion: Tensor  # (B, ph, pw) absolute flow error summed over both components and patch; of a speed, signed
    fused: Tensor  # (B, ph, pw) psi * appearance + (1 - psi) * motion
    scores: Tensor  # (B,) the largest fused patch sum, higher = more abnormal


def predicts_speed(flow_hat: Tensor) -> bool:
    """Whether a prediction (B, C, H, W) is of speed, C = 1 (ours; item 28), and not of flow, C = 2 (the paper)."""
    return flow_hat.shape[1] == 1


def motion_target(flow: Tensor, flow_hat: Tensor) -> Tensor:
    """What a prediction is compared with: the flow (B, 2, H, W), or its length (B, 1, H, W) where it is of speed.

    All in pixels per frame.
    """
    return flow.square().sum(dim=1, keepdim=True).sqrt() if predicts_speed(flow_hat) else flow


def error_maps(frames: Tensor, frame_hat: Tensor, flow: Tensor, flow_hat: Tensor) -> tuple[Tensor, Tensor]:
    """d_app and d_mot of Algorithm 1, errors summed over channels: two (B, H, W), >= 0.

    Of a predicted speed, flow_hat (B, 1, H, W), d_mot is the signed |F| - flow_hat: above 0 where things are faster
    than predicted, below 0 where they are slower (ours; item 28).
    """
    appearance = (frames - frame_hat).square_().sum(dim=1)  # d_app = |I - I_hat|^2
    motion = motion_target(flow, flow_hat) - flow_hat
    motion = motion if predicts_speed(flow_hat) else motion.abs_()
    return appearance, motion.sum(dim=1)  # d_mot = |F - F_hat|


def patch_sums(error: Tensor, patch: Pair, stride: Pair | None = None, padding: Padding = "same") -> Tensor:
    """Sum of every patch of an error map: (B, H, W) -> (B, ph, pw), Algorithm 1's convolution with a filter of ones.

    "same": as in the released code, patches may hang over the border, where errors count as 0 (item 20), and
    ph = ceil(H / stride). "valid": whole patches only.
    """
    return sum_patches(error, patch, stride or default_stride(patch), padding)


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

    Frames (B, C, H, W) in [-1, 1] and flows (B, 2, H, W) in pixels per frame with what the network made of them; of a
    predicted speed, flow_hat (B, 1, H, W), see `error_maps`.
    `psi` in [0, 1] weighs appearance; the paper prints none. `stride=None` is a quarter of the patch.
    The released strides and psi can be given as settings of a recipe (items 19 and 21).
    """
    appearance, motion = error_maps(frames, frame_hat, flow, flow_hat)
    appearance = patch_sums(appearance, patch, stride, padding)  # e_app
    motion = patch_sums(motion, patch, stride, padding)  # e_mot
    fused = fuse(appearance, motion, psi)  # e_fuse
    return ScoreMaps(appearance, motion, fused, fused.amax(dim=(1, 2)))


def normalise(scores: np.ndarray) -> np.ndarray:
    """Eq. 11: scores (T,) to [0, 1] by the smallest and largest of them; all equal gives zeros. The AUC stays."""
    scores = scores if np.issubdtype(scores.dtype, np.floating) else scores.astype(np.float64)
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

    It reaches a threshold exactly where `localise` finds something. Pixels that no patch covers, which `localise` never
    finds, have 0, or their frame's smallest sum where that is below. The largest over a rectangle is the largest over
    its rows of the largest over its columns, so the sums are spread along one axis after the other.
    """
    (tops, bottoms), (lefts, rights) = patch_bounds(size, patch, stride, padding)
    least = fused.amin(dim=(1, 2), keepdim=True).clamp(max=0)  # (B, 1, 1)
    rows = least.repeat(1, size[0], fused.shape[2])  # (B, H, pw)
    for i, (top, bottom) in enumerate(zip(tops, bottoms, strict=True)):
        covered = rows[:, top:bottom]
        torch.maximum(covered, fused[:, i, None], out=covered)
    pixels = least.repeat(1, *size)
    for j, (left, right) in enumerate(zip(lefts, rights, strict=True)):
        covered = pixels[:, :, left:right]
        torch.maximum(covered, rows[:, :, j, None], out=covered)
    return pixels
