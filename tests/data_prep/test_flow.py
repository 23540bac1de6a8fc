"""Flow estimators: units, sign, colour, sameness on any number of threads."""

import cv2
import numpy as np
import pytest

from data_prep.flow import FLOW_ESTIMATORS, estimate_flow, flow_settings


def shifted_pair(shift: tuple[int, int], size: tuple[int, int] = (96, 144)) -> tuple[np.ndarray, np.ndarray]:
    """Two uint8 (H, W, 1) frames; what is at (x, y) in the first is at (x + dx, y + dy) in the second."""
    random = np.random.default_rng(3)
    dx, dy = shift
    texture = cv2.GaussianBlur(random.random((size[0] + 16, size[1] + 16)), (0, 0), 2)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    first = texture[8 : 8 + size[0], 8 : 8 + size[1]]
    second = texture[8 - dy : 8 - dy + size[0], 8 - dx : 8 - dx + size[1]]
    return first[..., None], second[..., None]


@pytest.mark.parametrize("name", FLOW_ESTIMATORS)
def test_flow_is_the_shift_in_pixels(name: str) -> None:
    flow = estimate_flow(name, *shifted_pair((2, -1)))
    assert flow.dtype == np.float32
    assert flow.shape == (96, 144, 2)
    inner = flow[16:-16, 16:-16]
    np.testing.assert_allclose(np.median(inner, axis=(0, 1)), [2, -1], atol=0.15)


@pytest.mark.parametrize("name", FLOW_ESTIMATORS)
def test_smallest_frames_have_flow(name: str) -> None:
    assert np.isfinite(estimate_flow(name, *shifted_pair((1, 0), (16, 16)))).all()


@pytest.mark.parametrize("name", FLOW_ESTIMATORS)
def test_flow_is_the_same_on_any_number_of_threads(name: str) -> None:
    pair = shifted_pair((2, 1), (240, 360))
    before = cv2.getNumThreads()
    try:
        flows = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            flows.append(estimate_flow(name, *pair))
            assert cv2.getNumThreads() == threads  # left as it was
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*flows)


def test_colour_goes_to_gray_first() -> None:
    first, second = shifted_pair((2, 0))
    gray = estimate_flow("dis", first, second)
    np.testing.assert_array_equal(estimate_flow("dis", first.repeat(3, 2), second.repeat(3, 2)), gray)
    red = np.zeros((96, 144, 3), np.uint8)
    red[..., 0] = first[..., 0]
    moved = np.roll(red, 2, axis=1)
    assert np.median(estimate_flow("dis", red, moved)[16:-16, 16:-16, 0]) == pytest.approx(2, abs=0.15)


def test_finest_scale_finds_what_a_small_object_does() -> None:
    """A block of 6 pixels that moves by one pixel: "dis" stops at half the size and blurs it away."""
    first = shifted_pair((0, 0), (60, 90))[0] // 8
    second = first.copy()
    first[30:36, 40:46] = 255
    second[30:36, 41:47] = 255
    found = {name: estimate_flow(name, first, second)[31:35, 41:45, 0].mean() for name in ("dis", "dis-fine")}
    assert found["dis-fine"] == pytest.approx(1, abs=0.3)
    assert found["dis"] < found["dis-fine"]


def test_settings_tell_estimators_apart() -> None:
    settings = [flow_settings(name) for name in (*FLOW_ESTIMATORS, "exact")]
    assert all(settings.count(one) == 1 for one in settings)


def test_unknown_estimator_and_unequal_frames_are_refused() -> None:
    first, second = shifted_pair((1, 0))
    with pytest.raises(ValueError, match=r"no flow estimator 'raft'; there are dis, "):
        estimate_flow("raft", first, second)
    with pytest.raises(ValueError, match="one size"):
        estimate_flow("dis", first, second[:-1])
