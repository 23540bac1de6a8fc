"""What every reader yields: one clip of the source, its frames read only when asked for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Split = Literal["train", "test"]


class SourceError(ValueError):
    """The source is not what it should be: one line that names the file, what was expected and what to do."""


@dataclass(frozen=True)
class Clip:
    """One clip (a sequence of frames) as the source has it.

    Every callable may be called again and starts from the beginning; they are top-level functions or
    `functools.partial` of such, so that a clip can be sent to another process.
    """

    split: Split
    name: str  # the source's own stem: "Test001", "17", "01_0014"
    num_frames: int  # T, as announced by the source; the writer checks that as many frames come
    frames: Callable[..., Iterator[np.ndarray]]  # each uint8 (H, W, C), C = 1 gray or 3 RGB
    labels: Callable[[], np.ndarray] | None = None  # uint8 (T,), 1 = abnormal; None: the source has no labels
    masks: Callable[..., Iterable[np.ndarray]] | None = None  # each uint8 (H, W), 1 = abnormal; None: no pixel masks
    flow: Callable[[], Iterable[np.ndarray]] | None = None  # T-1 exact flows, float32 (H, W, 2), where known
    tracks: Callable[[], np.ndarray] | None = None  # int16 (T, H, W): 0 = background, k = object k; where known


@dataclass(frozen=True)
class Source:
    """A source that has been read: its clips and what the manifest says of it."""

    clips: list[Clip]
    name: str  # of the archive or folder
    label_source: str  # in words
    notes: list[str] = field(default_factory=list)  # what a user should know: stretched frames, varying frame rates
