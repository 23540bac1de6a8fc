"""What tables hold: numbers that know how they are written and which results they were made of; what may be compared.

`str` makes the text, where a table is shown: on a page, in CSV and LaTeX, in a notebook. None of them is a `str`,
because pandas may keep text in a form of its own (with pyarrow it does) and would lose all but the characters. What
nobody asks for more than its text, as a difference, is a `str` from the start.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import pandas as pd

from maam_lib.evaluation import Result, seed_interval, seed_spread
from maam_lib.grid.results import BASE, Results

ABSENT = "not measured"  # in place of a number that no result has
NONE = "–"  # in place of a number that cannot be
Measure = Callable[[Result], float | None]  # None where a result does not know it
auc: Measure = attrgetter("auc")
auc_motion: Measure = attrgetter("auc_motion")


def support_items(result: Result) -> float | None:
    """Per query; None without memory."""
    return result.memory.support_items if result.memory else None


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
        return f"{written(mean, self.form)}{spread}{self.note}"


@dataclass(frozen=True)
class Deviation(Number):
    """Our mean minus the paper's number; `unit` is what one AUC is in that number's unit."""

    unit: float = 1.0

    @property
    def distance(self) -> float:
        """How far apart they are, in AUC or in percent points / 100."""
        return abs(self.values[0]) / self.unit


TableCell = Number | str | float | int


def number(values: Iterable[float], form: str = ".3f", note: str = "", hashes: Iterable[str] = ()) -> Number | str:
    """A Number of values; ABSENT where there are none."""
    values = tuple(values)
    return Number(values, form, note, tuple(hashes)) if values else ABSENT


def shown(results: Iterable[Result], measure: Measure, form: str = ".3f", note: str = "") -> Number | str:
    """One of the numbers of some results, one per seed, of those that know it."""
    known = [(value, result.recipe_hash) for result in results if (value := measure(result)) is not None]
    return number([value for value, _ in known], form, note, [recipe_hash for _, recipe_hash in known])


def difference(
    values: Sequence[float], note: str = "", form: str = "+.3f", unit: str = "", *, most: float = math.inf
) -> str:
    """Differences of the same seeds: their mean, with its 95 % interval over seeds where there are several.

    most: what the measure cannot exceed; an interval ends there.
    """
    if not values:
        return ABSENT
    bounds = ""
    if len(values) > 1:
        low, high = seed_interval(values)
        bounds = f" {interval((low, min(high, most)), form)}"
    return f"{written(seed_spread(values)[0], form)}{unit}{bounds}{note}"


def interval(bounds: tuple[float, float], form: str = ".3f") -> str:
    """From where to where."""
    return f"[{written(bounds[0], form)}, {written(bounds[1], form)}]"


def written(value: float, form: str) -> str:
    """A number in a form as Python's `format` takes it; what is rounded to zero has no minus."""
    text = f"{value:{form}}"
    return text if any(digit in text for digit in "123456789") else f"{abs(value):{form}}"


def deviation(ours: Number | str, printed: str, form: str = "+.3f", unit: float = 1.0) -> Deviation | str:
    """The mean over seeds minus a number as printed; NONE where either is missing."""
    if isinstance(ours, str) or not printed.replace(".", "").isdigit():
        return NONE
    return Deviation((seed_spread(ours.values)[0] - float(printed),), form, unit=unit)


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table with each of its numbers as it is shown; what is text or a plain number stays so."""
    return table.map(lambda cell: str(cell) if isinstance(cell, Number) else cell)


# Which results of several variants may be compared: those of the same seeds


def paired(results: Results, name: str, measure: Measure = auc, *, beside: str = BASE) -> list[float]:
    """A measure of one variant minus that of another, for each seed that has both."""
    others = {result.seed: measure(result) for result in results.get(beside, [])}
    both = [(measure(result), others.get(result.seed)) for result in results.get(name, [])]
    return [a - b for a, b in both if a is not None and b is not None]


def shared_seeds(results: Results, names: Iterable[str]) -> set[int]:
    """The seeds that all of the named variants have; variants that are not measured do not count."""
    seeds = [{r.seed for r in results[name]} for name in names if results.get(name)]
    return set.intersection(*seeds) if seeds else set()


def same_seeds(results: Results, names: Collection[str]) -> Results:
    """Of the variants named and measured, the seeds that all of them have, for rows to compare; all if they share none.

    Seeds move the AUC as much as variants do: a mean over three next to one over two would show the third seed.
    """
    shared = shared_seeds(results, names)
    found = {name: results[name] for name in names if results.get(name)}
    return {name: [r for r in seeds if r.seed in shared] or seeds for name, seeds in found.items()}
