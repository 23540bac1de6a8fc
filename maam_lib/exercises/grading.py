"""Who solved what: the records of students' copies as one table (ours).

Points of an exercise: 1 for a right answer, 0.5 for one that came after `reveal=True`, else 0. How many different
answers were tried is told, and costs nothing. A record can be edited by its owner (see `record`).
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from data_prep.files import UnreadableError, write_text
from maam_lib.exercises.checking import EXERCISES
from maam_lib.exercises.record import RECORD, Entry, read

FORMULAS = "=+-@\t\r"  # what a spreadsheet would compute, where a cell begins with it


class GradingError(ValueError):
    """A folder without records."""


def grades(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """One row per student, and what a lecturer should know of the records, in words.

    Columns: student, one per exercise with its points, attempts (different answers tried), total. folder: one copy, or
    the folder that holds one per student. Raises GradingError where there is none.
    """
    homes = [folder] if (folder / RECORD).is_file() else _homes(folder)
    if not homes:
        raise GradingError(
            f"{folder}: no {RECORD} in it or in its subfolders; expected the copies that `maam course` makes"
        )
    notes, rows, owners = [], [], []
    for home in homes:
        try:
            if not (home / RECORD).is_file():
                raise UnreadableError(f"{home}: no {RECORD}, so nothing counts as solved")
            owner, entries, damaged = read(home / RECORD)
        except UnreadableError as error:
            owner, entries, damaged = None, [], [str(error)]
        unknown = sorted({entry.exercise for entry in entries} - set(EXERCISES))
        notes += damaged + ([f"{home / RECORD}: no exercise {', '.join(unknown)} in this version"] if unknown else [])
        owners.append(owner.student if owner and owner.student else home.resolve().name)
        rows.append(_row(entries))
    for name in {name for name in owners if owners.count(name) > 1}:
        same = [home.name for home, owner in zip(homes, owners, strict=True) if owner == name]
        notes.append(f"the records in {', '.join(same)} all say that they are of {name}; named by folder here")
        owners = [home.name if owner == name else owner for home, owner in zip(homes, owners, strict=True)]
    table = pd.DataFrame(rows)
    table.insert(0, "student", owners)
    return table, notes


def write_grades(table: pd.DataFrame, path: Path) -> None:
    """As CSV in UTF-8 with a plain header; no cell is a formula to a spreadsheet."""
    names = [f"'{name}" if name[0] in FORMULAS else name for name in table["student"]]
    write_text(path, table.assign(student=names).to_csv(index=False, float_format="%g", lineterminator="\n"))


def short_table(table: pd.DataFrame) -> str:
    """Points per chapter, for a terminal: as many columns as chapters."""
    numbers = sorted(EXERCISES)
    shown = {"student": [*table["student"], "of"]}
    for chapter in sorted({number[:2] for number in numbers}):
        here = [number for number in numbers if number.startswith(chapter)]
        shown[chapter] = [*table[here].sum(axis=1), len(here)]
    shown |= {"total": [*table["total"], len(numbers)], "attempts": [*table["attempts"], ""]}
    return pd.DataFrame(shown).to_string(index=False, float_format="{:g}".format)


def points(entries: Sequence[Entry]) -> float:
    """Of one exercise, from its entries in the order in which they came."""
    outcomes = [entry.outcome for entry in entries]
    if "right" not in outcomes:
        return 0.0
    return 0.5 if "revealed" in outcomes[: outcomes.index("right")] else 1.0


def _row(entries: list[Entry]) -> dict[str, float]:
    known = [entry for entry in entries if entry.exercise in EXERCISES]
    row = {number: points([entry for entry in known if entry.exercise == number]) for number in sorted(EXERCISES)}
    tried = {(entry.exercise, entry.answer) for entry in known if entry.outcome != "revealed"}
    return row | {"attempts": len(tried), "total": sum(row.values())}


def _homes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise GradingError(f"{folder}: no such folder")
    """Copies in a folder: with a record, or with the first chapter and no record any more."""
    copies = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(path for path in copies if (path / RECORD).is_file() or any(path.glob("00_*.ipynb")))
