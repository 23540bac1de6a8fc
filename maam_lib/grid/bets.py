"""Bets on sealed cards, the evidence that is bought for them, and how well calibrated those who bet are (ours).

A bet is a verdict with a confidence; the rest of the probability is split evenly over the other two verdicts, so a
confidence of 1/3 says that nothing is known. Its Brier score is the sum, over the three verdicts, of the squared
difference between the probability and what came (1 or 0): 0 for certain and right, 2/3 for a third each, 2 for certain
and wrong.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field
from scipy import stats

from data_prep.files import UnreadableError, in_form, read_json, write_json
from data_prep.layout import checked_name
from maam_lib.evaluation import LEVEL
from maam_lib.grid.cards import Card, minutes_of
from maam_lib.grid.judging import State
from maam_lib.grid.numbers import NONE
from maam_lib.training import Part

NO_IDEA = 1 / 3  # the least confidence: of three verdicts, one that is believed less is not one's best guess
Given = Mapping[str, tuple[str, float]]  # card -> (verdict, confidence)


class BetError(ValueError):
    """A bet or a purchase that the rules do not allow: says why, and what is allowed."""


class Bet(Part):
    """A verdict, and the probability that it is given."""

    verdict: State
    confidence: Annotated[float, Field(ge=0.33, le=1)]  # a third, however it is rounded

    @property
    def probabilities(self) -> dict[State, float]:
        """Of every verdict; they sum to 1."""
        other = (1 - self.confidence) / (len(State) - 1)
        return {state: self.confidence if state is self.verdict else other for state in State}

    def __str__(self) -> str:
        return f"{self.verdict}, {self.confidence:.0%}"


class Sheet(Part):
    """All that one student did with a deck: the file that is kept, and what a class is drawn from."""

    student: str
    recipe: str = ""
    budget: Annotated[float, Field(ge=0)] = 0.0  # minutes
    minutes: Annotated[float, Field(ge=0)] = 0.0  # spent
    first: dict[str, Bet] = Field(default_factory=dict)  # card -> bet before any evidence
    seeds: dict[str, int] | None = None  # card -> seeds bought; None before any evidence was seen
    final: dict[str, Bet] = Field(default_factory=dict)  # card -> bet after the evidence
    opened: dict[str, State] = Field(default_factory=dict)  # card -> its verdict

    def last(self, card: str) -> Bet:
        """The bet that counts: the final one, or the first where it was not changed."""
        return self.final.get(card) or self.first[card]


def brier(bet: Bet, came: State) -> float:
    """The Brier score of a bet, from 0 (certain and right) to 2 (certain and wrong)."""
    return sum((probability - (state is came)) ** 2 for state, probability in bet.probabilities.items())


class Review:
    """A deck in play: first bets, evidence, final bets, and the cards opened. Every step may be repeated as it was.

    file: where the student's sheet is kept after every step, and taken up from; None keeps nothing.
    """

    def __init__(
        self, cards: Mapping[str, Card], budget: float, file: Path | None = None, student: str = "example"
    ) -> None:
        self.cards, self.file = cards, file
        recipe = "+".join(dict.fromkeys(card.recipe for card in cards.values()))
        self.sheet = Sheet(student=student, recipe=recipe, budget=budget)
        if file is not None and file.is_file():
            self.sheet = read_sheet(file)
            if (self.sheet.recipe, self.sheet.budget) != (recipe, budget):
                raise BetError(f"{file}: bets on another deck or budget; remove the file, or name another student")

    @property
    def minutes_left(self) -> float:
        return self.sheet.budget - self.sheet.minutes

    def first(self, bets: Given) -> None:
        """Bet before any evidence. Raises BetError for a change once evidence was seen or the card is open."""
        changed = self.sheet.first | self._read(bets)
        for name in self.sheet.opened:
            if changed.get(name) != self.sheet.first.get(name):
                raise BetError(f"{name} is open: its first bet stays {self.sheet.first[name]}")
        if self.sheet.seeds is not None and changed != self.sheet.first:
            raise BetError("evidence was seen: first bets stay as they were. Change them in the final bets")
        self._keep(first=changed)

    def buy(self, seeds: Mapping[str, int]) -> pd.DataFrame:
        """Buy evidence: card -> how many seeds, counted from the first. What was bought before stays bought.

        Returns a row per card. Raises BetError where a card has no bet yet, for seeds that nobody measured, and where
        the budget does not reach; then nothing is bought.
        """
        self._known(seeds)
        if waiting := [name for name in self.cards if name not in self.sheet.first]:
            raise BetError(f"first bets come before evidence; none yet on {', '.join(waiting)}")
        for name, count in seeds.items():
            if not _is_number(count) or count not in range(len(self.cards[name].seeds) + 1):
                raise BetError(f"{name}: {count!r} seeds; expected 0 to {len(self.cards[name].seeds)}")
        before = self.sheet.seeds or {}
        wanted = {name: max(seeds.get(name, 0), before.get(name, 0)) for name in dict.fromkeys([*before, *seeds])}
        minutes = minutes_of(self.cards, wanted)
        if minutes > self.sheet.budget:
            raise BetError(
                f"these seeds take {minutes:.1f} minutes, {self.sheet.budget:g} are there: buy fewer, or of cards that "
                "share trainings"
            )
        self._keep(seeds=wanted, minutes=minutes)
        return self.evidence()

    def evidence(self) -> pd.DataFrame:
        """What is on the table: per card what the paper prints, the seeds bought, and what they say."""
        bought = self.sheet.seeds or {}
        rows = [
            {
                "card": name,
                "the paper prints": card.claim.paper or NONE,
                "seeds": f"{bought.get(name, 0)} of {len(card.seeds)}" if card.variants else "free",
                "measured": card.evidence(bought.get(name, 0)) or "not bought",
            }
            for name, card in self.cards.items()
        ]
        return pd.DataFrame(rows)

    def final(self, bets: Given) -> None:
        """Change bets, of cards that are still sealed. Raises BetError for a change of one that is open."""
        changed = self.sheet.final | self._read(bets)
        for name in self.sheet.opened:
            if name in changed and changed[name] != self.sheet.last(name):
                raise BetError(f"{name} is open: its bet stays {self.sheet.last(name)}")
        self._keep(final=changed)

    def open(self, *names: str) -> pd.DataFrame:
        """Open cards by name: the verdict, both bets with their Brier scores, and what was measured.

        Raises BetError for a card without a bet, and where none is named.
        """
        self._known(names)
        if not names:
            raise BetError(f"name the cards to open: any of {', '.join(self.cards)}")
        if waiting := [name for name in names if name not in self.sheet.first]:
            raise BetError(f"bet first; no bet yet on {', '.join(waiting)}")
        found = {name: self.cards[name].opened() for name in names}
        self._keep(opened=self.sheet.opened | {name: finding.state for name, finding in found.items()})
        rows = [
            {
                "card": name,
                "verdict": str(finding.state),
                "first bet": str(self.sheet.first[name]),
                "Brier, first": brier(self.sheet.first[name], finding.state),
                "last bet": str(self.sheet.last(name)),
                "Brier, last": brier(self.sheet.last(name), finding.state),
                "measured": finding.evidence,
            }
            for name, finding in found.items()
        ]
        return pd.DataFrame(rows)

    def _read(self, bets: Given) -> dict[str, Bet]:
        self._known(bets)
        states, read = [str(state) for state in State], {}
        for name, bet in bets.items():
            if not isinstance(bet, tuple | list) or len(bet) != 2 or not _is_number(bet[1]):
                raise BetError(f"{name}: {bet!r}; expected a verdict and a confidence, as ('holds', 0.7)")
            verdict, confidence = bet
            if verdict not in states:
                raise BetError(f"{name}: {verdict!r}; a verdict is one of {', '.join(states)}")
            if not 0.33 <= confidence <= 1:
                raise BetError(f"{name}: a confidence of {confidence:g}; it goes from 1/3, no idea, to 1, certain")
            read[name] = Bet(verdict=State(verdict), confidence=confidence)
        return read

    def _known(self, names: Iterable[str]) -> None:
        if unknown := [name for name in names if name not in self.cards]:
            raise BetError(f"no card {', '.join(unknown)}; there are {', '.join(self.cards)}")

    def _keep(self, **changed: object) -> None:
        """Raises BetError where the file holds what another kernel has done since."""
        if self.file is not None and self.file.is_file() and read_sheet(self.file) != self.sheet:
            raise BetError(f"{self.file}: changed by another kernel; close it, and run this chapter from its beginning")
        self.sheet = self.sheet.model_copy(update=changed)
        if self.file is not None:
            write_json(self.file, self.sheet.model_dump(mode="json"))


def review_of(cards: Mapping[str, Card], budget: float, folder: Path, student: str) -> Review:
    """The review of a student, kept in a file of the folder and taken up from there; of nobody ("") kept nowhere.

    Raises ValueError for a name that no file can have.
    """
    if not student:
        return Review(cards, budget)
    folder.mkdir(parents=True, exist_ok=True)
    return Review(cards, budget, folder / f"{checked_name(student)}.json", student)


def read_sheet(file: Path) -> Sheet:
    """A student's file; raises UnreadableError where it is not one."""
    return in_form(read_json(file), Sheet, str(file))


