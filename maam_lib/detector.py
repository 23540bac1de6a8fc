"""What is needed to score any video: settings and training statistics of one trained network, in plain types.

Nothing here needs torch: the same travels beside a run (`detector.json`) and inside an exported ONNX file.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from data_prep.flow import FLOW_ESTIMATORS
from data_prep.layout import Channels
from data_prep.words import counted
from maam_lib.windows import Padding, reached

SHORTEST = 0.2  # seconds that the score must stay at the threshold before it is an alarm
FORMAT = 1
DETECTOR = "detector.json"  # its file in the folder of a run
TRAINING_FRAMES = "normal training frames"
ALARM_SHARE = 0.01  # of new normal frames, that may reach the threshold found on them
LEAST_NORMAL = 50  # frames that such a threshold can be found on
RARE = 1000  # a largest score that one in so many tails reaches does not belong to them
TAIL = 0.1  # share of the training scores, the highest, that the tail is fitted to
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")  # of what is read from a file
Count = Annotated[int, Field(ge=1)]
Sides = tuple[Annotated[int, Field(ge=1, le=100_000)], Annotated[int, Field(ge=1, le=100_000)]]  # (height, width)
# uint8 (B, H, W, C) and float16 (B, H, W, 2), as prepared data are stored -> two float32 (B, ph, pw) of patch sums, of
# motion signed where speed is predicted
Score = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class DetectionError(ValueError):
    """A video cannot be scored as asked: one line that says where, why and what to do."""


@dataclass(frozen=True)
class TrainingScores:
    """What is kept of the fused scores of normal frames: their range, and the tail above their 90 % quantile.

    Beyond the scores that were seen the tail is taken to fall exponentially (ours): an assumption, not a measurement.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    frames: Count  # how many were scored
    low: float  # the smallest
    high: float  # the largest
    tail_start: float  # their 90 % quantile
    tail_mean: Annotated[float, Field(ge=0)]  # mean excess over it, of those above it

    @classmethod
    def of(cls, scores: np.ndarray) -> "TrainingScores":
        """Of the fused scores (T,) of training frames, or of other normal ones."""
        start = float(np.quantile(scores, 1 - TAIL))
        excess = scores[scores > start] - start
        mean = float(excess.mean()) if len(excess) else 0.0
        return cls(len(scores), float(scores.min()), float(scores.max()), start, mean)

    def normalise(self, scores: np.ndarray | float) -> np.ndarray:
        """Eq. 11 with the smallest and largest *training* score in place of the video's own, so it needs no future.

        Above 1: more than any training frame. `pscd.normalise` of a finished video is Eq. 11 itself; both are
        straight lines, so thresholds and AUC are the same.
        """
        return (np.asarray(scores) - self.low) / ((self.high - self.low) or 1.0)

    def exceeded_by(self, share: float) -> float:
        """The score that a share (0 to 1) of normal frames exceeds, by the exponential tail; above 0.1 its start."""
        return self.tail_start + self.tail_mean * max(0.0, math.log(TAIL / share))

    @property
    def has_outlier(self) -> bool:
        """Whether the largest is so far up that fewer than one in a thousand exponential tails reach there (ours)."""
        above = max(1.0, TAIL * self.frames)
        return self.high - self.tail_start > self.tail_mean * math.log(RARE * above)

    def is_extrapolated(self, share: float) -> bool:
        """Whether so small a share is below what the scored training frames can show."""
        return share * self.frames < 1


