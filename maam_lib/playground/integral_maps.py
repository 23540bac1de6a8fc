"""Error maps of many frames, kept so that the sums of any patch cost milliseconds: integral images (ours).

The frames stand last in memory, so one patch position of all frames is one contiguous read, and a coarse stride
touches only its own positions. Sums are kept as whole numbers of a unit of each frame, 2^-31 of its total error: in
four bytes they are several hundred times finer than float32 would be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from maam_lib import pscd
from maam_lib.data import FrameFlowDataset
from maam_lib.evaluation import Predict, error_maps
from maam_lib.windows import Padding, Pair, patch_bounds

MOST_BYTES = 6e9  # of memory that the integral images of one set of frames may take
_STEPS = 2**31 - 2**9  # a frame's total error in its unit; less than 2^31 however the unit is rounded


class KeptErrorsError(ValueError):
    """Error maps that do not fit into memory: says how much they need and what to do."""


@dataclass
class IntegralMaps:
    """Integral images of one error map per frame, for T frames of H x W pixels."""

    table: np.ndarray  # int32 (H + 1, W + 1, T): the error above and left of each pixel corner, in units
    unit: np.ndarray  # float32 (T,): the error that one step of the table counts, of either sign
    _room: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)

    @classmethod
    def empty(cls, size: Pair, frames: int) -> "IntegralMaps":
        """For T frames of a size (H, W), still to be filled by `keep`."""
        return cls(np.zeros((size[0] + 1, size[1] + 1, frames), np.int32), np.ones(frames, np.float32))

    def keep(self, first: int, errors: np.ndarray) -> None:
        """Take in the error maps (B, H, W) of the frames first, first + 1 ..."""
        integral = errors.astype(np.float64).cumsum(axis=1).cumsum(axis=2)
        total = np.abs(errors).sum(axis=(1, 2), dtype=np.float64)  # what no sum exceeds, of either sign
        unit = np.where(total > 0, total / _STEPS, 1).astype(np.float32)
        frames = slice(first, first + len(errors))
        self.unit[frames] = unit
        self.table[1:, 1:, frames] = np.rint(integral / unit[:, None, None].astype(np.float64)).transpose(1, 2, 0)

    def error(self, frame: int) -> np.ndarray:
        """The error map (H, W) of one frame, float32."""
        corners = self.table[:, :, frame].astype(np.int64)
        return (np.diff(np.diff(corners, axis=0), axis=1) * self.unit[frame]).astype(np.float32)

    def patch_sums(
        self, patch: Pair, stride: Pair | None = None, padding: Padding = "same"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sum of every patch of every frame, float32 (ph, pw, T): `pscd.patch_sums` with the frames last.

        And the largest of each frame, (T,). The array of sums is overwritten by the next call: the pages of a fresh
        one would cost more than the sums.
        """
        size = self.table.shape[0] - 1, self.table.shape[1] - 1
        (tops, bottoms), (lefts, rights) = patch_bounds(size, patch, stride, padding)
        sums = self.room(len(tops) * len(lefts)).reshape(len(tops), len(lefts), -1)
        largest = np.full(len(self.unit), -np.inf, np.float32)
        for row, top, bottom in zip(sums, tops, bottoms, strict=True):
            band = self.table[bottom] - self.table[top]  # (W + 1, T)
            np.multiply(band[rights] - band[lefts], self.unit, out=row, dtype=np.float32, casting="unsafe")
            np.maximum(largest, row.max(axis=0), out=largest)  # while the row is in the cache
        return sums, largest

    def room(self, count: int) -> np.ndarray:
        """The memory for `count` sums of each frame, once there the same at every call; its first touch is slow."""
        count *= len(self.unit)
        if count > len(self._room):
            self._room = np.ones(count, np.float32)
        return self._room[:count]


@dataclass(frozen=True)
class KeptErrors:
    """What a predictor got wrong on T frames, per pixel: appearance and motion errors of Algorithm 1."""

    keys: list[tuple[str, int]]  # T times (clip, frame)
    size: Pair
    appearance: IntegralMaps
    motion: IntegralMaps
    of_speed: bool = False  # whether motion errors have a sign: above 0 is faster than predicted

    def frames_of(self, clip: str) -> slice:
        """Where a clip's frames stand among the T."""
        places = [i for i, (name, _) in enumerate(self.keys) if name == clip]
        return slice(places[0], places[-1] + 1)


def keep_errors(
    predict: Predict,
    dataset: FrameFlowDataset,
    *,
    frames: Sequence[int] | np.ndarray | None = None,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    tell: Callable[[int], None] = lambda _: None,
) -> KeptErrors:
    """Error maps of a predictor over a dataset, or its frames of the given numbers, in one pass of the network.

    `tell` is told after every batch how many frames are done.

    Raises KeptErrorsError, before anything is computed, where they would need more than MOST_BYTES of memory.
    """
    frames = np.arange(len(dataset)) if frames is None else np.asarray(frames)
    height, width = size = dataset.prepared.frame_size
    needed = 2 * len(frames) * (height + 1) * (width + 1) * 4
    if needed > MOST_BYTES:
        raise KeptErrorsError(
            f"{dataset.prepared.name}: the error maps of {len(frames)} frames at {height}x{width} need "
            f"{needed / 1e9:.1f} GB of memory, more than {MOST_BYTES / 1e9:.0f} GB; choose some clips, or prepare "
            "smaller frames (--size)"
        )
    appearance, motion = (IntegralMaps.empty(size, len(frames)) for _ in range(2))
    first, of_speed = 0, False
    for errors in error_maps(predict, dataset, frames=frames, batch_size=batch_size, device=device):
        appearance.keep(first, errors.appearance.cpu().numpy())
        motion.keep(first, errors.motion.cpu().numpy())
        first, of_speed = first + len(errors.frames), pscd.predicts_speed(errors.flow_hat)
        tell(first)
    return KeptErrors(dataset.keys(frames), size, appearance, motion, of_speed)
