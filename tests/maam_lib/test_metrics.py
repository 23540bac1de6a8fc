import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maam_lib.metrics import (
    PROTOCOLS,
    MetricError,
    average_precision,
    clip_aucs,
    equal_error_point,
    equal_error_rate,
    measure,
    normalise_per_clip,
    roc_auc,
)
from tests import reference

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=25).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@given(rows=ROWS)
@settings(deadline=None, max_examples=80)
def test_auc_counts_pairs_and_ties_as_half(rows: list[tuple[bool, int]]):
    labels, scores = ([int(row[0]) for row in rows], [float(row[1]) for row in rows])
    assert roc_auc(np.array(labels), np.array(scores)) == pytest.approx(reference.roc_auc(labels, scores))


@given(rows=ROWS)
@settings(deadline=None, max_examples=25)
def test_eer_is_where_a_walk_along_the_curve_finds_it(rows: list[tuple[bool, int]]):
    labels, scores = ([int(row[0]) for row in rows], [float(row[1]) for row in rows])
    expected = reference.equal_error_rate(labels, scores, steps=2000)
    assert equal_error_rate(np.array(labels), np.array(scores)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("scores", "auc", "eer"),
    [
        ([0.1, 0.2, 0.8, 0.9], 1.0, 0.0),  # perfect
        ([0.9, 0.8, 0.2, 0.1], 0.0, 1.0),  # reversed
        ([0.5, 0.5, 0.5, 0.5], 0.5, 0.5),  # constant
        ([0.1, 0.8, 0.2, 0.9], 0.75, 0.5),  # one pair of four in the wrong order
    ],
)
def test_known_cases(scores: list[float], auc: float, eer: float):
    labels = np.array([0, 0, 1, 1])
    assert roc_auc(labels, np.array(scores)) == pytest.approx(auc)
    assert equal_error_rate(labels, np.array(scores)) == pytest.approx(eer)


@given(rows=ROWS)
@settings(deadline=None, max_examples=50)
def test_the_threshold_of_the_eer_lies_where_the_rates_cross(rows: list[tuple[bool, int]]):
    labels, scores = np.array([row[0] for row in rows], int), np.array([row[1] for row in rows], float)
    rate, threshold = equal_error_point(labels, scores)
    assert rate == equal_error_rate(labels, scores)
    assert scores.min() <= threshold <= scores.max()

    def misses_and_alarms(found: np.ndarray) -> tuple[float, float]:
        return 1 - found[labels == 1].mean(), found[labels == 0].mean()

    misses, alarms = misses_and_alarms(scores >= scores[scores <= threshold].max())  # at it or just below
    assert alarms >= misses - 1e-12
    misses, alarms = misses_and_alarms(scores > threshold)
    assert alarms <= misses + 1e-12


def test_the_threshold_is_interpolated_like_the_rate():
    labels, scores = np.array([0, 0, 1, 1, 0, 1]), np.array([1.0, 2, 3, 4, 6, 8])
    rate, threshold = equal_error_point(labels, scores)  # 6: misses 2/3, alarms 1/3; 4: 1/3 both
    assert (rate, threshold) == (pytest.approx(1 / 3), pytest.approx(4))
    labels, scores = np.array([0, 0, 1, 1]), np.array([1.0, 3, 3, 5])  # 5: 1/2, 0; 3: 0, 1/2
    assert equal_error_point(labels, scores) == (pytest.approx(1 / 4), pytest.approx(4))


def test_average_precision_is_the_mean_precision_at_the_abnormal_frames():
    labels, scores = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    assert average_precision(labels, scores) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(labels, np.zeros(5)) == pytest.approx(2 / 5)  # chance


# Protocols

CLIPS = np.array(["b", "b", "b", "a", "a", "a", "c", "c"])
LABELS = np.array([0, 1, 0, 1, 0, 1, 1, 1])
SCORES = np.array([1.0, 9, 2, 30, 20, 10, 5, 7])


def test_each_clip_is_brought_to_0_and_1_wherever_its_frames_stand():
    scaled = [0, 1, 1 / 8, 1, 1 / 2, 0, 0, 1]
    np.testing.assert_allclose(normalise_per_clip(SCORES, CLIPS), scaled)
    order = np.random.default_rng(0).permutation(8)
    np.testing.assert_allclose(normalise_per_clip(SCORES[order], CLIPS[order]), np.array(scaled)[order])


