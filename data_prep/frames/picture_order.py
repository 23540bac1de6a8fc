"""The order of the pictures of a clip, from the numbers in their names; what speaks against it is noted."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from data_prep.clip import SourceError
from data_prep.files import what_is_in

AGAIN = "unpack or download the source again"
SPREAD = 20_000_000  # ns from file to file, in the median: files copied in one go are closer and tell nothing
Numbers = tuple[int, ...]

# A time in a name: a date, with or without a time of day; seconds (or parts of them) since 1970; a time of day.
_STAMP = re.compile(
    r"""(?<!\d)(?:
    (?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])
        (?:\D{0,3}[0-2]\d([-_.:h]?)[0-5]\d\2[0-5]\d (?:[._-]?\d{3}(?:\d{3})?)?)?
    |[1-9]\d{9,}(?:\.\d+)?
    |[0-2]\d[-_.:h][0-5]\d[-_.:m][0-5]\d (?:[._-]\d{3,6})?
    )(?!\d)""",
    re.VERBOSE,
)
_DAY_FIRST = re.compile(r"(?<!\d)(?:0?[1-9]|[12]\d|3[01])([-_.])(?:0?[1-9]|1[0-2])\1(?:19|20)\d\d(?!\d)")
_HALF_DAY = re.compile(r"\d\s*[ap]\.?m\.?(?![a-z])", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?!\.?\d)")


def numbered_files(
    folder: Path, suffixes: set[str], num_files: int | None = None, *, first: int = 1
) -> tuple[Path, ...]:
    """Files 001, 002, ... (from `first`) of an official folder in order; all else in it is passed over.

    SourceError for a gap, for a number that is there twice, and for more than `num_files`.
    """
    files: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        # Three mask folders of Ped2 (6, 9 and 12) call their files frame001.bmp.
        match = re.fullmatch(r"(?:frame)?([0-9]+)", path.stem)
        if match and path.suffix.lower() in suffixes:
            other = files.setdefault(int(match[1]), path)
            if other != path:
                raise SourceError(f"{path}: {other.name} exists too; remove one of the two")
    if not files:
        raise SourceError(f"{folder}: expected {first:03d}{min(suffixes)} and so on, found {what_is_in(folder)}")
    count = num_files or max(files) - first + 1
    expected = range(first, first + count)
    if missing := [number for number in expected if number not in files]:
        name = re.sub(r"\d+", f"{missing[0]:03d}", next(iter(files.values())).name)
        raise SourceError(f"{folder / name} is missing ({len(missing)} of {count} files); {AGAIN}")
    if extra := files.keys() - set(expected):
        raise SourceError(f"{files[min(extra)]}: expected {count} files, one per frame; {AGAIN}")
    return tuple(files[number] for number in expected)


@dataclass(frozen=True)
class Order:
    """Pictures in the order of a clip."""

    paths: tuple[Path, ...]
    counter: Numbers | None  # the number of each, where the names hold one plain counter and no time
    notes: list[str]

    @property
    def gap(self) -> tuple[Path, Path] | None:
        """The two pictures between which the counter first leaves its even step; None where it does not."""
        steps = np.diff(self.counter or (0,))
        uneven = np.flatnonzero(steps != steps.min(initial=np.iinfo(int).max))
        return (self.paths[uneven[0]], self.paths[uneven[0] + 1]) if len(uneven) else None


def in_order(paths: Sequence[Path]) -> Order:
    """Pictures in natural order over all numbers in their names: 1, 2, 10; 12-59-59, 13-00-00; 1.75, 1.8.

    Notes say where the last number alone, or the files' times (if they are spread over time), give another order.
    Raises SourceError for a name without a number and for two names with the same numbers.
    """
    notes: list[str] = []
    number = _numbers(paths, notes)
    ordered = tuple(sorted(paths, key=lambda path: (number[path], path.name)))
    for path, other in pairwise(ordered):
        if number[path] == number[other]:
            raise SourceError(
                f"{other}: {path.name} has the same number; a clip's folder holds the pictures of one clip, each once"
            )
    numbers = [number[path] for path in ordered]
    notes += _doubts(ordered, numbers)
    return Order(ordered, _counter(ordered, numbers, notes), notes)


def _numbers(paths: Sequence[Path], notes: list[str]) -> dict[Path, Numbers]:
    """The numbers of each name; digits after a point are whole numbers, or decimals where they must be."""
    fractions = [match[2] for path in paths for match in _DECIMAL.finditer(path.stem)]
    decimals = 0  # that all fractions are filled up to
    if len(set(map(len, fractions))) > 1:
        if any(fraction.endswith("0") and len(fraction) > 1 for fraction in fractions):
            notes.append("the digits after the point in their names are read as whole numbers: 1.9 comes before 1.10")
        else:
            notes.append("the digits after the point in their names are read as decimals: 1.25 comes before 1.5")
            decimals = max(map(len, fractions))
    numbers = {}
    for path in paths:
        stem = _DECIMAL.sub(lambda match: f"{match[1]}.{match[2].ljust(decimals, '0')}", path.stem)
        numbers[path] = tuple(int(digits) for digits in re.findall(r"\d+", stem))
        if not numbers[path]:
            raise SourceError(f"{path}: no number in its name; expected names such as 0001{path.suffix}")
    return numbers


def _counter(paths: Sequence[Path], numbers: list[Numbers], notes: list[str]) -> Numbers | None:
    """The one number that changes from name to name; None where several do, or where it belongs to a time."""
    if len(set(map(len, numbers))) > 1:
        return None
    columns = list(zip(*numbers, strict=True))
    changing = [place for place, column in enumerate(columns) if len(set(column)) > 1]
    if len(changing) != 1:
        return None
    counter = columns[changing[0]]
    if len(set(np.diff(counter).tolist())) == 1 or not (_is_clock(counter) or _in_stamp(paths, changing[0])):
        return counter
    if not _is_clock(counter):
        notes.append("named by the time, at uneven steps: the names do not show whether a frame is missing")
    return None


def _in_stamp(paths: Sequence[Path], place: int) -> bool:
    """Whether the number at this place of the names is part of a time, in each of them."""
    spans = ((list(re.finditer(r"\d+", path.stem))[place].span(), path.stem) for path in paths)
    return all(any(m.start() <= a and b <= m.end() for m in _STAMP.finditer(stem)) for (a, b), stem in spans)


def _is_clock(counter: Numbers) -> bool:
    """Whether uneven numbers are even as times of day: 125959, 130000 (or 1259, 1300)."""
    parts = np.array([(number // 10_000, number // 100 % 100, number % 100) for number in counter])
    return bool((parts < (24, 60, 60)).all()) and len(set(np.diff(parts @ (3600, 60, 1)).tolist())) == 1


def _doubts(paths: Sequence[Path], numbers: list[Numbers]) -> Iterator[str]:
    """Notes on what speaks against the order."""
    kinds = {(re.split(r"\d", path.stem)[0].casefold(), len(re.findall(r"\d+", path.stem))): path for path in paths}
    if len(kinds) > 1:
        some = " and ".join(path.name for path in list(kinds.values())[:2])
        yield f"names of {len(kinds)} kinds, such as {some}; all are taken for frames of this clip"
    name = paths[0].stem
    if _DAY_FIRST.search(name) and len(paths) > 1:
        yield f"named by dates with the day first ({name}): across the end of a month they are not in order of time"
    if any(_HALF_DAY.search(path.stem) for path in paths):
        yield f"named by a 12-hour clock ({name}): across 12 o'clock they are not in order of time"
    last = [number[-1] for number in numbers]
    if pair := _first_fall(paths, last):
        yield f"in the order of all numbers in their names ({pair}); the last number alone gives another order"
    times = [path.stat().st_mtime_ns for path in paths]
    steps = np.diff(np.sort(times))
    if len(steps) > 1 and steps.min() > 0 and np.median(steps) >= SPREAD and (pair := _first_fall(paths, times)):
        yield f"in the order of their names ({pair}); the files' times give another order"


def _first_fall(paths: Sequence[Path], values: list[int]) -> str:
    """The first two pictures whose values fall, in words; empty where none do."""
    pairs = zip(pairwise(paths), pairwise(values), strict=True)
    return next((f"{path.name} before {other.name}" for (path, other), (a, b) in pairs if a > b), "")
