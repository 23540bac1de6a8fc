"""Sealed cards tell what the first few seeds say and nothing more; bets are scored and calibrated as by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from data_prep.files import UnreadableError
from maam_lib.config import load_recipe
from maam_lib.evaluation.result import Result
from maam_lib.grid.bets import (
    NO_IDEA,
    Bet,
    BetError,
    Review,
    Sheet,
    always,
    brier,
    class_calibration,
    class_table,
    read_sheet,
    read_sheets,
    review_of,
)
from maam_lib.grid.cards import Card, deck, minutes_of
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import State
from maam_lib.grid.results import paper_values
from tests.results import made_up_result

SECONDS = {"training": 50.0, "measuring": 10.0, "cpu": 120.0}  # two minutes of a core


def seeds_of(*aucs: float) -> list[Result]:
    return [made_up_result(auc, seed, seconds=SECONDS) for seed, auc in enumerate(aucs)]


@pytest.fixture
def cards() -> dict[str, Card]:
    """On made-up results: the memory gains 0.02, 0.03 and 0.02, and motion loses to appearance by about 0.2."""
    results = {
        "paper": seeds_of(0.80, 0.82, 0.81),
        "no-memory": seeds_of(0.78, 0.79, 0.79),
        "paper-motion": seeds_of(0.60, 0.61, 0.60),
        "paper-appearance": seeds_of(0.80, 0.80, 0.81),
    }
    grid = GridResults(load_recipe("synthetic-mini"), results, [])
    made = deck([grid, GridResults(load_recipe("ped2"), {}, [])])
    return {name: made[name] for name in ("memory", "motion", "eer")}


@pytest.fixture
def review(cards: dict[str, Card]) -> Review:
    begun = Review(cards, budget=13)
    begun.first(dict.fromkeys(cards, ("undecided", NO_IDEA)))
    return begun


# Cards


def test_a_card_is_a_claim_on_the_first_recipe_that_bears_on_it(cards: dict[str, Card]) -> None:
    assert {name: card.recipe for name, card in cards.items()} == {
        "memory": "synthetic-mini",
        "motion": "synthetic-mini",
        "eer": "ped2",
    }
    assert (cards["memory"].variants, cards["memory"].seeds) == (("paper", "no-memory"), (0, 1, 2))
    assert cards["eer"].variants == (), "arithmetic on printed numbers"


def test_evidence_is_what_the_first_seeds_say(cards: dict[str, Card]) -> None:
    memory = cards["memory"]
    assert memory.evidence(0) == ""
    assert memory.evidence(1) == "with memory minus without +0.020 (one seed)"
    # of 0.02 and 0.03: 0.025 +- 12.706 * 0.00707 / sqrt(2)
    assert memory.evidence(2) == "with memory minus without +0.025 [-0.039, +0.089] (2 seeds)"
    assert memory.evidence(3) == memory.opened().evidence
    assert memory.opened().state is State.HOLDS
    assert cards["motion"].opened().state is State.FAILS
    printed = paper_values()["table3"]["rows"]["Ours"][0]
    assert f"{printed} %" in cards["eer"].evidence(0), "free"


def test_a_sealed_card_does_not_tell_its_verdict(cards: dict[str, Card]) -> None:
    for card in cards.values():
        assert not any(str(state) in repr(card) for state in State), card
        assert card.opened().evidence not in repr(card)


def test_a_training_that_two_cards_need_is_paid_once() -> None:
    results = {name: seeds_of(0.8, 0.8) for name in ("paper", "no-memory", "paper-motion", "paper-appearance")}
    made = deck([GridResults(load_recipe("synthetic-mini"), results, [])])
    assert minutes_of(made, {"memory": 1}) == 4, "paper and no-memory, two minutes each"
    assert minutes_of(made, {"fusion": 1}) == 6, "paper, and each branch alone"
    assert minutes_of(made, {"memory": 2, "fusion": 1}) == 4 + 4 + 4, "paper of seed 0 once"


# Bets


@pytest.mark.parametrize(
    ("verdict", "confidence", "came", "score"),
    [
        ("holds", 1, "holds", 0),
        ("holds", 1, "undecided", 2),
        ("holds", 1 / 3, "does not hold", 2 / 3),
        ("holds", 0.6, "holds", 0.4**2 + 2 * 0.2**2),
        ("holds", 0.6, "undecided", 0.6**2 + 0.2**2 + 0.8**2),
    ],
)
def test_the_brier_score_by_hand(verdict: str, confidence: float, came: str, score: float) -> None:
    assert brier(Bet(verdict=State(verdict), confidence=confidence), State(came)) == pytest.approx(score)


def test_steps_may_be_repeated_as_they_were_and_no_card_is_changed_too_late(review: Review) -> None:
    same = dict.fromkeys(review.cards, ("undecided", NO_IDEA))
    for _ in range(2):
        review.first(same)
        review.buy({"memory": 1})
        review.final({"memory": ("holds", 0.8)})
        shown = review.open("memory")
    assert shown["verdict"].tolist() == ["holds"]
    assert shown["Brier, first"].tolist() == pytest.approx([2 / 3])
    assert shown["Brier, last"].tolist() == pytest.approx([0.2**2 + 2 * 0.1**2])
    with pytest.raises(BetError, match="evidence was seen: first bets stay"):
        review.first({"motion": ("holds", 0.9)})
    with pytest.raises(BetError, match="memory is open: its bet stays holds, 80%"):
        review.final({"memory": ("holds", 1)})
    review.final({"motion": ("does not hold", 0.5)})


def test_an_open_card_keeps_its_first_bet_though_no_evidence_was_bought(cards: dict[str, Card]) -> None:
    review = Review(cards, budget=13)
    review.first({"memory": ("undecided", 1)})
    assert review.open("memory")["Brier, first"].tolist() == [2]
    with pytest.raises(BetError, match="memory is open: its first bet stays undecided, 100%"):
        review.first({"memory": ("holds", 1)})
    review.first({"motion": ("holds", 0.5)})
    assert review.open("memory")["Brier, first"].tolist() == [2]


@pytest.mark.parametrize("bet", ["holds", ("holds",), ("holds", "70%"), ("holds", True), 3])
def test_a_bet_of_another_form_is_told(bet: object, cards: dict[str, Card]) -> None:
    with pytest.raises(BetError, match="expected a verdict and a confidence"):
        Review(cards, budget=13).first({"memory": bet})


@pytest.mark.parametrize("count", [True, 1.5, "2", -1, 4])
def test_a_number_of_seeds_is_a_whole_number_of_those_measured(count: object, review: Review) -> None:
    review.first(dict.fromkeys(review.cards, ("holds", 0.5)))
    with pytest.raises(BetError, match=r"memory: .* seeds; expected 0 to 3"):
        review.buy({"memory": count})


def test_what_was_bought_stays_bought_and_the_budget_is_kept(review: Review) -> None:
    shown = review.buy({"memory": 2}).set_index("card")
    assert shown.loc["memory", "seeds"] == "2 of 3"
    assert (shown.loc["motion", "measured"], shown.loc["eer", "seeds"]) == ("not bought", "free")
    assert review.minutes_left == 13 - 8
    review.buy({"memory": 0, "motion": 1})
    assert review.sheet.seeds == {"memory": 2, "motion": 1}
    with pytest.raises(BetError, match=r"these seeds take 16.0 minutes, 13 are there"):
        review.buy({"motion": 2})
    assert review.sheet.seeds == {"memory": 2, "motion": 1}, "nothing is bought"


def test_rules_are_kept(cards: dict[str, Card]) -> None:
    review = Review(cards, budget=10)
    with pytest.raises(BetError, match="no card speed; there are memory, motion, eer"):
        review.first({"speed": ("holds", 0.5)})
    with pytest.raises(BetError, match="'maybe'; a verdict is one of holds, does not hold, undecided"):
        review.first({"memory": ("maybe", 0.5)})
    for confidence in (0.2, 1.1):
        with pytest.raises(BetError, match="goes from 1/3, no idea, to 1, certain"):
            review.first({"memory": ("holds", confidence)})
    review.first({"memory": ("holds", 0.33)})
    with pytest.raises(BetError, match="first bets come before evidence; none yet on motion, eer"):
        review.buy({"memory": 1})
    with pytest.raises(BetError, match="bet first; no bet yet on motion"):
        review.open("motion")
    with pytest.raises(BetError, match="name the cards to open: any of memory, motion, eer"):
        review.open()
    review.first(dict.fromkeys(cards, ("holds", 0.5)))
    with pytest.raises(BetError, match="memory: 4 seeds; expected 0 to 3"):
        review.buy({"memory": 4})


# Files and a class


def test_a_review_is_kept_and_taken_up_again(cards: dict[str, Card], tmp_path: Path) -> None:
    review = review_of(cards, 13, tmp_path / "bets", "ada")
    review.first(dict.fromkeys(cards, ("holds", 0.6)))
    review.buy({"memory": 1})
    again = review_of(cards, 13, tmp_path / "bets", "ada")
    assert again.sheet == review.sheet
    assert again.sheet.minutes == 4
    with pytest.raises(BetError, match="on another deck or budget"):
        review_of(cards, 20, tmp_path / "bets", "ada")
    with pytest.raises(ValueError, match="expected a name"):
        review_of(cards, 13, tmp_path / "bets", "../ada")
    review_of(cards, 13, tmp_path / "none", "").first({"memory": ("holds", 1)})
    assert not (tmp_path / "none").exists(), "nobody's bets are not kept"


def test_a_file_holds_no_verdict_of_a_card_that_is_sealed(cards: dict[str, Card], tmp_path: Path) -> None:
    review = review_of(cards, 13, tmp_path, "ada")
    review.first(dict.fromkeys(cards, ("undecided", 0.4)))
    review.open("motion")
    assert json.loads((tmp_path / "ada.json").read_text())["opened"] == {"motion": "does not hold"}
    (tmp_path / "bad.json").write_text('{"student": "bad", "first": {"memory": {"verdict": "holds", "confidence": 3}}}')
    with pytest.raises(UnreadableError, match=r"bad.json: first.memory.confidence is 3"):
        read_sheet(tmp_path / "bad.json")


def test_a_damaged_file_does_not_stop_a_class(cards: dict[str, Card], tmp_path: Path) -> None:
    review_of(cards, 13, tmp_path, "ada").first({"memory": ("holds", 0.6)})
    (tmp_path / "bob.json").write_text("{")
    (tmp_path / "eve.json").mkdir()
    sheets, damaged = read_sheets(tmp_path)
    assert [sheet.student for sheet in sheets] == ["ada"]
    assert [name in words for name, words in zip(("bob.json", "eve.json"), damaged, strict=True)] == [True, True]


def test_two_kernels_do_not_lose_each_other_s_bets(cards: dict[str, Card], tmp_path: Path) -> None:
    one, other = (review_of(cards, 13, tmp_path, "ada") for _ in range(2))
    one.first({"memory": ("holds", 0.6)})
    with pytest.raises(BetError, match=r"ada\.json: changed by another kernel"):
        other.first({"motion": ("holds", 0.6)})
    one.first({"motion": ("holds", 0.7)})
    assert set(read_sheet(tmp_path / "ada.json").first) == {"memory", "motion"}


def sheet(*bets: tuple[float, bool], student: str = "ada") -> Sheet:
    """A sheet with bets on cards that all hold: confidence, and whether the bet is right."""
    given = {
        f"card{i}": Bet(verdict=State.HOLDS if is_right else State.OPEN, confidence=confidence)
        for i, (confidence, is_right) in enumerate(bets)
    }
    return Sheet(student=student, first=given, opened=dict.fromkeys(given, State.HOLDS))


def test_calibration_by_hand() -> None:
    table = class_calibration([sheet((0.9, True), (0.88, False), (0.5, True)), sheet((0.92, True))])
    assert table["bets"].tolist() == [1, 3]
    assert table["confidence"].tolist() == pytest.approx([0.5, 0.9])
    assert table["right"].tolist() == pytest.approx([1, 2 / 3])
    # Wilson's interval of 1 of 1: from 1 / (1 + z^2), z = 1.96
    assert table["low"].iloc[0] == pytest.approx(1 / (1 + 1.959964**2), abs=1e-4)
    assert class_calibration([]).empty


def test_calibration_is_scikit_learn_s() -> None:
    rng = np.random.default_rng(3)
    confidences, hits = rng.choice([0.41, 0.62, 0.83], 60), rng.random(60) < 0.6
    ours = class_calibration([sheet(*zip(confidences.tolist(), hits.tolist(), strict=True))])
    right, confidence = calibration_curve(hits, confidences, n_bins=10)
    assert ours["right"].tolist() == pytest.approx(right)
    assert ours["confidence"].tolist() == pytest.approx(confidence)


def test_a_class_is_gathered_from_its_files(cards: dict[str, Card], tmp_path: Path) -> None:
    for student, verdict in (("ada", "holds"), ("bob", "does not hold")):
        review = review_of(cards, 13, tmp_path, student)
        review.first(dict.fromkeys(cards, ("undecided", NO_IDEA)))
        review.buy({"memory": 1})
        review.final(dict.fromkeys(cards, (verdict, 0.8)))
        review.open("memory", "motion")
    sheets = [read_sheet(file) for file in sorted(tmp_path.glob("*.json"))]
    table = class_calibration(sheets)
    assert (table["bets"].tolist(), table["right"].tolist()) == ([4], [0.5]), "one holds, one does not"
    assert class_calibration(sheets, first=True)["right"].tolist() == [0]
    people = class_table(sheets).set_index("student")
    assert people.loc["ada", ["cards", "minutes"]].tolist() == [2, 4]
    right, wrong = 1.5 * 0.2**2, 0.8**2 + 0.9**2 + 0.1**2
    assert people["Brier, last"].tolist() == pytest.approx([(right + wrong) / 2] * 2)
    assert people["Brier, first"].tolist() == pytest.approx([2 / 3] * 2)


def test_somebody_who_always_bets_the_same(review: Review) -> None:
    review.open(*review.cards)
    believer = always(review, "believer", State.HOLDS, 0.8)
    assert len(believer.opened) == 3
    assert class_calibration([believer])["right"].tolist() == pytest.approx([1 / 3]), "of memory, motion, eer"
    unopened = class_table([Sheet(student="late")])
    assert unopened["cards"].tolist() == [0]
    assert unopened[["Brier, first", "Brier, last"]].isna().all(axis=None)
