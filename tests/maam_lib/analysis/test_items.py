"""What is said of the memory's items, against slow loops and cases whose answer is known."""

import numpy as np
import pytest
import torch

from maam_lib import memory
from maam_lib.analysis import items
from maam_lib.data import DatasetError, FrameFlowDataset, PreparedDataset
from maam_lib.evaluation import reintegration
from maam_lib.evaluation.reintegration import CELL
from maam_lib.model import MAAMNet


@pytest.fixture(scope="module")
def train(scene: PreparedDataset) -> FrameFlowDataset:
    return FrameFlowDataset(scene, "train")


@pytest.fixture(scope="module")
def test_frames(scene: PreparedDataset) -> FrameFlowDataset:
    return FrameFlowDataset(scene, "test")


def test_recalled_is_what_the_network_does_in_one_piece(net: MAAMNet, test_frames: FrameFlowDataset) -> None:
    indices = [0, 7, 30, 41, 50]
    recalled = items.recall_frames(net.train(), test_frames, indices, batch_size=2)
    with torch.no_grad():
        output = net.eval()(test_frames.__getitems__(indices)[0])
    assert recalled.keys == [test_frames.keys()[i] for i in indices]
    for name in ("query", "read_out", "weights"):
        torch.testing.assert_close(getattr(recalled, name), getattr(output, name))


