"""From a source to a prepared dataset: reader and flow joined, in parallel, resumable, checked.

<root>/<dataset>/manifest.json                 written last; a folder without it is unfinished
<root>/<dataset>/source.json                   what it was prepared from: see data_prep.files.source_files
<root>/<dataset>/<split>/<clip>/*.npy          see data_prep.clip_files
<root>/.<dataset>.lock                         there, and held, while the folder is written
"""

import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep import __version__
from data_prep.clip import Clip, Source, SourceError
from data_prep.clip_files import clear_litter, ensure_clips, read_record, stored_bytes
from data_prep.expected import missing_clips
from data_prep.files import (
    SPARE_BYTES,
    Part,
    States,
    aside_of,
    changed,
    examine,
    file_sha256,
    in_turn,
    listing_sha256,
    load_states,
    lock_beside,
    remove,
    save_states,
    source_sha256,
    text_sha256,
    write_text,
)
from data_prep.flow import FLOW_ESTIMATORS, FLOW_UNITS, flow_settings
from data_prep.layout import FORMAT_VERSION, MANIFEST, DatasetError, manifests, read_manifest
from data_prep.readers import LABEL_FILE
from data_prep.scenes import scene_hash, scene_settings
from data_prep.sources import READERS, Request

DATASETS = tuple(READERS)
SMALLEST_SIDE = 16  # pixels; the network halves four times
CAMERA_SIDE = 120  # pixels, of a user's own footage where no size is asked for; the laptop recipes' height


class PreparationError(SourceError):
    """The dataset cannot be written as asked: one line that says where, why and what to do."""


