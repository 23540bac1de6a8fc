"""The clips of a prepared dataset on disk: each written whole or not at all, recognised when it is there."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from io import BytesIO
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from data_prep.clip import Clip, SourceError
from data_prep.flow import FLOW_ESTIMATORS, estimate_flow

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
    aside = folder.with_name(f".{clip.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        record = _write_clip(clip, aside, settings)
        (aside / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged clip; finished datasets are never written to
        os.replace(aside, folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return record


def ensure_clips(
    clips: list[Clip], dataset_folder: Path, settings: dict[str, Any], workers: int, *, progress: bool = False
) -> dict[tuple[str, str], dict[str, Any]]:
    """`ensure_clip` for many clips in `workers` processes; their records by (split, name), in the order of `clips`.

    The first error ends it: clips under way are finished, and stay. progress: a bar on stderr, in a terminal only.
    """
    records = {}
    total = sum(clip.num_frames for clip in clips)
    with tqdm(total=total, unit="frame", desc=settings["dataset"], disable=None if progress else True) as bar:
        for clip, record in _in_parallel(clips, dataset_folder, settings, min(workers, len(clips))):
            records[clip.split, clip.name] = record
            bar.update(clip.num_frames)
    return {(clip.split, clip.name): records[clip.split, clip.name] for clip in clips}


def _in_parallel(
    clips: list[Clip], dataset_folder: Path, settings: dict[str, Any], workers: int
) -> Iterator[tuple[Clip, dict[str, Any]]]:
    if workers == 1:
        yield from ((clip, ensure_clip(clip, dataset_folder, settings)) for clip in clips)
        return
    # Fresh processes (spawn): forking one that has threads, as NumPy and PyTorch do, can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
        tasks = {pool.submit(ensure_clip, clip, dataset_folder, settings): clip for clip in clips}
        try:
            for task in as_completed(tasks):
                yield tasks[task], task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # clips under way are finished, and stay
            raise


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which lets the clips under way end


def read_record(folder: Path) -> dict[str, Any] | None:
    """What `ensure_clip` recorded in a clip's folder; None where there is no readable record."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def stored_bytes(clip: Clip, frame_size: tuple[int, int], channels: int) -> int:
    """Bytes that the clip takes when prepared: frames, flow, and masks and tracks where it has them."""
    per_pixel = channels + 4 + (clip.masks is not None) + 2 * (clip.tracks is not None)
    return clip.num_frames * frame_size[0] * frame_size[1] * per_pixel


def _intact_record(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    record = read_record(folder)
    if record is None or record.get("settings") != settings:
        return None
    intact = all(_file_hash(folder / f"{name}.npy") == sha256 for name, sha256 in record["sha256"].items())
    return record if intact else None


def _file_hash(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Writing


def _write_clip(clip: Clip, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    write = partial(_write_array, folder, f"{settings['dataset']}/{clip.split}/{clip.name}")
    size = tuple(settings["frame_size"])
    shape = (clip.num_frames, *size)  # (T, H, W)
    frames = (_resize_frame(frame, size) for frame in clip.frames())
    hashes = {"frames": write("frames", frames, np.uint8, (*shape, settings["channels"]))}
    flows = (resize_flow(flow, size) for flow in _flows(clip, settings["flow"]["estimator"]))
    hashes["flow"] = write("flow", flows, np.float16, (clip.num_frames - 1, *size, 2))
    labels = None if clip.labels is None else clip.labels()
    if labels is not None:
        hashes["labels"] = write("labels", labels, np.uint8, (clip.num_frames,))
    if clip.masks is not None:
        masks = (_resize_nearest(mask, size) for mask in clip.masks())
        hashes["masks"] = write("masks", masks, np.uint8, shape)
    if clip.tracks is not None:
        tracks = (_resize_nearest(track, size) for track in clip.tracks())
        hashes["tracks"] = write("tracks", tracks, np.int16, shape)
    abnormal = None if labels is None else int(labels.sum())
    return {"frames": clip.num_frames, "abnormal": abnormal, "sha256": hashes, "settings": settings}


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


def _resize_frame(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Array (H, W, C) to another (H, W): by area where it shrinks, bilinear where it grows."""
    if frame.shape[:2] == size:
        return frame
    shrinks = size[0] <= frame.shape[0] and size[1] <= frame.shape[1]
    resized = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(*size, frame.shape[2])  # OpenCV drops the axis of a single channel


def resize_flow(flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 (H, W, 2) to another (H, W), its vectors scaled with it: pixels per frame at the new size."""
    if flow.shape[:2] == size:
        return flow
    scale = np.array([size[1] / flow.shape[1], size[0] / flow.shape[0]], np.float32)  # of dx, dy
    return _resize_frame(flow, size) * scale


def _resize_nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if mask.shape == size:
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
