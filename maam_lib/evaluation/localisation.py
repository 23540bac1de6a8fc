"""Does the score rise where the anomaly is: pixel, region and track criteria of score maps against the truth (ours;
the paper shows pictures only).

Each criterion is fed frame by frame, `add(scores, ...)`, and keeps counts, never maps. Score maps are (H, W), higher
= more abnormal; masks are (H, W), 1 = abnormal; a pixel is found at a threshold that its score reaches (Eq. 12).
"""

import math
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from maam_lib import pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.scores import PatchErrors
from maam_lib.metrics import MetricError, roc_auc

COVERED = Fraction(2, 5)  # of a frame's abnormal pixels: the UCSD criterion (Li, Mahadevan and Vasconcelos 2014)
ALPHA = 0.1  # of a track's regions that must be found (Ramachandra and Jones 2020)
BETA = 0.1  # intersection over union from which a region counts as found (the same)
THRESHOLDS = 64  # that regions are counted at
CRITERIA = ("pixel_auc", "pixel_auc_ucsd", "rbdc", "tbdc")


def localised(
    errors: PatchErrors, psi: float, prepared: PreparedDataset, scoring: ScoringSettings, branch: str = "fused"
) -> dict[str, Any] | None:
    """Pixel, region and track criteria of test errors; None without masks of both normal and abnormal frames.

    The score of a pixel is the branch's largest patch sum over it. Frames of clips without masks are left out, and so
    are abnormal frames whose mask vanished at the stored size: `frames_left_out`. True regions are the objects' pixels
    inside the masks where tracks are known, else the connected components of the masks, and `tbdc` is None.
    """
    clips = {clip for clip, _ in errors.keys}
    masks = {clip: found for clip in clips if (found := prepared.masks(clip)) is not None}
    tracks = {clip: found for clip in clips if (found := prepared.tracks(clip)) is not None}
    labels = [int(prepared.labels(clip)[frame]) for clip, frame in errors.keys]
    known = [(i, clip, frame) for i, (clip, frame) in enumerate(errors.keys) if clip in masks]
    chosen = [(i, clip, frame) for i, clip, frame in known if masks[clip][frame].any() == labels[i]]
    if {labels[i] for i, _, _ in chosen} != {0, 1}:
        return None
    tracked = all(clip in tracks for _, clip, _ in chosen)
    sums = errors.maps(psi)[branch]
    pixels, covered = EveryPixel(), CoveredFrames()
    regions = FoundRegions(region_thresholds(sums.max(axis=(1, 2))[[i for i, _, _ in chosen]]))
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}
    for i, clip, frame in chosen:
        scores = pscd.pixel_scores(torch.from_numpy(sums[i : i + 1]), prepared.frame_size, **where)[0].numpy()
        mask = masks[clip][frame]
        pixels.add(scores, mask)
        covered.add(scores, mask)
        if tracked:
            regions.add(scores, tracks[clip][frame] * mask, clip)
        else:
            regions.add(scores, components(mask))
    return {
        "pixel_auc": pixels.auc(),
        "pixel_auc_ucsd": covered.auc(),
        "rbdc": regions.rbdc(),
        "tbdc": regions.tbdc(),
        "frames": len(chosen),
        "frames_left_out": len(errors.keys) - len(chosen),
        "true_regions": "objects" if tracked else "connected components of the masks (no tracks, so no TBDC)",
        "pixel_score": "largest patch sum over the pixel",
        "region_thresholds": THRESHOLDS,
    }


