import numpy as np
import pytest
import torch

from maam_lib import memory
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.model import MAAMNet
from maam_lib.playground.memory_view import Addressing, MemoryView, QueryError, answers, queries_of


@pytest.fixture(scope="module")
def dataset(scene: PreparedDataset) -> FrameFlowDataset:
    return FrameFlowDataset(scene, "test")


def test_with_its_own_addressing_the_answer_is_the_networks(net: MAAMNet, dataset: FrameFlowDataset):
    query = queries_of(net, dataset, 50)
    found = answers(query, net.items, Addressing.of(net))
    with torch.no_grad():
        output = net(dataset.__getitems__([50])[0])
    torch.testing.assert_close(found.weights, output.weights[0])
    np.testing.assert_array_equal(found.support, memory.support_count(output.weights)[0])
    cosine = torch.nn.functional.cosine_similarity(output.query, output.read_out)[0].detach()
    np.testing.assert_allclose(found.agreement, cosine, atol=1e-6)


@pytest.mark.parametrize(
    "addressing",
    [Addressing("released"), Addressing(temperature=0.1), Addressing(shrink_threshold=0.2), Addressing("cosine", 3, 0)],
)
def test_any_addressing_is_that_of_the_library(addressing: Addressing, net: MAAMNet, dataset: FrameFlowDataset):
    query = queries_of(net, dataset, 0)
    with torch.no_grad():
        expected = memory.address(query, net.items, **addressing._asdict())[0]
    torch.testing.assert_close(answers(query, net.items, addressing).weights, expected)


def test_the_items_of_a_query_come_by_weight(net: MAAMNet, dataset: FrameFlowDataset):
    found = answers(queries_of(net, dataset, 0), net.items, Addressing(temperature=0.2))
    answer = found.of((1, 2), 3)
    weights = found.weights[:, 1, 2].numpy()
    assert answer["weights"].tolist() == sorted(weights.tolist(), reverse=True)[:3]
    np.testing.assert_array_equal(answer["weights"], weights[answer["items"]])
    np.testing.assert_array_equal(answer["maps"][1], found.weights[answer["items"][1]])


def test_a_query_outside_the_grid_is_refused(net: MAAMNet, dataset: FrameFlowDataset):
    found = answers(queries_of(net, dataset, 0), net.items, Addressing())
    with pytest.raises(QueryError, match=r"no query at \(3, 0\); the grid has 3 rows and 4 columns"):
        found.of((3, 0), 1)


def test_a_network_without_memory_has_no_answers(dataset: FrameFlowDataset):
    with pytest.raises(QueryError, match="no memory"):
        queries_of(MAAMNet(1, 8, base_channels=4, use_memory=False), dataset, 0)


def test_the_view_follows_frame_addressing_and_query(net: MAAMNet, dataset: FrameFlowDataset):
    view = MemoryView(net, dataset)
    pictures = [view.figure.png() + view.frame_png()]
    second = list(view.clips)[1]
    for act in (
        lambda: view.show_frame(second, 5),
        lambda: view.address(Addressing(temperature=0.05)),
        lambda: view.look_at((0, 0), 8),
        lambda: view.look_at((0, 0), 2),
    ):
        act()
        pictures.append(view.figure.png() + view.frame_png())
    assert len(set(pictures)) == len(pictures)
    assert view.facts()["support items of this query"] == f"{view.answers.support[0, 0]} of 8"
    assert (view.clip, view.place) == (second, 5)
