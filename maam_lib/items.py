"""What the memory's items are and do: who answers which query, how often, and what an item stands for (ours).

The paper claims a sparse dictionary of normal patterns (Sec. 3.2.2) and shows of it the support items per query
(Fig. 5). Here is what it takes to check the claim. Shapes as in `memory`: query and read-out (B, D, h, w), items
(N, D), weights (B, N, h, w). An asker is a place of the latent grid in one frame.
"""

import heapq
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor
from torch.nn import functional as F

from maam_lib.data import DatasetError, FrameFlowDataset
from maam_lib.memory import similarity_map
from maam_lib.metrics import roc_auc
from maam_lib.model import MAAMNet

CELL = 16  # pixels of a frame's side to one step of the latent grid


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
    effective: float  # exp(entropy): as many items, used alike, would have this entropy; 1 to N


class Patch(NamedTuple):
    """One asker that resembles an item."""

    key: tuple[str, int]  # (clip, frame)
    cell: tuple[int, int]  # (row, column) of the latent grid
    cosine: float


@torch.no_grad()
def recall_frames(net: MAAMNet, dataset: FrameFlowDataset, indices: Sequence[int], batch_size: int = 16) -> Recall:
    """Queries, read-outs and weights of chosen frames of a dataset, by a network with a memory, in evaluation mode."""
    net.eval()
    parts = []
    for frames in _batches(dataset, indices, batch_size):
        query, _ = net.encode(frames)
        parts.append((query, *net.recall(query)))
    keys = dataset.keys()
    query, read_out, weights = (torch.cat(part) for part in zip(*parts, strict=True))
    return Recall([keys[i] for i in indices], query, read_out, weights)


def abnormal_places(dataset: FrameFlowDataset, keys: Sequence[tuple[str, int]], grid: tuple[int, int]) -> np.ndarray:
    """Which places of the latent grid hold an abnormal pixel: bool (T, h, w) for T test frames (clip, frame).

    Raises DatasetError for a clip without pixel masks.
    """
    places = np.zeros((len(keys), *grid), bool)
    for place, (clip, frame) in zip(places, keys, strict=True):
        masks = dataset.prepared.masks(clip)
        if masks is None:
            raise DatasetError(f"{dataset.prepared.name}/test/{clip} has no pixel masks; choose a dataset that has")
        for row, column in np.unique(np.argwhere(masks[frame]) // CELL, axis=0):
            place[row, column] = True
    return places


def moving_places(
    dataset: FrameFlowDataset, keys: Sequence[tuple[str, int]], grid: tuple[int, int], least: float = 0.5
) -> np.ndarray:
    """Which places of the latent grid hold a pixel that moves by at least so many pixels per frame: bool (T, h, w).

    Most places of most frames are empty ground: a comparison with what is abnormal should leave them out.
    """
    prepared, split = dataset.prepared, dataset.split
    places = np.zeros((len(keys), *grid), bool)
    for place, (clip, frame) in zip(places, keys, strict=True):
        flow = prepared.flow(split, clip)[frame].astype(np.float32)
        for row, column in np.unique(np.argwhere(np.hypot(flow[..., 0], flow[..., 1]) >= least) // CELL, axis=0):
            place[row, column] = True
    return places


# Who answers


def answers(weights: Tensor, cell: tuple[int, int], at_most: int = 5) -> pd.DataFrame:
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
    """Frames (K, C, H, W) and flows (K, 2, H, W) that the decoders make when every place reads one item alone."""
    net.eval()
    empty, sizes = net.encode(torch.zeros(1, net.frame_channels, *size))
    alone = net.items[list(chosen), :, None, None].expand(-1, -1, *empty.shape[2:])
    return net.decode(alone, sizes)


@torch.no_grad()
def nearest_patches(
    net: MAAMNet, dataset: FrameFlowDataset, chosen: Sequence[int], indices: Sequence[int], most: int = 3
) -> dict[int, list[Patch]]:
    """The askers most like each chosen item, by the cosine, over chosen frames: item -> at most `most`, best first.

    One asker per frame and item, so that neighbours and one person do not fill the list.
    """
    net.eval()
    keys, best = dataset.keys(), {item: [] for item in chosen}
    done = 0
    for frames in _batches(dataset, indices, 16):
        query, _ = net.encode(frames)
        cosines = similarity_map(query, net.items[list(chosen)])  # (B, K, h, w)
        highest, place = cosines.flatten(2).max(dim=2)
        for b, of_frame in enumerate(highest.tolist()):
            key = keys[indices[done + b]]
            for k, item in enumerate(chosen):
                cell = divmod(int(place[b, k]), query.shape[3])
                entry = (of_frame[k], key, cell)
                keep = heapq.heappush if len(best[item]) < most else heapq.heappushpop
                keep(best[item], entry)
        done += len(frames)
    return {item: [Patch(k, c, cosine) for cosine, k, c in sorted(found, reverse=True)] for item, found in best.items()}


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
    both = np.concatenate([vectors, items]).astype(np.float64)
    both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
    if method == "pca":
        placed = PCA(2, random_state=seed).fit_transform(both)
    else:
        nearby = min(30, (len(both) - 1) / 3)
        placed = TSNE(2, perplexity=nearby, init="pca", random_state=seed).fit_transform(both)
    return placed[: len(vectors)], placed[len(vectors) :]


# What is lost on the way through


def reintegration_error(query: Tensor, read_out: Tensor) -> dict[str, np.ndarray]:
    """How far the read-out is from its query at every place, (B, h, w): "angle" 1 - cos, "distance" |z - z_hat| / |z|.

    The paper expects it to be higher for abnormal events (end of Sec. 3.2.2).
    """
    lengths = query.norm(dim=1).clamp(min=1e-12)
    return {
        "angle": (1 - F.cosine_similarity(query, read_out, dim=1)).numpy(),
        "distance": ((query - read_out).norm(dim=1) / lengths).numpy(),
    }


def reintegration_auc(
    dataset: FrameFlowDataset, keys: Sequence[tuple[str, int]], query: Tensor, read_out: Tensor
) -> float | None:
    """How well the angle of the reintegration error tells abnormal places from normal ones where something moves:
    an AUC over the places of T test frames, 0.5 = not at all. None without pixel masks, or places of both kinds."""
    if any(dataset.prepared.masks(clip) is None for clip, _ in keys):
        return None
    grid = tuple(query.shape[2:])
    abnormal = abnormal_places(dataset, keys, grid)
    seen = abnormal | moving_places(dataset, keys, grid)
    if abnormal[seen].all() or not abnormal.any():
        return None
    return roc_auc(abnormal[seen].astype(int), reintegration_error(query.cpu(), read_out.cpu())["angle"][seen])


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
