"""What was handed in: each different answer once, in `answers.jsonl` beside the chapters of a student's copy (ours).

    {"time": "2026-11-28T16:30:00+00:00", "exercise": "02.3", "outcome": "wrong", "answer": "5f0c..."}

The first line says whose copy it is. `maam course` creates the file; where there is none, as beside the complete
chapters and in a report, nothing is written. An answer is kept as a fingerprint, which tells two answers apart and
says nothing else. A record is plain text that its owner can edit: it is made for feedback, not for exams.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, Field, ValidationError

from data_prep.files import UnreadableError, read_text

RECORD = "answers.jsonl"
MOST_BYTES = 10_000_000
LONGEST_WAIT = 5  # seconds for other kernels that write the same record

Outcome = Literal["right", "wrong", "revealed"]


class Owner(BaseModel):
    """The first line of a record: whose copy it is, and the seed of the generated test clips, if it is an own one."""

    student: str = Field(max_length=200)
    scene_seed: int | None = None


class Entry(BaseModel):
    """An answer that was handed in."""

    time: str = Field(max_length=40)
    exercise: str = Field(pattern=r"^\d\d\.\w{1,3}$")
    outcome: Outcome
    answer: str = Field(max_length=64)  # a fingerprint

    def says_the_same(self, other: "Entry") -> bool:
        """Whether nothing but the time differs."""
        return self.model_dump(exclude={"time"}) == other.model_dump(exclude={"time"})


SESSION: list[Entry] = []  # of this process, so that hints come nearer where there is no record, too
_told: set[str] = set()


def past(exercise: str) -> list[Entry]:
    """What was handed in for an exercise, in this process and, in a student's copy, ever."""
    entries = [*(_kept() or []), *SESSION]
    return [entry for entry in entries if entry.exercise == exercise]


def remember(exercise: str, outcome: Outcome, answer: str) -> None:
    """Keep an answer, unless it is kept already. Trouble with the file is told once and ends nothing."""
    entry = Entry(
        time=datetime.now(UTC).isoformat(timespec="seconds"), exercise=exercise, outcome=outcome, answer=answer
    )
    if not any(entry.says_the_same(other) for other in SESSION):
        SESSION.append(entry)
    kept = _kept()
    if kept is not None and not any(entry.says_the_same(other) for other in kept):
        try:
            append(Path(RECORD), entry)
        except OSError as error:
            _tell("unwritable", f"{RECORD}: cannot be written ({error}); your answers count for this session only")


def read(path: Path) -> tuple[Owner | None, list[Entry], list[str]]:
    """Whose record it is, its entries in order, and what cannot be read, in words. Raises UnreadableError."""
    lines = read_text(path, MOST_BYTES).splitlines()
    owner, entries, damaged = None, [], []
    for number, line in enumerate(lines, start=1):
        try:
            if number == 1 and '"student"' in line:
                owner = Owner.model_validate_json(line)
            elif line.strip():
                entries.append(Entry.model_validate_json(line))
        except ValidationError:
            damaged.append(number)
    said = [f"{path}: {len(damaged)} of {len(lines)} lines cannot be read, first line {damaged[0]}"] if damaged else []
    return owner, entries, said


def append(path: Path, entry: Entry) -> None:
    """Add a line, one kernel after the other; a line that a crash has cut stays alone. Raises OSError."""
    line = json.dumps(entry.model_dump()).encode() + b"\n"
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LONGEST_WAIT)
    with suppress(NotImplementedError):  # a file system without locks, as some of networks
        lock.acquire()
    try:
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
    finally:
        lock.release()


def different(entries: Iterable[Entry], outcome: Outcome) -> int:
    """How many different answers had an outcome."""
    return len({entry.answer for entry in entries if entry.outcome == outcome})


def _kept() -> list[Entry] | None:
    """The entries of this folder's record; None where there is none, or it is no record any more."""
    path = Path(RECORD)
    if not path.is_file():
        return None
    try:
        _, entries, damaged = read(path)
    except (UnreadableError, FileNotFoundError) as error:
        _tell("unreadable", f"{error}; your answers count for this session only")
        return None
    for said in damaged:
        _tell("damaged", f"{said}; the others count")
    return entries


def _tell(trouble: str, text: str) -> None:
    """Say something once."""
    if trouble not in _told:
        _told.add(trouble)
        print(f"note: {text}")
