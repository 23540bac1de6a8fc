"""A memory that fits on a napkin: a few items in the plane and one query, small enough to check by hand (ours).

All numbers are the library's, computed on vectors of two numbers: Eq. 1-4 by `memory`, Eq. 9 by `losses`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from maam_lib import losses, memory
from maam_lib.playground.memory_view import Addressing

ITEMS = ((2.0, 0.0), (0.0, 1.0), (-1.0, 0.0))
QUERY = (1.5, 2.0)  # 3, 4, 5 halved: its cosines are 0.6, 0.8 and -0.6
MARGIN = 0.1  # zeta of Eq. 9, as in the recipes


class Napkin(NamedTuple):
    """What the memory answers to one query in the plane, step by step."""

    query: np.ndarray  # (2,)
    items: np.ndarray  # (N, 2)
    cosines: np.ndarray  # (N,) Eq. 1
    shares: np.ndarray  # (N,) Eq. 2, sum 1
    threshold: float  # lambda of Eq. 3
    weights: np.ndarray  # (N,) Eq. 3 and the division by the sum, sum 1
    read_out: np.ndarray  # (2,) Eq. 4
    agreement: float  # cosine of query and read-out
    latent_loss: float  # Eq. 9

    def table(self) -> pd.DataFrame:
        """One row per item: where it lies, Eq. 1, Eq. 2, what Eq. 3 keeps, and the weight."""
        rows = {
            "x": self.items[:, 0],
            "y": self.items[:, 1],
            "cosine (Eq. 1)": self.cosines,
            "share (Eq. 2)": self.shares,
            "after Eq. 3": np.where(self.shares > self.threshold, self.shares, 0),
            "weight": self.weights,
        }
        return pd.DataFrame(rows, index=[f"item {i}" for i in range(1, len(self.items) + 1)])

    def facts(self) -> dict[str, str]:
        """The read-out, its cosine to the query and the latent loss, ready to show."""
        x, y = self.read_out
        return {
            "read-out (Eq. 4)": f"({x:.2f}, {y:.2f})",
            "cosine of query and read-out": f"{self.agreement:.3f}",
            "latent loss (Eq. 9)": f"{self.latent_loss:.3f}",
        }


def as_vectors(query: Sequence[float] = QUERY, items: Sequence[Sequence[float]] = ITEMS) -> tuple[Tensor, Tensor]:
    """A query (2,) and items (N, 2) as the network has them: (1, 2, 1, 1) and (N, 2), float32.

    Raises ValueError for other shapes.
    """
    z, m = torch.tensor(query, dtype=torch.float32), torch.tensor(items, dtype=torch.float32)
    if z.shape != (2,) or m.ndim != 2 or m.shape[1] != 2:
        raise ValueError(f"expected a query of 2 numbers and items (N, 2), got {tuple(z.shape)} and {tuple(m.shape)}")
    return z[None, :, None, None], m


def napkin(
    query: Sequence[float] = QUERY,
    items: Sequence[Sequence[float]] = ITEMS,
    addressing: Addressing | None = None,
    margin: float = MARGIN,
) -> Napkin:
    """What items (N, 2) answer to a query (2,); addressing None is the paper's. Raises ValueError for other shapes."""
    (z, m), chosen = as_vectors(query, items), addressing or Addressing()
    similarities = memory.similarity_map(z, m, chosen.similarity)
    shares = torch.softmax(similarities / chosen.temperature, dim=1)
    threshold = chosen.threshold(len(m))
    weights = memory.shrink(shares, threshold)
    read_out = memory.read(weights, m)
    return Napkin(
        np.asarray(query, float),
        np.asarray(items, float),
        similarities.flatten().numpy(),
        shares.flatten().numpy(),
        threshold,
        weights.flatten().numpy(),
        read_out.flatten().numpy(),
        F.cosine_similarity(z, read_out, dim=1).item(),
        losses.latent_loss(z, read_out, margin).item(),
    )
