"""How many seeds would decide a claim, and what they would cost: from the spread that is measured (ours).

Of n paired differences with mean m and standard deviation s, the 95 % interval over seeds is m +- t s / sqrt(n), with
Student's t of n - 1 degrees of freedom. The outlook is the least n at which that interval would decide by the claim's
rule if m and s stayed as they are. It is no promise: an s of two or three seeds is a rough guess, and m moves, so the
odds are about even.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from data_prep.words import counted
from maam_lib.config import recipe_names
from maam_lib.evaluation import LEVEL, Result
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import LEAST_SEEDS, WORTH_NOTING, Outlook, State, Verdict, all_of, is_generated
from maam_lib.grid.numbers import NONE

MOST_SEEDS = 1000  # more than these are called none


# Rules


def gain_outlook(
    values: Sequence[float], variants: tuple[str, ...], above: float = 0, worth: float = WORTH_NOTING
) -> Outlook:
    """Of `judging.gain`: differences of the same seeds, one per seed, and the variants that they compare.

    A mean between `above` and `worth` decides nothing at any number of seeds: such a gain is neither absent nor worth
    noting. With fewer than two values there is no spread, and the outlook is LEAST_SEEDS seeds.
    """
    if len(values) < 2:
        return Outlook(State.OPEN, LEAST_SEEDS, variants, "fewer than two seeds have no spread")
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    if above < mean < worth:
        return Outlook(State.OPEN, None, variants, f"a gain of {mean:+.4f} is above 0, but too small to matter")
    counts = np.arange(max(len(values), LEAST_SEEDS), MOST_SEEDS + 1)
    half = stats.t.ppf((1 + LEVEL) / 2, counts - 1) * sd / np.sqrt(counts)
    holds, fails = mean - half > above, mean + half < worth
    if not np.any(holds | fails):
        return Outlook(State.OPEN, None, variants, f"more than {MOST_SEEDS} seeds")
    first = int(np.argmax(holds | fails))
    return Outlook(State.HOLDS if holds[first] else State.FAILS, int(counts[first]), variants)


def steady_outlook(aucs: np.ndarray, variants: tuple[str, ...], tolerance: float) -> Outlook:
    """Of `judging.steady`: AUCs (V values of a knob, S seeds that all have), if the knob changes nothing at all.

    Then means over n seeds reach as far apart as V draws of their noise: the median of the studentised range times
    s / sqrt(n), where s is what is left of the AUCs beside the effects of value and seed.
    """
    count, seeds = aucs.shape
    if seeds < 2:
        return Outlook(State.OPEN, LEAST_SEEDS, variants, "fewer than two seeds have no spread")
    left = aucs - aucs.mean(axis=0) - aucs.mean(axis=1, keepdims=True) + aucs.mean()
    sd = float(np.sqrt((left**2).sum() / ((count - 1) * (seeds - 1))))
    needed = float(np.ceil((stats.studentized_range.ppf(0.5, count, np.inf) * sd / tolerance) ** 2))
    if needed <= seeds or needed > MOST_SEEDS:
        why = "it moves the AUC by more than the noise, but by no more than the spread over seeds"
        return Outlook(State.OPEN, None, variants, why if needed <= seeds else f"more than {MOST_SEEDS} seeds")
    reach = float(np.ptp(aucs.mean(axis=1)))
    why = f"if it changes nothing; never if the {reach:.3f} by which the mean AUC differs now is real"
    return Outlook(State.HOLDS, max(int(needed), LEAST_SEEDS), variants, why)


def joint_outlook(parts: Sequence[Outlook]) -> Outlook:
    """Of `judging.all_of`: one part that fails decides, the cheapest of them; else all parts must hold."""
    failing = [part for part in parts if part.state is State.FAILS and part.seeds is not None]
    if failing:
        return min(failing, key=lambda part: part.seeds or 0)
    for part in parts:
        if part.seeds is None:
            return part
    variants = tuple(dict.fromkeys(name for part in parts for name in part.variants))
    why = next((part.why for part in parts if part.why), "")
    return Outlook(all_of([part.state for part in parts]), max(part.seeds or 0 for part in parts), variants, why)


# Cost


@dataclass(frozen=True)
class Decider:
    """What would decide a claim on one recipe, and what it costs; `str` says it."""

    recipe: str
    outlook: Outlook
    trainings: int  # beside those that are there
    minutes: float | None  # of them all, with their measuring; None where no result says how long one takes
    of: str  # what works so long: a core, or a GPU by name

    @property
    def command(self) -> str:
        """What trains and measures them; empty where no number of seeds decides, or the recipe is not the kit's."""
        if self.outlook.seeds is None or self.recipe not in recipe_names():
            return ""
        chosen = " ".join(f"--variant {name}" for name in self.outlook.variants)
        return f"maam sweep {self.recipe} {chosen} --seeds {self.outlook.seeds}"

    def __str__(self) -> str:
        outlook = self.outlook
        if outlook.seeds is None:
            return f"probably never at this size: {outlook.why}"
        expected = f" ({outlook.state})" if outlook.state is not State.OPEN else ""
        why = f", {outlook.why}" if outlook.why else ""
        cost = "" if self.minutes is None else f", about {_duration(self.minutes)} of {self.of}"
        command = f": `{self.command}`" if self.command else ""
        trainings = counted(self.trainings, "more training")
        return f"{counted(outlook.seeds, 'seed')}{expected}{why}; {trainings}{cost}{command}"


