"""What the holes of the chapters 00 to 03 expect is what the network computes, and wrong steps are told apart."""

import numpy as np
import pytest
import torch

from maam_lib import memory
from maam_lib.config import load_recipe
from maam_lib.exercises import check
from maam_lib.exercises.method import alarm_rates, encoder_block, labels_by_key, shares, step_down_the_latent_loss
from maam_lib.losses import Losses, total_loss
from maam_lib.model import MAAMNet

PLAN = load_recipe("synthetic-mini")


@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_five_encoder_blocks_are_the_encoder(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = MAAMNet(1, 4, base_channels=2)
    frames = torch.randn(2, 1, *size)
    net.train()(frames)  # its batch norms see something
    x = frames
    for block in net.eval().encoder:
        x = encoder_block(x, block)
    query, _ = net.encode(frames)
    assert x.abs().max() > 0
    torch.testing.assert_close(x, query.detach())


def test_shares_are_what_the_memory_shrinks() -> None:
    query, items = torch.randn(2, 3, 4, 5), torch.randn(6, 3)
    torch.testing.assert_close(memory.shrink(shares(query, items), 1 / 6), memory.address(query, items))


def test_rates_of_alarms_by_hand() -> None:
    assert alarm_rates(np.array([1, 1, 0, 0, 0]), np.array([3, 1, 2, 1, 5.0]), 2) == (0.5, 2 / 3)


def test_labels_follow_their_keys() -> None:
    found = labels_by_key([("b", 1), ("a", 0)], {"a": np.array([1, 0]), "b": np.array([0, 0])})
    assert found.tolist() == [0, 1]


def test_a_step_down_the_latent_loss_by_numpy() -> None:
    """The gradient by differences of the loss, written out for two numbers."""
    items = np.array([[2.0, 0], [0, 1], [-1, 0]])

    def cosine(z: np.ndarray) -> float:
        s = items @ z / (np.linalg.norm(items, axis=1) * np.linalg.norm(z))
        soft = np.exp(s) / np.exp(s).sum()
        kept = np.where(soft > 1 / 3, soft, 0)
        read = kept / kept.sum() @ items
        return float(z @ read / (np.linalg.norm(z) * np.linalg.norm(read)))

    z, h = np.array([1.5, 2.0]), 1e-5
    gradient = np.array([(cosine(z + h * e) - cosine(z - h * e)) / (2 * h) for e in np.eye(2)])
    assert step_down_the_latent_loss() == pytest.approx((cosine(z), cosine(z - 5 * gradient)), abs=1e-4)
    assert cosine(z) - cosine(z - 5 * gradient) > 0.01, "more than the checker lets pass"


def step(zero: bool = True, move: bool = True, late: bool = False):
    """A training step as students write it, with what may be forgotten."""

    def one(net: MAAMNet, optimizer: torch.optim.Optimizer, frames: torch.Tensor, flow: torch.Tensor) -> Losses:
        losses = total_loss(net(frames), frames, flow, PLAN.loss, PLAN.scoring.patch)
        if zero:
            optimizer.zero_grad()
        losses.total.backward()
        if move:
            optimizer.step()
        return total_loss(net(frames), frames, flow, PLAN.loss, PLAN.scoring.patch) if late else losses

    return one


def test_a_training_step_is_right() -> None:
    assert check("03.a", step(), PLAN).passed
    assert check("03.a", check("03.a", ..., PLAN).go_on_with, PLAN).passed, "the library's fills the hole"


@pytest.mark.parametrize("forgotten", [{"zero": False}, {"move": False}, {"late": True}])
def test_a_training_step_without_one_of_its_lines_is_not(forgotten: dict[str, bool]) -> None:
    assert not check("03.a", step(**forgotten), PLAN).passed


def test_an_untouched_step_is_told_apart_from_a_wrong_one() -> None:
    assert check("03.a", lambda *_: ..., PLAN).line == "replace the ... by your answer"
    assert "got" in check("03.a", "text", PLAN).line


@pytest.mark.parametrize(("temperature", "passed"), [(0.2, True), (0.05, True), (0.4, False), (1, False), (-1, False)])
def test_temperatures_that_leave_one_item(temperature: float, passed: bool) -> None:
    assert check("02.3", temperature).passed is passed


@pytest.mark.parametrize(
    ("forgotten", "told"),
    [
        ({"zero": False}, "gradients add up"),
        ({"move": False}, "the weights have not moved"),
        ({"late": True}, "at the first step, the total loss is not that before the weights move"),
    ],
)
def test_a_wrong_training_step_is_told_what_it_does(forgotten: dict[str, bool], told: str) -> None:
    assert told in check("03.a", step(**forgotten), PLAN).line
