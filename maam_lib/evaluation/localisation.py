"""Does the score rise where the anomaly is: pixel, region and track criteria of score maps against the truth (ours;
the paper shows pictures only).

Each criterion is fed frame by frame, `add(scores, ...)`, and keeps counts, never maps. Score maps are (H, W), higher
= more abnormal; masks are (H, W), 1 = abnormal; a pixel is found at a threshold that its score reaches (Eq. 12).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from maam_lib.evaluation.true_regions import Regions, true_regions
from maam_lib.metrics import MetricError, roc_auc

COVERED = Fraction(2, 5)  # of a frame's abnormal pixels: the UCSD criterion (Li, Mahadevan and Vasconcelos 2014)
ALPHA = 0.1  # of a track's regions that must be found (Ramachandra and Jones 2020)
BETA = 0.1  # intersection over union from which a region counts as found (the same)
BATCH = 32  # frames whose scores of pixels are worked out at once
FIRST = 32  # thresholds that regions are counted at, before more are put where the curve jumps
PASSES = 8  # over the frames, at most
DOUBT = 0.01  # of RBDC and TBDC, between the areas of the lower and of the upper steps
WIDEST = 0.05  # false positives per frame, between two thresholds; for the curve may rise and fall between them
CRITERIA = ("pixel_auc", "pixel_auc_ucsd", "rbdc", "tbdc")
Seen = tuple[np.ndarray, Regions, str | None]  # a frame: scores (H, W), true regions, clip where these are tracks


def localised(
    errors: PatchErrors, psi: float, prepared: PreparedDataset, scoring: ScoringSettings, branch: str = "fused"
) -> dict[str, Any] | None:
    """Pixel, region and track criteria of test errors; None without masks of both normal and abnormal frames.

    The score of a pixel is the branch's largest patch sum over it. Frames of clips without masks are left out, and so
    are abnormal frames whose mask vanished at the stored size: `frames_left_out`. True regions are those of
    `true_regions`, published boxes in every frame; `tbdc` is None where these are no tracks.
    """
    clips = {clip for clip, _ in errors.keys}
    masks = {clip: found for clip in clips if (found := prepared.masks(clip)) is not None}
    labels = [int(prepared.labels(clip)[frame]) for clip, frame in errors.keys]
    known = [(i, clip, frame) for i, (clip, frame) in enumerate(errors.keys) if clip in masks]
    masked = [i for i, clip, frame in known if masks[clip][frame].any() == labels[i]]
    if {labels[i] for i in masked} != {0, 1}:
        return None
    truth, sums = true_regions(prepared), errors.maps(psi)[branch]
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}

    def score_maps(frames: Sequence[int]) -> Iterator[tuple[str, int, np.ndarray]]:
        for start in range(0, len(frames), BATCH):
            batch = list(frames[start : start + BATCH])
            maps = pscd.pixel_scores(torch.from_numpy(sums[batch]), prepared.frame_size, **where).numpy()
            yield from ((*errors.keys[i], scores) for i, scores in zip(batch, maps, strict=True))

    def footage() -> Iterator[Seen]:
        for clip, frame, scores in score_maps(with_regions):
            yield scores, truth.of(clip, frame), clip if truth.are_tracks else None

    pixels, covered = EveryPixel(), CoveredFrames()
    for clip, frame, scores in score_maps(masked):
        pixels.add(scores, masks[clip][frame])
        covered.add(scores, masks[clip][frame])
    with_regions = range(len(errors.keys)) if truth.everywhere else masked
    regions = found_regions(footage, sums[with_regions])
    return {
        "pixel_auc": pixels.auc(),
        "pixel_auc_ucsd": covered.auc(),
        "rbdc": regions.rbdc(),
        "tbdc": regions.tbdc(),
        "frames": len(masked),
        "frames_left_out": len(errors.keys) - len(masked),
        "true_regions": truth.what,
        "pixel_score": "largest patch sum over the pixel",
        "region_thresholds": len(regions.thresholds),
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
    frame, from 0 to 1, by trapezoids. Since found regions grow and merge as the threshold falls, the curve need not
    rise; ours is the highest rate of the thresholds with at most so many false positives, taken from the highest down
    to where they first pass one per frame (lower ones are no use, though a whole frame found at once is one region
    only), and held at its last rate up to one.

    Kept: counts per threshold, and per track and threshold.
    """

    def __init__(self, thresholds: np.ndarray) -> None:
        self.thresholds = np.unique(thresholds)[::-1]  # falling
        self._frames = self._regions = 0
        self._false = np.zeros(len(self.thresholds), np.int64)
        self._found = np.zeros(len(self.thresholds), np.int64)
        self._tracks: dict[tuple[str, int], tuple[int, np.ndarray]] = {}  # regions, found ones per threshold

    def add(self, scores: np.ndarray, regions: Regions, clip: str | None = None) -> None:
        """One frame: scores (H, W) and its true regions.

        `clip` is given where the numbers are those of objects, the same in every frame of that clip: its tracks.
        """
        found = np.zeros((len(regions), len(self.thresholds)), bool)
        first = int((self.thresholds > scores.max()).sum())  # above that, nothing is found
        for i in range(first, len(self.thresholds)):
            self._false[i] += _match(scores >= self.thresholds[i], list(regions.values()), found[:, i])
        self._frames += 1
        self._regions += len(regions)
        self._found += found.sum(axis=0)
        if clip is not None:
            for number, of_region in zip(regions, found, strict=True):
                regions_before, found_before = self._tracks.get((clip, number), (0, 0))
                self._tracks[clip, number] = (regions_before + 1, found_before + of_region)

    def joined(self, other: "FoundRegions") -> "FoundRegions":
        """The same frames at the thresholds of both, which have none in common."""
        both = FoundRegions(np.append(self.thresholds, other.thresholds))
        order = np.argsort(-np.append(self.thresholds, other.thresholds))
        both._frames, both._regions = self._frames, self._regions
        both._false = np.append(self._false, other._false)[order]
        both._found = np.append(self._found, other._found)[order]
        for track, (regions, found) in self._tracks.items():
            both._tracks[track] = (regions, np.append(found, other._tracks[track][1])[order])
        return both

    def doubtful(self) -> np.ndarray:
        """Thresholds halfway between those that leave the areas uncertain by DOUBT or more, or that lie WIDEST or more
        apart; none where all is known.

        Between two neighbouring thresholds an area is known but for the rectangle of their two points.
        """
        false = self._false / self._frames
        last = _first_past_one(false)  # the step to it counts as well
        width = np.abs(np.diff(np.minimum(false, 1)))[:last]
        rise = np.max([np.abs(np.diff(rates))[:last] for rates in self._rates()], axis=0)
        doubt, halfway = width * rise, (self.thresholds[1:] + self.thresholds[:-1])[:last] / 2
        needed = (width > WIDEST) | ((doubt > DOUBT / max(last, 1)) & (doubt.sum() > DOUBT))
        return np.setdiff1d(halfway[needed], self.thresholds)  # where no number lies between them

    def rbdc(self) -> float:
        """Area under the rate of found regions, in [0, 1]; MetricError where there was no true region."""
        if self._regions == 0:
            raise MetricError("no true region in any frame, so there is none to find")
        return _area(self._false / self._frames, self._rates()[0])

    def tbdc(self) -> float | None:
        """Area under the rate of found tracks, in [0, 1]; None where no tracks were given."""
        return _area(self._false / self._frames, self._rates()[1]) if self._tracks else None

    def _rates(self) -> list[np.ndarray]:
        """Of every threshold the share of the true regions that are found, and of the tracks, where there are any."""
        tracks = [found / regions >= ALPHA for regions, found in self._tracks.values()]
        return [self._found / max(self._regions, 1), *([np.mean(tracks, axis=0)] if tracks else [])]


