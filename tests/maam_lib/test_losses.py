import numpy as np
import pytest
import torch
from torch import Tensor

from maam_lib import losses, memory
from maam_lib.config import LossSettings
from maam_lib.model import MAAMOutput
from tests import reference


def random_output(seed: int = 0) -> tuple[MAAMOutput, Tensor, Tensor]:
    """An output with its frames (2, 3, 4, 6) and flow (2, 2, 4, 6), and a memory of 7 items; float64."""
    generator = torch.Generator().manual_seed(seed)
    frames, frame_hat, flow, flow_hat, query, read_out, items = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in [(2, 3, 4, 6)] * 2 + [(2, 2, 4, 6)] * 2 + [(2, 5, 2, 3)] * 2 + [(7, 5)]
    )
    weights = memory.address(query.relu(), items)
    return MAAMOutput(frame_hat, flow_hat, query.relu(), read_out, weights), frames, flow


def test_appearance_and_motion_losses_are_means():
    out, frames, flow = random_output()
    appearance = reference.mean_error(frames.numpy(), out.frame_hat.numpy(), 2)
    motion = reference.mean_error(flow.numpy(), out.flow_hat.numpy(), 1)
    assert losses.appearance_loss(frames, out.frame_hat).item() == pytest.approx(appearance, rel=1e-12)
    assert losses.motion_loss(flow, out.flow_hat).item() == pytest.approx(motion, rel=1e-12)


def test_a_predicted_speed_is_compared_with_the_length_of_the_flow():
    """Lengths 5 and 0, predicted 7 and -1: differences of 2 and 1."""
    flow = torch.tensor([[3.0, 0.0], [-4.0, 0.0]]).view(1, 2, 1, 2)  # dx 3, dy -4, and none
    speed_hat = torch.tensor([7.0, -1.0]).view(1, 1, 1, 2)
    assert losses.motion_loss(flow, speed_hat).item() == pytest.approx((2 + 1) / 2)


def test_of_patches_the_means_are_compared_and_each_component_by_itself():
    """Errors of dx that cancel in the patch cost nothing there; those of dy stay."""
    flow = torch.zeros(1, 2, 2, 2)
    flow_hat = torch.tensor([[[1.0, -1.0], [1.0, -1.0]], [[0.5, 0.5], [0.5, 0.5]]])[None]
    assert losses.motion_loss(flow, flow_hat).item() == pytest.approx((1 + 0.5) / 2)
    assert losses.motion_loss(flow, flow_hat, (2, 2)).item() == pytest.approx((0 + 0.5) / 2)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_loss_of_patches_is_that_of_loops(channels: int):
    """Whole patches of 6x9 in 13x17 pixels, 2 apart both ways: 4 x 5 of them, whose last edges are 12 and 17."""
    generator = torch.Generator().manual_seed(3)
    flow, flow_hat = (torch.randn(2, c, 13, 17, generator=generator, dtype=torch.float64) for c in (2, channels))
    truth = flow.numpy() if channels == 2 else np.hypot(*flow.numpy().swapaxes(0, 1))[:, None]
    error = truth - flow_hat.numpy()
    means = [
        error[b, c, y : y + 6, x : x + 9].mean()
        for b in range(2)
        for c in range(channels)
        for y in range(0, 13 - 6 + 1, 2)
        for x in range(0, 17 - 9 + 1, 2)
    ]
    assert len(means) == 2 * channels * 4 * 5
    assert losses.motion_loss(flow, flow_hat, (6, 9)).item() == pytest.approx(np.abs(means).mean(), rel=1e-12)


def test_patches_are_compared_where_the_settings_say_so_and_need_their_size():
    out, frames, flow = random_output(7)
    pixels, patches = LossSettings(), LossSettings(motion_form="patches")
    assert losses.total_loss(out, frames, flow, pixels, (2, 3)) == losses.total_loss(out, frames, flow, pixels)
    found = losses.total_loss(out, frames, flow, patches, (2, 3))
    assert found.motion == losses.motion_loss(flow, out.flow_hat, (2, 3))
    assert found.motion < losses.motion_loss(flow, out.flow_hat)
    expected = found.appearance + 2 * found.motion + 3e-4 * found.sparse + 1e-3 * found.latent
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-12)
    with pytest.raises(ValueError, match=r"compares means over patches; give the recipe's scoring\.patch too"):
        losses.total_loss(out, frames, flow, patches)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_sparse_loss_in_both_forms(form: str):
    out, _, _ = random_output(1)
    expected = reference.sparse_loss(out.weights.numpy(), form)
    assert losses.sparse_loss(out.weights, form).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", ["paper", "released", "attract"])
@pytest.mark.parametrize("margin", [0.0, 0.1, 1.0])
def test_latent_loss_in_every_form(form: str, margin: float):
    out, _, _ = random_output(2)
    expected = reference.latent_loss(out.query.numpy(), out.read_out.numpy(), margin, form)
    assert losses.latent_loss(out.query, out.read_out, margin, form).item() == pytest.approx(expected, rel=1e-10)


