"""Pixel, region and track criteria against counting by hand, on small random maps full of ties."""

from collections.abc import Iterator

import numpy as np
import pytest

from maam_lib.evaluation import localisation
from maam_lib.evaluation.localisation import CoveredFrames, EveryPixel, FoundRegions
from maam_lib.evaluation.true_regions import components, numbered
from maam_lib.metrics import MetricError
from tests import reference

SIZE = (7, 9)
Footage = tuple[list[np.ndarray], list[np.ndarray]]  # score maps, objects: 0 = none


def footage(seed: int, frames: int = 12, levels: int = 9) -> Footage:
    """Score maps with few levels, so that many pixels tie, and up to three objects that come and go; some help."""
    random = np.random.default_rng(seed)
    maps, objects = [], []
    for t in range(frames):
        truth = np.zeros(SIZE, np.int16)
        for name in (1, 2, 5):
            if t and random.random() < 0.4:
                y, x = random.integers(0, (5, 6))
                truth[y : y + 2, x : x + 3] = name
        scores = random.integers(0, levels, SIZE) + 3 * (truth > 0) * random.integers(0, 2)
        maps.append(scores.astype(np.float32))
        objects.append(truth)
    return maps, objects


def smooth_footage(seed: int) -> Footage:
    """Maps without ties in which regions grow and merge as in real ones."""
    maps, objects = footage(seed, frames=40)
    random = np.random.default_rng(seed)
    rough = [scores + random.random(SIZE) for scores in maps]
    return [sum(np.roll(m, s, (0, 1)) for s in ((0, 0), (0, 1), (1, 0), (1, 1))) for m in rough], objects


def places(truth: np.ndarray) -> dict[int, set[tuple[int, int]]]:
    return {int(k): set(zip(*np.nonzero(truth == k), strict=True)) for k in np.unique(truth[truth > 0])}


def found_regions(maps: list[np.ndarray], objects: list[np.ndarray], thresholds: np.ndarray) -> FoundRegions:
    counted = FoundRegions(thresholds)
    for scores, truth in zip(maps, objects, strict=True):
        counted.add(scores, numbered(truth), "Test001")
    return counted


def footage_of(maps: list[np.ndarray], objects: list[np.ndarray]) -> Iterator[localisation.Seen]:
    return ((scores, numbered(truth), "Test001") for scores, truth in zip(maps, objects, strict=True))


# Pixels


