"""The clips of a prepared dataset on disk: each written whole or not at all, recognised when it is there."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import get_args
from uuid import uuid4

import numpy as np
from tqdm import tqdm

from data_prep.clip import Clip, SourceError, Split
from data_prep.cluster import unordered
from data_prep.files import UnreadableError, aside_of, clear_asides, file_sha256, in_form, read_json, remove
from data_prep.flow import FLOW_ESTIMATORS, estimate_flow
from data_prep.frames import resize_flow, resize_frame, resize_nearest
from data_prep.layout import Array, ClipRecord, Head, stored_form

RECORD = "clip.json"
Records = dict[tuple[Split, str], ClipRecord]


def ensure_clip(clip: Clip, dataset_folder: Path, head: Head) -> ClipRecord:
    """Write `<dataset_folder>/<split>/<clip>/`, unless it is there with this head and unchanged arrays.

    head: of the manifest; recorded with the clip. Returns the clip's record. The clip is written aside and renamed when
    whole; what was written of a clip that fails is removed.

    Raises SourceError where the clip is not what it announced, and OSError where it cannot be written.
    """
    folder = dataset_folder / clip.split / clip.name
    if (record := _intact_record(folder, head)) is not None:
        return record
    # A name of its own: on a cluster, a worker that its caller has left may still be writing this clip.
    aside = aside_of(folder.with_name(uuid4().hex))
    aside.mkdir(parents=True)
    try:
        record = _write_clip(clip, aside, head)
        (aside / RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        remove(folder)  # a damaged clip; finished datasets are never written to
        aside.replace(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return record


def ensure_clips(
    clips: list[Clip],
    dataset_folder: Path,
    head: Head,
    workers: int,
    *,
    scheduler: str | None = None,
    progress: bool = False,
) -> Records:
    """`ensure_clip` for many clips, side by side (`cluster.unordered`); their records in the order of `clips`.

    The first error ends it: finished clips stay, those under way do not. progress: a bar on stderr, in a terminal only.
    """
    records: Records = {}
    total = sum(clip.num_frames for clip in clips)
    task = partial(ensure_clip, dataset_folder=dataset_folder.absolute(), head=head)
    with tqdm(total=total, unit="frame", desc=head.dataset, disable=None if progress else True) as bar:
        for clip, record in unordered(task, clips, min(workers, len(clips)), scheduler):
            records[clip.split, clip.name] = record
            bar.update(clip.num_frames)
    return {(clip.split, clip.name): records[clip.split, clip.name] for clip in clips}


def read_record(folder: Path) -> ClipRecord | None:
    """What `ensure_clip` recorded in a clip's folder; None where there is no whole record."""
    path = folder / RECORD
    try:
        return in_form(read_json(path), ClipRecord, str(path))
    except (FileNotFoundError, UnreadableError):
        return None


def clear_litter(folder: Path) -> None:
    """Delete what killed processes left in a dataset's folder, and the folder where nothing else is in it.

    What a living process writes stays; the caller holds the dataset's lock.
    """
    for place in (folder / "train", folder / "test", folder):
        clear_asides(place)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def stored_bytes(clip: Clip, head: Head) -> int:
    """Bytes that the clip takes when prepared: frames, flow, and masks and tracks where it has them."""
    per_pixel = head.channels + 4 + (clip.masks is not None) + 2 * (clip.tracks is not None)
    return clip.num_frames * head.frame_size[0] * head.frame_size[1] * per_pixel


def _intact_record(folder: Path, head: Head) -> ClipRecord | None:
    record = read_record(folder)
    if record is None or record.settings != head.as_written():
        return None
    paths = {folder / f"{array}.npy": sha256 for array, sha256 in record.sha256.items()}
    return record if all(path.is_file() and file_sha256(path) == sha256 for path, sha256 in paths.items()) else None


# Writing


def _write_clip(clip: Clip, folder: Path, head: Head) -> ClipRecord:
    where, size = f"{head.dataset}/{clip.split}/{clip.name}", head.frame_size
    labels = None if clip.labels is None else clip.labels()
    arrays: dict[Array, Iterable[np.ndarray]] = {}  # what is quickly checked is written first
    if labels is not None:
        arrays["labels"] = labels
    if clip.masks is not None:
        arrays["masks"] = (resize_nearest(mask, size) for mask in _agreeing_masks(clip.masks(), labels, where))
    arrays["frames"] = (resize_frame(frame, size) for frame in clip.frames())
    arrays["flow"] = (resize_flow(flow, size) for flow in _flows(clip, head.flow.estimator))
    if clip.tracks is not None:
        arrays["tracks"] = (resize_nearest(track, size) for track in clip.tracks())
    hashes: dict[Array, str] = {}
    for array, pieces in arrays.items():
        digest = hashlib.sha256()
        shape, dtype = stored_form(array, clip.num_frames, size, head.channels)
        with (folder / f"{array}.npy").open("wb") as file:  # no memory map: a full disk is an OSError and not a crash
            for data in _npy(where, array, pieces, shape, dtype):
                file.write(data)
                digest.update(data)
        hashes[array] = digest.hexdigest()
    return ClipRecord(
        frames=clip.num_frames,
        sha256={array: hashes[array] for array in get_args(Array) if array in hashes},
        abnormal=None if labels is None else int(labels.sum()),
        settings=head.as_written(),
    )


def _agreeing_masks(masks: Iterable[np.ndarray], labels: np.ndarray | None, where: str) -> Iterator[np.ndarray]:
    """The masks as the source has them: a frame is abnormal if and only if its mask is not empty."""
    for t, mask in enumerate(masks):
        if labels is not None and t < len(labels) and mask.any() != labels[t]:
            said, shown = ("abnormal", "empty") if labels[t] else ("normal", "not empty")
            raise SourceError(
                f"{where}: frame {t} (counted from 0) is {said} by its label, but its mask is {shown}; are the labels "
                "or the masks shifted, or from another release?"
            )
        yield mask


def _npy(
    where: str, name: str, pieces: Iterable[np.ndarray], shape: tuple[int, ...], dtype: type[np.generic]
) -> Iterator[bytes]:
    """The bytes of a .npy file, its header and then piece by piece along its first axis.

    Raises SourceError for a piece of another shape than `shape[1:]` and for another number of them than `shape[0]`.
    """
    header, num_pieces = BytesIO(), 0
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(header, {"descr": description, "fortran_order": False, "shape": shape})
    yield header.getvalue()
    for num_pieces, piece in enumerate(pieces, start=1):
        if piece.shape != shape[1:]:
            raise SourceError(
                f"{where}: {name} of frame {num_pieces} has shape {piece.shape}, expected {shape[1:]}; "
                "do all frames of the source have one size?"
            )
        yield np.ascontiguousarray(piece, dtype).tobytes()
    if num_pieces != shape[0]:
        raise SourceError(
            f"{where}: {num_pieces} {name}, expected {shape[0]} as announced by the source; was a file cut?"
        )


def _flows(clip: Clip, estimator: str) -> Iterable[np.ndarray]:
    """T-1 flows at the source's size, float32 (H, W, 2): estimated, or the clip's own ("exact", or imported)."""
    if clip.flow is not None and estimator not in FLOW_ESTIMATORS:
        return clip.flow()
    return (estimate_flow(estimator, first, second) for first, second in pairwise(clip.frames()))
