import math

import numpy as np
import pytest
import torch
from torch import nn

from maam_lib import memory
from maam_lib.config import LossSettings
from maam_lib.losses import total_loss
from maam_lib.model import INITIAL_SD, NORM_EPSILON, Decoder, DecoderBlock, EncoderBlock, MAAMNet
from tests import reference

SIZES = [(180, 320), (37, 53), (16, 16), (17, 33)]
SMALL_SIZES = [(6, 8), (7, 9), (6, 9), (1, 2)]


def small_net(**settings: object) -> MAAMNet:
    torch.manual_seed(0)
    return MAAMNet(3, 12, **{"base_channels": 2, **settings})


def random_frames(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def with_random_norm(norm: nn.BatchNorm2d) -> None:
    for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        nn.init.uniform_(values, 0.5, 1.5)


def normalised(x: np.ndarray, norm: nn.BatchNorm2d) -> np.ndarray:
    """Batch norm in evaluation mode, then ReLU, of (C, H, W)."""
    out = np.zeros_like(x)
    for c in range(len(x)):
        sd = math.sqrt(norm.running_var[c].item() + NORM_EPSILON)
        out[c] = norm.weight[c].item() * (x[c] - norm.running_mean[c].item()) / sd + norm.bias[c].item()
    return np.maximum(out, 0)


@pytest.mark.parametrize(
    ("channels", "items", "count"),
    [(1, 500, 8_447_875), (3, 500, 8_450_181), (3, 2000, 9_218_181)],
)
def test_parameter_counts_of_the_paper_less_the_cancelled_biases(channels: int, items: int, count: int):
    with torch.device("meta"):
        net = MAAMNet(channels, items)
    assert sum(p.numel() for p in net.parameters()) == count


@pytest.mark.parametrize("use_memory", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_any_size_comes_out_at_its_own_size(size: tuple[int, int], use_memory: bool):
    net = small_net(use_memory=use_memory).eval()
    with torch.no_grad():
        out = net(random_frames(2, 3, *size))
    grid = tuple(math.ceil(n / 16) for n in size)
    assert out.frame_hat.shape == (2, 3, *size)
    assert out.flow_hat.shape == (2, 2, *size)
    assert out.query.shape == out.read_out.shape == (2, 16, *grid)
    if use_memory:
        assert out.weights.shape == (2, 12, *grid)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", SMALL_SIZES)
def test_encoder_block_is_a_same_convolution_norm_and_relu(size: tuple[int, int], stride: int):
    torch.manual_seed(2)
    block = EncoderBlock(3, 4, stride, 0.01).double().eval()
    with_random_norm(block.norm)
    frames = random_frames(2, 3, *size, dtype=torch.float64)
    kernel = block.conv.weight.detach().numpy()
    for one, out in zip(frames.numpy(), block(frames).detach(), strict=True):
        expected = normalised(reference.conv_same(one, kernel, stride), block.norm)
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)


def test_batch_norm_in_training_is_the_loops_and_keeps_the_unbiased_variance():
    torch.manual_seed(4)
    norm = EncoderBlock(3, 4, 1, 0.01).double().train().norm
    with_random_norm(norm)
    before = norm.running_mean.numpy().copy(), norm.running_var.numpy().copy()
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    y = norm(x).detach()
    gamma, beta = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    np.testing.assert_allclose(y, reference.batch_norm(x.numpy(), gamma, beta, 1e-3), rtol=1e-12, atol=1e-13)
    for c in range(4):
        expected = reference.moving_statistics(x[:, c].numpy(), before[0][c], before[1][c], 0.01)
        np.testing.assert_allclose((norm.running_mean[c], norm.running_var[c]), expected, rtol=1e-13)


@pytest.mark.parametrize("size", SMALL_SIZES)
def test_decoder_block_is_the_transpose_of_the_same_convolution(size: tuple[int, int]):
    torch.manual_seed(3)
    block = DecoderBlock(4, 3, 0.3, 0.01).double().eval()
    with_random_norm(block.norm)
    grid = random_frames(2, 4, *(math.ceil(n / 2) for n in size), dtype=torch.float64)
    kernel = block.deconv.weight.detach().numpy()
    for one, out in zip(grid.numpy(), block(grid, size).detach(), strict=True):
        expected = normalised(reference.conv_transpose_same(one, kernel, size, 2), block.norm)
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)


