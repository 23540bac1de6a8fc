"""What a dataset was prepared from: every file that its reader reads, known by its size, time and content.

<dataset>/source.json      name of each file within the source -> [size, time in ns, sha256]

An unchanged file is known by its size and time alone; only a file with another one is read again, so that a touched or
copied source is no other source, and an edit that keeps the size is noticed.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data_prep.clip import SourceError
from data_prep.files.archives import is_junk
from data_prep.files.writing import write_text
from data_prep.words import counted

RECORD = "source.json"
TICK = 2_000_000_000  # ns; a file system may note times no finer than that, so that an edit keeps the time


@dataclass(frozen=True)
class Part:
    """An archive, or the folder in which a reader reads some files, and those at its top."""

    path: Path
    folders: tuple[str, ...] = ()  # the folders directly in `path` that are read, however deep
    names: str = ".*"  # a regular expression for the path of a file within `path`, as in train/morning/0001.jpg

    def files(self) -> dict[str, Path]:
        """The files of this part by their path within it; of an archive, itself. Links are followed."""
        if self.path.is_file():
            return {self.path.name: self.path}
        found = [path for path in self.path.iterdir() if path.is_file() and not is_junk(path.name)]
        for folder in (self.path / name for name in self.folders):
            found += _files_below(folder, ()) if folder.is_dir() else ()
        named = {path.relative_to(self.path).as_posix(): path for path in found}
        is_read = re.compile(self.names, re.DOTALL | re.IGNORECASE).fullmatch
        return {name: named[name] for name in sorted(named) if is_read(name)}


class FileState(NamedTuple):
    """One file of a source."""

    size: int
    modified: int  # ns
    sha256: str


States = dict[str, FileState]


def _files_below(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Visible files however deep; a link to one of the folders above is not followed."""
    stat = folder.stat()
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        return
    for path in folder.iterdir():
        if is_junk(path.name):
            continue
        if path.is_dir():
            yield from _files_below(path, (*above, here))
        elif path.is_file():
            yield path


def files_of(parts: Iterable[Part]) -> dict[str, Path]:
    """The files of all parts by their path within them."""
    return {name: path for part in parts for name, path in part.files().items()}


def examine(files: dict[str, Path], known: States) -> States:
    """The state of each file; one whose size and time are `known` is not read."""
    states = {}
    for name, path in files.items():
        stat, before = path.stat(), known.get(name)
        if before is None or (before.size, before.modified) != (stat.st_size, stat.st_mtime_ns):
            before = FileState(stat.st_size, stat.st_mtime_ns, file_sha256(path))
        states[name] = before
    return states


def changed(before: States, now: States) -> list[str]:
    """Names of the files that are new, gone, or hold something else."""
    names = sorted(before.keys() | now.keys())
    return [n for n in names if n not in before or n not in now or before[n].sha256 != now[n].sha256]


def source_sha256(parts: Iterable[Part], states: States) -> str:
    """sha256 of a source's content: of an archive its own, of a folder that over names and contents of files."""
    digests = []
    for part in parts:
        lines = [f"{name} {states[name].sha256}\n" for name in part.files()]
        digests.append(states[part.path.name].sha256 if part.path.is_file() else _text_sha256("".join(lines)))
    return digests[0] if len(digests) == 1 else _text_sha256("\n".join(digests))


def _text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()  # names may hold bytes that are no UTF-8


def file_sha256(path: Path) -> str:
    """sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The record beside the dataset


def save_states(folder: Path, states: States) -> None:
    """Write the record into a dataset's folder."""
    write_text(folder / RECORD, json.dumps(states) + "\n")


def load_states(folder: Path) -> States:
    """The record in a dataset's folder; nothing where there is no whole one.

    The time of a file that was written within a TICK of the record proves nothing, as it may have been written again
    since: it is given as -1, so that the file is read.
    """
    path = folder / RECORD
    try:
        recorded = path.stat().st_mtime_ns
        lines = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: FileState(int(size), int(time) if time < recorded - TICK else -1, str(sha256))
            for name, (size, time, sha256) in lines.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def archive_or_tree(source: Path, trees: Iterable[Path], archives: tuple[str, ...], expected: str) -> Path:
    """What a `source` means: an archive itself, else the first of the `trees` in it, else its one archive."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise SourceError(f"{source}: no such file or folder; --source is the archive or the unpacked folder")
    for tree in trees:
        return tree
    found = sorted({path for names in archives for path in source.glob(names) if not is_junk(path.name)})
    if len(found) != 1:
        raise SourceError(
            f"{source}: expected {expected}, found {len(found) or 'none of them'} ({what_is_in(source)}); point "
            "--source at one of them"
        )
    return found[0]


def clips_in(folder: Path, names: str, expected: str, *, folders: bool) -> list[Path]:
    """The clips of an official folder: folders or files whose names match; SourceError where only others are there."""
    paths = [path for path in folder.iterdir() if not is_junk(path.name)] if folder.is_dir() else []
    clips = sorted(path for path in paths if path.is_dir() == folders and re.fullmatch(names, path.name))
    if paths and not clips:
        raise SourceError(f"{folder}: expected {expected}, found {what_is_in(folder)}")
    return clips


def what_is_in(folder: Path) -> str:
    """What is found in a folder, for messages: "3 folders and 40 .jpg files, such as 000.jpg"."""
    if not folder.is_dir():
        return "no such folder"
    paths = sorted(path for path in folder.iterdir() if not is_junk(path.name))
    kinds = Counter("folder" if path.is_dir() else f"{path.suffix} file".strip() for path in paths)
    words = [f"{counted(count, kind)}" for kind, count in kinds.most_common(3)]
    return f"{' and '.join(words)}, such as {paths[-1].name}" if paths else "nothing"
