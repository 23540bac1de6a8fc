from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from maam_lib import pscd
from maam_lib.fast import patches
from tests import reference

SIDES = st.integers(1, 12)
PAIRS = st.tuples(SIDES, SIDES)
WAYS = pytest.mark.parametrize("few_rows", [10**6, 0], ids=["matrix product", "running sums"])


def random_error(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_pair(height: int = 13, width: int = 17) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Frames and flow with what a network might make of them, batch 3."""
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(3, c, height, width, generator=generator, dtype=torch.float64) for c in (3, 3, 2, 2))


@pytest.mark.parametrize(
    ("patch", "stride"),
    [((30, 20), (8, 5)), ((85, 40), (21, 10)), ((20, 28), (5, 7)), ((2, 1), (1, 1)), ((6, 10), (2, 3))],
)
def test_default_stride_is_a_quarter_of_the_patch(patch: tuple[int, int], stride: tuple[int, int]):
    assert pscd.default_stride(patch) == stride


@WAYS
@given(size=PAIRS, patch=PAIRS, stride=PAIRS)
@settings(deadline=None, max_examples=60)
def test_same_patch_sums_are_sums_over_loops(few_rows: int, size: tuple, patch: tuple, stride: tuple):
    """Patches larger than the frame included."""
    errors = random_error(2, *size)
    with mock.patch.object(patches, "FEW_ROWS", few_rows):
        found = pscd.patch_sums(errors, patch, stride, "same")
    expected = [reference.patch_sums(error, patch, stride, "same") for error in errors.numpy()]
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-11, atol=1e-12)


@WAYS
@given(data=st.data(), size=PAIRS, stride=PAIRS)
@settings(deadline=None, max_examples=40)
def test_valid_patch_sums_are_sums_over_loops(few_rows: int, data: st.DataObject, size: tuple, stride: tuple):
    patch = tuple(data.draw(st.integers(1, side)) for side in size)
    errors = random_error(2, *size)
    with mock.patch.object(patches, "FEW_ROWS", few_rows):
        found = pscd.patch_sums(errors, patch, stride, "valid")
    expected = [reference.patch_sums(error, patch, stride, "valid") for error in errors.numpy()]
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-11, atol=1e-12)


@given(data=st.data(), size=PAIRS, stride=PAIRS, padding=st.sampled_from(["same", "valid"]))
@settings(deadline=None, max_examples=40)
def test_patch_sums_with_gradients_are_those_without(data: st.DataObject, size: tuple, stride: tuple, padding: str):
    """OpenCV's way on a CPU, and PyTorch's, which serves gradients, GPUs and export."""
    patch = tuple(data.draw(st.integers(1, side)) for side in size)
    errors = random_error(2, *size)
    with mock.patch.object(patches, "FEW_ROWS", 0):
        plain = pscd.patch_sums(errors, patch, stride, padding)
        through_torch = pscd.patch_sums(errors.clone().requires_grad_(), patch, stride, padding)
    torch.testing.assert_close(plain, through_torch.detach(), rtol=1e-11, atol=1e-12)
    assert through_torch.requires_grad


def test_patch_sums_have_gradients_and_keep_half_precision():
    """The gradient of a pixel is the number of patches that it belongs to, where OpenCV would lose it."""
    errors = random_error(1, 60, 90).requires_grad_()
    pscd.patch_sums(errors, (15, 10), (1, 1), "valid").sum().backward()
    assert errors.grad.max() == 15 * 10
    assert errors.grad[0, 0, 0] == 1
    assert pscd.patch_sums(errors.detach().bfloat16(), (15, 10)).dtype == torch.bfloat16


def test_patch_sums_are_the_dense_convolution_at_every_stride():
    """The sums of float32 errors equal Algorithm 1's Conv2d with a filter of ones."""
    errors = random_error(2, 60, 90).float()
    ones = torch.ones(1, 1, 15, 10, dtype=torch.float64)
    dense = F.conv2d(errors.double()[:, None], ones)[:, 0]
    torch.testing.assert_close(pscd.patch_sums(errors, (15, 10), (1, 1), "valid"), dense.float())
    torch.testing.assert_close(pscd.patch_sums(errors, (15, 10), (4, 3), "valid"), dense[:, ::4, ::3].float())


def test_a_valid_patch_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="a patch side of 9 pixels does not fit into a frame side of 8"):
        pscd.patch_sums(random_error(1, 8, 20), (9, 4), padding="valid")


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_score_maps_are_algorithm_1(padding: str):
    frames, frame_hat, flow, flow_hat = random_pair()
    maps = pscd.score_maps(frames, frame_hat, flow, flow_hat, patch=(6, 4), psi=0.3, padding=padding)
    for b in range(3):
        appearance = ((frames[b] - frame_hat[b]) ** 2).sum(0).numpy()
        motion = (flow[b] - flow_hat[b]).abs().sum(0).numpy()
        e_app, e_mot = (reference.patch_sums(e, (6, 4), (2, 1), padding) for e in (appearance, motion))
        np.testing.assert_allclose(maps.appearance[b], e_app, rtol=1e-11)
        np.testing.assert_allclose(maps.motion[b], e_mot, rtol=1e-11)
        np.testing.assert_allclose(maps.fused[b], 0.3 * e_app + 0.7 * e_mot, rtol=1e-11)
        assert maps.scores[b].item() == pytest.approx((0.3 * e_app + 0.7 * e_mot).max(), rel=1e-11)