def prepare(
    dataset: str,
    source: Path | None,
    root: Path,
    *,
    flow: str = "dis",
    size: tuple[int, int] | None = None,
    labels: Path | None = None,
    allow_incomplete: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> Path:
    """Write the prepared dataset (see the top of this file) and return its folder (ours).

    dataset: one of DATASETS. source: archive or folder (None for a generated one). flow: one of FLOW_ESTIMATORS,
    or "exact" for a generated scene. size: (H, W) of the stored frames, None for the source's own, and for a user's own
    footage that of `camera_size`; flow is estimated at the source's size and then resized with the frames, as in the
    paper (Sec. 4.3): estimated on small frames it loses small people. labels: another label file than the official
    labels ("avenue" only). workers: processes, None for one per core; scheduler: address of a Dask scheduler whose
    workers take their place. progress: a bar on stderr, in a terminal only.

    A finished dataset with these settings is returned at once, as long as its source has not changed (sizes and times
    of its files are compared, and contents where these differ) or is gone. One with other settings stays, and the
    new one goes beside it, to `<dataset>-<H>x<W>[-<flow>]`. After an interruption the same call keeps the finished
    clips. While another process writes the folder this call waits, and says so. Raises SourceError (see the reader)
    and PreparationError (arguments, a source that has changed, half prepared with other settings, other labels or
    footage there, full disk, killed workers); finished clips and earlier datasets stay.
    """
    _check_arguments(dataset, flow, size, labels)
    root = Path(root)
    request = Request(source and Path(source).absolute(), root, allow_incomplete, size, labels and Path(labels))
    while (finished := _finished(root, dataset, flow, size)) is None:
        if source is None and not READERS[dataset].generated:
            raise PreparationError(f"{dataset} needs a source: --source PATH of the official archive or folder")
        folder = _new_folder(root, dataset, flow, size)
        for error in manifests(root)[1].values():
            _say(f"passed over: {error}")
        with _clear_errors(folder), in_turn(lock_beside(folder), f"{folder} is being written"):
            if _finished(root, dataset, flow, size) or _new_folder(root, dataset, flow, size) != folder:
                continue  # another process was here first
            with _working_folder(folder) as scratch:
                states, manifest = _write_clips(
                    dataset,
                    replace(request, scratch=scratch.absolute()),
                    folder,
                    flow,
                    workers=workers or os.cpu_count() or 1,
                    scheduler=scheduler,
                    progress=progress,
                )
            if states:
                save_states(folder, states)
            write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
            return folder
    return _unless_other(finished, dataset, request)


def notes(folder: Path) -> list[str]:
    """What a user should know of a prepared dataset: stretched frames, varying frame rates, missing clips."""
    manifest = _read_manifest(folder / MANIFEST)
    missing = [f"incomplete: missing {', '.join(manifest['missing'])}"] if manifest["missing"] else []
    return manifest.get("notes", []) + missing


# Where it goes


def _check_arguments(dataset: str, flow: str, size: tuple[int, int] | None, labels: Path | None) -> None:
    if dataset not in DATASETS:
        raise PreparationError(f"no dataset {dataset!r}; there are {', '.join(DATASETS)}")
    reader = READERS[dataset]
    if flow not in FLOW_ESTIMATORS and flow != "exact":
        raise PreparationError(
            f"no flow {flow!r}; there are {', '.join(FLOW_ESTIMATORS)} and, for generated scenes, exact; flow of other "
            "estimators comes in by `maam import-flow`"
        )
    if flow == "exact" and not reader.generated:
        raise PreparationError("flow 'exact' is known for the generated scenes only; take --flow dis")
    if size is not None and min(size) < SMALLEST_SIDE:
        raise PreparationError(f"size {size[0]}x{size[1]}: both sides must have at least {SMALLEST_SIDE} pixels")
    if labels is not None and not reader.takes_labels:
        takers = ", ".join(name for name in DATASETS if READERS[name].takes_labels)
        raise PreparationError(f"{dataset} takes no other labels; --labels is for {takers}")


def _finished(root: Path, dataset: str, flow: str, size: tuple[int, int] | None) -> Path | None:
    """The folder of a finished dataset with these settings, whatever its name; damaged ones are passed over."""
    for folder, found in manifests(root)[0].items():
        manifest = found.as_written()
        if found.dataset != dataset:
            continue
        wanted_size = list(size or _usual_size(dataset, manifest["source"]["frame_size"]))
        if manifest["frame_size"] == wanted_size and manifest["flow"]["estimator"] == flow:
            _check_scene(manifest, folder)
            return folder
    return None


def _say(line: str) -> None:
    print(f"maam: {line}", file=sys.stderr, flush=True)


def _check_scene(manifest: dict[str, Any], folder: Path) -> None:
    dataset = manifest["dataset"]
    if READERS[dataset].generated and manifest["source"]["sha256"] != scene_hash(scene_settings(dataset)):
        raise PreparationError(
            f"{folder} holds the generated scene of another version of the kit; delete the folder, then run the same "
            "command again"
        )


def _unless_other(folder: Path, dataset: str, request: Request) -> Path:
    """The finished folder, unless what is asked for has other labels or other footage, or must be complete."""
    manifest = _read_manifest(folder / MANIFEST)
    missing, source = manifest["missing"], manifest["source"]
    if missing and not request.allow_incomplete:
        raise PreparationError(
            f"{folder}: finished, but incomplete (missing {', '.join(missing)}); move it away and prepare "
            "again from a complete source, or accept it with --allow-incomplete"
        )
    if source.get("labels_sha256") != _labels_sha256(request):
        raise PreparationError(
            f"{folder} has other labels ({manifest['label_source']}); keep each label set in a --root of its own"
        )
    if request.source and request.source.exists() and not READERS[dataset].generated:
        _check_source(folder, manifest, request)
    return folder


def _check_source(folder: Path, manifest: dict[str, Any], request: Request) -> None:
    """PreparationError unless the source still holds what the finished dataset was prepared from."""
    reader, known = READERS[manifest["dataset"]], load_states(folder)
    try:
        parts = reader.parts(request)
    except SourceError:
        if reader.own_footage:
            raise
        return  # an official archive that was deleted once it had been prepared
    of_parts = [part.files() for part in parts]
    files = {name: path for found in of_parts for name, path in found.items()}
    if known and not reader.own_footage and not all(found.keys() & known.keys() for found in of_parts):
        _say(f"{folder} was prepared from {manifest['source']['name']}; this other form of it was not compared")
        return
    if not known and not _is_as_recorded(manifest, parts, files):
        if reader.own_footage:
            raise _other_footage(folder, manifest, [])
        _say(f"{folder} was prepared by an earlier version of the kit; the source was not compared")
        return
    states = examine(files, known)
    if known and (differ := changed(known, states)):
        raise _other_footage(folder, manifest, differ)
    if states != known:
        with suppress(OSError):  # of a dataset that cannot be written to, these files are compared again each time
            save_states(folder, states)


def _is_as_recorded(manifest: dict[str, Any], parts: list[Part], files: dict[str, Path]) -> bool:
    """Whether a source is that of a dataset without record of its files: earlier versions kept none."""
    recorded, listing = manifest["source"]["sha256"], listing_sha256([part.path for part in parts])
    if not READERS[manifest["dataset"]].own_footage:
        return recorded == listing
    label_file = parts[0].path / LABEL_FILE
    labels = label_file.read_text(encoding="utf-8", errors="replace") if label_file.is_file() else ""
    return recorded in (text_sha256(listing + labels), source_sha256(parts, examine(files, {})))


def _other_footage(folder: Path, manifest: dict[str, Any], differ: list[str]) -> PreparationError:
    where = f" (differs: {differ[0]}{f' and {len(differ) - 1} more' if differ[1:] else ''})" if differ else ""
    return PreparationError(
        f"{folder} was prepared from other footage ({manifest['source']['name']}), or it has changed since; "
        f"choose another --root, or delete the folder and run the same command again{where}"
    )


def _new_folder(root: Path, dataset: str, flow: str, size: tuple[int, int] | None) -> Path:
    """Where a dataset goes that is not there yet; PreparationError where something else stands in its place."""
    folder = root / dataset
    if not (folder / MANIFEST).exists():
        return folder
    height, width = size or _usual_size(dataset, _read_manifest(folder / MANIFEST)["source"]["frame_size"])
    folder = root / f"{dataset}-{height}x{width}{'' if flow == 'dis' else f'-{flow}'}"
    if (folder / MANIFEST).exists():
        other = _read_manifest(folder / MANIFEST)
        raise PreparationError(
            f"{folder} holds {other['dataset']} at {'x'.join(map(str, other['frame_size']))} with flow "
            f"{other['flow']['estimator']} under this name; rename that folder"
        )
    return folder


def _usual_size(dataset: str, frame_size: Sequence[int]) -> tuple[int, int]:
    """The stored size where none is asked for: the source's own, but a user's cameras have any number of pixels."""
    return camera_size(*frame_size) if READERS[dataset].own_footage else tuple(frame_size)


def camera_size(height: int, width: int) -> tuple[int, int]:
    """The stored size of a user's own footage (ours): its aspect, the shorter side CAMERA_SIDE at most, both even."""
    scale = CAMERA_SIDE / min(height, width)
    return (height, width) if scale >= 1 else tuple(2 * round(side * scale / 2) for side in (height, width))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        return read_manifest(path.parent).as_written()
    except DatasetError as error:
        raise PreparationError(str(error)) from error


@contextmanager
def _working_folder(folder: Path) -> Iterator[Path]:
    """A folder to unpack into, on the disk of the dataset; removed afterwards, like a dataset still empty."""
    clear_litter(folder)  # of a call that was killed
    unpacked = aside_of(folder / "unpacked")
    unpacked.mkdir(parents=True)
    try:
        yield unpacked
    finally:
        remove(unpacked)
        clear_litter(folder)


# What is written


def _write_clips(
    dataset: str,
    request: Request,
    folder: Path,
    flow: str,
    *,
    workers: int,
    scheduler: str | None,
    progress: bool,
) -> tuple[States, dict[str, Any]]:
    """All clips of a source that has not changed meanwhile; the states of its files, and the manifest to write."""
    reader = READERS[dataset]
    parts = reader.parts(request)
    files = {name: path for part in parts for name, path in part.files().items()}
    states = examine(files, {})
    read = reader.read(request)
    sha256 = scene_hash(scene_settings(dataset)) if reader.generated else source_sha256(parts, states)
    settings = _settings(dataset, read, sha256, _labels_sha256(request), flow, request.size)
    _check_half_prepared(folder, settings)
    _check_disk(folder, read.clips, settings)
    records = ensure_clips(read.clips, folder, settings, workers, scheduler=scheduler, progress=progress)
    now = {name: path for part in parts for name, path in part.files().items()}
    if differ := changed(states, examine(now, states)):
        raise PreparationError(
            f"{request.source}: {differ[0]} changed while it was read; delete {folder} and run the same command again"
        )
    return states, _manifest(read, settings, records)


def _labels_sha256(request: Request) -> str | None:
    return file_sha256(request.labels) if request.labels and request.labels.is_file() else None


def _settings(
    dataset: str, read: Source, sha256: str, labels_sha256: str | None, flow: str, size: tuple[int, int] | None
) -> dict[str, Any]:
    """The head of the manifest: all that decides what the arrays hold. Recorded with every clip."""
    first = read.clips[0]
    height, width, channels = next(first.frames()).shape
    if size is None and min(height, width) < SMALLEST_SIDE:
        raise SourceError(
            f"{read.name}, {first.split}/{first.name}: frames of {height}x{width}, expected {SMALLEST_SIDE} or more a "
            "side; enlarge them with --size"
        )
    source = {"name": read.name, "sha256": sha256, "frame_size": [height, width]}
    return {
        "format": FORMAT_VERSION,
        "dataset": dataset,
        "source": source | ({"labels_sha256": labels_sha256} if labels_sha256 else {}),
        "frame_size": list(size or _usual_size(dataset, (height, width))),
        "channels": channels,
        "flow": {"estimator": flow, "settings": flow_settings(flow), "units": FLOW_UNITS},
        "versions": {"maam_lib": __version__, "numpy": np.__version__, "opencv": cv2.__version__},
    }


def _check_half_prepared(folder: Path, settings: dict[str, Any]) -> None:
    for path in sorted(folder.glob("t*/*/")):
        record = read_record(path)
        if record is None or record["settings"] == settings:
            continue
        if (before := record["settings"].get("source")) != settings["source"]:
            raise PreparationError(
                f"{folder} is half prepared from another source ({before and before.get('name')}) or with other "
                "labels, or the source has changed since; delete the folder and run the same command again, or choose "
                "another --root"
            )
        differ = [key for key in settings if record["settings"].get(key) != settings[key]]
        there = ", ".join(f"{key} {record['settings'].get(key)}" for key in differ)
        raise PreparationError(
            f"{folder} is half prepared with another {' and '.join(differ)} ({there}); finish that one with "
            "its own command, or delete the folder, or choose another --root"
        )


def _check_disk(folder: Path, clips: list[Clip], settings: dict[str, Any]) -> None:
    to_write = [clip for clip in clips if read_record(folder / clip.split / clip.name) is None]
    needed = sum(stored_bytes(clip, settings["frame_size"], settings["channels"]) for clip in to_write)
    free = shutil.disk_usage(folder).free
    if to_write and needed + SPARE_BYTES > free:
        raise PreparationError(
            f"{folder}: needs {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB free on this disk; make room, or "
            "choose another --root or a smaller --size"
        )


# Errors and the manifest


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise PreparationError(f"{error.filename}: {error.strerror}; choose another --root or change it") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PreparationError(
            f"{folder}: the disk is full; make room and run the same command again: finished clips are kept"
        ) from error


def _manifest(read: Source, settings: dict[str, Any], records: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    clips: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
    for (split, name), record in records.items():
        entry = {"frames": record["frames"], "sha256": record["sha256"]}
        if record["abnormal"] is not None:
            entry["abnormal"] = record["abnormal"]
        clips[split][name] = entry
    missing = missing_clips(settings["dataset"], read.clips)
    totals = {f"{split}_frames": sum(entry["frames"] for entry in clips[split].values()) for split in clips}
    totals["abnormal_frames"] = sum(entry.get("abnormal", 0) for entry in clips["test"].values())
    return {
        **settings,
        "label_source": read.label_source,
        **({"notes": read.notes} if read.notes else {}),
        "complete": not missing,
        "missing": missing,
        "totals": totals,
        "clips": clips,
    }
