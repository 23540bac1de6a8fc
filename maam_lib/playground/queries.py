"""The queries of one frame, and what the memory answers them under any addressing (Sec. 3.2.2, Eq. 1-4).

Nothing is trained: the addressing is swapped under one trained network, as a slider does it.
"""

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
