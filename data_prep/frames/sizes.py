"""Sizes of frames, flow and masks, (height, width): one for all of a clip, and the way to another."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from data_prep.clip import Clip, SourceError

Size = tuple[int, int]


def of_one_size(clips: list[Clip]) -> list[Clip]:
    """The same clips, whose frames and masks must all have the size of the very first frame (ours).

    Their callables take `size`, and raise SourceError for a frame or mask of another one.
    """
    size = next(clips[0].frames()).shape[:2]
    return [with_size(clip, size) for clip in clips]


def with_size(clip: Clip, size: Size) -> Clip:
    """The same clip, whose frames and masks must all be of this size."""
    masks = partial(clip.masks, size=size) if clip.masks else None
    return replace(clip, frames=partial(clip.frames, size=size), masks=masks)


def by(size: Size) -> str:
    """A size in words: 240x360."""
    return f"{size[0]}x{size[1]}"


def check_size(where: str, frame: np.ndarray, size: Size | None) -> None:
    """SourceError where a frame or mask (H, W, ...) is not of the size that the first frame has; None for any."""
    if size is not None and frame.shape[:2] != size:
        raise SourceError(
            f"{where}: {by(frame.shape[:2])} pixels, expected {by(size)} as in the first frame: all frames and "
            "masks of a clip have one size. Split the clip where it changes, or convert it"
        )


def resize_frame(frame: np.ndarray, size: Size) -> np.ndarray:
    """Array (H, W, C) to another (H, W): by area where it shrinks, bilinear where it grows (ours)."""
    if frame.shape[:2] == size:
        return frame
    shrinks = size[0] <= frame.shape[0] and size[1] <= frame.shape[1]
    resized = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(*size, frame.shape[2])  # OpenCV drops the axis of a single channel


def resize_flow(flow: np.ndarray, size: Size) -> np.ndarray:
    """float32 (H, W, 2) to another (H, W), its vectors scaled with it: pixels per frame at the new size."""
    if flow.shape[:2] == size:
        return flow
    scale = np.array([size[1] / flow.shape[1], size[0] / flow.shape[0]], np.float32)  # of dx, dy
    return resize_frame(flow, size) * scale


def resize_nearest(mask: np.ndarray, size: Size) -> np.ndarray:
    """Mask (H, W) to another (H, W): the nearest pixel."""
    if mask.shape == size:
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