def read_sheets(folder: Path) -> tuple[list[Sheet], list[str]]:
    """The sheets of a folder, by the names of their files, and what cannot be read, in words."""
    sheets, damaged = [], []
    for file in sorted(folder.glob("*.json")):
        try:
            sheets.append(read_sheet(file))
        except UnreadableError as error:
            damaged.append(f"left out: {error}")
    return sheets, damaged


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def always(review: Review, student: str, verdict: State, confidence: float) -> Sheet:
    """Somebody who bets the same on every open card of a review, whatever it says: to compare with."""
    bets = dict.fromkeys(review.sheet.opened, Bet(verdict=verdict, confidence=confidence))
    return Sheet(student=student, recipe=review.sheet.recipe, first=bets, opened=review.sheet.opened)


def class_table(sheets: Iterable[Sheet]) -> pd.DataFrame:
    """A row per student: cards opened, minutes spent, the mean Brier score before and after the evidence."""
    rows = []
    for sheet in sheets:
        scores = [(brier(sheet.first[card], came), brier(sheet.last(card), came)) for card, came in _open(sheet)]
        first, last = (math.fsum(of) / len(scores) for of in zip(*scores, strict=True)) if scores else (None, None)
        row = {"student": sheet.student, "cards": len(scores), "minutes": sheet.minutes}
        rows.append(row | {"Brier, first": first, "Brier, last": last})
    return pd.DataFrame(rows)


