"""Pictures of more than 8 bits: one scale per clip brings them to 0..255, so that its contrast stays (ours).

A scale belongs to a clip, so that `maam detect` shows a folder exactly as `maam prepare` does, and since the level of a
thermal camera drifts from clip to clip. Where the values fill half of a usual range (0..4095 for 12 bits), that range
is the scale: then all clips of such a camera have the same one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.clip import SourceError

RANGES = (1, 2**8 - 1, 2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1)  # the largest values of usual pictures


@dataclass(frozen=True)
class Scale:
    """The values that become 0 and 255; what lies outside is cut off."""

    low: float
    high: float
    depth: str  # of the pictures, in words

    def __str__(self) -> str:
        return f"{self.depth} pictures, {self.low:g}..{self.high:g} shown as 0..255"


def scale_of(pictures: Iterable[np.ndarray]) -> Scale | None:
    """The scale of a clip's pictures, (H, W) or (H, W, 3) of any type; None where the first has 8 bits.

    Lowest and highest value of all pictures, where a single pixel that differs from all around it (a defect of the
    sensor) does not count: a 3x3 median filter is applied first. If they span half of 0..1 or of what 8, 10, 12, 14 or
    16 bits hold, it is that range. Not finite values do not count.
    """
    low, high, depth = np.inf, -np.inf, ""
    for picture in pictures:
        if picture.dtype == np.uint8 and not depth:
            return None
        depth = depth or _depth(picture)
        lowest, highest = _extremes(picture)
        low, high = min(low, lowest), max(high, highest)
    if not low < high:  # all the same, or nothing finite
        low, high = (low, low + 1) if np.isfinite(low) else (0.0, 1.0)
    full = next((value for value in RANGES if high <= value), np.inf)
    return Scale(0.0, float(full), depth) if low >= 0 and high - low >= full / 2 else Scale(low, high, depth)


def as_bytes(picture: np.ndarray, scale: Scale | None, where: str) -> np.ndarray:
    """The picture as uint8; unchanged where it has 8 bits and no scale is given.

    Raises SourceError, naming `where`, for a picture of more bits without a scale, and of 8 bits with one: the first
    picture of a clip decides.
    """
    if (picture.dtype == np.uint8) != (scale is None):
        first = scale.depth if scale else "8-bit"
        raise SourceError(
            f"{where}: has {_depth(picture)} colours, expected {first} as in the first picture; convert it"
        )
    if scale is None:
        return picture
    levels = (picture.astype(np.float64) - scale.low) * (255 / (scale.high - scale.low))
    return np.nan_to_num(np.clip(np.rint(levels), 0, 255)).astype(np.uint8)


def _extremes(picture: np.ndarray) -> tuple[float, float]:
    finite = np.isfinite(picture)
    if not finite.all():
        picture = picture[finite]
    elif picture.dtype in (np.uint8, np.uint16, np.int16, np.float32) and min(picture.shape[:2]) > 2:
        picture = cv2.medianBlur(picture, 3)
    return (float(picture.min()), float(picture.max())) if picture.size else (np.inf, -np.inf)


def _depth(picture: np.ndarray) -> str:
    bits, kind = 8 * picture.dtype.itemsize, picture.dtype.kind
    return f"{bits}-bit{'' if kind == 'u' else ' float' if kind == 'f' else ' signed'}"
