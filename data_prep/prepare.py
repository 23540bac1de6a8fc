"""From a source to a prepared dataset: reader and flow joined, in parallel, resumable, checked.

<root>/<dataset>/manifest.json                 written last; a folder without it is unfinished
<root>/<dataset>/source.json                   what it was prepared from: see data_prep.files.source_files
<root>/<dataset>/<split>/<clip>/*.npy          see data_prep.clip_files
<root>/.<dataset>.lock                         there, and held, while the folder is written
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from data_prep import __version__, files
from data_prep.clip import Clip, Source, SourceError, Split
from data_prep.clip_files import Records, clear_litter, ensure_clips, read_record, stored_bytes
from data_prep.expected import missing_clips
from data_prep.flow import FLOW_UNITS, flow_settings
from data_prep.frames import by
from data_prep.layout import FORMAT_VERSION, MANIFEST, ClipEntry, Head, Manifest, manifests, read_manifest
from data_prep.scenes import scene_hash, scene_settings, scene_title
from data_prep.sources import (
    SMALLEST_SIDE,
    PreparationError,
    Request,
    check_arguments,
    check_root,
    check_source,
    say,
)


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
    """Write the prepared dataset and return its folder (ours).

    dataset: one of `data_prep.sources.READERS`. source: archive or folder (None for a generated one). flow: one of
    FLOW_ESTIMATORS, or "exact" for a generated scene. size: (H, W) of the stored frames, None for the source's own, and
    for a user's own footage that of `camera_size`; flow is estimated at the source's size and then resized with the
    frames, as in the paper (Sec. 4.3): estimated on small frames it loses small people. labels: a label file in place
    of the official labels ("avenue" only). workers: processes, None for one per core; scheduler: address of a Dask
    scheduler whose workers take their place. progress: a bar on stderr, in a terminal only.

    A finished dataset with these settings is returned at once, unless its source has changed. One with other settings
    stays, and the new one goes beside it, to `<dataset>-<H>x<W>[-<flow>]`. After an interruption the same call keeps
    the finished clips. While another process writes the folder this call waits, and says so. Raises SourceError (see
    the reader) and PreparationError (arguments, a source that has changed, half prepared with other settings, other
    labels or footage there, full disk, killed workers); finished clips and earlier datasets stay.
    """
    source_path, labels = Path(source or "").absolute(), labels and Path(labels)
    request = Request(dataset, source_path, Path(root), flow, size, labels, allow_incomplete)
    check_arguments(request)
    while (finished := _finished(request)) is None:
        if source is None and not request.reader.generated:
            raise PreparationError(f"{dataset} needs a source: --source PATH of the official archive or folder")
        if source is not None and request.reader.generated:
            raise PreparationError(f"{dataset} is drawn by the kit and reads nothing; leave out --source {source}")
        folder = _new_folder(request)
        check_root(request)
        for error in manifests(request.root)[1].values():
            say(f"skipped: {error}")
        with clear_errors(folder), files.in_turn(folder, "written"):
            if _finished(request) or _new_folder(request) != folder:
                continue  # another process was here first
            workers = workers or os.cpu_count() or 1
            ensure = partial(ensure_clips, workers=workers, scheduler=scheduler, progress=progress)
            clear_litter(folder)  # of a call that was killed
            unpacked = files.aside_of(folder / "unpacked").absolute()  # on the disk of the dataset
            unpacked.mkdir(parents=True)
            try:
                states, manifest = _write_clips(request, folder, unpacked, ensure)
            finally:
                files.remove(unpacked)
                clear_litter(folder)
            if states:
                files.save_states(folder, states)
            files.write_json(folder / MANIFEST, manifest.as_written())
            return folder
    folder, manifest = finished
    _check_same(folder, manifest, request)
    if source is not None and source_path.exists() and not request.reader.generated:
        check_source(folder, manifest, request)
    return folder


def notes(folder: Path) -> list[str]:
    """What a user should know of a prepared dataset: stretched frames, varying frame rates, missing clips."""
    manifest = read_manifest(folder)
    return manifest.notes + ([f"incomplete: missing {', '.join(manifest.missing)}"] if manifest.missing else [])


def versions() -> dict[str, str]:
    """Of what decides the arrays, for their manifest."""
    return {"maam_lib": __version__, "numpy": np.__version__, "opencv": cv2.__version__}


# Where it goes


def _finished(request: Request) -> tuple[Path, Manifest] | None:
    """A finished dataset with these settings, whatever its folder's name; damaged ones are passed over."""
    for folder, manifest in manifests(request.root)[0].items():
        wanted = (request.dataset, request.flow, request.stored_size(manifest.source.frame_size))
        if (manifest.dataset, manifest.flow.estimator, manifest.frame_size) == wanted:
            if request.reader.generated:
                _check_same_scene(folder, manifest, request)
            return folder, manifest
    return None


def _check_same_scene(folder: Path, manifest: Manifest, request: Request) -> None:
    """PreparationError where a finished generated scene is not what would be drawn now."""
    wanted = scene_settings(request.dataset, request.root)
    if manifest.source.sha256 != scene_hash(wanted):
        other = "another version of the kit" if manifest.source.name == scene_title(wanted) else "another seed"
        raise PreparationError(
            f"{folder} holds the generated scene of {other}; delete the folder, then run the same command again"
        )


