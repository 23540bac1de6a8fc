"""Dropout and ReLU in one step: its distribution, its gradient, its seed."""

import pytest
import torch

from maam_lib.fast.dropout import DropoutReLU


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_the_asked_share_is_dropped_everywhere_alike(share: float):
    """Each of the four 16-bit draws of a 64-bit one, and the whole: within five standard errors."""
    torch.manual_seed(0)
    out = DropoutReLU(share)(torch.ones(400_003))
    for part in (out, out[0::4], out[1::4], out[2::4], out[3::4]):
        error = (share * (1 - share) / len(part)) ** 0.5
        assert (part == 0).float().mean().item() == pytest.approx(share, abs=5 * error)
    assert out[out > 0].unique().tolist() == [pytest.approx(1 / (1 - share), rel=1e-4)]


def test_neighbours_are_dropped_independently():
    torch.manual_seed(1)
    dropped = (DropoutReLU(0.3)(torch.ones(400_000)) == 0).float()
    for lag in range(1, 9):
        both = (dropped[lag:] * dropped[:-lag]).mean().item()
        assert both == pytest.approx(0.09, abs=5 * (0.09 * 0.91 / 400_000) ** 0.5 * 1.5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_what_is_kept_is_relu_scaled_and_so_is_its_gradient(memory_format: torch.memory_format):
    torch.manual_seed(2)
    x = torch.randn(2, 3, 5, 7).contiguous(memory_format=memory_format).requires_grad_()
    out = DropoutReLU(0.3)(x * 1)
    assert out.is_contiguous(memory_format=memory_format)
    kept = out > 0
    assert 0 < kept.sum() < (x > 0).sum()
    torch.testing.assert_close(out, torch.where(kept, x / 0.7, 0), rtol=1e-4, atol=0)
    upstream = torch.randn(2, 3, 5, 7)
    (found,) = torch.autograd.grad(out, x, upstream)
    torch.testing.assert_close(found, torch.where(kept, upstream / 0.7, 0), rtol=1e-4, atol=0)


def test_the_global_seed_decides():
    torch.manual_seed(3)
    first, second = (DropoutReLU(0.3)(torch.ones(1000)) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(DropoutReLU(0.3)(torch.ones(1000)), first)
    assert not torch.equal(first, second)
