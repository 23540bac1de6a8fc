"""Convolutions on turned maps against loops, and weight gradients as matrix products against PyTorch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from maam_lib.fast import convolution
from maam_lib.fast.convolution import convolve, convolve_transposed, narrow_gradient, strided_gradient, turned
from tests import reference

SIDES = st.integers(1, 9)


def random_map(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def half(n: int) -> int:
    return -(-n // 2)


@given(height=SIDES, width=SIDES, stride=st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=40)
def test_a_turned_convolution_is_same_convolution_turned(height: int, width: int, stride: int):
    x, kernels = random_map(2, 3, height, width), random_map(4, 3, 3, 3, seed=1)
    bias = random_map(4, seed=2)
    out = turned(convolve(turned(x), kernels, bias, stride))
    for one, found in zip(x.numpy(), out, strict=True):
        expected = reference.conv_same(one, kernels.numpy(), stride) + bias.numpy()[:, None, None]
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@given(height=SIDES, width=SIDES)
@settings(deadline=None, max_examples=40)
def test_a_turned_transposed_convolution_is_the_transpose_turned(height: int, width: int):
    x, kernels = random_map(2, 4, half(height), half(width)), random_map(4, 3, 3, 3, seed=1)
    out = turned(convolve_transposed(turned(x), kernels, (height, width)))
    for one, found in zip(x.numpy(), out, strict=True):
        expected = reference.conv_transpose_same(one, kernels.numpy(), (height, width), 2)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


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
    kernel_shape = (before, after, 3, 3) if stride is None else (after, before, 3, 3)
    input_size = [half(n) for n in size] if stride is None else size
    x = random_map(2, before, *input_size, dtype=torch.float32).requires_grad_()
    weight = random_map(*kernel_shape, seed=1, dtype=torch.float32).requires_grad_()
    bias = random_map(after, seed=2, dtype=torch.float32).requires_grad_() if stride == 1 else None

    def gradients() -> tuple[Tensor, ...]:
        out = convolve_transposed(x, weight, size) if stride is None else convolve(x, weight, bias, stride)
        kind = type(out.grad_fn if bias is None else out.grad_fn.next_functions[0][0]).__name__
        wanted = [tensor for tensor in (x, weight, bias) if tensor is not None]
        return kind, out, *torch.autograd.grad(out.square().sum(), wanted)

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
    weight = torch.zeros(*channels, 3, 3, requires_grad=kind != "no gradient")
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        out = convolve(torch.zeros(1, channels[1], 8, 8), weight, stride=2)
    assert (type(out.grad_fn).__name__ == "_ConvolutionBackward") == (kind == "float32")
