"""Prepared datasets: found by their manifest, checked when opened, read as (clip, frame) items in batches.

Axes: B batch, C channels (1 gray, 3 RGB), H W pixels, T frames. Stored frames are uint8 (T, H, W, C), stored
flow is float16 (T-1, H, W, 2) in pixels per frame at the stored size, (dx, dy), from t to t+1.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from data_prep.clip import Split
from data_prep.files import UnreadableError, open_npy
from data_prep.layout import (
    MANIFEST,
    REPAIR,
    Channels,
    ClipEntry,
    DatasetError,
    Manifest,
    manifests,
    read_manifest,
    stored_form,
)
from data_prep.words import counted
from maam_lib.config import Recipe

Part = Literal["train", "held_out", "test"]
Indices = Sequence[int] | np.ndarray  # of items
DEFAULT_FLOW = "dis"  # what `maam prepare` takes when it is not told


# Finding


def find_dataset(
    root: Path, dataset: str, size: tuple[int, int] | None = None, flow: str | None = None
) -> "PreparedDataset":
    """Open the prepared dataset under `root` that fits; its folder's name does not matter.

    size: (H, W) of the stored frames, None for any; flow: estimator ("dis"), None for any. Raises
    DatasetError with the command that prepares it where nothing fits or it is unfinished; and if several fit.
    """
    root = Path(root)
    whole, damaged = manifests(root)
    there = {folder: manifest for folder, manifest in whole.items() if manifest.dataset == dataset}
    fitting = [
        folder
        for folder, manifest in there.items()
        if (size is None or manifest.frame_size == tuple(size)) and (flow is None or manifest.flow.estimator == flow)
    ]
    if len(fitting) == 1:
        return PreparedDataset(fitting[0])
    found = "; ".join(f"{folder.name}: {_in_words(manifest)}" for folder, manifest in there.items())
    if fitting:
        raise DatasetError(f"{root}: several prepared {dataset} fit ({found}); say which by size or flow")
    for error in damaged.values():  # it may be the one that is asked for
        raise error
    raise DatasetError(_not_found(root, dataset, size, flow, found))


def _not_found(root: Path, dataset: str, size: tuple[int, int] | None, flow: str | None, found: str) -> str:
    wanted, command = dataset, f"maam prepare {dataset}"
    command += "" if dataset.startswith("synthetic") else " --source PATH"
    command += f" --root {root}"
    if size is not None:
        wanted += f" at {size[0]}x{size[1]}"
        command += f" --size {size[0]} {size[1]}"
    if flow is not None:
        wanted += f" with flow {flow}"
        command += "" if flow == DEFAULT_FLOW else f" --flow {flow}"
    own = (root / dataset, *sorted(root.glob(f"{dataset}-[0-9]*x*")))
    unfinished = [folder for folder in own if folder.is_dir() and not (folder / MANIFEST).exists()]
    if unfinished and not found:
        return f"{unfinished[0]} is unfinished (no {MANIFEST}); the same command continues it: {command}"
    return f"no prepared {wanted} in {root}; there is {found or f'no {dataset}'}. Prepare it: {command}"


def _in_words(manifest: Manifest) -> str:
    height, width = manifest.frame_size
    return f"{height}x{width}, flow {manifest.flow.estimator}"


# One prepared dataset


class PreparedDataset:
    """One prepared dataset, its arrays memory-mapped and read-only.

    Opening it checks that every array of the manifest is there with its shape and type (from the headers, the
    pixels are not read). It can be sent to other processes, which open the files again.

    Attributes: folder; manifest; name; frame_size (H, W); channels C; content_hash, the
    sha256 over all that a model can see of it (name, size, channels, flow settings, arrays), independent of
    where, from which copy of the source and by which versions it was prepared.

    Raises DatasetError on opening: no manifest, another format, an array absent, cut or not fitting its clip.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self.name: str = self.manifest.dataset
        self.frame_size: tuple[int, int] = self.manifest.frame_size
        self.channels: Channels = self.manifest.channels
        self._arrays = {
            (split, clip, array): self._open(split, clip, array)
            for split, clips in self.manifest.clips.items()
            for clip, entry in clips.items()
            for array in entry.sha256
        }
        self.content_hash = self._content_hash()

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return PreparedDataset, (self.folder,)  # the path travels, not the pixels

    def __repr__(self) -> str:
        totals = self.manifest.totals
        return (
            f"PreparedDataset({str(self.folder)!r}: {self.name}, {_in_words(self.manifest)}, "
            f"{totals.train_frames} training and {totals.test_frames} test frames"
            f"{'' if self.manifest.complete else ', INCOMPLETE'})"
        )

    def clips(self, split: Split) -> list[str]:
        """Names of the clips of a split, in the source's order."""
        return list(self.manifest.clips[split])

    def num_frames(self, split: Split, clip: str) -> int:
        """T, the frames of a clip; its flow has one less."""
        return self._entry(split, clip).frames

    def frames(self, split: Split, clip: str) -> np.ndarray:
        """uint8 (T, H, W, C)."""
        return self._array(split, clip, "frames")

    def flow(self, split: Split, clip: str) -> np.ndarray:
        """float16 (T-1, H, W, 2), pixels per frame at this size, (dx, dy), from t to t+1."""
        return self._array(split, clip, "flow")

    def labels(self, clip: str) -> np.ndarray:
        """uint8 (T,), 1 = abnormal, of a test clip; DatasetError where the source has none."""
        labels = self._array("test", clip, "labels")
        if labels is None:
            raise DatasetError(f"{self.name}/test/{clip} has no labels ({self.manifest.label_source})")
        return labels

    def masks(self, clip: str) -> np.ndarray | None:
        """uint8 (T, H, W), 1 = abnormal, of a test clip; None where the source has no pixel masks."""
        return self._array("test", clip, "masks")

    def tracks(self, clip: str) -> np.ndarray | None:
        """int16 (T, H, W), 0 = background, k = object k, of a test clip; None where they are not known."""
        return self._array("test", clip, "tracks")

    def _entry(self, split: Split, clip: str) -> ClipEntry:
        try:
            return self.manifest.clips[split][clip]
        except KeyError:
            clips = ", ".join(self.manifest.clips[split]) or "none"
            raise DatasetError(f"{self.name} has no clip {split}/{clip}; there are: {clips}") from None

    def _array(self, split: Split, clip: str, array: str) -> Any:
        """One of a clip's arrays; None where the source has none."""
        self._entry(split, clip)
        return self._arrays.get((split, clip, array))

    def _open(self, split: Split, clip: str, array: str) -> np.ndarray:
        where = f"{self.name}/{split}/{clip}"
        path = self.folder / split / clip / f"{array}.npy"
        repair = REPAIR.format(self.folder / MANIFEST)
        try:
            opened = open_npy(path).view(np.ndarray)  # a plain view: the class of memory maps makes indexing slower
        except UnreadableError as error:
            raise DatasetError(f"{where}: {array} cannot be opened ({error}); {repair}") from error
        frames = self.num_frames(split, clip)
        shape, dtype = stored_form(array, frames, self.frame_size, self.channels)
        if len(opened) != shape[0]:
            raise DatasetError(
                f"{where}: {counted(frames, 'frame')} but {len(opened)} {array}, expected {shape[0]}; {repair}. "
                f"File: {path}"
            )
        if opened.shape != shape or opened.dtype != dtype:
            raise DatasetError(
                f"{where}: {array} are {opened.dtype} {opened.shape}, expected {np.dtype(dtype)} {shape}; "
                f"{repair}. "
                f"File: {path}"
            )
        return opened

    def _content_hash(self) -> str:
        flow = self.manifest.flow
        hashes = {
            split: {clip: entry.sha256 for clip, entry in clips.items()} for split, clips in self.manifest.clips.items()
        }
        how = {"estimator": flow.estimator, "settings": flow.settings, "units": flow.units}
        content = [self.name, self.frame_size, self.channels, how, hashes]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# Items for training and scoring


