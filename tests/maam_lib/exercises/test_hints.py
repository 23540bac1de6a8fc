"""Each kind of wrong answer is told as what it is, and no hint holds what was expected."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from maam_lib.exercises.checking import EXERCISES, Exercise, acts_like, check, expects
from maam_lib.exercises.hints import diagnose

RNG = np.random.default_rng(3)
MAPS = RNG.random((2, 3, 4))  # like (B, h, w)
WEIGHTS = RNG.random((2, 9, 3, 4))  # (B, N, h, w)


@pytest.mark.parametrize(
    ("got", "expected", "says"),
    [
        # kinds
        ("text", 0.37, "this is text, not a number"),
        ("0.37", 0.37, "this is text, not a number"),
        ({}, 0.37, "this is not a number"),
        ("text", MAPS, "this is text, not an array of numbers of shape (2, 3, 4)"),
        (1, "Test003", "expected text, a name"),
        ("test003 ", "Test003", "only capitals or spaces differ"),
        ("Test004", "Test003", "it is another one"),
        # tuples
        (1, (15, 23), "expected 2 values in a tuple"),
        ((15, 23, 1), (15, 23), "expected 2 values, not 3"),
        ((23, 15), (15, 23), "the right values in another order"),
        (("Test001", 41), ("Test001", 42), "value 1 is right; value 2: off by one"),
        (("b", "a"), ("a", "b"), "the right names in another order"),
        (("a", "x", "y"), ("a", "b"), "2 that do not belong and 1 missing"),
        (("a", "b", "a"), ("a", "b"), "a name twice"),
        # shapes
        (MAPS, 0.5, "expected one number, not an array of shape (2, 3, 4): a mean, a sum or a maximum is missing"),
        (np.array([0.5]), 0.5, "expected one number, not an array of shape (1,): take the number out of it"),
        (
            WEIGHTS.sum(1),
            WEIGHTS,
            "its shape is (2, 3, 4), expected (2, 9, 3, 4): axis 1 (C, D or N) is gone",
        ),
        (WEIGHTS.sum(1, keepdims=True), WEIGHTS, "axis 1 (C, D or N) has shrunk to 1"),
        (WEIGHTS, WEIGHTS.sum(1), "axis 1 (C, D or N) is still there; sum or average over it"),
        (WEIGHTS.swapaxes(2, 3), WEIGHTS, "its shape is (2, 9, 4, 3), expected (2, 9, 3, 4): two axes are exchanged"),
        (MAPS[:, :2, :3], MAPS, "its shape is (2, 2, 3), expected (2, 3, 4): off by one along axes 1 and 2"),
        (MAPS[0], MAPS.reshape(2, 2, 6), "its shape is (3, 4), expected (2, 2, 6)"),
        (MAPS[:, None], MAPS, "the numbers are right, only the shape is not"),
        # numbers that are none
        (float("nan"), 0.37, "NaN: 0 / 0, 0 * log 0"),
        (float("inf"), 0.37, "infinite: a division by 0"),
        (np.where(MAPS > 0.5, np.nan, MAPS), MAPS, f"NaN at {(MAPS > 0.5).sum()} of 24 places"),
        # arithmetic
        (-0.37, 0.37, "right but for the sign"),
        (np.where(MAPS > 0.5, -MAPS, MAPS), MAPS, "right but for some signs"),
        (0.63, 0.37, "1 minus your answer would be right"),
        (37, 0.37, "too large by a factor of 100 (percent)"),
        (0.0037, 0.37, "too small by a factor of 100 (percent)"),
        (0.74, 0.37, "too large by a factor of 2"),
        (MAPS / 2, MAPS, "too small by a factor of 2"),
        (255 * MAPS, MAPS, "too large by a factor of 255 (the gray levels)"),
        (3600 * 0.37, 0.37, "too large by a factor of 3600 (the seconds of an hour)"),
        (0.37 / np.log(2), 0.37, "too large by a factor of 1.443 (the base of the logarithm)"),
        (0.37**2, 0.37, "a square root is missing"),
        (0.37**0.5, 0.37, "a square is missing"),
        (np.log(17.3), 17.3, "its exponential would be right"),
        (np.exp(0.37), 0.37, "its logarithm would be right"),
        (1 / 0.37, 0.37, "1 divided by your answer would be right"),
        (7, 8, "off by one"),
        (MAPS + 0.3, MAPS, "too large by the same amount everywhere"),
        # order
        (MAPS[:, ::-1], MAPS, "the right numbers, reversed along axis 1"),
        (np.arange(9.0).reshape(3, 3).T, np.arange(9.0).reshape(3, 3), "right but for axes that are exchanged"),
        ([3.0, 1.0, 2.0, 5.0], [1.0, 2.0, 3.0, 5.0], "the right numbers in another order"),
        (
            WEIGHTS,
            WEIGHTS / WEIGHTS.sum(1, keepdims=True),
            "right but for the scale along axis 1 (C, D or N)",
        ),
        # what is left
        ([1.0, 2.0, 9.0, 4.0], [1.0, 2.0, 3.0, 4.0], "right at 3 of 4 places; at [2] it is 9: too large"),
        (0.372, 0.37, "close, but not close enough"),
        (0.42, 0.37, "a little too large"),
        (0.23, 0.37, "too small"),
        (-0.2, 0.37, "it has the wrong sign"),
        (9.1, 0.37, "much too large"),
        (0.0, 0.37, "much too small"),
    ],
)
def test_what_is_wrong_is_named(got: object, expected: object, says: str) -> None:
    is_count = isinstance(expected, int | tuple)
    assert says in diagnose(got, expected, 0 if is_count else 1e-3)


@pytest.mark.parametrize(
    ("got", "expected", "given", "says"),
    [
        (
            WEIGHTS.sum((0, 2, 3)),
            WEIGHTS.mean((0, 2, 3)),
            (WEIGHTS,),
            "24 (the number of values of w along all axes but 1)",
        ),
        (
            WEIGHTS.mean(),
            WEIGHTS.sum(1).mean(),
            (WEIGHTS,),
            "too small by a factor of 9 (the length of axis 1 (C, D or N) of w)",
        ),
        (
            5 * 0.37,
            0.37,
            ([1, 2, 3, 4, 5],),
            "too large by a factor of 5 (the length of w): a mean or a division is missing",
        ),
        (
            np.std([1, 2, 4]),
            np.std([1, 2, 4], ddof=1),
            ([1, 2, 4],),
            "the root of n / (n - 1), n the length of w: ddof?",
        ),
        (0.37, 0.37 / 77, (7, 11), "too large by a factor of 77 (w times h)"),
        (4 * 0.37, 0.37, (pd.DataFrame({"a": range(4)}),), "too large by a factor of 4 (the length of w)"),
    ],
)
def test_a_factor_is_explained_by_the_counts_of_the_data(
    got: object, expected: object, given: tuple[object, ...], says: str
) -> None:
    assert says in diagnose(got, expected, 1e-6, given, ("w", "h"))


@pytest.mark.parametrize("expected", [0.37, 8123, -2.63, 1e-7])
@pytest.mark.parametrize("guess", [1.0, 0.5, 3.0, -1.0, 12345.0, 0.0, float("nan")])
def test_no_number_of_a_hint_gives_the_expected_one(guess: float, expected: float) -> None:
    """Neither itself nor by dividing or multiplying the guess."""
    numbers = [float(found) for found in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", diagnose(guess, expected, 1e-3))]
    told = [n for x in numbers for n in (x, guess * x, guess / x if x else 0, guess + x, guess - x)]
    assert not np.isclose(told, expected, rtol=1e-2).any()


@pytest.mark.parametrize("got", [np.float32(0.5), torch.tensor(0.5), [0.5], (0.5,), None, True, pd.NA, object()])
@pytest.mark.parametrize("expected", [0.37, np.zeros((2, 2)), ("a", 1), "a", np.zeros(0)])
def test_a_hint_never_raises(got: object, expected: object) -> None:
    assert diagnose(got, expected, 1e-3)


@pytest.fixture
def exercises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of the test's own: a value, a function, one without a hint."""
    for number in ("99.1", "99.2", "99.3"):
        monkeypatch.setitem(EXERCISES, number, Exercise(lambda answer: None))  # put back afterwards
    expects("99.1", hint="Add them.")(lambda *numbers: sum(numbers))
    cases = [(np.ones((2, 3)), 1.0), (np.full((2, 3), 2.0), 0.5)]
    acts_like("99.2", lambda: cases, hint="Sum last.")(lambda x, power: (x**power).sum())
    expects("99.3")(lambda: 3)


