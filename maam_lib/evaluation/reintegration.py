"""What is lost on the way through the memory: how far a read-out is from its query, and where (end of Sec. 3.2.2)."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from maam_lib.data import DatasetError, FrameFlowDataset
from maam_lib.metrics import roc_auc

CELL = 16  # pixels of a frame's side to one step of the latent grid


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
    grid = query.shape[2], query.shape[3]
    abnormal = abnormal_places(dataset, keys, grid)
    seen = abnormal | moving_places(dataset, keys, grid)
    if abnormal[seen].all() or not abnormal.any():
        return None
    return roc_auc(abnormal[seen].astype(int), reintegration_error(query.cpu(), read_out.cpu())["angle"][seen])