def test_latent_loss_of_the_release_takes_the_mean_before_the_absolute_value():
    """A copy and an opposite of the query cancel there, and do not in Eq. 9 (item 10)."""
    query = torch.ones(1, 2, 1, 2)
    read_out = torch.tensor([1.0, -1.0]).expand(1, 2, 1, 2)  # the first position's copy, the second's opposite
    assert losses.latent_loss(query, read_out, 0.1, "released").item() == 0
    assert losses.latent_loss(query, read_out, 0.1, "paper").item() == pytest.approx(0.9)


@pytest.mark.parametrize(("form", "towards"), [("paper", False), ("attract", True)])
def test_sign_of_the_latent_loss(form: str, towards: bool):
    """A small step down Eq. 9 pushes the read-out away from its query; 1 - cos pulls it closer (item 11)."""
    query = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    read_out = torch.tensor([1.0, 1.0]).reshape(1, 2, 1, 1).requires_grad_()
    losses.latent_loss(query, read_out, 0.1, form).backward()
    moved = (read_out - 0.1 * read_out.grad).detach()
    before, after = (torch.cosine_similarity(query, z, dim=1).item() for z in (read_out.detach(), moved))
    assert (after > before) == towards
    assert after != before


def test_latent_loss_rests_inside_the_margin():
    query = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    read_out = torch.tensor([0.05, 1.0]).reshape(1, 2, 1, 1).requires_grad_()
    loss = losses.latent_loss(query, read_out, 0.1)
    loss.backward()
    assert loss.item() == 0
    assert not read_out.grad.any()


@pytest.mark.parametrize("form", ["paper", "released"])
def test_sparse_loss_has_a_finite_gradient_at_zero_weights(form: str):
    weights = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1).requires_grad_()
    losses.sparse_loss(weights, form).backward()
    assert weights.grad.isfinite().all()


@pytest.mark.parametrize("form", ["paper", "released", "attract"])
def test_latent_loss_of_a_zero_query_is_finite_with_its_gradient(form: str):
    query = torch.zeros(1, 4, 1, 2, requires_grad=True)
    read_out = torch.rand(1, 4, 1, 2, generator=torch.Generator().manual_seed(3)).requires_grad_()
    loss = losses.latent_loss(query, read_out, 0.1, form)
    loss.backward()
    assert loss.isfinite()
    assert query.grad.isfinite().all()
    assert read_out.grad.isfinite().all()


@pytest.mark.parametrize("forms", [("paper", "paper"), ("released", "released"), ("paper", "attract")])
def test_total_loss_is_equations_7_and_10(forms: tuple[str, str]):
    out, frames, flow = random_output(4)
    settings = LossSettings(
        motion_weight=0.7,
        sparse_weight=0.11,
        latent_weight=0.013,
        margin=0.2,
        sparse_form=forms[0],
        latent_form=forms[1],
    )
    found = losses.total_loss(out, frames, flow, settings)
    terms = [
        reference.mean_error(frames.numpy(), out.frame_hat.numpy(), 2),
        reference.mean_error(flow.numpy(), out.flow_hat.numpy(), 1),
        reference.sparse_loss(out.weights.numpy(), forms[0]),
        reference.latent_loss(out.query.numpy(), out.read_out.numpy(), 0.2, forms[1]),
    ]
    total = terms[0] + 0.7 * terms[1] + 0.11 * terms[2] + 0.013 * terms[3]
    np.testing.assert_allclose([x.item() for x in found], [total, *terms], rtol=1e-10)


def test_without_memory_only_the_generative_terms_count():
    out, frames, flow = random_output(5)
    found = losses.total_loss(out._replace(weights=None), frames, flow, LossSettings())
    assert found.sparse == found.latent == 0
    assert found.total.item() == pytest.approx((found.appearance + 2 * found.motion).item(), rel=1e-12)


def test_losses_of_bfloat16_outputs_are_float32():
    out, frames, flow = random_output(6)
    half = MAAMOutput(*(x.bfloat16() for x in out[:3]), out.read_out.float(), out.weights.float())
    found = losses.total_loss(half, frames.float(), flow.float(), LossSettings())
    exact = losses.total_loss(out, frames, flow, LossSettings())
    assert all(term.dtype == torch.float32 for term in found)
    assert found.total.item() == pytest.approx(exact.total.item(), rel=1e-2)


@pytest.mark.parametrize(("branches", "kept"), [("appearance", (1, 0)), ("motion", (0, 2))])
def test_one_branch_alone_sums_its_own_term_and_shows_both(branches: str, kept: tuple[int, int]):
    out, frames, flow = random_output(4)
    both = losses.total_loss(out, frames, flow, LossSettings())
    alone = losses.total_loss(out, frames, flow, LossSettings(branches=branches))
    assert alone[1:] == both[1:]
    of_memory = both.total - both.appearance - 2 * both.motion
    expected = kept[0] * both.appearance + kept[1] * both.motion + of_memory
    assert alone.total.item() == pytest.approx(expected.item(), rel=1e-12)
