"""The form of the sealed cards: what a click does, without any browser."""

import pytest

from maam_lib.config import load_recipe
from maam_lib.grid.bets import NO_IDEA, Review
from maam_lib.grid.cards import deck
from maam_lib.grid.experiments import GridResults
from maam_lib.playground.explorers.bets import BetForm
from tests.results import made_up_result


@pytest.fixture
def form() -> BetForm:
    """Two cards on made-up results: the memory gains 0.02 or 0.03, and the motion branch loses 0.2."""
    made_up = {
        "paper": (0.80, 0.82, 0.81),
        "no-memory": (0.78, 0.79, 0.79),
        "paper-motion": (0.60, 0.61, 0.60),
        "paper-appearance": (0.80, 0.80, 0.81),
    }
    seconds = {"training": 50.0, "measuring": 10.0}
    results = {
        name: [made_up_result(auc, seed, seconds=seconds) for seed, auc in enumerate(aucs)]
        for name, aucs in made_up.items()
    }
    cards = deck([GridResults(load_recipe("synthetic-mini"), results, [])])
    return BetForm(Review({name: cards[name] for name in ("memory", "motion")}, budget=4))


def test_at_first_everything_is_sealed_and_nothing_is_known(form: BetForm) -> None:
    assert form.left.value == "4.0 of 4 minutes left"
    for card in form.cards:
        assert card.bet == ("undecided", NO_IDEA)
        assert card.evidence.value == card.came.value == ""
        assert "holds" not in card.children[0].value.split("<details>")[0]


def test_evidence_waits_for_the_first_bets_and_ends_with_the_budget(form: BetForm) -> None:
    memory, motion = form.cards
    memory.more.click()
    assert "first bets come before evidence" in memory.came.value
    form.hand_in.click()
    assert form.hand_in.disabled
    memory.more.click()
    assert memory.evidence.value == "with memory minus without +0.020 (one seed)"
    assert form.left.value == "2.0 of 4 minutes left"
    memory.more.click()
    assert form.left.value == "0.0 of 4 minutes left"
    motion.more.click()
    assert "these seeds take" in motion.came.value
    assert motion.evidence.value == ""


def test_an_open_card_tells_verdict_and_score_and_takes_no_more_bets(form: BetForm) -> None:
    memory, motion = form.cards
    form.hand_in.click()
    memory.verdict.value, memory.confidence.value = "holds", 1.0
    memory.opening.click()
    assert "<b>holds</b>; your bet: holds, 100%; Brier score 0.00" in memory.came.value
    assert form.review.sheet.first["memory"].confidence == pytest.approx(NO_IDEA)
    assert (memory.verdict.disabled, memory.more.disabled, memory.opening.disabled) == (True, True, True)
    assert not motion.opening.disabled


def test_a_card_may_be_opened_blind(form: BetForm) -> None:
    memory, _ = form.cards
    memory.opening.click()
    assert "<b>holds</b>; your bet: undecided, 33%; Brier score 0.67" in memory.came.value
    assert "(3 seeds)" in memory.evidence.value, "all that was measured"
    assert not form.hand_in.disabled, "for the other cards"
    form.hand_in.click()
    assert form.hand_in.disabled