def class_calibration(sheets: Iterable[Sheet], *, first: bool = False) -> pd.DataFrame:
    """How often bets of about one confidence are right: a row per tenth of confidence.

    Columns: confidence (their mean), bets, right (the share), low and high (its 95 % interval, Wilson's). Those of a
    well calibrated class lie on the diagonal, right = confidence.

    first: of the bets before the evidence; else of those that count.
    """
    bets = [(sheet.first[card] if first else sheet.last(card), came) for sheet in sheets for card, came in _open(sheet)]
    rows = []
    for tenths in sorted({round(10 * bet.confidence) for bet, _ in bets}):
        group = [(bet, came) for bet, came in bets if round(10 * bet.confidence) == tenths]
        right, count = sum(bet.verdict is came for bet, came in group), len(group)
        low, high = stats.binomtest(right, count).proportion_ci(LEVEL, method="wilson")
        rows.append((sum(bet.confidence for bet, _ in group) / count, count, right / count, low, high))
    return pd.DataFrame(rows, columns=["confidence", "bets", "right", "low", "high"])


def _open(sheet: Sheet) -> list[tuple[str, State]]:
    """The cards that a sheet has a bet on and that were opened, with their verdicts."""
    return [(card, came) for card, came in sheet.opened.items() if card in sheet.first]
