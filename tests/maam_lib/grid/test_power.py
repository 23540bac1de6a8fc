"""The seeds that would decide a claim are those at which its own rule decides; costs are of what cells took."""

import math

import numpy as np
import pytest
from scipy import stats

from maam_lib.config import load_recipe
from maam_lib.evaluation.result import Result
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import Claim, Finding, Outlook, State, gain, verdict
from maam_lib.grid.numbers import NONE
from maam_lib.grid.paper_claims import claims
from maam_lib.grid.power import (
    LEAST_SEEDS,
    Decider,
    deciders,
    deciders_table,
    gain_outlook,
    joint_outlook,
    steady_outlook,
)
from tests.results import made_up_result

PAIR = ("paper", "no-memory")


def seeds_of(count: int, mean: float, sd: float) -> list[float]:
    """So many values of exactly that mean and standard deviation (n - 1)."""
    draws = np.random.default_rng(0).normal(size=count)
    return (mean + sd * (draws - draws.mean()) / draws.std(ddof=1)).tolist()


# Rules


@pytest.mark.parametrize(
    ("mean", "sd", "expected"),
    [(0.03, 0.04, State.HOLDS), (-0.06, 0.176, State.FAILS), (-0.002, 0.011, State.FAILS), (0.006, 0.02, State.HOLDS)],
)
def test_the_rule_decides_at_that_number_of_seeds_and_at_none_below(mean: float, sd: float, expected: State):
    found = gain_outlook(seeds_of(3, mean, sd), PAIR)
    assert found.state is expected
    assert found.variants == PAIR
    assert found.seeds is not None
    assert gain(seeds_of(found.seeds, mean, sd)) is expected
    assert all(gain(seeds_of(count, mean, sd)) is State.OPEN for count in range(3, found.seeds))


def test_a_number_worked_out_by_hand():
    """Mean 0.03, s 0.03: t s / sqrt(n) is 0.0477 at 4 seeds (t 3.182), 0.0373 at 5 (2.776), 0.0315 at 6 (2.571) and
    0.0277 at 7 (2.447)."""
    assert gain_outlook([0.0, 0.03, 0.06], PAIR) == Outlook(State.HOLDS, 7, PAIR)


def test_differences_that_do_not_vary_are_decided_by_the_fewest_seeds_that_decide():
    assert gain_outlook([0.02, 0.02], PAIR) == Outlook(State.HOLDS, LEAST_SEEDS, PAIR)
    assert gain_outlook([-0.02, -0.02], PAIR) == Outlook(State.FAILS, LEAST_SEEDS, PAIR)
    assert gain_outlook([0.0, 0.0], PAIR) == Outlook(State.FAILS, LEAST_SEEDS, PAIR)


@pytest.mark.parametrize("values", [[], [0.1]])
def test_fewer_than_two_seeds_have_no_spread(values: list[float]):
    found = gain_outlook(values, PAIR)
    assert (found.state, found.seeds) == (State.OPEN, LEAST_SEEDS)
    assert "no spread" in found.why


def test_a_gain_between_none_and_what_is_worth_noting_is_never_decided():
    found = gain_outlook([0.001, 0.004, 0.002], PAIR)
    assert (found.state, found.seeds) == (State.OPEN, None)
    assert "+0.0023 is above 0, but too small to matter" in found.why
    too_many = gain_outlook(seeds_of(3, 0.006, 1.0), PAIR)
    assert (too_many.seeds, too_many.why) == (None, "more than 1000 seeds")


def test_a_fall_is_judged_against_its_own_least():
    """Of 12.5 %: a mean of 10 % with s 2 % lies below at 6 seeds (t 2.571, half 2.1 %), not at 5 (t 2.776, 2.48 %)
    by a hair, so at 5."""
    assert stats.t.ppf(1 - 0.025, 4) * 0.02 / math.sqrt(5) == pytest.approx(0.0248, abs=1e-4)
    assert gain_outlook(seeds_of(3, 0.1, 0.02), PAIR, 0.125, 0.125).seeds == 5
    assert gain_outlook([0.125, 0.125], PAIR, 0.125, 0.125).seeds is None, "on the line for ever"


def test_one_part_that_fails_decides_and_else_all_must_hold():
    holds, fails = Outlook(State.HOLDS, 8, ("a", "b")), Outlook(State.FAILS, 14, ("c", "b"))
    first, never = Outlook(State.OPEN, LEAST_SEEDS, ("d",), "no spread"), Outlook(State.OPEN, None, ("e",), "too small")
    assert joint_outlook([holds, fails, Outlook(State.FAILS, 9, ("f",))]) == Outlook(State.FAILS, 9, ("f",))
    assert joint_outlook([holds, never]) is never
    assert joint_outlook([never, fails]) is fails
    assert joint_outlook([holds, Outlook(State.HOLDS, 5, ("b", "d"))]) == Outlook(State.HOLDS, 8, ("a", "b", "d"))
    assert joint_outlook([holds, first]) == Outlook(State.OPEN, 8, ("a", "b", "d"), "no spread")


