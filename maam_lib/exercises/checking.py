"""How the notebooks' exercises are judged: an answer against what the library computes, said in one line (ours).

    check("02.1", answer, net)

The exercises themselves are in `exercises`. An answer is a value, or a function that is tried on several inputs. A
stub that nobody has touched holds `...`, and is not yet right. A checker never raises for a wrong answer: a notebook
with open exercises runs to its end. An error in a handed-in function is the reader's to see, and is not caught.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

SHOWN = 200  # characters of an answer that its line shows


class Checked(NamedTuple):
    """What `check` says of an answer; a notebook shows its line."""

    number: str
    passed: bool
    line: str

    def __repr__(self) -> str:
        return f"{self.number} {'right' if self.passed else 'not yet'}: {self.line}"


class Judgement(NamedTuple):
    """Whether an answer is right, what it was, and what was expected."""

    passed: bool
    got: Any
    expected: Any


Judge = Callable[..., Judgement | None]  # (answer, *given) -> judgement; None: the answer is an untouched function
EXERCISES: dict[str, Judge] = {}


class ExerciseError(ValueError):
    """A check of an exercise that does not exist."""


def exercise(number: str) -> Callable[[Judge], Judge]:
    """Make a function the judge of an exercise."""

    def register(judge: Judge) -> Judge:
        EXERCISES[number] = judge
        return judge

    return register


def check(number: str, answer: Any, *given: Any) -> Checked:
    """Judge an answer; `given` is what the exercise says. Raises ExerciseError for a number that does not exist."""
    if number not in EXERCISES:
        raise ExerciseError(f"no exercise {number!r}; there are {', '.join(sorted(EXERCISES))}")
    untouched = Checked(number, False, "replace the ... by your answer")
    if answer is ... or answer is None:
        return untouched
    judgement = EXERCISES[number](answer, *given)
    if judgement is None:
        return untouched
    passed, got, expected = judgement
    return Checked(number, bool(passed), f"got {_shown(got)}, expected {_shown(expected)}")


# What judges are made of


def value(answer: Any, expected: Any, tolerance: float = 1e-3) -> Judgement:
    """Judge numbers: one or an array of them, equal within `tolerance` of the expected size; or text and other values.

    Several values of different kinds are given as a tuple, in order.
    """
    return Judgement(_same(answer, expected, tolerance), answer, expected)


def function(
    answer: Any, reference: Callable[..., Any], cases: Sequence[tuple[Any, ...]], tolerance: float = 1e-4
) -> Judgement | None:
    """Judge a function by trying it on cases (tuples of arguments); the first that differs is shown."""
    if not callable(answer):
        return Judgement(False, answer, "a function")
    for case in cases:
        got, expected = answer(*case), reference(*case)
        if got is ... or got is None:
            return None
        if not _same(got, expected, tolerance):
            return Judgement(False, got, expected)
    return Judgement(True, f"the same on {len(cases)} cases", "the same on all")


def between(answer: Any, measured: float, low: float, high: float, what: str) -> Judgement:
    """Judge an answer by what it leads to."""
    return Judgement(low <= measured <= high, f"{_shown(answer)}: {what} {measured:.3g}", f"{low:.3g} to {high:.3g}")


def fixed_random() -> np.random.Generator:
    """Random numbers for the cases that functions are tried on: the same at every check."""
    return np.random.default_rng(7)


def _same(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, tuple):
        as_many = isinstance(got, tuple | list) and len(got) == len(expected)
        return as_many and all(_same(g, e, tolerance) for g, e in zip(got, expected, strict=True))
    if isinstance(expected, str):
        return got == expected
    mine, theirs = _numbers(got), _numbers(expected)
    if mine is None or theirs is None or mine.shape != theirs.shape:
        return False
    size = max(float(np.abs(theirs).max(initial=0)), 1e-12)
    return bool(np.isfinite(mine).all() and (np.abs(mine - theirs) <= tolerance * size).all())


def _numbers(values: Any) -> np.ndarray | None:
    """Values as float64; None where they are no numbers."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _shown(values: Any) -> str:
    """An answer in few characters: numbers rounded, arrays by their shape and first values."""
    if isinstance(values, Tensor | np.ndarray | pd.Series) and np.ndim(values) > 0:
        numbers = np.asarray(values.detach() if isinstance(values, Tensor) else values)
        first = ", ".join(_shown(v) for v in numbers.ravel()[:6].tolist())
        return f"{numbers.shape} numbers, first {first}"
    if isinstance(values, Tensor | np.generic):
        values = values.item()
    if isinstance(values, float):
        return f"{values:.4g}"
    if isinstance(values, tuple | list):
        return f"({', '.join(_shown(v) for v in values)})"
    return str(values)[:SHOWN]