@pytest.mark.parametrize("seed", range(3))
def test_every_pixel_is_a_sample(seed: int):
    maps, objects = footage(seed)
    counted = EveryPixel()
    for scores, truth in zip(maps, objects, strict=True):
        counted.add(scores, (truth > 0).astype(np.uint8))
    labels = (np.stack(objects) > 0).astype(int).ravel().tolist()
    assert counted.auc() == pytest.approx(reference.roc_auc(labels, np.stack(maps).ravel().tolist()), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_a_frame_counts_when_40_percent_of_its_abnormal_pixels_are_found(seed: int):
    maps, objects = footage(seed)
    masks = [(truth > 0).astype(np.uint8) for truth in objects]
    counted = CoveredFrames()
    for scores, mask in zip(maps, masks, strict=True):
        counted.add(scores, mask)
    assert counted.auc() == pytest.approx(reference.covered_frame_auc(maps, masks), abs=1e-12)


@pytest.mark.parametrize(("found", "counts"), [(1, False), (2, True)])
def test_exactly_40_percent_is_enough(found: int, counts: bool):
    mask = np.zeros(SIZE, np.uint8)
    mask[0, :5] = 1
    scores = np.where(np.arange(9) < found, 2.0, 0.0) * mask
    counted = CoveredFrames()
    counted.add(scores, mask)
    counted.add(np.ones(SIZE), np.zeros(SIZE, np.uint8))
    assert counted.auc() == float(counts)


def test_found_pixels_outside_the_mask_do_not_matter_to_the_ucsd_criterion_but_do_to_pixels():
    mask = np.zeros(SIZE, np.uint8)
    mask[2:4, 2:4] = 1
    frames, pixels = CoveredFrames(), EveryPixel()
    for scores, truth in ((np.full(SIZE, 5.0), mask), (np.ones(SIZE), 0 * mask)):
        frames.add(scores, truth)
        pixels.add(scores, truth)
    assert frames.auc() == 1
    assert 0.5 < pixels.auc() < 1


def test_one_class_only_is_named():
    for counted in (EveryPixel(), CoveredFrames()):
        counted.add(np.ones(SIZE), np.zeros(SIZE, np.uint8))
        with pytest.raises(MetricError, match=r"expected .* of both classes"):
            counted.auc()
    regions = FoundRegions(np.array([1.0]))
    regions.add(np.ones(SIZE), {})
    with pytest.raises(MetricError, match="no true region"):
        regions.rbdc()


# Regions and tracks


def test_components_touch_at_corners():
    mask = np.random.default_rng(0).random((20, 30)) < 0.25
    numbered = components(mask)
    ours = {frozenset(zip(*np.nonzero(numbered == k), strict=True)) for k in range(1, numbered.max() + 1)}
    assert ours == {frozenset(region) for region in reference.flood(mask)}


@pytest.mark.parametrize("seed", range(4))
def test_regions_and_tracks_are_those_of_counting_at_every_score(seed: int):
    maps, objects = footage(seed)
    thresholds = np.unique(np.stack(maps))
    counted = found_regions(maps, objects, thresholds)
    expected = reference.region_criteria(maps, [places(truth) for truth in objects], thresholds.tolist())
    assert (counted.rbdc(), counted.tbdc()) == (pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert 0 < counted.rbdc() < 1


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_placed_where_the_curve_jumps_come_near_to_every_score(seed: int):
    maps, objects = smooth_footage(seed)
    every = found_regions(maps, objects, np.unique(np.stack(maps)))
    placed = localisation.found_regions(lambda: footage_of(maps, objects), np.stack(maps))
    assert len(placed.thresholds) < 250 < len(every.thresholds) == 2520
    assert placed.rbdc() == pytest.approx(every.rbdc(), abs=localisation.DOUBT)
    assert placed.tbdc() == pytest.approx(every.tbdc(), abs=localisation.DOUBT)


def test_thresholds_counted_in_several_passes_are_those_counted_in_one():
    maps, objects = smooth_footage(0)
    thresholds = np.quantile(np.stack(maps), [0.2, 0.5, 0.7, 0.9, 0.99])
    whole = found_regions(maps, objects, thresholds)
    parts = (found_regions(maps, objects, part) for part in (thresholds[::2], thresholds[1::2]))
    joined = next(parts).joined(next(parts))
    np.testing.assert_array_equal(joined.thresholds, whole.thresholds)
    np.testing.assert_array_equal(joined._false, whole._false)
    assert (joined.rbdc(), joined.tbdc()) == (whole.rbdc(), whole.tbdc())


def test_only_steps_that_leave_the_area_uncertain_are_halved():
    truth, scores = np.zeros(SIZE, int), np.zeros(SIZE)
    truth[:2, :2] = 1
    scores[:2, :2], scores[6, 8] = 3, 1  # at 1 there is a false positive as well
    # 4: nothing; 2: no false positive, so no width; 0.5: in one of 40 frames, and no more regions, so no height
    counted = found_regions([scores] + [3 * truth] * 39, [truth] * 40, np.array([0.5, 2.0, 4.0]))
    assert counted.doubtful().tolist() == []
    both = np.where(scores > 0, 3.0, 0)  # region and false positive appear at once, in one frame of 40, or of two
    rare = found_regions([both] + [0 * truth] * 39, [truth] * 40, np.array([0.5, 2.0, 4.0]))
    assert rare.doubtful().tolist() == []  # 1/40 times 1/40
    common = found_regions([both, 3 * truth], [truth] * 2, np.array([0.5, 2.0, 4.0]))
    assert common.doubtful().tolist() == [3.0]


def test_steps_over_many_false_positives_are_halved_though_no_region_is_found():
    truth, scores = np.zeros(SIZE, int), np.zeros(SIZE)
    truth[:2, :2] = 1
    scores[:2, :2], scores[6, 8] = 3, 1
    counted = found_regions([scores] * 10, [truth] * 10, np.array([0.5, 2.0, 4.0]))  # from 0 to 1 per frame
    assert counted.doubtful().tolist() == [1.25]


def test_scores_below_zero_are_counted_like_those_above():
    maps, objects = smooth_footage(1)
    found = [
        localisation.found_regions(lambda by=by: footage_of([m - by for m in maps], objects), np.stack(maps) - by)
        for by in (0, 64)  # a power of two: the scores stay apart
    ]
    assert (found[0].thresholds.max(), found[1].thresholds.max()) > (0, -64)
    assert found[1].thresholds.max() < 0
    assert found[1].rbdc() == pytest.approx(found[0].rbdc(), abs=1e-6)
    assert found[1].tbdc() == pytest.approx(found[0].tbdc(), abs=1e-6)


def test_a_whole_frame_found_at_once_finds_nothing_after_too_many_false_positives():
    truth, scores = np.zeros(SIZE, int), np.full(SIZE, 1.0)
    truth[:3, :3] = 1  # 9 of 63 pixels: the whole frame overlaps it by more than a tenth
    scores[6, ::4] = 2  # three false positives
    assert found_regions([scores], [truth], np.array([1.0, 2.0])).rbdc() == 0
    assert found_regions([scores], [truth], np.array([1.0])).rbdc() == 1


def test_the_area_is_that_of_trapezoids_from_the_origin_held_at_the_last_rate():
    false, rates = np.array([0.2, 0.6, 1.4]), np.array([0.3, 0.5, 0.9])  # the third lies beyond one
    assert localisation._area(false, rates) == pytest.approx(0.2 * 0.3 / 2 + 0.4 * (0.3 + 0.5) / 2 + 0.4 * 0.5)


def test_scores_that_are_the_truth_find_every_region_and_track():
    _, objects = footage(1)
    counted = found_regions([truth.astype(float) for truth in objects], objects, np.array([0.5]))
    assert (counted.rbdc(), counted.tbdc()) == (1, 1)


def test_a_track_is_found_by_a_tenth_of_its_regions_and_a_region_by_a_tenth_of_overlap():
    truth = np.zeros(SIZE, int)
    truth[1:3, 1:6] = 1  # 10 pixels
    one, nothing = np.zeros(SIZE), np.zeros(SIZE)
    one[1, 1] = 1  # overlap: 1 of 10
    ten = found_regions([one] + [nothing] * 9, [truth] * 10, np.array([1.0]))
    assert (ten.rbdc(), ten.tbdc()) == (pytest.approx(0.1), 1)
    eleven = found_regions([one] + [nothing] * 10, [truth] * 11, np.array([1.0]))
    assert (eleven.rbdc(), eleven.tbdc()) == (pytest.approx(1 / 11), 0)
    one[0, 0] = 1  # the same region, now 1 of 11
    missed = found_regions([one] + [nothing] * 9, [truth] * 10, np.array([1.0]))
    assert (missed.rbdc(), missed.tbdc()) == (0, 0)


def test_false_positives_move_the_area_to_the_right():
    truth, scores = np.zeros(SIZE, int), np.zeros(SIZE)
    truth[:2, :2] = 1
    scores[:2, :2], scores[5, 5] = 1, 2  # first a false positive in each of two frames, then the region as well
    counted = found_regions([scores, scores, 0 * scores, 0 * scores], [truth] * 4, np.array([1.0, 2.0]))
    assert counted.rbdc() == pytest.approx(0.5 * (1 - 0.5))  # 2 of 4 regions, from 0.5 false positives a frame


def test_the_same_number_in_two_clips_is_two_tracks_and_without_clips_there_are_none():
    truth = np.zeros(SIZE, int)
    truth[:2, :2] = 1
    counted = FoundRegions(np.array([0.5]))
    counted.add(truth.astype(float), numbered(truth), "Test001")
    counted.add(np.zeros(SIZE), numbered(truth), "Test002")
    assert counted.tbdc() == pytest.approx(0.5)
    untracked = FoundRegions(np.array([0.5]))
    untracked.add(truth.astype(float), numbered(truth))
    assert (untracked.rbdc(), untracked.tbdc()) == (1, None)
