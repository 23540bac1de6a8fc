"""The clips of a prepared dataset on disk: each written whole or not at all, recognised when it is there."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from tqdm import tqdm

from data_prep.clip import Clip, SourceError
from data_prep.cluster import unordered
from data_prep.files import UnreadableError, aside_of, clear_asides, read_checked, remove
from data_prep.flow import FLOW_ESTIMATORS, estimate_flow
from data_prep.frames import resize_flow, resize_frame, resize_nearest
from data_prep.layout import ClipRecord

RECORD = "clip.json"


def ensure_clip(clip: Clip, dataset_folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Write `<dataset_folder>/<split>/<clip>/`, unless it is there with these settings and unchanged arrays.

    settings: the head of the manifest (frame size, channels, flow, source, versions); recorded with the clip.
    Returns the clip's record: frames, abnormal (None without labels), sha256 of each array's file, settings.
    The clip is written aside and renamed when whole; what was written of a clip that fails is removed.

    Raises SourceError where the clip is not what it announced, and OSError where it cannot be written.
    """
    folder = dataset_folder / clip.split / clip.name
    record = _intact_record(folder, settings)
    if record is not None:
        return record
    # A name of its own: on a cluster, a worker that its caller has left may still be writing this clip.
    aside = aside_of(folder.with_name(uuid4().hex))
    aside.mkdir(parents=True)
    try:
        record = _write_clip(clip, aside, settings)
        (aside / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        remove(folder)  # a damaged clip; finished datasets are never written to
        aside.replace(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return record


def ensure_clips(
    clips: list[Clip],
    dataset_folder: Path,
    settings: dict[str, Any],
    workers: int,
    *,
    scheduler: str | None = None,
    progress: bool = False,
) -> dict[tuple[str, str], dict[str, Any]]:
    """`ensure_clip` for many clips, side by side (`cluster.unordered`); their records in the order of `clips`.

    The first error ends it: finished clips stay, those under way do not. progress: a bar on stderr, in a terminal only.
    """
    records = {}
    total = sum(clip.num_frames for clip in clips)
    task = partial(ensure_clip, dataset_folder=dataset_folder.absolute(), settings=settings)
    with tqdm(total=total, unit="frame", desc=settings["dataset"], disable=None if progress else True) as bar:
        for clip, record in unordered(task, clips, min(workers, len(clips)), scheduler):
            records[clip.split, clip.name] = record
            bar.update(clip.num_frames)
    return {(clip.split, clip.name): records[clip.split, clip.name] for clip in clips}


def read_record(folder: Path) -> dict[str, Any] | None:
    """What `ensure_clip` recorded in a clip's folder; None where there is no whole record."""
    try:
        return read_checked(folder / RECORD, ClipRecord)
    except (FileNotFoundError, UnreadableError):
        return None


def clear_litter(folder: Path) -> None:
    """Delete what killed processes left in a dataset's folder, and the folder where nothing else is in it.

    What a living process writes stays; the caller holds the dataset's lock.
    """
    for place in (folder, folder / "train", folder / "test"):
        clear_asides(place)
    of_earlier_versions = (folder / ".unpacked", folder / ".manifest.json.partial", *folder.glob("t*/.*.partial"))
    for litter in of_earlier_versions:
        remove(litter)
    for emptied in (folder / "train", folder / "test", folder):
        if emptied.is_dir() and not any(emptied.iterdir()):
            emptied.rmdir()


def stored_bytes(clip: Clip, frame_size: tuple[int, int], channels: int) -> int:
    """Bytes that the clip takes when prepared: frames, flow, and masks and tracks where it has them."""
    per_pixel = channels + 4 + (clip.masks is not None) + 2 * (clip.tracks is not None)
    return clip.num_frames * frame_size[0] * frame_size[1] * per_pixel


def _intact_record(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    record = read_record(folder)
    if record is None or record.get("settings") != settings:
        return None
    intact = all(file_hash(folder / f"{name}.npy") == sha256 for name, sha256 in record["sha256"].items())
    return record if intact else None


def file_hash(path: Path) -> str | None:
    """sha256 of a file; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Writing


def _write_clip(clip: Clip, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    where = f"{settings['dataset']}/{clip.split}/{clip.name}"
    write = partial(_write_array, folder, where)
    size = tuple(settings["frame_size"])
    shape = (clip.num_frames, *size)  # (T, H, W)
    labels = None if clip.labels is None else clip.labels()
    hashes = dict.fromkeys(("frames", "flow", "labels", "masks", "tracks"))  # what is quickly checked is written first
    if labels is not None:
        hashes["labels"] = write("labels", labels, np.uint8, (clip.num_frames,))
    if clip.masks is not None:
        masks = (resize_nearest(mask, size) for mask in _agreeing_masks(clip, labels, where))
        hashes["masks"] = write("masks", masks, np.uint8, shape)
    frames = (resize_frame(frame, size) for frame in clip.frames())
    hashes["frames"] = write("frames", frames, np.uint8, (*shape, settings["channels"]))
    flows = (resize_flow(flow, size) for flow in _flows(clip, settings["flow"]["estimator"]))
    hashes["flow"] = write("flow", flows, np.float16, (clip.num_frames - 1, *size, 2))
    if clip.tracks is not None:
        tracks = (resize_nearest(track, size) for track in clip.tracks())
        hashes["tracks"] = write("tracks", tracks, np.int16, shape)
    abnormal = None if labels is None else int(labels.sum())
    hashes = {name: sha256 for name, sha256 in hashes.items() if sha256 is not None}
    return {"frames": clip.num_frames, "abnormal": abnormal, "sha256": hashes, "settings": settings}


def _agreeing_masks(clip: Clip, labels: np.ndarray | None, where: str) -> Iterator[np.ndarray]:
    """The masks as the source has them: a frame is abnormal if and only if its mask is not empty."""
    for t, mask in enumerate(clip.masks()):
        if labels is not None and t < len(labels) and mask.any() != labels[t]:
            said, shown = ("abnormal", "empty") if labels[t] else ("normal", "not empty")
            raise SourceError(
                f"{where}: frame {t} (counted from 0) is {said} by its label, but its mask is {shown}; are the labels "
                "or the masks shifted, or from another release?"
            )
        yield mask


def _write_array(
    folder: Path, where: str, name: str, pieces: Iterable[np.ndarray], dtype: type, shape: tuple[int, ...]
) -> str:
    """Write `<name>.npy` piece by piece along its first axis; returns the sha256 of the file.

    Plain writes, not a memory map: a full disk is then an OSError and not a crash. Raises SourceError for a
    piece of another shape than `shape[1:]` and for another number of pieces than `shape[0]`.
    """
    digest, num_pieces = hashlib.sha256(), 0
    with (folder / f"{name}.npy").open("wb") as file:

        def write(data: bytes) -> None:
            file.write(data)
            digest.update(data)

        write(_npy_header(dtype, shape))
        for num_pieces, piece in enumerate(pieces, start=1):
            if piece.shape != shape[1:]:
                raise SourceError(
                    f"{where}: {name} of frame {num_pieces} has shape {piece.shape}, expected {shape[1:]}; "
                    "do all frames of the source have one size?"
                )
            write(np.ascontiguousarray(piece, dtype).tobytes())
    if num_pieces != shape[0]:
        raise SourceError(
            f"{where}: {num_pieces} {name}, expected {shape[0]} as announced by the source; was a file cut?"
        )
    return digest.hexdigest()


def _npy_header(dtype: type, shape: tuple[int, ...]) -> bytes:
    header = BytesIO()
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(header, {"descr": description, "fortran_order": False, "shape": shape})
    return header.getvalue()


def _flows(clip: Clip, estimator: str) -> Iterator[np.ndarray]:
    """T-1 flows at the source's size, float32 (H, W, 2): estimated, or the clip's own ("exact", or imported)."""
    if estimator not in FLOW_ESTIMATORS:
        return clip.flow()
    return (estimate_flow(estimator, first, second) for first, second in pairwise(clip.frames()))