@pytest.mark.usefixtures("exercises")
def test_the_second_different_wrong_answer_brings_the_hint() -> None:
    assert "Hint" not in check("99.1", 1.0, 2, 3).line
    assert "Hint" not in check("99.1", 1.0, 2, 3).line, "the same again"
    assert "Hint" not in check("99.1", ..., 2, 3).line
    assert check("99.1", 4.0, 2, 3).line.endswith("\nHint: Add them.")
    assert check("99.1", 1.0, 2, 3).line.endswith("\nHint: Add them."), "from then on"
    assert [check("99.3", x).line for x in (1, 7)] == ["got 1; too small", "got 7; too large"], "no hint, no line"


@pytest.mark.usefixtures("exercises")
def test_a_function_is_told_the_case_and_how_it_differs() -> None:
    def mine(x: np.ndarray, power: float) -> float:
        return x.sum()

    line = check("99.2", mine).line
    assert line == "got 12\non case 2 of 2, with x of shape (2, 3), power = 0.5: a square root is missing" or (
        "on case 2 of 2, with x = [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]], power = 0.5: too large by a factor of 1.414"
        in line
    )
    assert (
        check("99.2", 3).line == "got 3; this is not a function: hand in its name, without calling it\nHint: Sum last."
    )


def test_arguments_of_a_case_are_told_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    case = (torch.nn.Linear(2, 2), (3, 4), "dis", pd.DataFrame({"a": [1, 2]}), torch.zeros(9), 5, np.float64(0.5))
    monkeypatch.setitem(EXERCISES, "99.4", Exercise(lambda answer: None))
    acts_like("99.4", lambda: [case])(lambda *arguments: 1.0)
    told = "net (Linear), size = (3, 4), name = dis, table of shape (2, 1), x of shape (9,), n = 5, psi = 0.5"
    assert told in check("99.4", lambda net, size, name, table, x, n, psi: 3.0).line


@pytest.mark.usefixtures("exercises")
def test_only_reveal_tells_what_was_expected() -> None:
    assert check("99.1", 4.0, 2, 3).line == "got 4; a little too small"
    assert check("99.1", 4.0, 2, 3, reveal=True).line.endswith("\nExpected: 5")
    assert check("99.1", ..., 2, 3, reveal=True).line == "replace the ... by your answer\nExpected: 5"
    assert check("99.1", 5.0, 2, 3, reveal=True).line == "got 5", "nothing to reveal"
    assert "Expected: as maam_lib.metrics.roc_auc does" in check("00.3", ..., reveal=True).line


def test_a_judge_of_its_own_has_nothing_to_reveal_before_an_answer() -> None:
    class Rescorer:
        labels = None

    assert check("07.2", ..., Rescorer(), None, reveal=True).line.endswith("Expected: hand in an answer first")
    assert check("07.2", 3, Rescorer(), None).line == "got 3; this is not a psi from 0 to 1"