@dataclass(frozen=True)
class Detector:
    """One trained network's settings for scoring, and what was calibrated on its training frames, without labels."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    recipe: str  # name of the recipe
    epoch: Annotated[int, Field(ge=0)]  # of the weights that it was calibrated with
    trained_on: str  # name of the prepared dataset
    frame_size: Sides  # (H, W) that frames and flow are resized to
    channels: Channels  # of the frames as they are stored: 1 gray, 3 RGB
    flow: str  # estimator, at the source's size
    patch: Sides
    stride: Sides
    padding: Padding
    psi: Annotated[float, Field(ge=0, le=1)]  # weight of appearance
    threshold: float  # tau of Eq. 12, on fused scores before Eq. 11
    training: TrainingScores
    normal: str = TRAINING_FRAMES  # what `threshold` and `training` were measured on
    motion_target: Literal["flow", "speed"] = "flow"  # what the network predicts; earlier kits knew flow alone
    normal_test: tuple[
        float, ...
    ] = ()  # quantiles 0, 0.01 ... 1 of the fused scores of `trained_on`'s normal test frames

    def __post_init__(self) -> None:
        if self.flow not in FLOW_ESTIMATORS:
            raise DetectionError(
                f"{self.recipe} was trained on flow {self.flow!r}, which cannot be estimated while a video plays; "
                f"train with one of {', '.join(FLOW_ESTIMATORS)} (data.flow)"
            )

    def measured_on(self, fused: np.ndarray, name: str) -> "Detector":
        """The same with scale and threshold from the fused scores (T,) of other normal footage (ours).

        The network knows its training frames best of all: normal footage that it never saw scores higher, so a
        threshold for use is better found there. Raises DetectionError for fewer than LEAST_NORMAL scores.
        """
        if len(fused) < LEAST_NORMAL:
            raise DetectionError(
                f"{name}: {counted(len(fused), 'frame')} scored, expected {LEAST_NORMAL} or more normal ones"
            )
        scores = TrainingScores.of(fused)
        return replace(self, training=scores, threshold=scores.exceeded_by(ALARM_SHARE), normal=f"the frames of {name}")

    def threshold_for(self, alarms_per_hour: float) -> float:
        """The threshold at which normal footage gives at most so many alarms per hour (ours; no label takes part).

        An alarm takes SHORTEST seconds of frames at the threshold, so where a share p of the time is at it, there are
        at most p * 3600 / SHORTEST alarms in an hour. No frame rate takes part: the threshold is known before the
        footage is, and a header's rate cannot change it. The score that the share p of normal frames exceeds comes
        from the training scores. Training frames are those that the network knows best: on new normal footage expect
        more alarms than asked for. The bound is met to the nearest frame, as SHORTEST is (see `Alarms`); where a
        frame lasts longer than SHORTEST there are fewer alarms.

        Raises DetectionError for a number that is not finite and above 0.
        """
        return self.training.exceeded_by(self.share_for(alarms_per_hour))

    def share_for(self, alarms_per_hour: float) -> float:
        """The share of the time at the threshold that so many alarms per hour can have at most. Raises as above."""
        if not 0 < alarms_per_hour < math.inf:
            raise DetectionError(f"{alarms_per_hour:g} alarms per hour: expected a finite number above 0")
        return min(1.0, alarms_per_hour * SHORTEST / 3600)

    def knowing(self, normal_test: np.ndarray) -> "Detector":
        """The same with the fused scores (T,) of its dataset's normal *test* frames, which judge a threshold (ours)."""
        return replace(self, normal_test=tuple(np.quantile(normal_test, np.linspace(0, 1, 101)).tolist()))

    def reached_by_normal_test(self, threshold: float) -> float | None:
        """The share of those frames that reach a threshold, to about 0.01; None where their scores are not known."""
        if not self.normal_test:
            return None
        return float(1 - np.interp(threshold, self.normal_test, np.linspace(0, 1, len(self.normal_test))))

    def reached(self, fused: np.ndarray, threshold: float) -> np.ndarray:
        """Where one frame's patch sums (ph, pw) reach a threshold: bool (H, W) at `frame_size`."""
        where = {"patch": self.patch, "stride": self.stride, "padding": self.padding}
        return reached(fused, threshold, self.frame_size, **where)

    def fuse(self, appearance: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """e_fuse of Algorithm 1, for maps of any shape."""
        return self.psi * appearance + (1 - self.psi) * motion

    def to_json(self) -> str:
        content = {"format": FORMAT, **asdict(self)}
        if not self.normal_test:  # so that earlier kits read the file
            del content["normal_test"]
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Detector":
        """Read what `to_json` wrote; raises DetectionError, naming `where`, for anything else."""
        try:
            content = TypeAdapter(dict[str, Any]).validate_json(text)
            if content.pop("format", None) != FORMAT:
                raise DetectionError(f"{where}: written by another version of maam; make it again")
            return TypeAdapter(Detector).validate_json(json.dumps(content))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            said = f"{'.'.join(map(str, first['loc'])) or 'settings'}: {first['msg'].removeprefix('Value error, ')}"
            raise DetectionError(f"{where}: not readable as a detector ({said:.300}); make it again") from error
