"""From a source to a prepared dataset: reader and flow joined, in parallel, resumable, checked.

<root>/<dataset>/manifest.json                 written last; a folder without it is unfinished
<root>/<dataset>/<split>/<clip>/*.npy          see data_prep.clip_files
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.clip import Clip, Source, SourceError
from data_prep.clip_files import PARTIAL, ensure_clips, read_record, stored_bytes
from data_prep.expected import missing_clips
from data_prep.flow import FLOW_ESTIMATORS, FLOW_UNITS, flow_settings
from data_prep.layout import FORMAT_VERSION, MANIFEST, DatasetError, manifests, read_manifest
from data_prep.readers import READERS, Request, fingerprint, footage_fingerprint
from data_prep.synthetic import scene_hash, scene_settings
from maam_lib.version import __version__

DATASETS = tuple(READERS)
SMALLEST_SIDE = 16  # pixels; the network halves four times
CAMERA_SIDE = 120  # pixels, of a user's own footage where no size is asked for; the laptop recipes' height
SPARE_BYTES = 50_000_000  # left free on the disk


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

    A finished dataset with these settings is returned at once, without reading the source. One with other
    settings stays, and the new one goes beside it, to `<dataset>-<H>x<W>[-<flow>]`. After an interruption the
    same call keeps the finished clips. Raises SourceError (see the reader) and PreparationError (arguments,
    half prepared with other settings, other labels or footage there, full disk, killed workers); finished clips
    and earlier datasets stay.
    """
    _check_arguments(dataset, flow, size, labels)
    root = Path(root)
    request = Request(source and Path(source).absolute(), root, allow_incomplete, size, labels and Path(labels))
    finished = _finished(root, dataset, flow, size)
    if finished is not None:
        return _unless_other(finished, dataset, request)
    folder = _new_folder(root, dataset, flow, size)
    with _clear_errors(folder), _working_folder(folder) as scratch:
        if source is None and not READERS[dataset].generated:
            raise PreparationError(f"{dataset} needs a source: --source PATH of the official archive or folder")
        read = READERS[dataset].read(replace(request, scratch=scratch.absolute()))
        settings = _settings(dataset, read, flow, size)
        _check_half_prepared(folder, settings)
        _check_disk(folder, read.clips, settings)
        workers = workers or os.cpu_count() or 1
        records = ensure_clips(read.clips, folder, settings, workers, scheduler=scheduler, progress=progress)
        _write_manifest(folder, _manifest(read, settings, records))
    return folder


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
    if source.get("labels_sha256") != (request.labels and fingerprint(request.labels)):
        raise PreparationError(
            f"{folder} has other labels ({manifest['label_source']}); keep each label set in a --root of its own"
        )
    footage = request.source if READERS[dataset].own_footage else None
    if footage is not None and footage.is_dir() and source["sha256"] != footage_fingerprint(footage):
        raise PreparationError(
            f"{folder} was prepared from other footage ({source['name']}), or it has changed since; choose another "
            "--root, or delete the folder and run the same command again"
        )
    return folder


def _new_folder(root: Path, dataset: str, flow: str, size: tuple[int, int] | None) -> Path:
    folder = root / dataset
    if not (folder / MANIFEST).exists():
        return folder
    height, width = size or _usual_size(dataset, _read_manifest(folder / MANIFEST)["source"]["frame_size"])
    return root / f"{dataset}-{height}x{width}{'' if flow == 'dis' else f'-{flow}'}"


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
    unpacked = folder / ".unpacked"
    _clear_litter(folder)  # of a call that was killed
    unpacked.mkdir(parents=True)
    try:
        yield unpacked
    finally:
        _clear_litter(folder)
        for emptied in (folder / "train", folder / "test", folder):
            if emptied.is_dir() and not any(emptied.iterdir()):
                emptied.rmdir()


def _clear_litter(folder: Path) -> None:
    for litter in (folder / ".unpacked", *folder.glob(f"t*/.*{PARTIAL}")):
        shutil.rmtree(litter, ignore_errors=True)


# What goes in


def _settings(dataset: str, read: Source, flow: str, size: tuple[int, int] | None) -> dict[str, Any]:
    """The head of the manifest: all that decides what the arrays hold. Recorded with every clip."""
    height, width, channels = next(read.clips[0].frames()).shape
    if size is None and min(height, width) < SMALLEST_SIDE:
        raise SourceError(f"{read.name}: frames of {height}x{width}, expected {SMALLEST_SIDE} or more a side")
    source = {"name": read.name, "sha256": read.sha256, "frame_size": [height, width]}
    return {
        "format": FORMAT_VERSION,
        "dataset": dataset,
        "source": source | ({"labels_sha256": read.labels_sha256} if read.labels_sha256 else {}),
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


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    aside = folder / f".{MANIFEST}.partial"
    aside.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(aside, folder / MANIFEST)
