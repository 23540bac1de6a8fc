"""One way to bring frames, flow and masks to another size: that of the prepared arrays and of online scoring.

Sizes are (height, width).
"""

import cv2
import numpy as np

from data_prep.frames.frame_files import Size


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