def deciders(verdict: Verdict, grids: Sequence[GridResults]) -> list[Decider]:
    """Of an undecided claim: what would decide it on each recipe of the paper's datasets that has results."""
    if verdict.state is not State.OPEN:
        return []
    found = ((grid, verdict.findings.get(grid.recipe.name)) for grid in grids if not is_generated(grid))
    return [
        _decider(grid, finding.outlook)
        for grid, finding in found
        if finding is not None and finding.outlook is not None and finding.state is State.OPEN
    ]


def deciders_table(verdicts: Sequence[Verdict], grids: Sequence[GridResults]) -> pd.DataFrame:
    """One row per undecided claim and recipe, the cheapest first: seeds, trainings still to do, their time, how the
    claim would then be judged, and under which condition."""
    found = [(verdict.claim.name, of) for verdict in verdicts for of in deciders(verdict, grids)]
    found.sort(key=lambda row: math.inf if row[1].outlook.seeds is None or row[1].minutes is None else row[1].minutes)
    rows = [
        (
            claim,
            of.recipe,
            "none" if of.outlook.seeds is None else of.outlook.seeds,
            NONE if of.outlook.seeds is None else of.trainings,
            NONE if of.minutes is None or of.outlook.seeds is None else f"{_duration(of.minutes)} of {of.of}",
            of.outlook.state,
            of.outlook.why,
        )
        for claim, of in found
    ]
    columns = ["claim", "recipe", "seeds in all", "trainings to do", "time", "expected verdict", "condition"]
    return pd.DataFrame(rows, columns=columns)


def _decider(grid: GridResults, outlook: Outlook) -> Decider:
    seeds = range(outlook.seeds or 0)
    more = {name: len(set(seeds) - {r.seed for r in grid.results.get(name, [])}) for name in outlook.variants}
    every = [result for results in grid.results.values() for result in results]
    each = {name: minutes_each(grid.results.get(name, [])) or minutes_each(every) for name in more}
    known = [each[name] for name in more]
    minutes = sum(more[name] * (each[name] or 0) for name in more) if all(known) else None
    gpu = next((result.machine.gpu for result in every if result.machine.gpu), None)
    return Decider(grid.recipe.name, outlook, sum(more.values()), minutes, gpu or "one core")


def minutes_each(results: Sequence[Result]) -> float | None:
    """That one training with its measuring takes: of a core where that was kept, else of the clock; the median."""
    known = [(result.seconds, result.machine.gpu) for result in results if result.seconds]
    took = [of.cpu if of.cpu and not gpu else of.training + of.measuring for of, gpu in known]
    return statistics.median(took) / 60 if took else None


def _duration(minutes: float) -> str:
    return counted(round(minutes), "minute") if minutes < 100 else f"{minutes / 60:.1f} hours"
