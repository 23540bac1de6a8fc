"""Feeding: whichever way the batches come, they are the same to the last bit."""

import numpy as np
import pytest
import torch

from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.training import feeding
from maam_lib.training.feeding import Feed, Way, best_way
from maam_lib.training.loop import batches

CPU, GPU = torch.device("cpu"), torch.device("cuda")
WAYS = ["kept", "ahead", "direct"]


@pytest.fixture(scope="module")
def dataset(scene: PreparedDataset) -> FrameFlowDataset:
    """The scene's 78 training frames."""
    return FrameFlowDataset(scene, "train")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", [7, 78, 256])
def test_the_batches_are_those_of_the_dataset(
    way: Way, part: int, dataset: FrameFlowDataset, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feeding, "PART", part)
    feed = Feed(dataset, CPU, way)
    for epoch in (1, 2):  # the same feed serves all epochs
        order = list(batches(len(dataset), 8, seed=epoch))
        found = list(feed.batches(order))
        assert len(found) == len(order) == 9
        for batch, indices in zip(found, order, strict=True):
            for ours, expected in zip(batch, dataset.stored_batch(indices), strict=True):
                assert ours.dtype == expected.dtype
                assert torch.equal(ours, expected)


@pytest.mark.parametrize("way", WAYS)
def test_no_batch_at_all(way: Way, dataset: FrameFlowDataset):
    assert list(Feed(dataset, CPU, way).batches([])) == []


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the first frame of every batch that is read."""
    stored_batch, read = FrameFlowDataset.stored_batch, []

    def remember(dataset: FrameFlowDataset, indices: np.ndarray, *, pinned: bool = False) -> object:
        read.extend(indices[:1])
        return stored_batch(dataset, indices, pinned=pinned)

    monkeypatch.setattr(FrameFlowDataset, "stored_batch", remember)
    return read


@pytest.mark.parametrize(("way", "expected"), [("direct", 1), ("ahead", 2)])
def test_ahead_is_one_batch_ahead_and_no_more(way: Way, expected: int, dataset: FrameFlowDataset, reads: list[int]):
    stream = Feed(dataset, CPU, way).batches(batches(len(dataset), 8, seed=0))
    next(stream)
    stream.close()  # waits for the thread
    assert len(reads) == expected


def test_kept_frames_are_read_once(dataset: FrameFlowDataset, reads: list[int]):
    feed = Feed(dataset, CPU, "kept")
    before = list(reads)
    assert len(list(feed.batches(batches(len(dataset), 8, seed=0)))) == 9
    assert reads == before == [0]


@pytest.mark.parametrize("way", ["ahead", "direct"])
def test_an_error_of_reading_reaches_the_training(way: Way, dataset: FrameFlowDataset):
    with pytest.raises(IndexError):
        list(Feed(dataset, CPU, way).batches([np.array([0]), np.array([len(dataset)])]))


@pytest.mark.parametrize(("free", "way"), [(3.01, "kept"), (2.99, "ahead")])
def test_a_gpu_keeps_what_a_third_of_its_free_memory_holds(
    free: float, way: Way, dataset: FrameFlowDataset, monkeypatch: pytest.MonkeyPatch
):
    size = sum(x.nbytes for x in dataset.stored_batch(range(len(dataset))))
    assert dataset.stored_bytes == size
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free * size), 10 * size))
    assert best_way(dataset, GPU) == way
    assert best_way(dataset, CPU) == "direct"
