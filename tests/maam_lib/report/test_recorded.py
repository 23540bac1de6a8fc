"""Recorded numbers in words: what a reader sees of results.json."""

import json
import re

import pytest

from maam_lib.report.recorded import as_rows, as_text, headline
from tests.conftest import PROJECT

RUN = {
    "03_train": {"train.auc": 0.93055, "train.learning_adds": 0.22417, "train.auc_motion": 0.9354, "train.epochs": 8},
    "01_data": {"data.train_frames": 2000, "data.abnormal_frames": None},
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.123"),
        (0.00001234, "1e−05"),
        (0.0, "0.000"),
        (-0.03927, "−0.039"),
        (4.389, "4.39"),
        (41.85, "41.9"),
        (99.96, "100"),
        (925.05, "925"),
        (12345.6, "12,346"),
        (8450181, "8,450,181"),
        (True, "yes"),
        (False, "no"),
        (None, "none"),
        (float("nan"), "none"),
        ([33, 33], "33\xa0×\xa033"),
        ([0.5, 2], "0.500, 2"),
        ([], "none"),
        ("Test002, frame 7", "Test002, frame 7"),
    ],
)
def test_a_value_has_the_digits_that_mean_something(value: object, text: str) -> None:
    assert as_text(value) == text


def test_names_are_words_and_dictionaries_are_as_rows() -> None:
    recorded = {
        "train.auc_motion": 0.5,
        "train.first_steps": {"appearance": 0.25, "motion": {"dx": 1}},
        "train.seconds": 185.3,
        "train.hit_rate": 0.7419,
        "train.psi": 0.9,
    }
    assert [tuple(row) for row in as_rows(recorded)] == [
        ("AUC motion", "0.500"),
        ("first steps, appearance", "0.250"),
        ("first steps, motion, dx", "1"),
        ("time", "185\xa0s"),
        ("hit rate", "74.2\xa0%"),
        ("ψ", "0.900"),
    ]
    assert [row.name for row in as_rows({"a.auc": 1, "b.auc": 2})] == ["a, AUC", "b, AUC"], "of two origins, which"
    assert [row.name for row in as_rows({"support": 1})] == ["support"]


def test_the_headline_sets_the_run_against_the_best_row_without_a_network() -> None:
    first = headline(RUN)
    assert (first.auc, first.best, first.gain) == ("0.931", "0.706", "+0.224")
    assert [(dot.name, dot.without_network) for dot in first.dots] == [
        ("this run", False),
        ("motion branch alone", False),
        ("best row without a network", True),
    ]
    assert [round(dot.place) for dot in first.dots] == [86, 87, 41]
    assert [tuple(fact) for fact in first.facts] == [("epochs", "8"), ("training frames", "2,000")]


def test_what_is_not_recorded_is_left_out_of_the_headline() -> None:
    assert headline({}) == (None, None, None, [], 0.5, [])
    alone = headline({"03_train": {"train.auc": 0.42}})
    assert (alone.auc, alone.best, alone.gain, alone.low) == ("0.420", None, None, 0.4)
    assert headline({"03_train": {"train.auc": float("nan"), "train.epochs": "?"}}).dots == []


def test_no_value_of_the_kept_sample_is_shown_as_a_program_holds_it() -> None:
    results = json.loads((PROJECT / "reports" / "sample" / "results.json").read_text(encoding="utf-8"))["results"]
    shown = [row for numbers in results.values() for row in as_rows(numbers)]
    assert len(shown) > 100
    assert not [row for row in shown if re.search(r"[\[{_]|\d\.\d{4}|True|None", f"{row.name} {row.value}")]
    assert all(name.strip() for name, _ in shown)