def test_a_knob_that_does_nothing_is_seen_to_at_the_seeds_where_noise_fits_the_tolerance():
    """Half of the draws of that many seeds then reach no further than the tolerance."""
    random, sd, tolerance, values = np.random.default_rng(1), 0.02, 0.01, 5
    noise = random.normal(size=(values, 400)) * sd
    found = steady_outlook(noise + random.normal(size=400), ("a",) * values, tolerance)
    assert found.seeds is None, "so many seeds say it already"
    noise = np.array([[0.02, -0.02], [-0.02, 0.02], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = steady_outlook(0.9 + noise, ("a",) * values, tolerance)  # s = sqrt(4 * 0.02^2 / 4) = 0.02
    assert found.state is State.HOLDS
    assert found.seeds == math.ceil((2.2569 * 0.02 / 0.01) ** 2) == 21
    reaches = np.ptp(random.normal(size=(4000, values, found.seeds)).mean(axis=2) * sd, axis=1)
    assert np.mean(reaches <= tolerance) == pytest.approx(0.51, abs=0.03), "21 is 20.4, rounded up"
    assert steady_outlook(noise[:, :1], ("a",) * values, tolerance).seeds == LEAST_SEEDS


# Cost


def cells(count: int, minutes: float, **more: object) -> list[Result]:
    seconds = {"training": 60 * minutes - 6, "measuring": 6}
    return [made_up_result(0.8 + 0.01 * seed, seed, seconds=seconds, **more) for seed in range(count)]


def decider(grid: GridResults, outlook: Outlook) -> Decider:
    claim = Claim("made-up", "it works", "Sec. 0", "a rule", "more", lambda _: Finding(State.OPEN, "", (), outlook))
    [found] = deciders(verdict(claim, [grid]), [grid])
    return found


def grid_of(results: dict[str, list[Result]], recipe: str = "ped2-mini") -> GridResults:
    return GridResults(load_recipe(recipe), results, [])


def test_seeds_that_are_there_cost_nothing_and_others_what_such_cells_took():
    found = decider(grid_of({"paper": cells(3, 6), "no-memory": cells(2, 4)}), Outlook(State.FAILS, 5, PAIR))
    assert (found.trainings, found.minutes, found.of) == (2 + 3, pytest.approx(2 * 6 + 3 * 4), "one core")
    assert found.command == "maam sweep ped2-mini --variant paper --variant no-memory --seeds 5"
    assert str(found) == (
        "5 seeds (does not hold); 5 more trainings, about 24 minutes of one core: "
        "`maam sweep ped2-mini --variant paper --variant no-memory --seeds 5`"
    )


def test_time_of_the_processor_is_told_before_that_of_the_clock_and_a_gpu_by_its_name():
    busy = {"training": 3000, "measuring": 60, "cpu": 300}
    grid = grid_of({"paper": [made_up_result(seconds=busy)]})
    assert decider(grid, Outlook(State.HOLDS, 2, ("paper", "paper-motion"))).minutes == pytest.approx((1 + 2) * 5)
    on_gpu = grid_of({"paper": [made_up_result(seconds=busy, machine={"gpu": "a card"})]})
    found = decider(on_gpu, Outlook(State.HOLDS, 3, ("paper",)))
    assert (found.minutes, found.of) == (pytest.approx(2 * 51), "a card")
    assert "about 1.7 hours of a card" in str(found)


def test_costs_that_nothing_tells_are_left_out():
    found = decider(grid_of({"paper": [made_up_result()]}), Outlook(State.OPEN, 3, ("paper",), "no spread"))
    assert found.minutes is None
    assert str(found) == "3 seeds, no spread; 2 more trainings: `maam sweep ped2-mini --variant paper --seeds 3`"


def test_no_command_is_given_that_would_not_run():
    never = decider(grid_of({"paper": cells(3, 5)}), Outlook(State.OPEN, None, ("paper",), "too small"))
    assert (never.command, str(never)) == ("", "probably never at this size: too small")
    own = load_recipe("ped2-mini").model_copy(update={"name": "own-hall"})
    found = decider(GridResults(own, {"paper": cells(2, 5)}, []), Outlook(State.HOLDS, 3, ("paper",)))
    assert found.command == ""
    assert str(found) == "3 seeds (holds); 1 more training, about 5 minutes of one core"


def test_the_cheapest_decider_comes_first_and_those_that_never_decide_last():
    grid = grid_of({"paper": cells(3, 6), "no-memory": cells(3, 4)})
    outlooks = {
        "never": Outlook(State.OPEN, None, ("paper",), "too small"),
        "dear": Outlook(State.FAILS, 9, PAIR),
        "cheap": Outlook(State.HOLDS, 5, ("no-memory",)),
    }
    verdicts = [
        verdict(Claim(name, "", "", "", "", lambda _, of=of: Finding(State.OPEN, "", (), of)), [grid])
        for name, of in outlooks.items()
    ]
    assert deciders_table(verdicts, [grid]).to_numpy().tolist() == [
        ["cheap", "ped2-mini", 5, 2, "8 minutes of one core", "holds", ""],
        ["dear", "ped2-mini", 9, 12, "60 minutes of one core", "does not hold", ""],
        ["never", "ped2-mini", "none", NONE, NONE, "undecided", "too small"],
    ]


def test_decided_claims_and_the_generated_scene_need_nothing():
    memory = next(claim for claim in claims() if claim.name == "memory")
    high, low = cells(3, 5), [made_up_result(0.7 + 0.01 * seed, seed) for seed in range(3)]
    decided = grid_of({"paper": high, "no-memory": low})
    assert deciders(verdict(memory, [decided]), [decided]) == []
    scene = grid_of({"paper": high[:2], "no-memory": low[1:]}, "synthetic-mini")
    assert verdict(memory, [scene]).findings["synthetic-mini"].outlook is not None
    assert deciders(verdict(memory, [scene]), [scene]) == []
