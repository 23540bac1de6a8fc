"""How the notebooks' exercises are judged: an answer against what the library computes, said in one line (ours).

    check("02.1", answer, net)

An exercise is a function that says what is right, registered by its number: `expects` where the answer is a value,
`acts_like` where it is a function itself. Where many answers are right, its judge is put into EXERCISES by hand.

An untouched stub holds `...`, and is not yet right. A checker never raises for a wrong answer: a notebook with open
exercises runs to its end. An error in a handed-in function is the reader's to see, and is not caught.
"""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
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
Right = TypeVar("Right", bound=Callable[..., Any])
Cases = Sequence[tuple[Any, ...]]  # arguments of a function
EXERCISES: dict[str, Judge] = {}


class ExerciseError(ValueError):
    """A check of an exercise that does not exist, or that cannot be done with what is given."""


def check(number: str, answer: Any, *given: Any) -> Checked:
    """Judge an answer; `given` is what the exercise says. Raises ExerciseError for a number that does not exist."""
    if number not in EXERCISES:
        raise ExerciseError(f"no exercise {number!r}; there are {', '.join(sorted(EXERCISES))}")
    is_touched = answer is not ... and answer is not None
    judgement = EXERCISES[number](answer, *given) if is_touched else None
    if judgement is None:
        return Checked(number, False, "replace the ... by your answer")
    passed, got, expected = judgement
    return Checked(number, bool(passed), f"got {_shown(got)}, expected {_shown(expected)}")


# What exercises are made of


def expects(number: str, tolerance: float = 1e-3) -> Callable[[Right], Right]:
    """Make a function of what `check` is given an exercise, whose answer is its value."""

    def register(right: Right) -> Right:
        EXERCISES[number] = lambda answer, *given: value(answer, right(*given), tolerance)
        return right

    return register


def acts_like(number: str, cases: Callable[..., Cases], tolerance: float = 1e-4) -> Callable[[Right], Right]:
    """Make a function an exercise, whose answer does the same on the cases that are made of what `check` is given."""

    def register(right: Right) -> Right:
        EXERCISES[number] = lambda answer, *given: function(answer, right, cases(*given), tolerance)
        return right

    return register


def value(answer: Any, expected: Any, tolerance: float = 1e-3) -> Judgement:
    """Judge numbers: one or an array of them, equal within `tolerance` of the expected size; or text and other values.

    Several values of different kinds are given as a tuple, in order.
    """
    return Judgement(_same(answer, expected, tolerance), answer, expected)


def function(answer: Any, right: Callable[..., Any], cases: Cases, tolerance: float = 1e-4) -> Judgement | None:
    """Judge a function by trying it on cases (tuples of arguments); the first that differs is shown."""
    if not callable(answer):
        return Judgement(False, answer, "a function")
    for case in cases:
        got, expected = answer(*deepcopy(case)), right(*case)  # it may write into its arguments
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
        return isinstance(got, str) and got == expected
    try:
        mine, theirs = (np.asarray(_plain(values), np.float64) for values in (got, expected))
    except (TypeError, ValueError, OverflowError):  # no numbers
        return False
    size = max(float(np.abs(theirs).max(initial=0)), 1e-12)
    return mine.shape == theirs.shape and np.allclose(mine, theirs, rtol=0, atol=tolerance * size)


def number(answer: Any) -> float:
    """An answer that is a single number, of Python, NumPy or PyTorch; nan for anything else."""
    try:
        return math.nan if isinstance(answer, str) else float(answer)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan


def _plain(values: Any) -> Any:
    """Tensors as arrays, where they hold values: bfloat16 and sparse ones too."""
    if not isinstance(values, Tensor) or values.is_meta:
        return values
    dense = values.detach().cpu().to_dense()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()


def _shown(values: Any) -> str:
    """An answer in few characters: numbers rounded, arrays by their shape and first values."""
    values = _plain(values)
    if isinstance(values, np.ndarray | pd.Series) and values.ndim > 0:
        first = ", ".join(_shown(v) for v in np.ravel(values)[:6].tolist())
        return f"{values.shape} numbers, first {first}"
    if isinstance(values, np.ndarray | np.generic):
        values = values.item()
    if isinstance(values, float):
        return f"{values:.4g}"
    if isinstance(values, tuple | list):
        return f"({', '.join(_shown(v) for v in values)})"
    return str(values)[:SHOWN]
