"""The readers by the name of their dataset, and whether a source is still what a dataset was prepared from.

A new dataset is one line of READERS.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_prep import readers
from data_prep.clip import Source, SourceError
from data_prep.files import Part, changed, examine, is_archive_or_folder, load_states, save_states, source_sha256
from data_prep.flow import FLOW_ESTIMATORS
from data_prep.layout import Manifest
from data_prep.scenes import synthetic

CAMERA_SIDE = 120  # pixels, of a user's own footage where no size is asked for; the laptop recipes' height
SMALLEST_SIDE = 16  # pixels; the network halves four times


class PreparationError(SourceError):
    """The dataset cannot be written as asked: one line that says where, why and what to do."""


@dataclass(frozen=True)
class Request:
    """What is to be prepared: see `data_prep.prepare.prepare`."""

    dataset: str
    source: Path  # archive or folder; not looked at for a generated dataset
    root: Path
    flow: str = "dis"
    size: tuple[int, int] | None = None
    labels: Path | None = None
    allow_incomplete: bool = False

    @property
    def reader(self) -> "Reader":
        """The reader of this dataset."""
        return READERS[self.dataset]

    def stored_size(self, frame_size: tuple[int, int]) -> tuple[int, int]:
        """(H, W) of the stored frames: as asked for, else the source's own, or, of a user's cameras, `camera_size`."""
        usual = camera_size(*frame_size) if self.reader.own_footage else frame_size
        height, width = self.size or usual
        return height, width


@dataclass(frozen=True)
class Reader:
    """One way into the kit; `read` raises SourceError for a source that is not what it should be."""

    read: Callable[[Request, Path], Source]  # the path is that of a folder to unpack into
    parts: Callable[[Request], list[Part]]  # the archives or folders that are read; SourceError where there are none
    generated: bool = False  # needs no source, and knows its exact flow
    takes_labels: bool = False  # accepts Request.labels
    own_footage: bool = False  # the source is not one official set: other footage is another dataset


def _read_synthetic(request: Request, _: Path) -> Source:
    scene = synthetic.scene_settings(request.dataset, request.root)
    return Source(synthetic.read_synthetic(scene), synthetic.scene_title(scene), "known exactly by the generator")


def _read_ucsd(request: Request, scratch: Path) -> Source:
    [found] = _ucsd_parts(request)
    clips = readers.read_ucsd(found.path, request.dataset, scratch, allow_incomplete=request.allow_incomplete)
    return Source(clips, found.path.name, f"frame ranges in UCSD{request.dataset}.m, checked against masks")


def _ucsd_parts(request: Request) -> list[Part]:
    found = readers.find_source(request.source, request.dataset)
    return [Part(found, ("Train", "Test"), r"T\w+/(T\w+\d{3}(_gt)?/.+|UCSDped\d\.m)")]


def _read_avenue(request: Request, scratch: Path) -> Source:
    labels, incomplete = request.labels, request.allow_incomplete
    clips = readers.read_avenue(request.source, scratch, labels=labels, allow_incomplete=incomplete)
    name = " and ".join(part.path.name for part in _avenue_parts(request))
    if labels is None:
        return Source(clips, name, "the official pixel masks in ground_truth_demo")
    return Source(clips, name, f"frame intervals in {labels.name}, not the official masks, which differ")


def _avenue_parts(request: Request) -> list[Part]:
    videos, masks = readers.find_avenue(request.source, needs_masks=request.labels is None)
    parts = [Part(videos, ("training_videos", "testing_videos"), r".+/.+\.avi")]
    return parts if masks is None else [*parts, Part(masks, ("testing_label_mask",), r".+/.+\.mat")]


def _read_shanghaitech(request: Request, scratch: Path) -> Source:
    found = readers.find_shanghaitech(request.source)
    clips = readers.read_shanghaitech(found, scratch, allow_incomplete=request.allow_incomplete)
    return Source(clips, found.name, "test_frame_mask, checked against test_pixel_mask where there is one")


def _shanghaitech_parts(request: Request) -> list[Part]:
    return [Part(readers.find_shanghaitech(request.source), ("training", "testing"), r".+/.+\.(avi|jpg|npy)")]


def _read_videos(request: Request, scratch: Path) -> Source:
    return readers.read_videos(request.source, size=request.size, written=scratch)


def _videos_parts(request: Request) -> list[Part]:
    if not request.source.is_dir():
        raise SourceError(f"{request.source}: no such folder; --source is a folder that holds train/ and test/")
    known = ("train", "test", readers.MASK_FOLDER)
    names = [*known, *(path.name for path in request.source.iterdir())]
    folders = {name.casefold(): name for name in names if name.casefold() in known}  # as they are written there
    return [Part(request.source, tuple(folders.values()), r".+/.+|.+\.csv")]


READERS: dict[str, Reader] = {
    **dict.fromkeys(synthetic.dataset_names(), Reader(_read_synthetic, lambda _: [], generated=True)),
    "ped1": Reader(_read_ucsd, _ucsd_parts),
    "ped2": Reader(_read_ucsd, _ucsd_parts),
    "avenue": Reader(_read_avenue, _avenue_parts, takes_labels=True),
    "shanghaitech": Reader(_read_shanghaitech, _shanghaitech_parts),
    "videos": Reader(_read_videos, _videos_parts, own_footage=True),
}


def check_arguments(request: Request) -> None:
    """PreparationError for a request that no source could meet."""
    dataset, flow, size = request.dataset, request.flow, request.size
    if dataset not in READERS:
        raise PreparationError(f"no dataset {dataset!r}; there are {', '.join(READERS)}")
    if flow not in FLOW_ESTIMATORS and flow != "exact":
        raise PreparationError(
            f"no flow {flow!r}; there are {', '.join(FLOW_ESTIMATORS)} and, for generated scenes, exact; import flow "
            "of other estimators with `maam import-flow`"
        )
    if flow == "exact" and not request.reader.generated:
        raise PreparationError("flow 'exact' is known for the generated scenes only; take --flow dis")
    if size is not None and min(size) < SMALLEST_SIDE:
        raise PreparationError(f"size {size[0]}x{size[1]}: both sides must have at least {SMALLEST_SIDE} pixels")
    if request.labels is not None and not request.reader.takes_labels:
        takers = ", ".join(name for name in READERS if READERS[name].takes_labels)
        raise PreparationError(f"{dataset} takes no other labels; --labels is for {takers}")


def check_root(request: Request) -> None:
    """PreparationError where the prepared dataset would lie among the files that are read for it."""
    for folder in (part.path / name for part in request.reader.parts(request) for name in part.folders):
        if request.root.resolve().is_relative_to(folder.resolve()):
            raise PreparationError(
                f"--root {request.root} lies in {folder}, where everything is read as part of the source; choose a "
                "--root outside of it"
            )


def camera_size(height: int, width: int) -> tuple[int, int]:
    """The stored size of a user's own footage (ours): its aspect, the shorter side CAMERA_SIDE at most, both even."""
    scale = CAMERA_SIDE / min(height, width)
    return (height, width) if scale >= 1 else (2 * round(height * scale / 2), 2 * round(width * scale / 2))


