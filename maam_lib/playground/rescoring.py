"""Scores of a whole set under any patch, stride, psi and threshold, from error maps that were kept (ours).

No network runs here. Under a recipe's own settings the numbers are those of `maam evaluate`: the same calibration
on training errors, the same metrics. Only what a change touches is computed anew: psi alone needs no patch sums.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from maam_lib import metrics, pscd
from maam_lib.baselines import spread_evenly
from maam_lib.config import ScoringSettings
from maam_lib.data import DatasetError, FrameFlowDataset
from maam_lib.evaluation import CALIBRATION_FRAMES, Evaluator, Predict, calibrated_psi
from maam_lib.metrics import MetricError, Protocol
from maam_lib.playground.error_cache import cached, errors_key
from maam_lib.playground.integral_maps import KeptErrors, keep_errors
from maam_lib.windows import Padding, Pair, default_stride

MOST_SUMS = 12_000_000  # patch sums of one branch over all frames that one change may ask for: 0.1 s of work


class ScoreChoice(NamedTuple):
    """What can be turned in Algorithm 1 and in its reading; None: as calibrated on training errors, or patch/4."""

    patch: Pair
    stride: Pair | None = None
    padding: Padding = "same"
    psi: float | None = None
    threshold: float | None = None
    protocol: Protocol = "micro"

    @classmethod
    def of(cls, scoring: ScoringSettings) -> "ScoreChoice":
        """The choice that a recipe makes."""
        return cls(scoring.patch, scoring.stride, scoring.padding, scoring.psi)

    @property
    def windows(self) -> tuple[Pair, Pair, Padding]:
        """What patch sums depend on."""
        return self.patch, self.stride or default_stride(self.patch), self.padding


@dataclass(frozen=True)
class Rescored:
    """The set under one choice."""

    choice: ScoreChoice
    psi: float
    threshold: float  # on fused scores before Eq. 11
    scores: np.ndarray  # float32 (T,) fused, before Eq. 11
    shown: np.ndarray  # (T,) the scores as the protocol takes them: raw, or each clip brought to [0, 1]
    measured: dict[str, float | None]  # auc, eer ..., hit_rate and false_alarm_rate; empty without labels
    why_not: str  # why nothing is measured; "" where it is


class _Sums(NamedTuple):
    """Patch sums (ph, pw, T) of one set of frames, and each branch's largest per frame (T,)."""

    appearance: np.ndarray
    largest_appearance: np.ndarray
    motion: np.ndarray
    largest_motion: np.ndarray

    @classmethod
    def of(cls, maps: KeptErrors, choice: ScoreChoice) -> "_Sums":
        with ThreadPoolExecutor(2) as side_by_side:
            appearance, motion = side_by_side.map(
                lambda branch: branch.patch_sums(*choice.windows), (maps.appearance, maps.motion)
            )
        return cls(*appearance, *motion)

    def fused(self, psi: float) -> np.ndarray:
        """The largest fused patch sum of every frame, float32 (T,): fuse first, then the maximum; a row at a time."""
        weight = float(np.float32(psi))
        best = np.full(self.appearance.shape[-1], -np.inf, np.float32)
        for appearance, motion in zip(self.appearance, self.motion, strict=True):
            np.maximum(best, pscd.fuse(appearance, motion, weight).max(axis=0), out=best)
        return best