def _check_same(folder: Path, manifest: Manifest, request: Request) -> None:
    """PreparationError where what is asked for has other labels than the finished dataset, or must be complete."""
    if manifest.missing and not request.allow_incomplete:
        raise PreparationError(
            f"{folder}: finished, but incomplete (missing {', '.join(manifest.missing)}); move it away and prepare "
            "again from a complete source, or accept it with --allow-incomplete"
        )
    if manifest.source.labels_sha256 != _labels_sha256(request):
        raise PreparationError(
            f"{folder} has other labels ({manifest.label_source}); keep each label set in a separate --root"
        )


def _new_folder(request: Request) -> Path:
    """Where a dataset goes that is not there yet; PreparationError where something else is in its place."""
    folder = request.root / request.dataset
    if not (folder / MANIFEST).exists():
        return folder
    size = by(request.stored_size(read_manifest(folder).source.frame_size))
    flow = "" if request.flow == "dis" else f"-{request.flow}"
    folder = folder.with_name(f"{request.dataset}-{size}{flow}")
    if (folder / MANIFEST).exists():
        other = read_manifest(folder)
        raise PreparationError(
            f"{folder} holds {other.dataset} at {by(other.frame_size)} with flow {other.flow.estimator} under this "
            "name; rename that folder"
        )
    return folder


# What is written


def _write_clips(
    request: Request, folder: Path, scratch: Path, ensure: Callable[[list[Clip], Path, Head], Records]
) -> tuple[files.States, Manifest]:
    """All clips of a source that has not changed meanwhile; the states of its files, and the manifest to write."""
    parts = request.reader.parts(request)
    states = files.examine(files.files_of(parts), {})
    read = request.reader.read(request, scratch)
    generated = request.reader.generated
    sha256 = (
        scene_hash(scene_settings(request.dataset, request.root)) if generated else files.source_sha256(parts, states)
    )
    head = _head(read, sha256, request)
    _check_half_prepared(folder, head)
    _check_disk(folder, read.clips, head)
    records = ensure(read.clips, folder, head)
    if differ := files.changed(states, files.examine(files.files_of(parts), states)):
        raise PreparationError(
            f"{request.source}: {differ[0]} changed while it was read; delete {folder} and run the same command again"
        )
    return states, _manifest(read, head, records)


def _labels_sha256(request: Request) -> str | None:
    return files.file_sha256(request.labels) if request.labels and request.labels.is_file() else None


def _head(read: Source, sha256: str, request: Request) -> Head:
    first, flow, labels_sha256 = read.clips[0], request.flow, _labels_sha256(request)
    height, width, channels = next(first.frames()).shape
    if request.size is None and min(height, width) < SMALLEST_SIDE:
        raise SourceError(
            f"{read.name}, {first.split}/{first.name}: frames of {by((height, width))}, expected {SMALLEST_SIDE} or "
            "more a side; enlarge them with --size"
        )
    name = os.fsencode(read.name).decode(errors="replace")  # a folder's name may hold bytes that are no UTF-8
    source = {"name": name, "sha256": sha256, "frame_size": (height, width)}
    return Head.model_validate(
        {
            "format": FORMAT_VERSION,
            "dataset": request.dataset,
            "source": source | ({"labels_sha256": labels_sha256} if labels_sha256 else {}),
            "frame_size": request.stored_size((height, width)),
            "channels": channels,
            "flow": {"estimator": flow, "settings": flow_settings(flow), "units": FLOW_UNITS},
            "versions": versions(),
        }
    )


def _check_half_prepared(folder: Path, head: Head) -> None:
    settings = head.as_written()
    for path in sorted(folder.glob("t*/*/")):
        record = read_record(path)
        if record is None or record.settings == settings:
            continue
        if (before := record.settings.get("source")) != settings["source"]:
            raise PreparationError(
                f"{folder} is half prepared from another source ({before and before.get('name')}) or with other "
                "labels, or the source has changed since; delete the folder and run the same command again, or choose "
                "another --root"
            )
        differ = [key for key in settings if record.settings.get(key) != settings[key]]
        there = ", ".join(f"{key} {record.settings.get(key)}" for key in differ)
        raise PreparationError(
            f"{folder} is half prepared with another {' and '.join(differ)} ({there}); finish that one with "
            "its own command, or delete the folder, or choose another --root"
        )


def _check_disk(folder: Path, clips: list[Clip], head: Head) -> None:
    to_write = [clip for clip in clips if read_record(folder / clip.split / clip.name) is None]
    needed = sum(stored_bytes(clip, head) for clip in to_write)
    free = shutil.disk_usage(folder).free
    if to_write and needed + files.SPARE_BYTES > free:
        raise PreparationError(
            f"{folder}: needs {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB free on this disk; make room, or "
            "choose another --root or a smaller --size"
        )


def _manifest(read: Source, head: Head, records: Records) -> Manifest:
    clips: dict[Split, dict[str, ClipEntry]] = {"train": {}, "test": {}}
    for (split, name), record in records.items():
        clips[split][name] = ClipEntry(**record.model_dump(exclude={"settings"}, exclude_none=True))
    missing = missing_clips(head.dataset, read.clips)
    frames = {split: sum(entry.frames for entry in clips[split].values()) for split in clips}
    abnormal = sum(entry.abnormal or 0 for entry in clips["test"].values())
    of_source = {"label_source": read.label_source} | ({"notes": read.notes} if read.notes else {})
    totals = {"train_frames": frames["train"], "test_frames": frames["test"], "abnormal_frames": abnormal}
    found = {"complete": not missing, "missing": missing, "totals": totals, "clips": clips}
    return Manifest.model_validate(dict(head) | of_source | found)


@contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """A full disk, and a folder that may not be written to, as a PreparationError."""
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