def test_abnormal_places_hold_an_abnormal_pixel(scene: PreparedDataset, test_frames: FrameFlowDataset) -> None:
    keys = test_frames.keys()[::5]
    places = reintegration.abnormal_places(test_frames, keys, (3, 4))  # 48x64
    for place, (clip, frame) in zip(places, keys, strict=True):
        mask = scene.masks(clip)[frame]
        for row in range(3):
            for column in range(4):
                inside = mask[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
                assert place[row, column] == inside.any()
    assert places.any()
    assert not places.all()


def test_a_clip_without_masks_is_named(
    scene: PreparedDataset, test_frames: FrameFlowDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "masks", lambda clip: None)
    with pytest.raises(DatasetError, match="synthetic/test/Test001 has no pixel masks"):
        reintegration.abnormal_places(test_frames, [("Test001", 0)], (3, 4))


def test_answers_are_the_strongest_and_only_those_that_answer() -> None:
    weights = torch.zeros(6, 2, 3)
    weights[[1, 4, 5], 1, 2] = torch.tensor([0.2, 0.5, 0.3])
    table = items.answering_items(weights, (1, 2), at_most=5)
    assert table["item"].tolist() == [4, 5, 1]
    np.testing.assert_allclose(table["times 1/N"], [3.0, 1.8, 1.2], rtol=1e-6)
    assert items.answering_items(weights, (1, 2), at_most=2)["item"].tolist() == [4, 5]


@pytest.mark.parametrize("alike", [1, 3, 8])
def test_as_many_items_as_are_used_alike_are_effective(alike: int) -> None:
    weights = torch.zeros(2, 8, 3, 4)
    weights[:, :alike] = 1 / alike
    used = items.usage(weights)
    assert used.dead == 8 - alike
    assert used.effective == pytest.approx(alike)
    assert used.entropy == pytest.approx(np.log(alike), abs=1e-6)
    np.testing.assert_allclose(used.askers, [1] * alike + [0] * (8 - alike))
    assert used.shares.sum() == pytest.approx(1)


def test_items_that_answer_different_queries_are_all_used() -> None:
    weights = torch.zeros(1, 4, 2, 2)
    for i in range(4):
        weights[0, i, i // 2, i % 2] = 1
    used = items.usage(weights)
    assert used.effective == pytest.approx(4)
    np.testing.assert_allclose(used.askers, 0.25)


def test_a_decoded_item_is_read_at_every_place(net: MAAMNet) -> None:
    frames, flows = items.decoded_items(net, [5, 2], (48, 64))
    assert (frames.shape, flows.shape) == ((2, 1, 48, 64), (2, 2, 48, 64))
    with torch.no_grad():
        _, sizes = net.encode(torch.zeros(1, 1, 48, 64))
        weights = torch.zeros(1, 8, 3, 4)
        weights[:, 2] = 1
        frame, flow = net.decode(memory.read(weights, net.items), sizes)
    torch.testing.assert_close(frames[1:], frame)
    torch.testing.assert_close(flows[1:], flow)


def test_nearest_patches_equal_a_search_by_hand(net: MAAMNet, train: FrameFlowDataset) -> None:
    indices = list(range(0, len(train), 4))
    found = items.nearest_patches(net, train, [3, 6], indices, most=3)
    recalled = items.recall_frames(net, train, indices)
    cosines = memory.similarity_map(recalled.query, net.items.detach())
    for item in (3, 6):
        best = cosines[:, item].flatten(1).amax(1)
        order = best.argsort(descending=True)[:3]
        assert [patch.key for patch in found[item]] == [recalled.keys[i] for i in order]
        for patch, i in zip(found[item], order.tolist(), strict=True):
            assert patch.cosine == pytest.approx(float(cosines[i, item][patch.cell]), abs=1e-6)
            assert patch.cosine == pytest.approx(float(best[i]), abs=1e-6)


def test_a_cut_out_shows_its_place_and_stays_inside() -> None:
    frame = np.arange(48 * 64).reshape(48, 64, 1)
    middle = items.cut_out(frame, (1, 1), side=16)
    np.testing.assert_array_equal(middle, frame[16:32, 16:32])
    corner = items.cut_out(frame, (2, 3), side=32)
    np.testing.assert_array_equal(corner, frame[16:48, 32:64])
    assert items.cut_out(frame, (0, 0), side=400).shape == (48, 48, 1)


def test_the_plane_keeps_two_groups_apart_whatever_their_lengths() -> None:
    random = np.random.default_rng(0)
    left, right = np.eye(16)[0] + 0.02 * random.normal(size=(20, 16)), np.eye(16)[1]
    queries = left * random.uniform(0.1, 9, (20, 1))
    own = right + 0.02 * random.normal(size=(8, 16))
    for method in ("pca", "tsne"):
        placed, placed_items = items.plane(queries, own, method)
        assert (placed.shape, placed_items.shape) == ((20, 2), (8, 2))
        gap = np.linalg.norm(placed.mean(0) - placed_items.mean(0))
        scatter = np.linalg.norm(placed - placed.mean(0), axis=1).mean()
        assert gap > 2 * scatter, method
        np.testing.assert_array_equal(placed, items.plane(queries, own, method)[0])


def test_reintegration_errors_of_known_pairs() -> None:
    query = torch.tensor([[3.0, 4.0]]).reshape(1, 2, 1, 1)
    same, longer, across = (torch.tensor(v).reshape(1, 2, 1, 1) for v in ([3.0, 4.0], [6.0, 8.0], [-4.0, 3.0]))
    expected = {"same": (same, 0, 0), "longer": (longer, 0, 1), "across": (across, 1, np.sqrt(2))}
    for read_out, angle, distance in expected.values():
        errors = reintegration.reintegration_error(query, read_out)
        assert errors["angle"].item() == pytest.approx(angle, abs=1e-6)
        assert errors["distance"].item() == pytest.approx(distance, abs=1e-6)


def test_variance_is_split_between_places_and_frames() -> None:
    street = torch.randn(1, 5, 3, 4).expand(6, -1, -1, -1)
    assert items.variance_parts(street)["between frames"] == pytest.approx(0)
    assert items.variance_parts(street)["between places"] > 0.1
    flicker = torch.randn(6, 5, 1, 1).expand(-1, -1, 3, 4)
    assert items.variance_parts(flicker)["between places"] == pytest.approx(0)
    assert items.variance_parts(flicker)["between frames"] > 0.1
    x = torch.randn(6, 5, 3, 4, dtype=torch.float64)
    parts = items.variance_parts(x)
    whole = (x - x.mean(dim=(0, 2, 3), keepdim=True)).square().sum(1).mean() / x.square().sum(1).mean()
    assert sum(parts.values()) == pytest.approx(float(whole))


def test_moving_places_hold_a_pixel_that_moves(scene: PreparedDataset, test_frames: FrameFlowDataset) -> None:
    keys = test_frames.keys()[::7]
    places = reintegration.moving_places(test_frames, keys, (3, 4), least=0.7)
    for place, (clip, frame) in zip(places, keys, strict=True):
        speed = np.linalg.norm(scene.flow("test", clip)[frame].astype(np.float32), axis=2)
        largest = speed.reshape(3, CELL, 4, CELL).max(axis=(1, 3))
        np.testing.assert_array_equal(place, largest >= 0.7)
    assert places.any()
    assert not places.all()
