"""Flow beside DIS: right flow passes, another order, direction, unit and noise are told."""

import re
from typing import Any

import numpy as np
import pytest

from data_prep.flow_agreement import Agreement, compare_with_dis
from data_prep.scenes.synthetic import read_synthetic
from tests.conftest import SMALL_SCENE

SCENE_SIZE = (SMALL_SCENE.height, SMALL_SCENE.width)


def agreement_on_scene(change: Any) -> Agreement:
    """The generated scene's exact flow, changed, beside DIS."""
    clip = read_synthetic(SMALL_SCENE)[0]
    frames, flows = list(clip.frames()), list(clip.flow())
    return compare_with_dis((frames[t], frames[t + 1], change(flows[t])) for t in range(0, 39, 2))


def test_exact_flow_agrees_and_nothing_is_warned_of() -> None:
    agreement = agreement_on_scene(lambda flow: flow)
    assert agreement.pairs == 20
    assert agreement.correlation["as they are"] > 0.7
    assert agreement.still == 0
    assert agreement.warnings(SCENE_SIZE) == []


@pytest.mark.parametrize(
    ("change", "reading"),
    [
        (lambda flow: flow[..., ::-1], "(dy, dx)"),
        (lambda flow: -flow, "from t+1 to t"),
        (lambda flow: -flow[..., ::-1], "(dy, dx) from t+1 to t"),
    ],
)
def test_another_order_or_direction_is_told(change: Any, reading: str) -> None:
    [warning] = agreement_on_scene(change).warnings(SCENE_SIZE)
    assert warning.startswith(f"the vectors fit DIS better as {reading} (correlation 0.")


def test_other_units_are_told_with_a_guess() -> None:
    [warning] = agreement_on_scene(lambda flow: 3 * flow).warnings(SCENE_SIZE)
    plain = agreement_on_scene(lambda flow: flow).scale
    assert f"the vectors are {3 * plain:.2f} times as long" in warning
    assert f"about {round(3 * plain * 48)} {round(3 * plain * 64)})" in warning


def test_noise_is_told() -> None:
    noise = np.random.default_rng(0)
    warnings = agreement_on_scene(lambda flow: noise.normal(0, 1, flow.shape).astype(np.float32)).warnings(SCENE_SIZE)
    assert re.match(r"on still ground the vectors are (0\.9\d|1\.0\d) times as long as where", warnings[0])
    assert "is it the flow of these frames?" in warnings[1]


def test_one_vector_everywhere_is_told_although_people_walk_that_way() -> None:
    agreement = agreement_on_scene(lambda flow: np.zeros_like(flow) + np.float32([1, 0]))
    assert agreement.correlation["as they are"] > 0.5
    assert (
        agreement.warnings(SCENE_SIZE)[0]
        == "on still ground the vectors are 1.00 times as long as where something moves"
    )


def test_no_flow_at_all_is_told() -> None:
    warnings = agreement_on_scene(np.zeros_like).warnings(SCENE_SIZE)
    assert "correlation with DIS only 0.00" in warnings[0]
    assert "0.00 times as long" in warnings[1]


def test_frames_without_motion_tell_nothing() -> None:
    still = np.zeros((32, 32, 1), np.uint8)
    agreement = compare_with_dis([(still, still, np.ones((32, 32, 2), np.float32))])
    assert (agreement.moving_pixels, agreement.scale) == (0, None)
    assert "units and direction could not be checked" in agreement.warnings((32, 32))[0]