def check_source(folder: Path, manifest: Manifest, request: Request) -> None:
    """PreparationError unless the source still holds what the finished dataset in `folder` was prepared from."""
    own_footage, known, name = request.reader.own_footage, load_states(folder), manifest.source.name
    try:
        parts = request.reader.parts(request)
    except SourceError as error:
        if own_footage:
            raise
        if request.source.exists():  # else an official archive that was deleted once it had been prepared
            say(f"{folder} was prepared from {name}, which is not there now ({error})")
        return
    found_of = [part.files() for part in parts]
    files = {name: path for found in found_of for name, path in found.items()}
    if not known:  # its record was lost
        states = examine(files, {})
        known = states if source_sha256(parts, states) == manifest.source.sha256 else {}
    if not own_footage and not all(found.keys() & known.keys() for found in found_of):
        for path in (part.path for part in parts if not is_archive_or_folder(part.path)):
            raise PreparationError(f"{path}: neither a folder nor an archive; {folder} was prepared from {name}")
        say(f"{folder} was prepared from {name}; this other form of it was not compared")
        return
    states = examine(files, known)
    if differ := changed(known, states):
        more = f" and {len(differ) - 1} more" if differ[1:] else ""
        raise PreparationError(
            f"{folder} was prepared from other footage ({name}), or it has changed since; choose "
            f"another --root, or delete the folder and run the same command again (differs: {differ[0]}{more})"
        )
    with suppress(OSError):  # of a dataset that cannot be written to, these files are compared again each time
        if states != load_states(folder):
            save_states(folder, states)


def say(line: str) -> None:
    """One line on stderr."""
    print(f"maam: {line}", file=sys.stderr, flush=True)