def found_regions(footage: Callable[[], Iterable[Seen]], sums: np.ndarray) -> FoundRegions:
    """The true regions of frames counted at thresholds that are placed by false positives per frame.

    footage: gives the frames anew each time that it is called, each (scores, regions, clip) as `FoundRegions.add` takes
    them. sums: their patch sums (T, ph, pw), that the scores are made of. The first thresholds are quantiles of the
    frames' maxima and the smallest sum; then, pass by pass, more are put where the curve jumps (`doubtful`).
    """
    thresholds = np.append(np.quantile(sums.max(axis=(1, 2)), np.linspace(0, 1, FIRST)), sums.min())
    found = None
    for _ in range(PASSES):
        more = FoundRegions(thresholds)
        for scores, regions, clip in footage():
            more.add(scores, regions, clip)
        found = more if found is None else found.joined(more)
        if not len(thresholds := found.doubtful()):
            break
    assert found is not None  # PASSES is not 0
    return found


def _match(found: np.ndarray, places: list[np.ndarray], is_found: np.ndarray) -> int:
    """Marks the true regions (their pixels, flat) that found pixels (H, W) overlap; returns the false positives."""
    count, numbered = cv2.connectedComponents(found.view(np.uint8), connectivity=8)
    flat, matched = numbered.ravel(), np.zeros(count, bool)  # number 0 is what was not found
    for k, place in enumerate(places):
        shared = np.bincount(flat[place], minlength=count)
        for number in np.flatnonzero(shared[1:]) + 1:
            area = np.count_nonzero(flat == number)
            if shared[number] / (area + place.size - shared[number]) >= BETA:
                is_found[k] = matched[number] = True
    return int((~matched[1:]).sum())


def _first_past_one(false_positives: np.ndarray) -> int:
    """The place of the first threshold with more than one false positive per frame, or of the last one."""
    past = np.flatnonzero(false_positives > 1)
    return int(past[0]) if len(past) else len(false_positives) - 1


def _area(false_positives: np.ndarray, rates: np.ndarray) -> float:
    """Area from 0 to 1 under the highest rate with at most so many false positives per frame; thresholds falling."""
    end = len(rates) if (false_positives <= 1).all() else _first_past_one(false_positives)
    order = np.argsort(false_positives[:end], kind="stable")
    best = np.maximum.accumulate(np.append(0, rates[:end][order]))  # above all scores nothing is found
    return float(np.trapezoid(np.append(best, best[-1]), np.concatenate([[0], false_positives[:end][order], [1]])))
