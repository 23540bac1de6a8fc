"""How the notebooks' exercises are judged: an answer against what the library computes, said in one line (ours).

    check("02.1", answer, net)

An exercise is a function that says what is right, registered by its number: `expects` where the answer is a value,
`acts_like` where it is a function itself, `judged` where many answers are right and a judge of its own decides.
Numbers with a digit, 02.1, are exercises at a chapter's end; with a letter, 02.a, they are holes in its flow.

An untouched stub holds `...`, and is not yet right. A checker never raises for a wrong answer: a notebook with open
exercises runs to its end. An error in a handed-in function is the reader's to see, and is not caught.
"""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from data_prep.words import counted
from maam_lib.exercises import record
from maam_lib.exercises.answers import fingerprint, plain, same, shown
from maam_lib.exercises.hints import diagnose

UNTOUCHED = "replace the ... by your answer"
FEW_VALUES = 8  # of an argument that a hint shows whole
LINE = 100  # characters


@dataclass(frozen=True, repr=False, eq=False)
class Checked:
    """What `check` says of an answer; a notebook shows its line.

    `go_on_with`: the answer where it is right, else the library's (a value, or for a function the function), so that a
    chapter runs on with open holes. None where the exercise has a judge of its own, since many answers are right there.
    """

    number: str
    passed: bool
    line: str
    on: Callable[[], Any] = lambda: None  # gives what to go on with, computed when asked for

    def __repr__(self) -> str:
        return f"{self.number} {'right' if self.passed else 'not yet'}: {self.line}"

    @property
    def go_on_with(self) -> Any:
        return self.on()


class Judgement(NamedTuple):
    """Whether an answer is right, what it was, what was expected, and what is wrong with it."""

    passed: bool
    got: Any
    expected: Any
    diagnosis: str = ""  # what is wrong with it, without saying what was expected


Judge = Callable[..., Judgement | None]  # (answer, *given) -> judgement; None: the answer is an untouched function
Right = TypeVar("Right", bound=Callable[..., Any])
Cases = Sequence[tuple[Any, ...]]  # arguments of a function


class Exercise(NamedTuple):
    """How an answer is judged, the hint for who was wrong twice, and what the library answers to what is given."""

    judge: Judge
    hint: str = ""
    library: Callable[..., Any] = lambda *_: None


EXERCISES: dict[str, Exercise] = {}


class ExerciseError(ValueError):
    """A check of an exercise that does not exist, or that cannot be done with what is given."""


def check(number: str, answer: Any, *given: Any, reveal: bool = False) -> Checked:
    """Judge an answer; `given` is what the exercise says.

    Says of a wrong answer what is wrong with it; from the second different wrong answer on also the exercise's own
    hint. What was expected is told with `reveal=True` only. In a student's copy all of this is recorded. Raises
    ExerciseError for a number that does not exist.
    """
    if number not in EXERCISES:
        raise ExerciseError(f"no exercise {number!r}; there are {', '.join(sorted(EXERCISES))}")
    exercise = EXERCISES[number]
    is_touched = answer is not ... and answer is not None
    judgement = exercise.judge(answer, *given) if is_touched else None
    if judgement is not None and judgement.passed:
        record.remember(number, "right", fingerprint(judgement.got))
        return Checked(number, True, f"got {shown(judgement.got)}", lambda: answer)
    line = UNTOUCHED if judgement is None else _wrong(number, judgement, exercise.hint)
    if reveal:
        record.remember(number, "revealed", "")
        line += f"\nExpected: {_revealed(exercise, judgement, given)}"
    return Checked(number, False, line, lambda: exercise.library(*given))


def _wrong(number: str, judgement: Judgement, hint: str) -> str:
    """The line of a wrong answer: what is wrong, and a nearer hint for who was wrong before with another answer."""
    record.remember(number, "wrong", fingerprint(judgement.got))
    got, wrong = f"got {shown(judgement.got)}", judgement.diagnosis or "that is not it"
    line = got + ("; " if len(got) + len(wrong) < LINE else "\n") + wrong
    if hint and record.different(record.past(number), "wrong") > 1:
        line += f"\nHint: {hint}"
    return line


def _revealed(exercise: Exercise, judgement: Judgement | None, given: tuple[Any, ...]) -> str:
    """What was expected, and for a function where the library's is."""
    library = exercise.library(*given)
    if callable(library):
        named = getattr(library, "__qualname__", "<")
        here = "" if "<" in named else f"as {library.__module__}.{named} does"
        return "; ".join(filter(None, [shown(judgement.expected) if judgement else "", here]))
    if judgement is None:
        return "hand in an answer first" if library is None else shown(library)
    return shown(judgement.expected)


