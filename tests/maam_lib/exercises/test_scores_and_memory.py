"""What the holes and exercises of the chapters 04, 05, 07 and 08 expect, by hand; and that near misses are wrong."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from maam_lib import memory, pscd
from maam_lib.analysis import Recall
from maam_lib.detector import TrainingScores
from maam_lib.exercises import check
from maam_lib.exercises import memory_and_scores as method
from maam_lib.exercises import playground_and_camera as practice
from maam_lib.model import MAAMNet
from maam_lib.windows import patch_bounds


def untouched(*_: Any) -> Any:
    return ...


@pytest.mark.parametrize("number", ["04.a", "05.a", "05.b", "05.c", "05.d", "07.a", "08.a", "08.b"])
def test_a_chapter_runs_on_with_an_open_hole(number: str) -> None:
    verdict = check(number, untouched)
    assert not verdict.passed
    assert "replace the ..." in verdict.line
    assert callable(verdict.go_on_with)
    assert check(number, verdict.go_on_with).passed


def test_holes_that_need_the_network_run_on_too() -> None:
    net = MAAMNet(1, 7, base_channels=4).eval()
    query = torch.rand(2, 32, 2, 3)
    recalled = Recall([], query, query.flip(1), torch.full((2, 7, 2, 3), 1 / 7))
    for number, given in {"04.b": net, "04.c": recalled}.items():
        verdict = check(number, untouched, given)
        assert not verdict.passed
        assert check(number, verdict.go_on_with, given).passed


def mean_entropy(weights: torch.Tensor) -> torch.Tensor:
    return memory.entropy(weights).double().mean().exp()


def fuse_after_the_maximum(appearance: np.ndarray, motion: np.ndarray, psi: float) -> tuple[np.ndarray, float]:
    fused = pscd.fuse(appearance, motion, psi)
    return fused, psi * appearance.max() + (1 - psi) * motion.max()


def psi_of_means(appearance: np.ndarray, motion: np.ndarray) -> float:
    return motion.mean() / (appearance.mean() + motion.mean())


def without_the_last_row(error: np.ndarray, rows: Any, columns: Any) -> np.ndarray:
    return np.array([[error[t : b - 1, left:r].sum() for left, r in columns] for t, b in rows])


def rates_among_all(normal: np.ndarray, quantile: float, labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    raised = scores >= np.quantile(normal, quantile)
    return (raised & (labels == 1)).mean(), (raised & (labels == 0)).mean()


def without_the_corner(integral: np.ndarray, y: int, x: int, height: int, width: int) -> float:
    return integral[y + height, x + width] - integral[y, x + width] - integral[y + height, x]


def by_the_video(scores: np.ndarray, training: TrainingScores) -> np.ndarray:
    return pscd.normalise(scores)


def share_of_a_day(training: TrainingScores, alarms_per_hour: float) -> float:
    return training.exceeded_by(min(1, alarms_per_hour * 0.2 / 86400))


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("04.a", mean_entropy),
        ("05.a", without_the_last_row),
        ("05.b", psi_of_means),
        ("05.c", fuse_after_the_maximum),
        ("05.d", rates_among_all),
        ("07.a", without_the_corner),
        ("08.a", by_the_video),
        ("08.b", share_of_a_day),
    ],
)
def test_near_misses_are_wrong(number: str, answer: Callable[..., Any]) -> None:
    assert not check(number, answer).passed


def test_effective_items_by_hand() -> None:
    weights = torch.tensor([0.5, 0.25, 0.25, 0.0]).reshape(1, 4, 1, 1)  # entropy (1/2) ln 2 + (1/2) ln 4 = 1.5 ln 2
    assert method.effective_items(weights) == pytest.approx(2**1.5)


def test_one_item_decoded_reads_it_everywhere() -> None:
    net = MAAMNet(1, 3, base_channels=4).eval()
    item = torch.randn(32)
    frame, flow = method.decoded_alone(net, item, (32, 48))
    assert (tuple(frame.shape), tuple(flow.shape)) == ((1, 1, 32, 48), (1, 2, 32, 48))
    with torch.no_grad():
        _, sizes = net.encode(torch.rand(1, 1, 32, 48))
        expected, _ = net.decode(item.reshape(1, 32, 1, 1) * torch.ones(1, 1, 2, 3), sizes)
    assert torch.equal(frame, expected)


def test_patch_sums_are_those_of_algorithm_1() -> None:
    error = np.random.default_rng(0).random((20, 17))
    spans = [list(zip(*ends, strict=True)) for ends in patch_bounds((20, 17), (6, 4))]
    expected = pscd.patch_sums(torch.from_numpy(error)[None], (6, 4))[0].numpy()
    np.testing.assert_allclose(method.sums_of_patches(error, *spans), expected)


def test_psi_gives_both_branches_the_same_spread() -> None:
    appearance, motion = (
        np.array([0.0, 2.0]),
        np.array([0.0, 6.0]),
    )
    # standard deviations 1 and 3: psi * 1 = (1 - psi) * 3
    assert method.psi_of_equal_spread(appearance, motion) == pytest.approx(0.75)


def test_rates_by_hand() -> None:
    labels, scores = np.array([0, 0, 1, 1, 1]), np.array([1.0, 5, 5, 2, 9])
    assert method.rates_at_quantile(np.array([3.0, 4, 5]), 0.5, labels, scores) == pytest.approx((2 / 3, 1 / 2))


def test_an_alarm_is_where_its_patches_are() -> None:
    found = method.place_of_alarm(np.array([[1.0, 3.0]]), 2.0, [(1, 3)], [(0, 2), (2, 4)], (4, 5))
    assert np.argwhere(found).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]


def test_four_readings_make_the_sum_of_a_patch() -> None:
    assert practice.sum_from_corners(practice.INTEGRAL, 2, 5, 6, 6) == pytest.approx(practice.MAP[2:8, 5:11].sum())


def test_a_threshold_for_alarms_by_hand() -> None:
    training = TrainingScores(frames=100, low=0.0, high=10.0, tail_start=6.0, tail_mean=2.0)
    # one alarm an hour is 0.2 of 3600 seconds; 0.1 divided by that share is 1800
    assert practice.threshold_by_alarms(training, 1.0) == pytest.approx(6 + 2 * math.log(1800))
    assert practice.threshold_by_alarms(training, 5000.0) == 6.0


def test_alarms_are_spans_that_last() -> None:
    counts = [practice.alarms_in(practice.ON_AND_OFF, 2.0, shortest) for shortest in (1, 2, 3, 4)]
    assert counts == [4, 3, 1, 0]
