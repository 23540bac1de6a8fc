import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from maam_lib.metrics import MetricError, equal_error_rate, roc_auc

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


@pytest.mark.parametrize("metric", [roc_auc, equal_error_rate])
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
