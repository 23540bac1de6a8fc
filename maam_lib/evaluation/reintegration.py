"""What is lost on the way through the memory: how far a read-out is from its query, and where (end of Sec. 3.2.2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maam_lib.baselines import spread_evenly
from maam_lib.data import DatasetError, FrameFlowDataset
from maam_lib.memory import cosine_spread, support_count
from maam_lib.metrics import roc_auc
from maam_lib.model import MAAMNet

CELL = 16  # pixels of a frame's side to one step of the latent grid
Keys = Sequence[tuple[str, int]]  # T times (clip, frame)


def abnormal_places(dataset: FrameFlowDataset, keys: Keys, grid: tuple[int, int]) -> np.ndarray:
    """Which places of the latent grid hold an abnormal pixel: bool (T, h, w) for T test frames (clip, frame).

    Raises DatasetError for a clip without pixel masks.
    """
    prepared, pictures = dataset.prepared, []
    for clip, frame in keys:
        if (masks := prepared.masks(clip)) is None:
            raise DatasetError(f"{prepared.name}/test/{clip} has no pixel masks; choose a dataset that has")
        pictures.append(masks[frame])
    return _places(pictures, grid)


def moving_places(dataset: FrameFlowDataset, keys: Keys, grid: tuple[int, int], least: float = 0.5) -> np.ndarray:
    """Which places of the latent grid hold a pixel that moves by at least so many pixels per frame: bool (T, h, w).

    Most places of most frames are empty ground: a comparison with what is abnormal should leave them out.
    """
    flows = (dataset.prepared.flow(dataset.split, clip)[frame].astype(np.float32) for clip, frame in keys)
    return _places([np.hypot(flow[..., 0], flow[..., 1]) >= least for flow in flows], grid)


def _places(pictures: Sequence[np.ndarray], grid: tuple[int, int]) -> np.ndarray:
    """Which places of the latent grid hold a pixel other than 0 of each picture (H, W): bool (T, h, w)."""
    places = np.zeros((len(pictures), *grid), bool)
    for place, picture in zip(places, pictures, strict=True):
        place[tuple(np.argwhere(picture).T // CELL)] = True
    return places


def reintegration_error(query: Tensor, read_out: Tensor) -> dict[str, np.ndarray]:
    """How far the read-out is from its query at every place, (B, h, w): "angle" 1 - cos, "distance" |z - z_hat| / |z|.

    The paper expects it to be higher for abnormal events (end of Sec. 3.2.2).
    """
    lengths = query.norm(dim=1).clamp(min=1e-12)
    return {
        "angle": (1 - F.cosine_similarity(query, read_out, dim=1)).numpy(),
        "distance": ((query - read_out).norm(dim=1) / lengths).numpy(),
    }


def memory_facts(net: MAAMNet, dataset: FrameFlowDataset, device: torch.device | str) -> dict[str, Any] | None:
    """What the memory did with 64 test frames: support items per query, how much queries and read-outs differ, and
    `reintegration_auc`, how well its error tells abnormal places from normal moving ones; None without memory."""
    if net.items is None:
        return None
    chosen = spread_evenly(len(dataset), 64).tolist()
    frames, _ = dataset.__getitems__(chosen)
    with torch.no_grad():
        query, _ = net.eval().encode(frames.to(device))
        read_out, weights = net.recall(query)
    assert weights is not None  # where there are items
    return {
        "items": len(net.items),
        "support_items": float(support_count(weights).double().mean()),
        "items_used": int((weights > 0).any(dim=3).any(dim=2).any(dim=0).sum()),
        "query_spread": cosine_spread(query),
        "read_out_spread": cosine_spread(read_out),
        "reintegration_auc": reintegration_auc(dataset, dataset.keys(chosen), query, read_out),
    }


def reintegration_auc(dataset: FrameFlowDataset, keys: Keys, query: Tensor, read_out: Tensor) -> float | None:
    """How well the angle of the reintegration error tells abnormal places from normal ones where something moves:
    an AUC over the places of T test frames, 0.5 = not at all. None without pixel masks, or places of both kinds."""
    if any(dataset.prepared.masks(clip) is None for clip, _ in keys):
        return None
    grid = query.shape[2], query.shape[3]
    abnormal = abnormal_places(dataset, keys, grid)
    seen = abnormal | moving_places(dataset, keys, grid)
    if abnormal[seen].all() or not abnormal.any():
        return None
    return roc_auc(abnormal[seen].astype(int), reintegration_error(query.cpu(), read_out.cpu())["angle"][seen])
