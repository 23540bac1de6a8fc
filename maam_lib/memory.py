"""The memory module: addressing, shrinkage, read-out and support items (paper Sec. 3.2.2, Eq. 1-4).

In the comments s~ and s^ are the paper's s with a tilde (after the softmax) and with a hat (after the shrinkage).
Shapes: query (B, D, h, w), items (N, D), weights (B, N, h, w), read-out (B, D, h, w).
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Similarity = Literal["cosine", "released"]
EPSILON = 1e-12  # of Eq. 3 and of the released similarity (released code; the paper says "small")


def similarity_map(query: Tensor, items: Tensor, form: Similarity = "cosine") -> Tensor:
    """Similarity s_i of every query to every memory item, (B, N, h, w).

    "cosine" is Eq. 1, in [-1, 1]; a query of zeros is equally (0) similar to all items.
    "released" is what the authors' code computes (docs/differences.md, item 1): z.m divided by the sum over
    channels of z_k^2 m_k^2, without roots. It is unbounded and grows as the vectors shrink.
    """
    if form == "cosine":
        z, m = F.normalize(query, dim=1), F.normalize(items, dim=1)
        return torch.einsum("bdhw,nd->bnhw", z, m)  # Eq. 1: z^T m_i / (|z| |m_i|)
    product = torch.einsum("bdhw,nd->bnhw", query, items)  # z^T m_i
    squares = torch.einsum("bdhw,nd->bnhw", query.square(), items.square())
    return (product + EPSILON) / (squares + EPSILON)


def address(
    query: Tensor,
    items: Tensor,
    *,
    similarity: Similarity = "cosine",
    temperature: float = 1.0,
    shrink_threshold: float | None = None,
) -> Tensor:
    """Addressing weights w of every query, (B, N, h, w): >= 0, with sum 1 over the items (Eq. 1-3).

    `temperature` divides the similarities before the softmax: 1 is the paper, less is sharper (ours).
    `shrink_threshold` is lambda of Eq. 3; None means 1/N.
    """
    threshold = 1 / len(items) if shrink_threshold is None else shrink_threshold
    s = similarity_map(query, items, similarity)  # Eq. 1: s_i = z^T m_i / (|z| |m_i|)
    soft_weights = torch.softmax(s / temperature, dim=1)  # Eq. 2: s~_i = exp(s_i) / sum_j exp(s_j)
    return shrink(soft_weights, threshold)  # Eq. 3, and w_i = s^_i / sum_j s^_j


def shrink(soft_weights: Tensor, threshold: float) -> Tensor:
    """Hard shrinkage of Eq. 3, then division by the sum over the items; in and out (B, N, h, w).

    A query for which no item exceeds the threshold keeps its unshrunk weights, so that the sum stays 1 and the
    gradient flows; its support is then all N items. There the released code divides 0 by 0 (item 2). `relu` has slope 0
    at 0, where `clamp` has 1 and would give a gradient to an item that is cut.
    """
    e = soft_weights - threshold  # s~_i - lambda
    kept = F.relu(e) * soft_weights / (e.abs() + EPSILON)  # Eq. 3: s^_i = max(e, 0) s~_i / (|e| + epsilon)
    total = kept.sum(dim=1, keepdim=True)
    some_survive = total > 0
    weights = kept / torch.where(some_survive, total, 1)  # w_i = s^_i / sum_j s^_j
    return torch.where(some_survive, weights, soft_weights)


def read(weights: Tensor, items: Tensor) -> Tensor:
    """Read-out z_hat: (B, N, h, w) and (N, D) -> (B, D, h, w)."""
    return torch.einsum("bnhw,nd->bdhw", weights, items)  # Eq. 4: z_hat = w^T M


def support_count(weights: Tensor) -> Tensor:
    """Number of support items (non-zero weights) of every query: (B, N, h, w) -> int64 (B, h, w), 1 to N (Fig. 5)."""
    return (weights > 0).sum(dim=1)


def entropy(weights: Tensor) -> Tensor:
    """-sum_i w_i log w_i of every query (the summand of Eq. 8): (B, N, h, w) -> (B, h, w), 0 to log N, in nats.

    0 log 0 counts as 0, its limit, and its gradient as 0: items that the shrinkage dropped take no part.
    """
    safe = torch.where(weights > 0, weights, 1)
    return -(safe * safe.log()).sum(dim=1)  # Eq. 8


def cosine_spread(vectors: Tensor) -> float:
    """How much queries or read-outs (B, D, h, w) differ: the mean of 1 - cosine over all pairs, 0 to 1 for z >= 0.

    0 means that every position reads the same thing out of the memory. Zero vectors count as unlike all (ours).
    """
    unit = F.normalize(vectors.double(), dim=1)
    return float(1 - unit.mean(dim=(0, 2, 3)).square().sum())
