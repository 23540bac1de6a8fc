"""What the memory answers the queries of one frame, under any addressing, as pictures and numbers (Eq. 1-4; ours).

Nothing is trained: the addressing is swapped under one trained network, as a slider does it.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maam_lib import memory
from maam_lib.analysis import QueryError, items_of
from maam_lib.data import FrameFlowDataset
from maam_lib.memory import Similarity
from maam_lib.model import MAAMNet
from maam_lib.playground.live_figures import AddressingFigure, frame_with_cell, png_of

MOST_ITEMS = 12  # that fit beside each other


class Addressing(NamedTuple):
    """How a query is compared with the items; None as the threshold is 1/N."""

    similarity: Similarity = "cosine"
    temperature: float = 1.0
    shrink_threshold: float | None = None

    @classmethod
    def of(cls, net: MAAMNet) -> "Addressing":
        """The addressing that a network was trained with."""
        return cls(net.similarity, net.temperature, net.shrink_threshold)

    def threshold(self, items: int) -> float:
        """lambda of Eq. 3 for N items."""
        return 1 / items if self.shrink_threshold is None else self.shrink_threshold


class Answers(NamedTuple):
    """What the memory answers to all queries of one frame."""

    shares: Tensor  # (N, h, w) softmax of the similarities, before shrinkage
    weights: Tensor  # (N, h, w) addressing weights
    support: np.ndarray  # int64 (h, w) support items per query
    entropy: np.ndarray  # (h, w) of the weights, in nats
    agreement: np.ndarray  # (h, w) cosine of query and read-out

    def of(self, cell: tuple[int, int], count: int) -> dict[str, np.ndarray]:
        """The `count` items that answer the query at (row, column) most.

        `items` their numbers, `shares` and `weights` (K,), `maps` (K, h, w) their weights over the frame, and
        `support` (h, w). Raises QueryError for a cell outside the grid.
        """
        rows, columns = self.support.shape
        if not (0 <= cell[0] < rows and 0 <= cell[1] < columns):
            raise QueryError(f"no query at {cell}; the grid has {rows} rows and {columns} columns, counted from 0")
        shares, weights = self.shares[:, cell[0], cell[1]], self.weights[:, cell[0], cell[1]]
        items = shares.argsort(descending=True, stable=True)[:count]  # the order of the weights, and of what was cut
        return {
            "items": items.numpy(),
            "shares": shares[items].numpy(),
            "weights": weights[items].numpy(),
            "maps": self.weights[items].numpy(),
            "support": self.support,
        }


@torch.no_grad()
def queries_of(net: MAAMNet, dataset: FrameFlowDataset, index: int) -> Tensor:
    """Queries (1, D, h, w) of one frame of a dataset; raises QueryError for a network without memory."""
    items_of(net)
    return net.eval().encode(dataset[index][0][None])[0]


@torch.no_grad()
def answers(query: Tensor, items: Tensor, addressing: Addressing) -> Answers:
    """What items (N, D) answer to the queries (1, D, h, w) of one frame."""
    similarities = memory.similarity_map(query, items, addressing.similarity)
    shares = torch.softmax(similarities / addressing.temperature, dim=1)
    weights = memory.shrink(shares, addressing.threshold(len(items)))
    read_out = memory.read(weights, items)
    return Answers(
        shares[0],
        weights[0],
        memory.support_count(weights)[0].numpy(),
        memory.entropy(weights)[0].numpy(),
        F.cosine_similarity(query, read_out, dim=1)[0].numpy(),
    )


class MemoryView:
    """Holds what is shown; every method does only the work that its change asks for."""

    def __init__(self, net: MAAMNet, dataset: FrameFlowDataset) -> None:
        """Raises QueryError for a network without memory."""
        self.net, self.dataset = net, dataset
        self._keys = dataset.keys()
        self.clips: dict[str, int] = Counter(clip for clip, _ in self._keys)  # frames of each
        self.figure = AddressingFigure(dataset.prepared.frame_size, MOST_ITEMS)
        self.addressing, self.count = Addressing.of(net), MOST_ITEMS
        self._query, self._items = queries_of(net, dataset, 0), items_of(net)
        self.items = len(self._items)
        self.grid = self._query.shape[2], self._query.shape[3]
        self.cell = (self.grid[0] // 2, self.grid[1] // 2)
        self.show_frame(self._keys[0][0], 0)

    def show_frame(self, clip: str, place: int) -> None:
        """Another frame, counted from 0 in its clip: its queries anew."""
        self.clip, self.place = clip, place
        index = next(i for i, (name, _) in enumerate(self._keys) if name == clip) + place
        self._query = queries_of(self.net, self.dataset, index)
        self._pixels = self.dataset.prepared.frames(self.dataset.split, clip)[self._keys[index][1]]
        self.address(self.addressing)

    def address(self, addressing: Addressing) -> None:
        """Another addressing: the answers anew."""
        self.addressing = addressing
        self.answers = answers(self._query, self._items, addressing)
        self.look_at(self.cell, self.count)

    def look_at(self, cell: tuple[int, int], count: int) -> None:
        """Another query (row, column) of the frame, or another number of items; QueryError outside the grid."""
        found = self.answers.of(cell, count)
        self.cell, self.count = cell, count
        self.figure.show(self._pixels, found, self.addressing.threshold(self.items), cell)

    def frame_png(self) -> bytes:
        """The frame with the queries' grid, the chosen one outlined."""
        return png_of(frame_with_cell(self._pixels, self.grid, self.cell))

    def facts(self) -> dict[str, str]:
        """What the memory answers, by name, ready to show."""
        found, items = self.answers, self.items
        return {
            "support items of this query": f"{found.support[self.cell]} of {items}",
            "entropy of this query's weights": f"{found.entropy[self.cell]:z.2f} of at most {np.log(items):.2f} nats",
            "cosine of query and read-out": f"{found.agreement[self.cell]:.3f}",
            "support items, mean over the frame": f"{found.support.mean():.1f}",
            "cosine, mean over the frame": f"{found.agreement.mean():.3f}",
            "lambda": f"{self.addressing.threshold(items):.4g}",
        }