def test_of_a_predicted_speed_the_motion_error_has_a_sign():
    """5 pixels per frame where 2 are predicted count 3; 1 where nothing moves, -1; patches of one pixel and of both."""
    frames = torch.zeros(1, 1, 1, 2)
    flow = torch.tensor([[3.0, 0.0], [-4.0, 0.0]]).view(1, 2, 1, 2)
    speed_hat = torch.tensor([2.0, 1.0]).view(1, 1, 1, 2)
    appearance, motion = pscd.error_maps(frames, frames + 1, flow, speed_hat)
    assert (appearance.tolist(), motion.tolist()) == ([[[1, 1]]], [[[3, -1]]])
    alone, both = (
        pscd.score_maps(frames, frames + 1, flow, speed_hat, patch=(1, w), stride=(1, w), psi=0.25, padding="valid")
        for w in (1, 2)
    )
    assert (alone.motion.tolist(), alone.scores.tolist()) == ([[[3, -1]]], [0.25 * 1 + 0.75 * 3])
    assert (both.motion.tolist(), both.scores.tolist()) == ([[[2]]], [0.25 * 2 + 0.75 * 2])


def test_where_everything_is_slower_than_predicted_the_score_is_below_zero():
    still, speed_hat = torch.zeros(1, 2, 9, 9), torch.full((1, 1, 9, 9), 0.5)
    maps = pscd.score_maps(torch.zeros(1, 1, 9, 9), torch.zeros(1, 1, 9, 9), still, speed_hat, patch=(3, 3), psi=0.5)
    assert maps.scores.item() == maps.motion.max() / 2 == -0.5 * 4 / 2  # at a corner, the patch is partly empty


@pytest.mark.parametrize(("psi", "branch"), [(1.0, "appearance"), (0.0, "motion")])
def test_psi_of_one_or_zero_is_one_branch(psi: float, branch: str):
    maps = pscd.score_maps(*random_pair(), patch=(6, 4), psi=psi)
    assert torch.equal(maps.fused, getattr(maps, branch))
    assert torch.equal(maps.scores, getattr(maps, branch).amax(dim=(1, 2)))


def test_scores_of_a_batch_are_those_of_its_frames():
    pair = random_pair()
    together = pscd.score_maps(*pair, patch=(5, 7), psi=0.5).scores
    alone = [pscd.score_maps(*(x[b : b + 1] for x in pair), patch=(5, 7), psi=0.5).scores for b in range(3)]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("place", [(0, 0), (7, 11), (19, 29), (12, 3)])
