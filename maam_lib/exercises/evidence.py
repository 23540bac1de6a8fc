"""What the exercises of the chapters 06 and 10 expect: differences between seeds, and bets on the claims (ours)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from maam_lib.evaluation import LEVEL, seed_interval, seed_spread
from maam_lib.exercises.checking import acts_like, expects
from maam_lib.grid import BASE, Bet, Card, Results, State, brier, gain, paired

# 06 One difference: pairs of seeds, their interval, the seeds that would be needed; what learning adds, variants beyond
# the spread, the same interval without pairs

SWITCHES = ("adam", "released", "no-losses")  # variants of three seeds that the functions are tried on


acts_like(
    "06.a",
    lambda results: (
        [(results, name, BASE) for name in SWITCHES] + [({**results, BASE: results[BASE][1:]}, "adam", BASE)]
    ),
    hint=(
        "Make a dictionary from seed to AUC of `beside` first. Then go through the results of `name` and subtract, for "
        "seeds that the dictionary has."
    ),
)(lambda results, name, beside: paired(results, name, beside=beside))


def all_differences(results: Results) -> list[tuple[Any]]:
    """As cases: the differences of every variant of two seeds or more to the recipe as it is."""
    found = [paired(results, name) for name in results if name != BASE]
    return [(of,) for of in found if len(of) >= 2]


acts_like(
    "06.b",
    all_differences,
    hint=(
        "Standard deviation with `ddof=1`, divided by the root of n, times t: that is half the interval. Go "
        "down and up from the mean by it."
    ),
)(lambda values: tuple(seed_interval(values)))


@acts_like(
    "06.c",
    lambda: [(0.02, 0.003), (0.01, 0.01), (0.04, 0.02), (0.001, 0.01)],
    hint="Try n = 2, 3, 4 ... until t s / sqrt(n) is at most the difference; t changes with n.",
    tolerance=0,
)
def seeds_for(spread: float, difference: float) -> int:
    """The fewest seeds, 2 or more, at which the half width of the interval is at most a difference.

    spread: the standard deviation of the differences.
    """
    seeds = 2
    while stats.t.ppf((1 + LEVEL) / 2, seeds - 1) * spread / math.sqrt(seeds) > difference:
        seeds += 1
    return seeds


expects(
    "06.1",
    tolerance=0.01,
    hint=(
        "Per seed, subtract the largest `auc` of `no_learning` from `auc`. Take the mean last. The result may"
        " be negative."
    ),
)(lambda results: np.mean([r.auc - r.best.auc for r in results[BASE]]))


@expects(
    "06.2",
    hint=(
        "Half the range of `paper` is (largest - smallest) / 2 of its AUCs. Compare the distance between two "
        "means with it, without its sign, and leave out variants with one seed."
    ),
)
def beyond_the_spread(results: Results) -> tuple[str, ...]:
    """The variants of two seeds or more whose mean AUC is further from the recipe's than half the recipe's range."""
    own, half_range = seed_spread([r.auc for r in results[BASE]])
    means = {name: np.mean([r.auc for r in seeds]) for name, seeds in results.items() if len(seeds) >= 2}
    return tuple(sorted(name for name, mean in means.items() if abs(mean - own) > half_range))


@expects(
    "06.3",
    tolerance=0.01,
    hint=(
        "Half of an interval is (high - low) / 2 of 06.b. Without pairs the variances of both groups add up, and t has "
        "2n - 2 degrees of freedom."
    ),
)
def wider_without_pairs(results: Results, switch: str) -> float:
    """How many times as wide the interval of a switch is where the seeds are not paired (equal numbers of seeds)."""
    groups = [[result.auc for result in results[name]] for name in (switch, BASE)]
    seeds, low, high = len(groups[0]), *seed_interval(paired(results, switch))
    variances = sum(np.var(group, ddof=1) for group in groups)
    unpaired = stats.t.ppf((1 + LEVEL) / 2, 2 * seeds - 2) * math.sqrt(variances / seeds)
    return float(unpaired / ((high - low) / 2))


@expects(
    "06.4",
    tolerance=0,
    hint=(
        "Subtract AUCs of equal seeds, take the standard deviation (`ddof=1`) of these differences once, then"
        " try n = 2, 3, 4 ...; t also changes with n."
    ),
)
def seeds_needed(results: Results, switch: str, difference: float) -> int:
    """Seeds at which the half width of the paired interval is at most a difference, at the spread measured so far."""
    return seeds_for(float(np.std(paired(results, switch), ddof=1)), difference)


# 10 Reviewer 2: the rule of a verdict, the Brier score, the shares of a calibration; what saying a third each scores,
# the expected score of a confidence, cards that one more seed decides, how far a class is from calibrated

GAPS = ([0.02, 0.03, 0.02], [-0.02, -0.03, -0.02], [0.05, -0.05, 0.01], [0.001, -0.001, 0.0], [0.1])
SAID = [(str(a), c, str(b)) for a in State for b in State for c in (1 / 3, 0.6, 1.0)]
SURE = np.array([0.4, 0.9, 0.6, 0.9, 0.4, 0.9, 1.0, 0.6])
RIGHT = np.array([0, 1, 1, 1, 1, 0, 1, 0])


@acts_like(
    "10.a",
    lambda: [(gaps,) for gaps in GAPS],
    hint="Ask for the number of seeds first: one has no interval. Then compare low with 0, and high with 0.005.",
)
def rule(gaps: Sequence[float]) -> str:
    """The verdict on a claimed gain, from differences of the same seeds (`judging.gain`)."""
    return str(gain(gaps))


@acts_like(
    "10.b",
    lambda: SAID,
    hint="The other two get (1 - confidence) / 2 each. Subtract 1 from the probability of what came, then add squares.",
)
def brier_score(verdict: str, confidence: float, came: str) -> float:
    """The Brier score of a bet over the three verdicts."""
    return brier(Bet(verdict=State(verdict), confidence=confidence), State(came))


@acts_like(
    "10.c",
    lambda: [(SURE, RIGHT), (SURE[::-1], RIGHT), (np.array([0.5]), np.array([1]))],
    hint="For each different confidence, in rising order, take the mean of `right` where that confidence was given.",
)
def shares_right(confidences: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of each different confidence, the least first: the share of its bets that are right; both (B,)."""
    return np.array([right[confidences == c].mean() for c in np.unique(confidences)])