def test_protocols_differ_as_their_names_say():
    micro, per_clip, macro, padded = (measure(LABELS, SCORES, CLIPS, protocol) for protocol in PROTOCOLS)
    assert micro["auc"] == pytest.approx(reference.roc_auc(LABELS.tolist(), SCORES.tolist()))
    assert micro["average_precision"] == average_precision(LABELS, SCORES)
    assert (micro["eer"], micro["eer_threshold"]) == equal_error_point(LABELS, SCORES)
    scaled = normalise_per_clip(SCORES, CLIPS)
    assert per_clip["auc"] == pytest.approx(reference.roc_auc(LABELS.tolist(), scaled.tolist()))
    assert (per_clip["eer"], per_clip["eer_threshold"]) == equal_error_point(LABELS, scaled)
    assert macro == {"auc": pytest.approx((1 + 1 / 2) / 2), "clips": 2, "single_class_clips": 1}
    assert padded["auc"] == pytest.approx((5 / 6 + 1 + 1) / 3)  # a, b, c: see the next test
    assert (padded["clips"], padded["single_class_clips"]) == (3, 0)


def test_a_padded_clip_has_a_normal_frame_at_the_lowest_and_an_abnormal_one_at_the_highest_score_of_all():
    # a: abnormal 30, 10 and the highest, 30; normal 20 and the lowest, 1: 5 of 6 pairs, but the pair 10, 20
    # b: abnormal 9 and 30; normal 1, 2 and 1: all pairs.  c: abnormal 5, 7 and 30; normal 1: all pairs
    np.testing.assert_allclose(clip_aucs(LABELS, SCORES, CLIPS, padded=True), [5 / 6, 1, 1])
    np.testing.assert_array_equal(clip_aucs(LABELS, SCORES, CLIPS), [1 / 2, 1, np.nan])  # c has no normal frame
    lowest = np.where((CLIPS == "c") & (np.arange(8) == 6), 1.0, SCORES)  # ties with the normal frame that is added
    np.testing.assert_allclose(clip_aucs(LABELS, lowest, CLIPS, padded=True), [5 / 6, 1, 2.5 / 3])


def test_whole_numbers_are_brought_to_0_and_1_as_numbers():
    scaled = normalise_per_clip(SCORES.astype(int), CLIPS)
    np.testing.assert_array_equal(scaled, normalise_per_clip(SCORES, CLIPS))
    assert scaled[2] == 1 / 8
    whole = measure(LABELS, SCORES.astype(int), CLIPS, "micro_per_clip")
    assert whole == measure(LABELS, SCORES, CLIPS, "micro_per_clip")
    np.testing.assert_array_equal(normalise_per_clip(np.array([-4, -2, 0]), np.array(["a"] * 3)), [0, 0.5, 1])


def test_macro_without_a_clip_of_both_classes_has_no_auc():
    macro = measure(np.array([0, 0, 1, 1]), np.arange(4.0), np.array(["a", "a", "b", "b"]), "macro")
    assert macro == {"auc": None, "clips": 0, "single_class_clips": 2}


def test_an_unknown_protocol_is_named():
    with pytest.raises(MetricError, match="no protocol 'mean'; there are micro, micro_per_clip, macro"):
        measure(LABELS, SCORES, CLIPS, "mean")


@pytest.mark.parametrize("metric", [roc_auc, equal_error_rate, average_precision])
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], r"labels of both classes 0 and 1, found \[1\]"),
        ([0, 2], [0.1, 0.2], r"found \[0, 2\]"),
        ([], [], r"found \[\]"),
        ([0, 1, 1], [0.1, 0.2], r"found \(3,\) labels and \(2,\) scores"),
        ([[0, 1]], [[0.1, 0.2]], r"found \(1, 2\) labels"),
        ([0, 1, 1], [0.1, np.nan, np.inf], "2 of 3 scores are not finite"),
    ],
)
def test_unusable_labels_and_scores_are_named(metric, labels: list, scores: list, message: str):
    with pytest.raises(MetricError, match=message):
        metric(np.array(labels), np.array(scores))