class EveryPixel:
    """Every pixel of every frame is a sample: the area under their ROC curve, exactly.

    Kept: one count for each different score of a frame. Maps made of patch sums have at most ph * pw of them.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # labels, scores, counts

    def add(self, scores: np.ndarray, mask: np.ndarray) -> None:
        """One frame: scores and mask (H, W)."""
        for label in (0, 1):
            values, counts = np.unique(scores[mask == label], return_counts=True)
            self._seen.append((np.full(len(values), label), values, counts))

    def auc(self) -> float:
        """Raises MetricError where no pixel was abnormal, or none normal."""
        labels, values, counts = map(np.concatenate, zip(*self._seen, strict=True))
        if len(np.unique(labels)) < 2:
            raise MetricError("expected pixels of both classes, found those of one only")
        return float(roc_auc_score(labels, values, sample_weight=counts))


class CoveredFrames:
    """The UCSD pixel criterion: an abnormal frame is found when at least 40 % of its abnormal pixels are, a normal
    frame is a false alarm when any pixel is found; the area under the ROC curve of frames, exactly.

    Each frame comes down to the highest threshold at which it counts, so that one number per frame is kept.
    """

    def __init__(self) -> None:
        self._labels: list[int] = []
        self._scores: list[float] = []

    def add(self, scores: np.ndarray, mask: np.ndarray) -> None:
        """One frame: scores and mask (H, W)."""
        inside = scores[mask == 1]
        needed = math.ceil(COVERED * inside.size)
        self._labels.append(int(inside.size > 0))
        self._scores.append(float(np.partition(inside, -needed)[-needed] if inside.size else scores.max()))

    def auc(self) -> float:
        """Raises MetricError where all frames were normal, or all abnormal."""
        return roc_auc(np.array(self._labels), np.array(self._scores))


class FoundRegions:
    """The region-based and the track-based detection criteria (RBDC, TBDC) of Ramachandra and Jones (Street Scene,
    2020), with alpha = beta = 0.1.

    At a threshold, found regions are the connected components (8 neighbours) of the pixels that reach it. A true
    region is found where some found region overlaps it, by intersection over union of their pixels, by BETA or more;
    a found region that overlaps no true one so is a false positive. A track is found when at least ALPHA of its
    regions are. RBDC and TBDC are the area under the rate of true regions, or tracks, found over false positives per
    frame, from 0 to 1. Since found regions grow and merge as the threshold falls, the curve need not rise; ours is
    the highest rate of the thresholds with at most so many false positives, taken from the highest down to where
    they first pass one per frame (lower ones are no use, though a whole frame found at once is one region only).

    Kept: counts per threshold, and per track and threshold.
    """

    def __init__(self, thresholds: np.ndarray) -> None:
        self.thresholds = np.unique(thresholds)[::-1]  # falling
        self._frames = self._regions = 0
        self._false = np.zeros(len(self.thresholds), np.int64)
        self._found = np.zeros(len(self.thresholds), np.int64)
        self._tracks: dict[tuple[str, int], tuple[int, np.ndarray]] = {}  # regions, found ones per threshold

    def add(self, scores: np.ndarray, regions: np.ndarray, clip: str | None = None) -> None:
        """One frame: scores (H, W) and true regions (H, W), 0 = normal, k = region k.

        `clip` is given where the numbers are those of objects, the same in every frame of that clip: its tracks.
        """
        numbers = np.unique(regions[regions > 0]).tolist()
        places = [np.flatnonzero(regions == number) for number in numbers]
        found = np.zeros((len(numbers), len(self.thresholds)), bool)
        first = int((self.thresholds > scores.max()).sum())  # above that, nothing is found
        for i in range(first, len(self.thresholds)):
            self._false[i] += _match(scores >= self.thresholds[i], places, found[:, i])
        self._frames += 1
        self._regions += len(numbers)
        self._found += found.sum(axis=0)
        if clip is not None:
            for number, of_region in zip(numbers, found, strict=True):
                regions_before, found_before = self._tracks.get((clip, number), (0, 0))
                self._tracks[clip, number] = (regions_before + 1, found_before + of_region)

    def rbdc(self) -> float:
        """Area under the rate of found regions, in [0, 1]; MetricError where there was no true region."""
        if self._regions == 0:
            raise MetricError("no true region in any frame, so there is none to find")
        return _area(self._false / self._frames, self._found / self._regions)

    def tbdc(self) -> float | None:
        """Area under the rate of found tracks, in [0, 1]; None where no tracks were given."""
        if not self._tracks:
            return None
        tracks = [found / regions >= ALPHA for regions, found in self._tracks.values()]
        return _area(self._false / self._frames, np.mean(tracks, axis=0))


def region_thresholds(scores: np.ndarray, count: int = THRESHOLDS) -> np.ndarray:
    """Thresholds for `FoundRegions`: quantiles of the frames' scores (T,), each its map's maximum, denser towards 1.

    They go down to where every frame has a region; a curve that has not reached one false positive per frame by then
    is held at its last rate.
    """
    return np.quantile(scores, np.sqrt(np.linspace(0, 1, count)))


def components(mask: np.ndarray) -> np.ndarray:
    """The connected components (8 neighbours) of a mask (H, W): int32 (H, W), 0 = none, k = component k."""
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]


def _match(found: np.ndarray, places: list[np.ndarray], is_found: np.ndarray) -> int:
    """Marks the true regions (their pixels, flat) that found pixels (H, W) overlap; returns the false positives."""
    count, numbered = cv2.connectedComponents(found.view(np.uint8), connectivity=8)
    if not places:
        return count - 1  # number 0 is what was not found
    flat = numbered.ravel()
    areas = np.bincount(flat, minlength=count)
    matched = np.zeros(count, bool)
    for k, place in enumerate(places):
        shared = np.bincount(flat[place], minlength=count)
        overlaps = shared / (areas + place.size - shared) >= BETA
        is_found[k] = overlaps[1:].any()
        matched |= overlaps
    return int((~matched[1:]).sum())


def _area(false_positives: np.ndarray, rates: np.ndarray) -> float:
    """Area from 0 to 1 under the highest rate with at most so many false positives per frame; thresholds falling."""
    end = len(rates) if (false_positives <= 1).all() else int(np.argmax(false_positives > 1))
    order = np.argsort(false_positives[:end], kind="stable")
    best = np.maximum.accumulate(rates[:end][order])
    return float(np.sum(best * np.diff(np.append(false_positives[:end][order], 1))))
