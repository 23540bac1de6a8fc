"""Checkers say what they got and expected, take nothing for right that is not, and never raise for a wrong answer."""

import numpy as np
import pandas as pd
import pytest
import torch

from maam_lib import exercises
from maam_lib.exercises import answers
from maam_lib.exercises import checking as verdicts
from maam_lib.exercises.checking import (
    EXERCISES,
    Exercise,
    ExerciseError,
    Judgement,
    acts_like,
    between,
    expects,
    function,
    judged,
    value,
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (1.0004, 1.0),
        (torch.tensor(2.0), 2),
        (np.float32(0.5), 0.5),
        (("a", 3), ("a", 3)),
        (["a", 3], ("a", 3)),
        (torch.ones(2, 3), np.ones((2, 3))),
        (np.array([1, 1e-9]), np.array([1.0, 0.0])),
    ],
)
def test_right_answers_of_any_kind(answer: object, expected: object) -> None:
    assert value(answer, expected).passed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (1.01, 1.0),
        ("1", "2"),
        ("one", 1.0),
        ({}, 1.0),
        (object(), 1.0),
        (float("nan"), 1.0),
        (("a", 4), ("a", 3)),
        (("a",), ("a", 3)),
        ("a", ("a", 3)),
        (torch.ones(3, 2), np.ones((2, 3))),
        ([1, [2]], np.ones(2)),
        (1, "a"),
    ],
)
def test_wrong_answers_of_any_kind(answer: object, expected: object) -> None:
    judged = value(answer, expected)
    assert not judged.passed


def test_a_count_must_be_exact() -> None:
    assert value(1000, 1000, tolerance=0).passed
    assert not value(1001, 1000, tolerance=0).passed


def test_a_function_is_tried_on_every_case() -> None:
    cases = [(1.0,), (2.0,)]
    assert function(lambda x: x * x, lambda x: x**2, cases).passed
    judged = function(lambda x: x, lambda x: x**2, cases)
    assert (judged.passed, judged.got, judged.expected) == (False, 2.0, 4.0)
    assert function(lambda x: ..., lambda x: x, cases) is None, "an untouched stub"
    assert not function(3, lambda x: x, cases).passed


def test_an_error_in_a_handed_in_function_is_shown_to_its_writer() -> None:
    with pytest.raises(ZeroDivisionError):
        function(lambda x: x / 0, lambda x: x, [(1,)])


def test_an_answer_can_be_judged_by_what_it_leads_to() -> None:
    assert between(0.1, 20, 18, 22, "items").passed
    assert not between(0.1, 30, 18, 22, "items").passed


def mine_squared(x: float) -> float:
    return x * x


def test_a_verdict_is_one_line_that_keeps_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXERCISES, "99.1", Exercise(value))
    assert repr(verdicts.check("99.1", 1.0, 2.0)).startswith("99.1 not yet: got 1")
    assert "Expected: 2" in repr(verdicts.check("99.1", 1.0, 2.0, reveal=True))
    assert repr(verdicts.check("99.1", (1, "b"), (1, "b"))) == "99.1 right: got (1, b)"
    assert "(2, 3) numbers, first 1, 1" in repr(verdicts.check("99.1", torch.ones(2, 3), 2.0))
    assert len(repr(verdicts.check("99.1", "x" * 9999, "y"))) < 300


def test_a_chapter_goes_on_with_the_answer_where_it_is_right_else_with_the_library_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdicts, "EXERCISES", {})

    @expects("99.a")
    def double(x: float) -> float:
        return 2 * x

    @acts_like("99.b", lambda: [(1.0,), (2.0,)])
    def square(x: float) -> float:
        return x**2

    @judged("99.c")
    def any_positive(answer: float) -> Judgement:
        return between(answer, answer, 0, 1e9, "size")

    mine = np.float32(6.0)
    assert verdicts.check("99.a", mine, 3).go_on_with is mine
    assert verdicts.check("99.a", ..., 3).go_on_with == verdicts.check("99.a", 5, 3).go_on_with == 6
    assert verdicts.check("99.b", lambda x: ...).go_on_with is square
    assert verdicts.check("99.b", lambda x: x).go_on_with is square
    assert verdicts.check("99.b", mine_squared).go_on_with is mine_squared
    assert verdicts.check("99.c", -1).go_on_with is None
    assert verdicts.check("99.c", 3).go_on_with == 3


def test_an_exercise_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ExerciseError, match=r"no exercise '42\.1'; there are 00\.1, 00\.2"):
        exercises.check("42.1", 1)


def test_cases_are_the_same_at_every_check() -> None:
    assert (verdicts.fixed_random().random(3) == verdicts.fixed_random().random(3)).all()


def test_a_function_that_writes_into_its_arguments_is_judged_by_what_it_returns() -> None:
    def doubled(values: np.ndarray) -> np.ndarray:
        values *= 2
        return values

    cases = [(np.ones(3),)]
    assert function(doubled, lambda values: 2 * values, cases).passed
    assert cases[0][0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        pd.Series(["a", "b"]),
        pd.DataFrame({"a": [1]}),
        np.array(["x", "y"]),
        pd.NA,
        10**400,
        [10**400, 1],
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2).to_sparse(),
        torch.ones(2, device="meta"),
        {"a": 1},
    ],
    ids=lambda answer: type(answer).__name__,
)
@pytest.mark.parametrize("expected", [1.0, "text", (1.0, "text")], ids=str)
def test_no_wrong_answer_makes_a_checker_raise(
    answer: object, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXERCISES, "99.1", Exercise(lambda given: value(given, expected)))
    assert not verdicts.check("99.1", answer).passed
    assert not verdicts.check("99.1", (answer, "text")).passed
    assert not function(lambda: answer, lambda: expected, [()]).passed


@pytest.mark.parametrize("answer", [0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5)])
def test_a_number_of_any_kind_is_one(answer: object) -> None:
    assert answers.number(answer) == 0.5


@pytest.mark.parametrize("answer", ["0.5", None, [0.5, 1.0], 10**400, torch.ones(2)])
def test_what_is_no_number_is_nan(answer: object) -> None:
    assert np.isnan(answers.number(answer))
