"""What the exercises of the chapters 06 and 09 expect: tables, paper against code (ours)."""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from maam_lib import losses, memory
from maam_lib.evaluation import LEVEL, seed_interval, seed_spread
from maam_lib.exercises.checking import (
    acts_like,
    expects,
    fixed_random,
)
from maam_lib.grid import BASE, Results, paired
from maam_lib.training import ReleasedAdam

# 06 The tables: what learning adds in the mean over seeds, variants beyond the spread, an interval, seeds needed

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


def all_differences(results: Results) -> list[tuple[Any]]:
    """As cases: the differences of every variant of two seeds or more to the recipe as it is."""
    differences = [paired(results, name) for name in results if name != BASE]
    return [(of,) for of in differences if len(of) >= 2]


acts_like(
    "06.3",
    all_differences,
    hint=(
        "Standard deviation with `ddof=1`, divided by the root of n, times t: that is half the interval. Go "
        "down and up from the mean by it."
    ),
)(lambda differences: tuple(seed_interval(differences)))


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
    sd, seeds = float(np.std(paired(results, switch), ddof=1)), 2
    while stats.t.ppf((1 + LEVEL) / 2, seeds - 1) * sd / math.sqrt(seeds) > difference:
        seeds += 1
    return seeds


# 09 The paper against the code

Z, M = torch.from_numpy(fixed_random().normal(size=(2, 6)))
GRADIENT = torch.tensor([3e-1, -2e-5, 4e-7, -1e-8], dtype=torch.float64)
QUERY, READ_OUT = torch.from_numpy(fixed_random().normal(size=(2, 2, 5, 3, 4)) + 1)


@acts_like(
    "09.1",
    lambda: [(Z, M), (2 * Z, M), (torch.zeros_like(Z), M)],
    hint=(
        "Above the line: the sum of z_i m_i. Below: the sum of (z_i m_i) squared, no lengths and no root. Add"
        " 1e-12 to each."
    ),
)
def released_similarity(z: Tensor, m: Tensor) -> Tensor:
    """Of one query and one item, both (D,): the similarity that the released code computes (item 1)."""
    return memory.similarity_map(z[None, :, None, None], m[None], "released")[0, 0, 0, 0]


@expects(
    "09.2",
    tolerance=0.01,
    hint=(
        'Call `memory.address(10 * query, items, similarity=...)` with "cosine", then with "released". Take '
        "the mean of `memory.support_count` over all queries."
    ),
)
def kept_by_longer_queries(query: Tensor, items: Tensor) -> tuple[float, ...]:
    """(cosine, released): the mean number of items kept by queries ten times as long."""
    weights = [memory.address(10 * query, items, similarity=form) for form in ("cosine", "released")]
    return tuple(memory.support_count(w).double().mean().item() for w in weights)


@acts_like(
    "09.3",
    lambda: [(GRADIENT, 1e-3), (GRADIENT[2:], 0.5)],
    hint=(
        "The rate of step 1 is learning_rate * sqrt(1 - 0.999) / (1 - 0.9). The parameter moves by minus this"
        " rate times m / (sqrt(s) + 1e-8)."
    ),
)
def first_step_of_adam(gradient: Tensor, learning_rate: float) -> Tensor:
    """The first step of Adam as TensorFlow takes it (item 14)."""
    parameter = torch.nn.Parameter(torch.zeros_like(gradient))
    parameter.grad = gradient.clone()
    ReleasedAdam([parameter], lr=learning_rate).step()
    return parameter.detach()


# The psi that ranks gray frames repeated to some channels as `psi` ranks gray ones (item 27)
PSIS = [(10 / 11, 3), (0.5, 3), (1 / 11, 2), (0.3, 1)]
acts_like(
    "09.4",
    lambda: PSIS,
    hint=(
        "Two weightings rank equally where appearance weighs equally much relative to motion: channels * psi'"
        " / (1 - psi') = psi / (1 - psi). Solve for psi'."
    ),
)(lambda psi, channels: psi / (psi + channels * (1 - psi)))

# The latent loss of the released code (item 10)
PAIRS = [(QUERY, READ_OUT, 0.1), (QUERY, -READ_OUT, 0.2), (QUERY, QUERY, 100.0)]
acts_like(
    "09.5",
    lambda: PAIRS,
    hint=(
        '`torch.einsum("bdhv,bdhw->bhvw", ...)` gives all pairs of a row, of products and of squares. Take '
        "the mean over all quotients, then `abs`, then subtract the margin and cut at 0."
    ),
)(partial(losses.latent_loss, form="released"))