def test_output_convolution_is_linear_and_same():
    torch.manual_seed(4)
    decoder = Decoder(2, 3, 0.3, 0.01).double().eval()
    decoder.output.bias.data.uniform_(-1, 1)
    seen = []
    decoder.blocks[-1].register_forward_hook(lambda _block, _args, out: seen.append(out))
    read_out = random_frames(1, 16, 1, 2, dtype=torch.float64)
    out = decoder(read_out, [(2, 3), (3, 5), (5, 9), (9, 17)]).detach()
    output = decoder.output
    expected = reference.conv_same(seen[0][0].detach().numpy(), output.weight.detach().numpy(), 1)
    np.testing.assert_allclose(out[0], expected + output.bias.detach().numpy()[:, None, None], rtol=1e-12)
    assert (out < 0).any(), "a ReLU behind the output would leave nothing negative"


@pytest.mark.parametrize("similarity", ["cosine", "released"])
@pytest.mark.parametrize("threshold", [None, 0.15])
def test_decoders_see_the_read_out_alone(similarity: str, threshold: float | None):
    settings = {"similarity": similarity, "temperature": 0.5, "shrink_threshold": threshold}
    net = small_net(**settings).eval()
    with torch.no_grad():
        out = net(random_frames(2, 3, 37, 53))
        assert torch.equal(out.weights, memory.address(out.query, net.items, **settings))
        assert torch.equal(out.read_out, memory.read(out.weights, net.items))
        _, sizes = net.encode(random_frames(2, 3, 37, 53))
        frame_hat, flow_hat = net.decode(out.read_out, sizes)
    assert torch.equal(frame_hat, out.frame_hat)
    assert torch.equal(flow_hat, out.flow_hat)


def test_without_memory_the_query_goes_to_the_decoders():
    net = small_net(use_memory=False).eval()
    out = net(random_frames(1, 3, 16, 16))
    assert out.weights is None
    assert torch.equal(out.read_out, out.query)
    assert "items" not in net.state_dict()


def test_dropout_acts_in_training_only():
    net = small_net(dropout=0.5)
    frames = random_frames(2, 3, 32, 32)
    torch.manual_seed(5)
    first, second = net(frames), net(frames)
    assert not torch.equal(first.frame_hat, second.frame_hat)
    assert torch.equal(first.query, second.query), "the encoder has no dropout"
    net.eval()
    assert torch.equal(net(frames).frame_hat, net(frames).frame_hat)


def test_dropout_falls_between_norm_and_relu():
    torch.manual_seed(6)
    block = DecoderBlock(4, 200, 0.3, 0.01)
    block.norm.bias.data.fill_(10)  # all activations positive: only dropout can make a zero
    out = block(random_frames(2, 4, 4, 4), (8, 8))
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert out[out > 0].mean().item() == pytest.approx(10 / 0.7, rel=0.02)


def test_initial_values_are_a_cut_normal_with_zero_biases():
    torch.manual_seed(7)
    net = MAAMNet(1, 50, base_channels=8)
    drawn = [net.items] + [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(drawn) == 1 + 5 + 2 * 5
    values = torch.cat([w.flatten() for w in drawn])
    assert values.abs().max() <= 2 * INITIAL_SD
    assert values.std().item() == pytest.approx(0.8796 * INITIAL_SD, rel=0.01)  # of a normal cut at two sd
    for decoder in (net.appearance_decoder, net.motion_decoder):
        assert not decoder.output.bias.any()


def test_memory_stays_float32_under_bfloat16_autocast():
    net = small_net(base_channels=4).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(random_frames(1, 3, 32, 48))
    assert out.query.dtype == torch.bfloat16
    assert out.weights.dtype == out.read_out.dtype == torch.float32
    exact = memory.address(out.query.float(), net.items)
    assert torch.equal(out.weights, exact)


@pytest.mark.parametrize("similarity", ["cosine", "released"])
@pytest.mark.parametrize("threshold", [None, 3 / 12, 0.99])
@pytest.mark.parametrize("dead", [False, True])
def test_training_stays_finite_when_no_item_survives(similarity: str, threshold: float | None, dead: bool):
    net = small_net(similarity=similarity, shrink_threshold=threshold)
    if dead:  # every ReLU of the query
        nn.init.constant_(net.encoder[-1].norm.bias, -100)
    frames = random_frames(2, 3, 32, 32)
    out = net(frames)
    assert bool(out.query.any()) != dead
    losses = total_loss(
        out,
        frames,
        torch.zeros(2, 2, 32, 32),
        LossSettings(sparse_form="released", latent_form="released") if similarity == "released" else LossSettings(),
    )
    losses.total.backward()
    torch.testing.assert_close(out.weights.sum(dim=1), torch.ones(2, 2, 2))
    assert (out.weights >= 0).all()
    assert all(term.isfinite() for term in losses)
    assert all(p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 3, 15, 16), (3, 32, 32)])
def test_frames_of_a_wrong_shape_are_named(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"expected frames of shape \(B, 3, H, W\) with H, W >= 16") as error:
        small_net()(torch.zeros(shape))
    assert str(shape) in str(error.value)
