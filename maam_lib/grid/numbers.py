"""What tables hold: numbers that know how they are written, and which results they were made of.

`str` makes the text, where a table is shown: on a page, in CSV and LaTeX, in a notebook. None of them is a `str`,
because pandas may keep text in a form of its own (with pyarrow it does) and would lose all but the characters.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from maam_lib.evaluation import seed_interval, seed_spread

ABSENT = "not measured"  # in place of a number that no result has
NONE = "–"  # in place of a number that cannot be


@dataclass(frozen=True)
class Number:
    """Measured values, one per seed: their mean, ± half their range where there are several."""

    values: tuple[float, ...]
    form: str = ".3f"  # of the mean, as Python's `format` takes it
    note: str = ""
    hashes: tuple[str, ...] = ()  # of the settings of the results that it was made of

    def __str__(self) -> str:
        mean, half_range = seed_spread(self.values)
        spread = f" ± {half_range:{self.form.lstrip('+')}}" if len(self.values) > 1 else ""
        return f"{mean:{self.form}}{spread}{self.note}"


@dataclass(frozen=True)
class Difference:
    """Differences of the same seeds: their mean, with its 95 % interval over seeds where there are several."""

    values: tuple[float, ...]
    form: str = "+.3f"
    unit: str = ""
    note: str = ""

    def __str__(self) -> str:
        mean = f"{seed_spread(self.values)[0]:{self.form}}{self.unit}"
        interval = f" {Interval(*seed_interval(self.values), self.form)}" if len(self.values) > 1 else ""
        return f"{mean}{interval}{self.note}"


@dataclass(frozen=True)
class Interval:
    """From where to where."""

    low: float
    high: float
    form: str = ".3f"

    def __str__(self) -> str:
        return f"[{self.low:{self.form}}, {self.high:{self.form}}]"


@dataclass(frozen=True)
class Deviation:
    """Our mean minus the paper's number; `unit` is what one AUC is in that number's unit."""

    gap: float
    form: str = "+.3f"
    unit: float = 1.0

    @property
    def distance(self) -> float:
        """How far apart they are, in AUC or in percent points / 100."""
        return abs(self.gap) / self.unit

    def __str__(self) -> str:
        return f"{self.gap:{self.form}}"


@dataclass(frozen=True)
class Pair:
    """Two cells in one."""

    first: "Number | str"
    second: "Number | str"

    def __str__(self) -> str:
        return f"{self.first} / {self.second}"


Shown = Number | Difference | Interval | Deviation | Pair
TableCell = Shown | str | float | int


def number(values: Iterable[float], form: str = ".3f", note: str = "", hashes: Iterable[str] = ()) -> Number | str:
    """A Number of values; ABSENT where there are none."""
    values = tuple(values)
    return Number(values, form, note, tuple(hashes)) if values else ABSENT


def difference(values: Iterable[float], note: str = "") -> Difference | str:
    """A Difference of values; ABSENT where there are none."""
    values = tuple(values)
    return Difference(values, note=note) if values else ABSENT


def deviation(ours: Sequence[float], printed: str, form: str = "+.3f", unit: float = 1.0) -> Deviation | str:
    """The mean over seeds minus a number as printed; NONE where either is missing."""
    if not ours or not printed.replace(".", "").isdigit():
        return NONE
    return Deviation(seed_spread(ours)[0] - float(printed), form, unit)


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table with each of its numbers as it is shown; what is text or a plain number stays so."""
    return table.map(lambda cell: str(cell) if isinstance(cell, Shown) else cell)
