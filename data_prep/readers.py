"""The readers by the name of their dataset: a new dataset is one line of READERS."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data_prep import synthetic
from data_prep.avenue import find_avenue, read_avenue
from data_prep.clip import Source
from data_prep.shanghaitech import find_shanghaitech, read_shanghaitech
from data_prep.ucsd import Subset, find_source, read_ucsd
from data_prep.videos import LABEL_FILE, read_videos


@dataclass(frozen=True)
class Request:
    """What a reader is asked for."""

    source: Path | None  # archive or folder; None for a generated dataset
    scratch: Path  # to unpack into
    allow_incomplete: bool = False
    size: tuple[int, int] | None = None  # (H, W) that the frames will be stored at; None for the source's own
    labels: Path | None = None  # a label file in place of the official labels, where a dataset has one


@dataclass(frozen=True)
class Reader:
    """One way into the kit; `read` raises SourceError for a source that is not what it should be."""

    read: Callable[[Request], Source]
    generated: bool = False  # needs no source, and knows its exact flow
    takes_labels: bool = False  # accepts Request.labels
    own_footage: bool = False  # the source is not one official set: other footage is another dataset


def _read_synthetic(name: str, request: Request) -> Source:
    scene = synthetic.scene_settings(name)
    clips, title = synthetic.read_synthetic(scene), synthetic.scene_title(scene)
    return Source(clips, title, synthetic.scene_hash(scene), "known exactly by the generator")


def _read_ucsd(subset: Subset, request: Request) -> Source:
    found = find_source(request.source, subset)
    clips = read_ucsd(found, subset, request.scratch, allow_incomplete=request.allow_incomplete)
    return Source(clips, found.name, fingerprint(found), f"frame ranges in UCSD{subset}.m, checked against masks")


def _read_avenue(request: Request) -> Source:
    labels, incomplete = request.labels, request.allow_incomplete
    found = [part for part in find_avenue(request.source, needs_masks=labels is None) if part]
    clips = read_avenue(request.source, request.scratch, labels=labels, allow_incomplete=incomplete)
    name = " and ".join(part.name for part in found)
    if labels is None:
        return Source(clips, name, fingerprint(*found), "the official pixel masks in ground_truth_demo")
    words = f"frame intervals in {labels.name}, not the official masks, which differ"
    return Source(clips, name, fingerprint(*found), words, labels_sha256=fingerprint(labels))


def _read_shanghaitech(request: Request) -> Source:
    found = find_shanghaitech(request.source)
    clips = read_shanghaitech(found, request.scratch, allow_incomplete=request.allow_incomplete)
    words = "test_frame_mask, checked against test_pixel_mask where there is one"
    return Source(clips, found.name, fingerprint(found), words)


def _read_videos(request: Request) -> Source:
    footage = read_videos(request.source, size=request.size)
    name, sha256 = request.source.resolve().name, footage_fingerprint(request.source)
    return Source(footage.clips, name, sha256, footage.label_source, footage.notes)


READERS: dict[str, Reader] = {
    **{name: Reader(partial(_read_synthetic, name), generated=True) for name in synthetic.dataset_names()},
    "ped1": Reader(partial(_read_ucsd, "ped1")),
    "ped2": Reader(partial(_read_ucsd, "ped2")),
    "avenue": Reader(_read_avenue, takes_labels=True),
    "shanghaitech": Reader(_read_shanghaitech),
    "videos": Reader(_read_videos, own_footage=True),
}


# What a source is known by


def fingerprint(*sources: Path) -> str:
    """sha256 of an archive, or of the listing of a folder's files with their sizes; of several: of theirs."""
    if len(sources) > 1:
        return _sha256("".join(f"{source.name} {fingerprint(source)}\n" for source in sources))
    [source] = sources
    if source.is_file():
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    paths = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    visible = sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))
    return _sha256("".join(f"{name} {(source / name).stat().st_size}\n" for name in visible))


def footage_fingerprint(source: Path) -> str:
    """The fingerprint of a folder of footage, and what its label file says: an edit may keep its size."""
    label_file = source / LABEL_FILE
    return _sha256(fingerprint(source) + (label_file.read_text(encoding="utf-8") if label_file.is_file() else ""))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
