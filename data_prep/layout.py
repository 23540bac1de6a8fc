"""The form of a prepared dataset on disk, stated once: its manifest, its clips' records and arrays.

<root>/<folder>/manifest.json                  written last; a folder without it is unfinished
<root>/<folder>/<split>/<clip>/*.npy           frames, flow, and labels, masks and tracks where the source has them
<root>/<folder>/<split>/<clip>/clip.json       what was written of the clip, and with which settings
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from data_prep.clip import Split
from data_prep.files import UnreadableError, in_form, read_json

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
REPAIR = "delete {} and prepare again: only what is damaged is written again"
LONGEST_NAME = 255  # bytes of a folder's name
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself

Array = Literal["frames", "flow", "labels", "masks", "tracks"]


class DatasetError(ValueError):
    """A prepared dataset is absent, unfinished or damaged: one line that says where, what and what to do."""


# Names


def checked_name(name: str) -> str:
    """A name that is a safe file name on every system, and plain text on every page; raises ValueError for another.

    Letters and digits of any script, "-", "_" and ".", the first a letter, a digit or "_"; 80 at most. Two ways to
    write one accented letter become one (NFC).
    """
    name = unicodedata.normalize("NFC", name)
    if not re.fullmatch(r"\w[\w.-]{0,79}", name) or name.endswith(".") or _RESERVED.fullmatch(name):
        raise ValueError("expected a name of at most 80 letters, digits, '-', '_' and '.', such as ped2-mini")
    return name


def _folder_name(name: str) -> str:
    if not name or Path(name).name != name or name == ".." or "\0" in name or len(name.encode()) > LONGEST_NAME:
        raise ValueError("expected the name of a clip, which is that of its folder")
    return name


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):  # Python takes true for 1
        raise ValueError("expected a number")
    return value


def _with_frames_and_flow(hashes: dict[str, str]) -> dict[str, str]:
    if missing := {"frames", "flow"} - set(hashes):
        raise ValueError(f"expected every clip to have frames and flow, no {' and no '.join(sorted(missing))}")
    return hashes


Name = Annotated[str, AfterValidator(checked_name)]
ClipName = Annotated[str, AfterValidator(_folder_name)]
Channels = Annotated[Literal[1, 3], BeforeValidator(_no_truth_value)]  # gray or RGB


# The manifest

Count = Annotated[int, Field(ge=0, le=10**12)]
Side = Annotated[int, Field(ge=1, le=100_000)]  # pixels
Size = tuple[Side, Side]  # (height, width)
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """Keys that a later version of the kit adds are kept, not refused."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def as_written(self) -> dict[str, Any]:
        """The content of its file, without what was not set."""
        return self.model_dump(mode="json", exclude_unset=True)


class ClipEntry(_Part):
    """One clip: its frames, how many are abnormal (where there are labels), and the checksum of each array's file."""

    frames: Annotated[int, Field(ge=1, le=10**9)]
    sha256: Annotated[dict[Array, Sha256], AfterValidator(_with_frames_and_flow)]
    abnormal: Count | None = None


class ClipRecord(ClipEntry):
    """The same in a clip's own folder, with the head of the manifest, as JSON, that it was written with."""

    settings: dict[str, Any]


class SourceEntry(_Part):
    """What the dataset was prepared from."""

    name: str
    sha256: Sha256
    frame_size: Size
    labels_sha256: Sha256 | None = None


class FlowEntry(_Part):
    """How the flow was made: all that decides it."""

    estimator: str
    settings: dict[str, Any]
    units: str


class HowMade(_Part):
    """What `learned_flow.py` notes beside the flow that it writes (flow.json)."""

    name: str | None = None
    random_weights: bool = False
    versions: dict[str, str] | None = None


class Totals(_Part):
    train_frames: Count
    test_frames: Count
    abnormal_frames: Count


class Head(_Part):
    """All that decides what the arrays hold; recorded with every clip."""

    format: Annotated[Literal[1], BeforeValidator(_no_truth_value)]
    dataset: Name
    source: SourceEntry
    frame_size: Size  # of the stored frames
    channels: Channels
    flow: FlowEntry
    versions: dict[str, str]


class Manifest(Head):
    """A prepared dataset: what decides its arrays, where it is from, and every clip."""

    label_source: str
    notes: list[str] = []
    complete: bool
    missing: list[str]
    totals: Totals
    clips: dict[Split, dict[ClipName, ClipEntry]]  # of both splits, in the source's order

    def entries(self) -> Iterator[tuple[Split, str, ClipEntry]]:
        """Split, name and entry of every clip."""
        for split, clips in self.clips.items():
            for name, entry in clips.items():
                yield split, name, entry


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a prepared dataset; raises DatasetError, naming the file, where there is no whole one."""
    path = Path(folder) / MANIFEST
    try:
        content = read_json(path)
        if not isinstance(content, dict):
            raise UnreadableError(f"{path}: {type(content).__name__}, expected the manifest of a prepared dataset")
        found = content.get("format")
        if found != FORMAT_VERSION:
            expected = f"expected {FORMAT_VERSION} by this maam; delete it and prepare again"
            raise DatasetError(f"{path}: format {found!r:.40}, {expected}")
        manifest = in_form(content, Manifest, str(path))
        if set(manifest.clips) != {"train", "test"}:
            raise UnreadableError(f"{path}: clips of {', '.join(manifest.clips) or 'nothing'}, expected train and test")
    except FileNotFoundError:
        raise DatasetError(f"{folder} is unfinished (no {MANIFEST}); the same `maam prepare` continues it") from None
    except UnreadableError as error:
        raise DatasetError(f"{error}; {REPAIR.format('it')}") from error
    return manifest


def manifests(root: Path) -> tuple[dict[Path, Manifest], dict[Path, DatasetError]]:
    """Every prepared dataset under `root`: folder -> manifest; and of those with a damaged one, what is wrong."""
    whole: dict[Path, Manifest] = {}
    damaged: dict[Path, DatasetError] = {}
    for path in sorted(Path(root).glob(f"*/{MANIFEST}")):
        try:
            whole[path.parent] = read_manifest(path.parent)
        except DatasetError as error:
            damaged[path.parent] = error
    return whole, damaged


# The arrays


def stored_form(
    array: str, frames: int, size: tuple[int, int], channels: int
) -> tuple[tuple[int, ...], type[np.generic]]:
    """Shape and type of an array of a prepared clip, by its name."""
    return {
        "frames": ((frames, *size, channels), np.uint8),
        "flow": ((frames - 1, *size, 2), np.float16),
        "labels": ((frames,), np.uint8),
        "masks": ((frames, *size), np.uint8),
        "tracks": ((frames, *size), np.int16),
    }[array]
