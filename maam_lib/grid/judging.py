"""How a claim of the paper is judged: rules fixed in advance, or marked as corrected, and what becomes of them (ours).

A claim is judged for each recipe that has results, from results of the same seeds, and then as a whole: the paper's
settings on the paper's datasets decide; where they were not measured, the smaller recipes on the same datasets do, and
the verdict is one "at this size", none on the paper. The generated scene is shown, and never decides.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

from maam_lib.evaluation import seed_interval
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.numbers import difference

DATASETS = {"ped2": "Ped2", "avenue": "Avenue", "shanghaitech": "ShanghaiTech"}  # the paper's, and what it calls them
# what the end of a recipe's name says
SIZES = {
    "": "full size",
    "-released": "released settings",
    "-half": "half resolution, full width",
    "-laptop": "laptop size",
    "-mini": "mini size",
}
AT_THIS_SIZE, ON_THE_SCENE = (
    "at this size",
    "on the generated scene",
)  # what a verdict not on the paper is of
LEAST_SEEDS = 3  # with fewer there is no verdict
WORTH_NOTING = 0.005  # AUC: a claimed gain for which less than this is left room does not hold


class State(StrEnum):
    """What is known of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "undecided"


@dataclass(frozen=True)
class Outlook:
    """How many seeds would decide a claim on one recipe, and how, if mean and spread stay as they are (`power`)."""

    state: State
    seeds: int | None  # None: no number of them would
    variants: tuple[str, ...]  # to be trained with each seed
    why: str = ""


@dataclass(frozen=True)
class Finding:
    """A claim on one recipe: what is known of it, the measured numbers in words, and the variants they came from."""

    state: State
    evidence: str
    variants: tuple[str, ...] = ()
    outlook: Outlook | None = None  # None: it does not hang on the number of seeds


Judge = Callable[[GridResults], Finding | None]  # None: nothing of it is measured


@dataclass(frozen=True)
class Claim:
    """One claim, the rule that it is judged by, and what would decide it where the results do not."""

    name: str
    text: str
    place: str  # in the paper
    rule: str
    decide: str
    judge: Judge
    paper: str = ""  # the paper's own numbers for it
    differences: Sequence[int] = ()  # of docs/differences.md, that bear on it
    ours: bool = False  # a question of ours, which the paper does not speak of
    corrected: str = ""  # when the rule was corrected after results had been seen, and how


@dataclass(frozen=True)
class Verdict:
    """A claim with what every recipe says of it."""

    claim: Claim
    findings: dict[str, Finding] = field(default_factory=dict)  # name of a recipe -> finding
    state: State = State.OPEN
    because: str = ""
    reach: dict[str, str] = field(default_factory=dict)  # name of a recipe -> how far it reaches, if not to the paper
    is_reduced: bool = False  # decided at a smaller size than the paper's

    @property
    def words(self) -> str:
        """The state, and that it holds "at this size" only where that is not the paper's."""
        return f"{self.state} {AT_THIS_SIZE}" if self.is_reduced and self.state is not State.OPEN else str(self.state)

    def words_of(self, recipe: str) -> str:
        """The same of one recipe."""
        state = self.findings[recipe].state
        return str(state) if state is State.OPEN else f"{state} {self.reach.get(recipe, '')}".strip()


def verdict(claim: Claim, grids: Sequence[GridResults]) -> Verdict:
    """Judge a claim by all results there are."""
    found = [(grid, finding) for grid in grids if (finding := claim.judge(grid)) is not None]
    real = [(grid, finding) for grid, finding in found if not is_generated(grid)]
    decided = [(grid, finding.state) for grid, finding in real if finding.state is not State.OPEN]
    full_size = [(grid, state) for grid, state in decided if is_full_size(grid)]
    states = {state for _, state in full_size or decided}
    if states:
        names = ", ".join(grid.recipe.name for grid, _ in full_size or decided)
        because = f"{'' if full_size else 'at reduced size: '}{names}{' disagree' if len(states) > 1 else ''}"
    elif found:
        because = "the measurements do not decide it" if real else "not measured on the paper's datasets"
    else:
        because = "no result bears on it"
    findings = {grid.recipe.name: finding for grid, finding in found}
    state = states.pop() if len(states) == 1 else State.OPEN
    reach = {grid.recipe.name: _reach(grid) for grid, _ in found}
    return Verdict(claim, findings, state, because, reach, is_reduced=bool(decided) and not full_size)


def _reach(grid: GridResults) -> str:
    return ON_THE_SCENE if is_generated(grid) else "" if is_full_size(grid) else AT_THIS_SIZE


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row per claim: what is claimed, where, the verdict, and what it rests on."""
    measured = ["; ".join(f"{recipe}: {found.evidence}" for recipe, found in v.findings.items()) for v in verdicts]
    rows = [(v.claim.text, v.claim.place, v.words, v.because, m) for v, m in zip(verdicts, measured, strict=True)]
    return pd.DataFrame(rows, columns=["claim", "place", "verdict", "because", "measured"])


def is_generated(grid: GridResults) -> bool:
    """Whether the data are ours: shown, but no evidence about the paper."""
    return grid.recipe.data.dataset.startswith("synthetic")


def is_full_size(grid: GridResults) -> bool:
    """Whether the recipe is the paper's, or the released code's, in size and length."""
    return ending_of(grid.recipe.name) in ("", "-released")


def ending_of(recipe: str) -> str:
    """The end of a recipe's name that tells its size: one of SIZES."""
    return next((ending for ending in SIZES if ending and recipe.endswith(ending)), "")


# Rules


def gain(values: Sequence[float], above: float = 0, worth: float = WORTH_NOTING) -> State:
    """Of differences of the same seeds: holds where their 95 % interval lies above `above`, does not where it leaves no
    room for a gain of `worth`; undecided otherwise, and with fewer than LEAST_SEEDS seeds."""
    if len(values) < LEAST_SEEDS:
        return State.OPEN
    low, high = seed_interval(values)
    return State.HOLDS if low > above else State.FAILS if high < worth else State.OPEN


def all_of(states: Sequence[State]) -> State:
    """Several parts of one claim: holds where all do, does not where one does not."""
    return max(states, key=[State.HOLDS, State.OPEN, State.FAILS].index, default=State.OPEN)


def steady(means: Sequence[float], spread: float, tolerance: float, seeds: int) -> State:
    """Of mean AUCs over a knob's values: holds where they differ by the tolerance at most, does not where they differ
    by more than that and the spread over seeds together; undecided with fewer than LEAST_SEEDS seeds."""
    if seeds < LEAST_SEEDS:
        return State.OPEN
    reach = float(np.ptp(means))
    return State.HOLDS if reach <= tolerance else State.FAILS if reach > tolerance + spread else State.OPEN


# Evidence


def said(values: Sequence[float], digits: int = 3, unit: str = "", *, most: float = math.inf) -> str:
    """Differences in words: their mean, its 95 % interval over seeds (not beyond `most`), how many seeds."""
    seeds = "one seed" if len(values) < 2 else f"{len(values)} seeds"
    return difference(values, f" ({seeds})", f"+.{digits}f", unit, most=most)
