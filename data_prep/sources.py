"""The readers by the name of their dataset: a new dataset is one line of READERS."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data_prep.clip import Source, SourceError
from data_prep.files import Part
from data_prep.readers import (
    MASK_FOLDER,
    Subset,
    find_avenue,
    find_shanghaitech,
    find_source,
    read_avenue,
    read_shanghaitech,
    read_ucsd,
    read_videos,
)
from data_prep.scenes import synthetic


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
    parts: Callable[[Request], list[Part]]  # the archives or folders that are read; SourceError where there are none
    generated: bool = False  # needs no source, and knows its exact flow
    takes_labels: bool = False  # accepts Request.labels
    own_footage: bool = False  # the source is not one official set: other footage is another dataset


def _read_synthetic(name: str, _: Request) -> Source:
    scene = synthetic.scene_settings(name)
    return Source(synthetic.read_synthetic(scene), synthetic.scene_title(scene), "known exactly by the generator")


def _read_ucsd(subset: Subset, request: Request) -> Source:
    [found] = _ucsd_parts(subset, request)
    clips = read_ucsd(found.path, subset, request.scratch, allow_incomplete=request.allow_incomplete)
    return Source(clips, found.path.name, f"frame ranges in UCSD{subset}.m, checked against masks")


def _ucsd_parts(subset: Subset, request: Request) -> list[Part]:
    return [Part(find_source(request.source, subset), ("Train", "Test"), r"T\w+/(T\w+\d{3}(_gt)?/.+|UCSDped\d\.m)")]


def _read_avenue(request: Request) -> Source:
    labels, incomplete = request.labels, request.allow_incomplete
    clips = read_avenue(request.source, request.scratch, labels=labels, allow_incomplete=incomplete)
    name = " and ".join(part.path.name for part in _avenue_parts(request))
    if labels is None:
        return Source(clips, name, "the official pixel masks in ground_truth_demo")
    return Source(clips, name, f"frame intervals in {labels.name}, not the official masks, which differ")


def _avenue_parts(request: Request) -> list[Part]:
    videos, masks = find_avenue(request.source, needs_masks=request.labels is None)
    parts = [Part(videos, ("training_videos", "testing_videos"), r".+/.+\.avi")]
    return parts if masks is None else [*parts, Part(masks, ("testing_label_mask",), r".+/.+\.mat")]


def _read_shanghaitech(request: Request) -> Source:
    found = find_shanghaitech(request.source)
    clips = read_shanghaitech(found, request.scratch, allow_incomplete=request.allow_incomplete)
    return Source(clips, found.name, "test_frame_mask, checked against test_pixel_mask where there is one")


def _shanghaitech_parts(request: Request) -> list[Part]:
    return [Part(find_shanghaitech(request.source), ("training", "testing"), r".+/.+\.(avi|jpg|npy)")]


def _read_videos(request: Request) -> Source:
    footage = read_videos(request.source, size=request.size)
    return Source(footage.clips, request.source.resolve().name, footage.label_source, footage.notes)


def _videos_parts(request: Request) -> list[Part]:
    if not request.source.is_dir():
        raise SourceError(f"{request.source}: no such folder; --source is a folder that holds train/ and test/")
    names = [path.name for path in request.source.iterdir()]
    folders = tuple(name for name in names if name.casefold() in ("train", "test", MASK_FOLDER))
    return [Part(request.source, folders, r".+/.+|.+\.csv")]


READERS: dict[str, Reader] = {
    **{
        name: Reader(partial(_read_synthetic, name), lambda _: [], generated=True) for name in synthetic.dataset_names()
    },
    "ped1": Reader(partial(_read_ucsd, "ped1"), partial(_ucsd_parts, "ped1")),
    "ped2": Reader(partial(_read_ucsd, "ped2"), partial(_ucsd_parts, "ped2")),
    "avenue": Reader(_read_avenue, _avenue_parts, takes_labels=True),
    "shanghaitech": Reader(_read_shanghaitech, _shanghaitech_parts),
    "videos": Reader(_read_videos, _videos_parts, own_footage=True),
}