expects(
    "10.1", hint="All three probabilities are 1/3. One of them is compared with 1, the other two are compared with 0."
)(lambda: brier(Bet(verdict=State.OPEN, confidence=1 / 3), State.HOLDS))


@acts_like(
    "10.2",
    lambda: [(belief, confidence) for belief in (0.4, 0.6, 1.0) for confidence in (0.4, 0.7, 1.0)],
    hint="Weigh two scores of 10.b: that of being right with `belief`, and that of being wrong with 1 - `belief`.",
)
def expected_score(belief: float, confidence: float) -> float:
    """The mean Brier score of a bet whose verdict comes with a probability, and the other two equally often."""
    right, wrong = (brier_score("holds", confidence, came) for came in ("holds", "undecided"))
    return belief * right + (1 - belief) * wrong


@expects(
    "10.3", hint="Look at `card.opened()` of undecided cards: `.outlook.seeds` is one more than `len(card.seeds)`."
)
def one_more_seed(cards: Mapping[str, Card]) -> tuple[str, ...]:
    """The undecided cards that one more seed would decide, if mean and spread stay, in the order of the alphabet."""
    found = {name: card.opened() for name, card in cards.items()}
    outlooks = {name: of.outlook for name, of in found.items() if of.state is State.OPEN and of.outlook}
    return tuple(sorted(name for name, of in outlooks.items() if of.seeds == len(cards[name].seeds) + 1))


@acts_like(
    "10.4",
    lambda: [(SURE, RIGHT), (RIGHT.astype(float), RIGHT), (SURE, 1 - RIGHT)],
    hint="Give every bet the share that is right at its confidence. The mean of the squared distances is the answer.",
)
def distance_from_calibrated(confidences: np.ndarray, right: np.ndarray) -> float:
    """The reliability term of Murphy (1973): the mean over bets of (confidence - share right at it) squared."""
    shares = shares_right(confidences, right)[np.unique(confidences, return_inverse=True)[1]]
    return float(np.mean((confidences - shares) ** 2))
