"""What the memory's items are and do: who answers which query, how often, and what an item stands for (ours).

The paper claims a sparse dictionary of normal patterns (Sec. 3.2.2) and shows of it the support items per query
(Fig. 5). Here is what it takes to check the claim. Shapes as in `memory`: query and read-out (B, D, h, w), items
(N, D), weights (B, N, h, w). An asker is a place of the latent grid in one frame.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib.data import FrameFlowDataset
from maam_lib.evaluation import CELL
from maam_lib.memory import similarity_map
from maam_lib.model import MAAMNet


class QueryError(ValueError):
    """A network without memory, or a query outside its grid."""


class Recall(NamedTuple):
    """What the memory did with T frames."""

    keys: list[tuple[str, int]]  # T times (clip, frame)
    query: Tensor  # (T, D, h, w)
    read_out: Tensor  # (T, D, h, w)
    weights: Tensor  # (T, N, h, w)


class Usage(NamedTuple):
    """How the weight of many queries is spread over the items."""

    shares: np.ndarray  # (N,) share of all weight, sum 1
    askers: np.ndarray  # (N,) share of the queries that an item supports, 0 to 1
    dead: int  # items that support no query
    entropy: float  # of the shares, in nats, 0 to log N
    effective: float  # exp(entropy): the number of equally used items that would give this entropy; 1 to N


class Patch(NamedTuple):
    """One asker that resembles an item."""

    key: tuple[str, int]  # (clip, frame)
    cell: tuple[int, int]  # (row, column) of the latent grid
    cosine: float


def items_of(net: MAAMNet) -> Tensor:
    """The memory items (N, D) of a network; raises QueryError for one without memory."""
    if net.items is None:
        raise QueryError("this network has no memory (model.use_memory is false), so it has no items to ask")
    return net.items


@torch.no_grad()
def recall_frames(net: MAAMNet, dataset: FrameFlowDataset, indices: Sequence[int], batch_size: int = 16) -> Recall:
    """Queries, read-outs and weights of chosen frames of a dataset, by a network with a memory, in evaluation mode."""
    net.eval()
    parts = []
    for frames in _batches(dataset, indices, batch_size):
        query, _ = net.encode(frames)
        parts.append((query, *net.recall(query)))
    return Recall(dataset.keys(indices), *(torch.cat(part) for part in zip(*parts, strict=True)))


# Who answers


def answering_items(weights: Tensor, cell: tuple[int, int], at_most: int = 5) -> pd.DataFrame:
    """The items that answer one asker, strongest first: item, weight, and the weight times N; weights (N, h, w)."""
    of_cell = weights[:, cell[0], cell[1]]
    weight, item = of_cell.topk(min(at_most, int((of_cell > 0).sum())))
    return pd.DataFrame({"item": item.numpy(), "weight": weight.numpy(), "times 1/N": (weight * len(weights)).numpy()})


def usage(weights: Tensor) -> Usage:
    """How the weight of all queries (B, N, h, w) is spread over the items; the histogram behind "dead items"."""
    shares = weights.double().mean(dim=(0, 2, 3)).numpy()
    askers = (weights > 0).double().mean(dim=(0, 2, 3)).numpy()
    used = shares[shares > 0]
    entropy = float(-(used * np.log(used)).sum())
    return Usage(shares, askers, int((askers == 0).sum()), entropy, float(np.exp(entropy)))


# What an item is


@torch.no_grad()
def decoded_items(net: MAAMNet, chosen: Sequence[int], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Frames (K, C, H, W) and flows (K, 2, H, W), or speeds (K, 1, H, W), that the decoders make when every place reads
    one item alone."""
    net.eval()
    empty, sizes = net.encode(torch.zeros(1, net.frame_channels, *size))
    alone = items_of(net)[list(chosen), :, None, None].expand(-1, -1, *empty.shape[2:])
    return net.decode(alone, sizes)


@torch.no_grad()
def nearest_patches(
    net: MAAMNet, dataset: FrameFlowDataset, chosen: Sequence[int], indices: Sequence[int], most: int = 3
) -> dict[int, list[Patch]]:
    """The askers most like each chosen item, by the cosine, over chosen frames: item -> at most `most`, best first.

    One asker per frame and item, so that neighbours and one person do not fill the list.
    """
    net.eval()
    found = []  # of every batch: the highest cosine of each frame with each item, and its place
    for frames in _batches(dataset, indices, 16):
        query, _ = net.encode(frames)
        cosines = similarity_map(query, items_of(net)[list(chosen)])  # (B, K, h, w)
        found.append(cosines.flatten(2).max(dim=2))
    cosine, place = (torch.cat(part) for part in zip(*found, strict=True))  # (T, K)
    best = cosine.argsort(dim=0, descending=True, stable=True)[:most]  # (most, K), numbers of frames
    keys, columns = dataset.keys(indices), -(-dataset.prepared.frame_size[1] // CELL)
    return {
        item: [Patch(keys[t], divmod(int(place[t, k]), columns), float(cosine[t, k])) for t in best[:, k].tolist()]
        for k, item in enumerate(chosen)
    }


def cut_out(frame: np.ndarray, cell: tuple[int, int], side: int = 3 * CELL) -> np.ndarray:
    """The square of a frame (H, W, C) around a place of the latent grid, moved inside where it would hang over."""
    side = min(side, *frame.shape[:2])
    middle = [(i + 0.5) * CELL for i in cell]
    top, left = (int(min(max(m - side / 2, 0), n - side)) for m, n in zip(middle, frame.shape[:2], strict=True))
    return frame[top : top + side, left : left + side]


def plane(
    vectors: np.ndarray, items: np.ndarray, method: Literal["pca", "tsne"], seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Queries (Q, D) and items (N, D) in one plane: (Q, 2) and (N, 2), all brought to length 1 first.

    Length 1, since addressing sees directions only. "pca" keeps large distances, "tsne" neighbourhoods.
    """
    from sklearn.decomposition import PCA  # here, since importing them takes a while
    from sklearn.manifold import TSNE

    both = np.concatenate([vectors, items]).astype(np.float64)
    both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
    if method == "pca":
        placed = PCA(2, random_state=seed).fit_transform(both)
    else:
        nearby = min(30, (len(both) - 1) / 3)
        placed = TSNE(2, perplexity=nearby, init="pca", random_state=seed).fit_transform(both)
    return placed[: len(vectors)], placed[len(vectors) :]


# What is lost on the way through


def variance_parts(vectors: Tensor) -> dict[str, float]:
    """How much queries or read-outs (B, D, h, w) vary, as shares of their mean square.

    "between places": of a place's mean over the frames; "between frames": around that mean. A read-out without
    variance between frames says the same of every frame, whatever happens in it.
    """
    x = vectors.double()
    mean_square = x.square().sum(dim=1).mean()
    of_place = x.mean(dim=0, keepdim=True)
    between_places = (of_place - of_place.mean(dim=(2, 3), keepdim=True)).square().sum(dim=1).mean()
    between_frames = (x - of_place).square().sum(dim=1).mean()
    parts = {"between places": between_places, "between frames": between_frames}
    return {name: float(part / mean_square.clamp(min=1e-30)) for name, part in parts.items()}


def _batches(dataset: FrameFlowDataset, indices: Sequence[int], size: int) -> Iterator[Tensor]:
    for start in range(0, len(indices), size):
        yield dataset.__getitems__(list(indices[start : start + size]))[0]
