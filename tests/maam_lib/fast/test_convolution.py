"""SAME convolutions against loops, alone and in a row, and weight gradients as products against PyTorch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from maam_lib.fast import convolution
from maam_lib.fast.convolution import (
    SameConv2d,
    SameConvTranspose2d,
    narrow_gradient,
    speed_up_same_padding,
    strided_gradient,
    turned,
)
from tests import reference

SIDES = st.integers(1, 9)


def random_map(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def half(n: int) -> int:
    return -(-n // 2)


def layer(before: int, after: int, stride: int | None, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A SAME convolution of a stride, or a transposed one for None, with random weights."""
    made = SameConvTranspose2d(before, after) if stride is None else SameConv2d(before, after, stride)
    for i, parameter in enumerate(made.parameters(), 1):
        parameter.data = random_map(*parameter.shape, seed=i, dtype=dtype)
    return made.requires_grad_(dtype == torch.float32)


@given(height=SIDES, width=SIDES, stride=st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=40)
def test_a_convolution_is_same(height: int, width: int, stride: int):
    conv, x = layer(3, 4, stride), random_map(2, 3, height, width)
    for one, found in zip(x.numpy(), conv(x), strict=True):
        expected = reference.conv_same(one, conv.weight.numpy(), stride) + conv.bias.numpy()[:, None, None]
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@given(height=SIDES, width=SIDES)
@settings(deadline=None, max_examples=40)
def test_a_transposed_convolution_is_the_transpose(height: int, width: int):
    deconv, x = layer(4, 3, None), random_map(2, 4, half(height), half(width))
    for one, found in zip(x.numpy(), deconv(x, (height, width)), strict=True):
        expected = reference.conv_transpose_same(one, deconv.weight.numpy(), (height, width), 2)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 10), (7, 11), (3, 9)])
def test_turned_once_a_row_of_layers_gives_the_same(size: tuple[int, int]):
    row = nn.Sequential(layer(2, 3, 1), nn.ReLU(), layer(3, 4, 2), nn.ReLU(), layer(4, 5, 2))
    x = random_map(2, 2, *size)
    expected = row(x)
    speed_up_same_padding(row)
    found = row(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(found, turned(found)), "a map that looks the same turned would show nothing"


@given(height=SIDES, width=SIDES, batch=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_strided_weight_gradient_is_pytorchs(height: int, width: int, batch: int):
    large, small = random_map(batch, 3, height, width), random_map(batch, 5, half(height), half(width), seed=1)
    expected = torch.nn.grad.conv2d_weight(large, (5, 3, 3, 3), small, stride=2, padding=1)
    torch.testing.assert_close(strided_gradient(large, small), expected, rtol=1e-11, atol=1e-12)


@given(height=SIDES, width=SIDES, channels=st.sampled_from([(2, 7), (7, 2), (1, 9), (9, 1)]))
@settings(deadline=None, max_examples=40)
def test_a_narrow_weight_gradient_is_pytorchs(height: int, width: int, channels: tuple[int, int]):
    x, grad = (random_map(2, n, height, width, seed=i) for i, n in enumerate(channels))
    expected = torch.nn.grad.conv2d_weight(x, (channels[1], channels[0], 3, 3), grad, padding=1)
    torch.testing.assert_close(narrow_gradient(x, grad), expected, rtol=1e-11, atol=1e-12)


# (in, out, stride) of a convolution, (in, out, None) of a transposed one: wide enough for products, or narrow enough
@pytest.mark.parametrize(("before", "after", "stride"), [(32, 64, 2), (64, 32, None), (2, 18, 1), (27, 3, 1)])
@pytest.mark.parametrize("size", [(8, 10), (7, 11)])
def test_gradients_by_products_are_those_without(
    before: int, after: int, stride: int | None, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    """In training on a processor without AVX-512; input, weight and bias."""
    monkeypatch.setattr(convolution, "HAS_AVX512", False)
    made = layer(before, after, stride, torch.float32)
    input_size = [half(n) for n in size] if stride is None else size
    x = random_map(2, before, *input_size, dtype=torch.float32).requires_grad_()
    if stride == 2:
        made.bias = None
    made.turns = False

    def gradients() -> tuple[Tensor, ...]:
        out = made(x, size) if stride is None else made(x)
        kind = type(out.grad_fn if made.bias is None else out.grad_fn.next_functions[0][0]).__name__
        return kind, out, *torch.autograd.grad(out.square().sum(), [x, *made.parameters()])

    kind, *found = gradients()
    assert kind in ("_ConvolutionBackward", "_TransposedConvolutionBackward")
    monkeypatch.setattr(convolution, "_gradient_by_products", lambda *_: False)
    other, *expected = gradients()
    assert other not in ("_ConvolutionBackward", "_TransposedConvolutionBackward")
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


@pytest.mark.parametrize(
    ("channels", "kind"),
    [
        ((64, 32), "float32"),
        ((8, 8), "narrow"),
        ((64, 32), "avx512"),
        ((64, 32), "no gradient"),
        ((64, 32), "autocast"),
    ],
)
def test_products_are_taken_only_where_they_are_faster(
    kind: str, channels: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(convolution, "HAS_AVX512", kind == "avx512")
    conv = SameConv2d(channels[1], channels[0], 2, bias=False).requires_grad_(kind != "no gradient")
    conv.turns = False
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        out = conv(torch.zeros(1, channels[1], 8, 8))
    assert (type(out.grad_fn).__name__ == "_ConvolutionBackward") == (kind == "float32")