# What exercises are made of


def expects(number: str, tolerance: float = 1e-3, *, hint: str = "") -> Callable[[Right], Right]:
    """Make a function of what `check` is given an exercise, whose answer is its value."""

    def register(right: Right) -> Right:
        def judge(answer: Any, *given: Any) -> Judgement:
            return value(answer, right(*given), tolerance, given)

        EXERCISES[number] = Exercise(judge, hint, right)
        return right

    return register


def acts_like(
    number: str, cases: Callable[..., Cases], tolerance: float = 1e-4, *, hint: str = ""
) -> Callable[[Right], Right]:
    """Make a function an exercise, whose answer does the same on the cases that are made of what `check` is given."""

    def register(right: Right) -> Right:
        def judge(answer: Any, *given: Any) -> Judgement | None:
            return function(answer, right, cases(*given), tolerance)

        EXERCISES[number] = Exercise(judge, hint, lambda *_: right)
        return right

    return register


def judged(number: str, *, hint: str = "") -> Callable[[Judge], Judge]:
    """Make a judge, (answer, *given) -> Judgement, an exercise to which many answers are right."""

    def register(judge: Judge) -> Judge:
        EXERCISES[number] = Exercise(judge, hint)
        return judge

    return register


def value(answer: Any, expected: Any, tolerance: float = 1e-3, given: Sequence[Any] = ()) -> Judgement:
    """Judge numbers: one or an array of them, equal within `tolerance` of the expected size; or text and other values.

    Several values of different kinds are given as a tuple, in order. The counts of what is given explain a factor.
    """
    if same(answer, expected, tolerance):
        return Judgement(True, answer, expected)
    return Judgement(False, answer, expected, diagnose(answer, expected, tolerance, given))


def function(answer: Any, right: Callable[..., Any], cases: Cases, tolerance: float = 1e-4) -> Judgement | None:
    """Judge a function by trying it on cases (tuples of arguments); the first that differs is told."""
    if not callable(answer):
        return Judgement(False, answer, "a function", "this is not a function: hand in its name, without calling it")
    for number, case in enumerate(cases, start=1):
        got, expected = answer(*deepcopy(case)), right(*case)  # it may write into its arguments
        if got is ... or got is None:
            return None
        if not same(got, expected, tolerance):
            names = _argument_names(answer, len(case))
            called = ", ".join(f"{name} {_in_short(a)}" for name, a in zip(names, case, strict=True))
            wrong = diagnose(got, expected, tolerance, case, names)
            return Judgement(False, got, expected, f"on case {number} of {len(cases)}, with {called}: {wrong}")
    return Judgement(True, f"the library's results on {counted(len(cases), 'case')}", "the same on all")


def between(answer: Any, measured: float, low: float, high: float, what: str) -> Judgement:
    """Judge an answer by what it leads to."""
    if low <= measured <= high:
        return Judgement(True, answer, f"{what} {low:.3g} to {high:.3g}")
    way = "low" if measured < low else "high" if measured > high else "strange"
    led_to = f"it gives {what} {measured:.3g}, which is too {way}"
    return Judgement(False, answer, f"{what} {low:.3g} to {high:.3g}", led_to)


def _argument_names(answer: Callable[..., Any], count: int) -> list[str]:
    """What the writer of a function calls its arguments."""
    try:
        names = list(signature(answer).parameters)
    except (TypeError, ValueError):  # of some built-in functions nothing is known
        names = []
    return [*names, *(f"argument {i + 1}" for i in range(len(names), count))][:count]


def _in_short(argument: Any) -> str:
    """An argument by its shape, by its values where they are few, or by its kind."""
    shape = getattr(argument, "shape", ())
    few = math.prod(shape) <= FEW_VALUES and not isinstance(argument, pd.DataFrame)
    if few and len(shape):
        return f"= {np.round(np.asarray(plain(argument), np.float64), 4).tolist()}"
    if len(shape):
        return f"of shape {tuple(shape)}"
    is_plain = isinstance(argument, int | float | str | tuple | list) or hasattr(argument, "shape")
    return f"= {shown(argument)}" if is_plain else f"({type(argument).__name__})"


def fixed_random() -> np.random.Generator:
    """Random numbers for the cases that functions are tried on: the same at every check."""
    return np.random.default_rng(7)