def test_boxes_stand_where_their_errors_were(padding: str, place: tuple[int, int]):
    """One wrong pixel: the boxes found are all patches that hold it, and no other."""
    error = torch.zeros(2, 20, 30)
    error[1, place[0], place[1]] = 1
    patch, stride = (5, 4), (2, 1)
    fused = pscd.patch_sums(error, patch, stride, padding)
    found = pscd.localise(fused, 0.5, (20, 30), patch=patch, stride=stride, padding=padding)
    covered = fused[1].any().item()  # a border pixel may lie in no whole patch
    assert found[1, place[0], place[1]] == covered
    assert covered or padding == "valid"
    assert not found[0].any()
    rows, columns = found[1].nonzero().T
    assert ((rows - place[0]).abs() < patch[0]).all()
    assert ((columns - place[1]).abs() < patch[1]).all()


@pytest.mark.parametrize(("padding", "corner"), [("valid", (6, 8)), ("same", (5, 6))])
def test_one_patch_at_the_threshold_is_one_box(padding: str, corner: tuple[int, int]):
    """patch 4x6, stride 3x4, frame 20x30: "same" pads (1, 2) before, "valid" none."""
    fused = torch.zeros(1, 7, 8) if padding == "same" else torch.zeros(1, 6, 7)
    fused[0, 2, 2] = 3.0
    found = pscd.localise(fused, 3.0, (20, 30), patch=(4, 6), stride=(3, 4), padding=padding)
    expected = torch.zeros(1, 20, 30, dtype=torch.bool)
    expected[0, corner[0] : corner[0] + 4, corner[1] : corner[1] + 6] = True
    assert torch.equal(found, expected)


def test_boxes_at_the_border_are_cut_there():
    found = pscd.localise(torch.ones(1, 3, 3), 1.0, (9, 9), patch=(9, 9), stride=(3, 3))
    assert found.all()
    assert found.shape == (1, 9, 9)


@given(data=st.data(), size=PAIRS, patch=PAIRS, stride=PAIRS, padding=st.sampled_from(["same", "valid"]))
@settings(deadline=None, max_examples=60)
def test_a_pixel_reaches_a_threshold_where_something_is_localised(
    data: st.DataObject, size: tuple, patch: tuple, stride: tuple, padding: str
):
    if padding == "valid":
        patch = tuple(min(sides) for sides in zip(patch, size, strict=True))
    where = {"patch": patch, "stride": stride, "padding": padding}
    shift = data.draw(st.sampled_from([0.0, 0.5, 2.0]))  # of a speed, sums may be of either sign, or all below 0
    fused = pscd.patch_sums(random_error(2, *size), **where) - shift
    pixels = pscd.pixel_scores(fused, size, **where)
    assert pixels.shape == (2, *size)
    covered = pscd.localise(fused, -torch.inf, size, **where)
    threshold = data.draw(st.sampled_from(fused.flatten().tolist()))
    for tau in (threshold, threshold + 1e-9):
        assert torch.equal((pixels >= tau) & covered, pscd.localise(fused, tau, size, **where))
        assert shift or not (pixels >= tau)[~covered].any()
    least = fused.amin(dim=(1, 2), keepdim=True).clamp(max=0).expand(-1, *size)
    assert torch.equal(pixels[~covered], least[~covered])


def test_normalise_is_equation_11():
    np.testing.assert_allclose(pscd.normalise(np.array([3.0, 1.0, 2.0])), [1, 0, 0.5])
    np.testing.assert_array_equal(pscd.normalise(np.array([4.0, 4.0])), [0, 0])


def test_classify_is_equation_12():
    classes = pscd.classify(np.array([0.2, 0.5, 0.9]), 0.5)
    np.testing.assert_array_equal(classes, [0, 1, 1])  # the threshold itself is abnormal
    assert classes.dtype == np.uint8
