"""What the exercises of the chapter 09 expect: the paper against the released code (ours)."""

import math
from functools import partial

import torch
from torch import Tensor

from maam_lib import losses, memory
from maam_lib.config import load_recipe
from maam_lib.exercises.checking import (
    acts_like,
    expects,
    fixed_random,
)
from maam_lib.training import ReleasedAdam

# 09 The paper against the code

GRADIENT = torch.tensor([3e-1, -2e-5, 4e-7, -1e-8], dtype=torch.float64)
QUERY, READ_OUT = torch.from_numpy(fixed_random().normal(size=(2, 2, 5, 3, 4)) + 1)
ITEMS = torch.from_numpy(fixed_random().normal(size=(7, 5)))
SHARES = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
PAIRS = [(QUERY, READ_OUT, 0.1), (QUERY, -READ_OUT, 0.2), (QUERY, QUERY, 100.0)]


acts_like(
    "09.a",
    lambda: [(QUERY, ITEMS), (2 * QUERY, ITEMS), (torch.zeros_like(QUERY), ITEMS)],
    hint=(
        "Above the line: the sum of z m over the channels. Below: the sum of (z m) squared, no lengths and no root. "
        "Add 1e-12 to each."
    ),
)(partial(memory.similarity_map, form="released"))

acts_like(
    "09.b",
    lambda: [(SHARES,), (torch.full((1, 8, 2, 2), 1 / 8),), (torch.eye(3)[None, :, :, None],)],
    hint="Multiply each weight by the logarithm of (weight + 1e-12), change the sign, take one mean over everything.",
)(partial(losses.sparse_loss, form="released"))

acts_like(
    "09.c",
    lambda: PAIRS,
    hint=(
        '`torch.einsum("bdhv,bdhw->bhvw", ...)` gives all pairs of a row, of products and of squares. Take '
        "the mean over all quotients, then `abs`, then subtract the margin and cut at 0."
    ),
)(partial(losses.latent_loss, form="released"))


@expects(
    "09.1", hint="The odds are psi / (1 - psi). Divide the largest by the smallest and take the logarithm of base 10."
)
def orders_of_magnitude() -> float:
    """Between the odds of the three psi of the released code (item 21)."""
    psis = [load_recipe(f"{name}-released").scoring.psi for name in ("ped2", "avenue", "shanghaitech")]
    odds = [psi / (1 - psi) for psi in psis if psi is not None]
    return math.log10(max(odds) / min(odds))


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