class FrameFlowDataset(Dataset):
    """The (frame, flow) pairs of a split: each clip without its last `drop_last` frames (items 15 and 16).

    drop_last: at least 1, since the last frame of a clip has no flow; 2 is what the released code does on
    Avenue. clips: a choice of clips, None for all. channels: 3 repeats the gray channel of gray data; None
    takes them as stored. A DataLoader with `collate_fn` the identity takes whole batches from `__getitems__`.

    Raises DatasetError for one channel asked of colour data, an unknown clip, and a choice without any item.
    """

    def __init__(
        self,
        prepared: PreparedDataset,
        split: Split,
        *,
        drop_last: int = 1,
        clips: Sequence[str] | None = None,
        channels: int | None = None,
    ) -> None:
        if drop_last < 1:
            raise DatasetError(f"drop_last is {drop_last}; expected 1 or more, the last frame of a clip has no flow")
        self.channels = prepared.channels if channels is None else channels
        if self.channels not in (prepared.channels, 3):
            raise DatasetError(
                f"{prepared.name} has {counted(prepared.channels, 'channel')}, {channels} asked for; gray can be "
                "repeated to 3, all else must be as stored"
            )
        self.prepared = prepared
        self.split: Split = split
        chosen = list(prepared.clips(split) if clips is None else clips)
        self._keys = [(clip, t) for clip in chosen for t in range(prepared.num_frames(split, clip) - drop_last)]
        if not self._keys:
            raise DatasetError(f"{prepared.name}/{split}: no frames in the clips {chosen}; choose other clips")

    def keys(self, items: Indices | None = None) -> list[tuple[str, int]]:
        """(clip, frame) of each item, or of the items of the given numbers; frame counts from 0 within its clip."""
        return list(self._keys) if items is None else [self._keys[i] for i in items]

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One item: frame float32 (C, H, W) in [-1, 1], flow float32 (2, H, W)."""
        frames, flow = self.__getitems__([index])
        return frames[0], flow[0]

    def __getitems__(self, indices: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch: frames float32 (B, C, H, W) in [-1, 1], flow float32 (B, 2, H, W) in pixels per frame."""
        return to_model_input(*self.stored_batch(indices), self.channels)

    def stored_batch(self, indices: Indices, *, pinned: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch as stored, for `to_model_input`: uint8 (B, H, W, channels of the files) and float16 (B, H, W, 2).

        pinned: in memory from which CUDA copies while this process goes on.
        """
        shape = (len(indices), *self.prepared.frame_size)
        frames = torch.empty((*shape, self.prepared.channels), dtype=torch.uint8, pin_memory=pinned)
        flow = torch.empty((*shape, 2), dtype=torch.float16, pin_memory=pinned)
        raw_frames, raw_flow = frames.numpy(), flow.numpy()
        for position, (clip, frame) in enumerate(self.keys(indices)):
            raw_frames[position] = self.prepared.frames(self.split, clip)[frame]
            raw_flow[position] = self.prepared.flow(self.split, clip)[frame]
        return frames, flow

    @property
    def stored_bytes(self) -> int:
        """What all items take as stored: 1 byte per pixel and channel, 4 of flow."""
        height, width = self.prepared.frame_size
        return len(self) * height * width * (self.prepared.channels + 4)


def recipe_frames(recipe: Recipe, prepared: PreparedDataset, part: Part) -> FrameFlowDataset:
    """The frames that a recipe trains on, holds back from its training, or scores.

    Raises DatasetError as `FrameFlowDataset` and `training_clips` do.
    """
    clips = None if part == "test" else training_clips(prepared, recipe.training.hold_out)[part]
    split: Split = "test" if part == "test" else "train"
    return FrameFlowDataset(
        prepared, split, drop_last=recipe.data.drop_last, clips=clips, channels=recipe.data.channels
    )


def training_clips(prepared: PreparedDataset, hold_out: int) -> dict[Part, list[str]]:
    """The training clips that are trained on, in the source's order, and the last `hold_out` by name, held back (ours).

    Raises DatasetError where none would be left to train on.
    """
    clips = prepared.clips("train")
    if hold_out and hold_out >= len(clips):
        raise DatasetError(
            f"{prepared.folder}: training.hold_out = {hold_out} leaves none of its {len(clips)} training clips to "
            f"train on; it can be {len(clips) - 1} at most here"
        )
    held_out = sorted(clips)[len(clips) - hold_out :]
    return {"train": [clip for clip in clips if clip not in held_out], "held_out": held_out}


def to_model_input(
    raw_frames: torch.Tensor, raw_flow: torch.Tensor, channels: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Stored arrays to what the model takes, on the device where they are (item 15; no difference).

    raw_frames: uint8 (B, H, W, 1 or C); raw_flow: float16 (B, H, W, 2); channels: C, to which gray is repeated. Returns
    float32 frames (B, C, H, W) in [-1, 1], value / 127.5 - 1, and float32 flow (B, 2, H, W) in pixels per frame.
    """
    frames = raw_frames.expand(-1, -1, -1, channels).permute(0, 3, 1, 2)  # repeated without a copy
    frames = frames.to(torch.float32, memory_format=torch.contiguous_format)
    flow = raw_flow.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    return frames.div_(127.5).sub_(1.0), flow
