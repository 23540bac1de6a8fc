import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maam_lib import pscd
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.playground import integral_maps
from maam_lib.playground.integral_maps import IntegralMaps, KeptErrorsError, keep_errors
from maam_lib.windows import patch_bounds

SIDES = st.integers(1, 12)
PAIRS = st.tuples(SIDES, SIDES)


def kept(errors: np.ndarray) -> IntegralMaps:
    """Error maps (T, H, W) taken in by two batches."""
    maps = IntegralMaps.empty(errors.shape[1:], len(errors))
    maps.keep(0, errors[:1])
    maps.keep(1, errors[1:])
    return maps


def random_errors(*shape: int, seed: int = 0) -> np.ndarray:
    """Errors as they are: most near zero, a few large."""
    return (np.random.default_rng(seed).random(shape) ** 6).astype(np.float32)


@given(size=PAIRS, patch=PAIRS, stride=PAIRS, padding=st.sampled_from(["same", "valid"]))
@settings(deadline=None, max_examples=80)
def test_sums_are_those_of_pscd(size: tuple, patch: tuple, stride: tuple, padding: str):
    """Patches larger than the frame included; the frames stand last."""
    errors = random_errors(3, *size)
    if padding == "valid":
        patch = tuple(min(pair) for pair in zip(patch, size, strict=True))
    expected = pscd.patch_sums(torch.from_numpy(errors), patch, stride, padding).numpy()
    found, largest = kept(errors).patch_sums(patch, stride, padding)
    np.testing.assert_array_equal(largest, found.max(axis=(0, 1)))
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), expected, rtol=1e-4, atol=1e-7 * errors.sum())


@pytest.mark.parametrize("patch", [(15, 10), (7, 30), (1, 1), (120, 180)])
def test_sums_of_frames_of_ped2s_size_are_those_of_pscd_to_a_ten_thousandth(patch: tuple[int, int]):
    errors = random_errors(4, 120, 180)
    expected = pscd.patch_sums(torch.from_numpy(errors), patch).numpy()
    found = np.moveaxis(kept(errors).patch_sums(patch)[0], -1, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-9 * errors.sum(axis=(1, 2)).max())
    np.testing.assert_allclose(found.max(axis=(1, 2)), expected.max(axis=(1, 2)), rtol=1e-6)


@given(size=PAIRS, patch=PAIRS, stride=PAIRS, padding=st.sampled_from(["same", "valid"]))
@settings(deadline=None, max_examples=60)
def test_sums_of_errors_with_a_sign_are_those_of_pscd(size: tuple, patch: tuple, stride: tuple, padding: str):
    """Errors of a speed: of both signs; all below 0 (second frame); cancelling over the frame (third)."""
    errors = random_errors(3, *size) * np.random.default_rng(1).choice([-1, 1], (3, *size)).astype(np.float32)
    errors[1] = -np.abs(errors[1])
    errors[2] -= errors[2].mean()
    if padding == "valid":
        patch = tuple(min(pair) for pair in zip(patch, size, strict=True))
    maps, most = kept(errors), np.abs(errors).sum(axis=(1, 2)).max()
    expected = pscd.patch_sums(torch.from_numpy(errors), patch, stride, padding).numpy()
    found, largest = maps.patch_sums(patch, stride, padding)
    np.testing.assert_array_equal(largest, found.max(axis=(0, 1)))
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), expected, rtol=1e-4, atol=1e-6 * most)
    np.testing.assert_allclose(maps.error(2), errors[2], atol=1e-8 * most)


def test_a_frame_without_error_has_sums_of_zero():
    errors = np.zeros((2, 6, 8), np.float32)
    errors[1] = 1
    sums, _ = kept(errors).patch_sums((3, 4))
    assert (sums[..., 0] == 0).all()
    assert sums[..., 1].max() == 12


def test_a_frame_whose_errors_are_huge_does_not_overflow():
    errors = np.full((2, 40, 50), 3e33, np.float32)
    np.testing.assert_allclose(kept(errors).patch_sums((40, 50), (1, 1), "valid")[0], 3e33 * 2000, rtol=1e-6)


def test_error_maps_can_be_read_back():
    errors = random_errors(3, 20, 30)
    np.testing.assert_allclose(kept(errors).error(2), errors[2], atol=2e-9 * errors[2].sum())


def test_smaller_sums_do_not_disturb_larger_ones_that_come_after():
    """All sums share one piece of memory."""
    maps = kept(random_errors(2, 12, 12))
    first = maps.patch_sums((4, 4), (1, 1))[0].copy()
    maps.patch_sums((6, 6), (3, 3))
    np.testing.assert_array_equal(maps.patch_sums((4, 4), (1, 1))[0], first)


def test_bounds_are_cut_at_the_border():
    (tops, bottoms), (lefts, rights) = patch_bounds((5, 4), (3, 2), (2, 2))
    assert (tops.tolist(), bottoms.tolist()) == ([0, 1, 3], [2, 4, 5])
    assert (lefts.tolist(), rights.tolist()) == ([0, 2], [2, 4])


def zero_answer(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros_like(frames), torch.zeros(len(frames), 2, *frames.shape[2:])


def test_errors_of_chosen_frames_keep_their_keys(scene: PreparedDataset):
    dataset = FrameFlowDataset(scene, "test")
    maps = keep_errors(zero_answer, dataset, frames=[3, 45], batch_size=1)
    assert maps.keys == [dataset.keys()[3], dataset.keys()[45]]
    frames, flow = dataset.__getitems__([45])
    np.testing.assert_allclose(maps.motion.error(1), flow.abs().sum(1)[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(maps.appearance.error(1), frames.square().sum(1)[0], rtol=1e-4, atol=1e-6)


def test_frames_of_a_clip_stand_together(scene: PreparedDataset):
    maps = keep_errors(zero_answer, FrameFlowDataset(scene, "test"))
    second = scene.clips("test")[1]
    assert {clip for clip, _ in maps.keys[maps.frames_of(second)]} == {second}
    assert maps.frames_of(second) == slice(39, 78)


def test_errors_that_do_not_fit_into_memory_are_refused_first(scene: PreparedDataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(integral_maps, "MOST_BYTES", 1e6)
    with pytest.raises(KeptErrorsError, match=r"78 frames at 48x64 need .* choose some clips"):
        keep_errors(zero_answer, FrameFlowDataset(scene, "test"))
