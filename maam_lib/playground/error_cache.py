"""Error maps kept on disk between sessions, so that the app need not wait for the network again (ours).

Each file is named after the sha256 of everything that decides what is in it: the weights, the dataset, the frames, the
code and the versions. It holds the sha256 of its own content first. A file that is absent, cut or damaged is computed
anew; it may be deleted at any time. Two processes may write the same file: each writes it aside, then renames it.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch

from data_prep.files import written_aside
from maam_lib.data import FrameFlowDataset
from maam_lib.playground.integral_maps import IntegralMaps, KeptErrors
from maam_lib.windows import Pair

MOST_BYTES = 2_000_000_000  # of all files together; those used longest ago are deleted first
# Folders of the library that only work on finished error maps (its layers are in pyproject.toml).
LATER = frozenset({"cli", "exercises", "explorers", "report", "grid", "video", "analysis", "figures"})
_DIGEST = 32  # bytes of a sha256
_SUFFIX = ".errors"


def cache_folder() -> Path:
    """`maam-net/error-maps` in the user's cache folder: $XDG_CACHE_HOME, or ~/.cache where that is not set."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "maam-net" / "error-maps"


def errors_key(network: str, dataset: FrameFlowDataset, keys: list[tuple[str, int]], device: torch.device | str) -> str:
    """What names the error maps of some frames of a dataset, 64 hex digits; `network` names weights and settings."""
    data = [dataset.prepared.content_hash, dataset.split, dataset.channels]
    versions = [torch.__version__, np.__version__, _code_hash()]
    return hashlib.sha256(json.dumps([network, data, keys, str(device), versions]).encode()).hexdigest()


def cached(key: str, keys: list[tuple[str, int]], size: Pair, compute: Callable[[], KeptErrors]) -> KeptErrors:
    """The error maps of T frames (their keys) of a size (H, W) from the file that `key` names.

    Without a sound file `compute` makes them, and they are written for the next time. A cache that cannot be read or
    written costs time and nothing else.
    """
    with suppress(OSError, RuntimeError):  # RuntimeError: no home folder
        path = cache_folder() / f"{key}{_SUFFIX}"
        if (found := _read(path, keys, size)) is not None:
            return found
    computed = compute()
    with suppress(OSError, RuntimeError):
        _write(cache_folder() / f"{key}{_SUFFIX}", computed)
    return computed


def _read(path: Path, keys: list[tuple[str, int]], size: Pair) -> KeptErrors | None:
    """What a file holds; None where there is none, or another length or sum than it should have."""
    frames, table = len(keys), (size[0] + 1, size[1] + 1, len(keys))
    # whether motion has a sign; then of appearance and of motion a table and its units; all of four bytes each
    lengths = [1, *[int(np.prod(table)), frames] * 2]
    if not path.is_file() or path.stat().st_size != _DIGEST + 4 * sum(lengths):
        return None
    content = np.fromfile(path, np.uint8)
    if _digest(path, content[_DIGEST:]) != content[:_DIGEST].tobytes():
        return None
    os.utime(path)  # used now
    parts = np.split(content[_DIGEST:].view(np.int32), np.cumsum(lengths)[:-1])
    appearance, motion = (IntegralMaps(parts[i].reshape(table), parts[i + 1].view(np.float32)) for i in (1, 3))
    return KeptErrors(keys, size, appearance, motion, bool(parts[0][0]))


def _write(path: Path, errors: KeptErrors) -> None:
    parts = [part for maps in (errors.appearance, errors.motion) for part in (maps.table, maps.unit)]
    parts = [np.array([errors.of_speed], np.int32), *parts]
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(_digest(path, *parts))
        for part in parts:
            part.tofile(file)
    _forget_the_oldest(path.parent)


def _digest(path: Path, *parts: np.ndarray) -> bytes:
    """The sha256 of a file's name and its arrays: a file under a wrong name is not sound either."""
    digest = hashlib.sha256(path.stem.encode())
    for part in parts:
        digest.update(part.data)
    return digest.digest()


def _forget_the_oldest(folder: Path) -> None:
    """Delete files that were not used for longest until the rest fits into MOST_BYTES."""
    states = [(path.stat(), path) for path in folder.glob(f"*{_SUFFIX}")]
    room = MOST_BYTES
    for state, path in sorted(states, key=lambda each: -each[0].st_mtime):
        room -= state.st_size
        if room < 0:
            path.unlink(missing_ok=True)


def code_hash(library: Path) -> str:
    """The sha256 of a library's source that can change an error map: who changes the network's code sees the effect."""
    digest = hashlib.sha256()
    for path in sorted(library.rglob("*.py")):
        if not {path.relative_to(library).parts[0], path.parent.name} & LATER:
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _code_hash() -> str:
    return code_hash(Path(__file__).parents[1])