class Rescorer:
    """Rescores test frames; psi and threshold are calibrated on the errors of training frames."""

    def __init__(self, train: KeptErrors, test: KeptErrors, labels: np.ndarray | None, alarm_quantile: float) -> None:
        """labels: (T,) of the test frames, 1 = abnormal, or None where they are not known."""
        self.train, self.test, self.labels = train, test, labels
        self.clips = np.array([clip for clip, _ in test.keys])
        self.alarm_quantile = alarm_quantile
        self._windows: tuple[Pair, Pair, Padding] | None = None
        self._sums: tuple[_Sums, _Sums] | None = None  # of training and test frames, under these windows
        self._last: Rescored | None = None  # from these sums
        finest = self.finest_stride()
        for branch in (train.appearance, train.motion, test.appearance, test.motion):
            branch.room(-(-test.size[0] // finest) * -(-test.size[1] // finest))

    def under(self, choice: ScoreChoice) -> Rescored:
        """Scores, psi, threshold and metrics under a choice; raises ValueError for a patch that does not fit."""
        train, test = self._sums_under(choice)
        psi = calibrated_psi(choice.psi, train.largest_appearance, train.largest_motion)
        last = self._last
        scores = shown = last.scores if last is not None and last.psi == psi else test.fused(psi)
        threshold = choice.threshold
        if threshold is None:
            threshold = float(np.quantile(train.fused(psi), self.alarm_quantile))
        if choice.protocol == "micro_per_clip":
            shown = metrics.normalise_per_clip(scores, self.clips)
        try:
            measured, why_not = self._measured(scores, threshold, choice.protocol), ""
        except MetricError as error:
            measured, why_not = {}, str(error)
        self._last = Rescored(choice, psi, threshold, scores, shown, measured, why_not)
        return self._last

    def places(self, found: Rescored, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Of one frame, each pixel's largest patch sum (H, W), and where it reaches the threshold, bool."""
        _, sums = self._sums_under(found.choice)
        patch, stride, padding = found.choice.windows
        fused = torch.from_numpy(pscd.fuse(sums.appearance[..., frame], sums.motion[..., frame], found.psi))[None]
        scores = pscd.pixel_scores(fused, self.test.size, patch=patch, stride=stride, padding=padding)[0].numpy()
        return scores, scores >= found.threshold

    def finest_stride(self) -> int:
        """The smallest stride, both ways alike, under which a change still answers at once (MOST_SUMS)."""
        height, width = self.test.size
        frames = len(self.test.keys)
        return next(s for s in range(1, height + width) if -(-height // s) * -(-width // s) * frames <= MOST_SUMS)

    def _sums_under(self, choice: ScoreChoice) -> tuple[_Sums, _Sums]:
        if self._sums is None or choice.windows != self._windows:
            self._sums = self._last = None  # their memory is written anew
            self._sums = _Sums.of(self.train, choice), _Sums.of(self.test, choice)
            self._windows = choice.windows
        return self._sums

    def _measured(self, scores: np.ndarray, threshold: float, protocol: Protocol) -> dict[str, float | None]:
        if self.labels is None:
            raise MetricError("no labels: nothing can be measured")
        measured = metrics.measure(self.labels, scores, self.clips, protocol)
        hit_rate, false_alarm_rate = (float((scores[self.labels == kind] >= threshold).mean()) for kind in (1, 0))
        return measured | {"hit_rate": hit_rate, "false_alarm_rate": false_alarm_rate}


def rescorer_for(
    evaluator: Evaluator,
    predict: Predict,
    clips: Sequence[str] | None = None,
    *,
    network: str | None = None,
    tell: Callable[[int, int], None] = lambda _, __: None,
) -> Rescorer:
    """A rescorer of a predictor's answers on an evaluator's dataset, or on some of its test clips.

    One pass of the network over the test frames and over the training frames that `maam evaluate` calibrates on.
    network: a text that no predictor with other weights or settings has, where the error maps are to be kept on disk
    and taken from there (`error_cache`); None: neither. `tell` is told after every batch how many frames are done, and
    of how many.
    Raises KeptErrorsError where the errors do not fit into memory.
    """
    recipe, train, device = evaluator.recipe, evaluator.dataset("train"), evaluator.device
    test = FrameFlowDataset(
        evaluator.prepared, "test", drop_last=recipe.data.drop_last, channels=recipe.data.channels, clips=clips
    )
    calibration = spread_evenly(len(train), CALIBRATION_FRAMES)
    total = len(test) + len(calibration)

    def errors(dataset: FrameFlowDataset, frames: np.ndarray | None, before: int) -> KeptErrors:
        keys = dataset.keys(frames)

        def compute() -> KeptErrors:
            return keep_errors(
                predict, dataset, frames=frames, device=device, tell=lambda done: tell(before + done, total)
            )

        if network is None:
            return compute()
        return cached(errors_key(network, dataset, keys, device), keys, evaluator.prepared.frame_size, compute)

    of_test, of_train = errors(test, None, 0), errors(train, calibration, len(test))
    try:
        of_clip = {clip: evaluator.prepared.labels(clip) for clip in dict.fromkeys(clip for clip, _ in of_test.keys)}
        labels = np.array([of_clip[clip][frame] for clip, frame in of_test.keys])  # by key, never by position
    except DatasetError:  # a clip without labels
        labels = None
    return Rescorer(of_train, of_test, labels, recipe.scoring.alarm_quantile)
