"""Adam in the paper's form and in the released one (Sec. 4.3, item 14)."""

import math
from collections.abc import Callable

import torch

from maam_lib.config import Recipe

ADAM_EPSILON = 1e-8  # released code, and the default of PyTorch; the paper does not say


def build_optimizer(recipe: Recipe, net: torch.nn.Module) -> torch.optim.Adam:
    """Adam with the recipe's constant learning rate (Sec. 4.3), in the recipe's form (item 14)."""
    form = ReleasedAdam if recipe.training.adam_form == "released" else torch.optim.Adam
    return form(net.parameters(), lr=recipe.training.learning_rate, eps=ADAM_EPSILON)


class ReleasedAdam(torch.optim.Adam):
    """Adam as TensorFlow computes it: epsilon is added before the bias correction, not after it (item 14).

    With s the running mean of squared gradients after t steps and c = sqrt(1 - beta2^t), PyTorch divides by
    sqrt(s) / c + eps and TensorFlow by (sqrt(s) + eps) / c, so its epsilon is eps / c: 32 times larger at the first
    step, the same after some thousand. Source: Kingma and Ba (2015), end of Sec. 2, "epsilon hat".
    """

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        steps = [int(state["step"]) for state in self.state.values()]
        for group in self.param_groups:
            group["eps"] = ADAM_EPSILON / math.sqrt(1 - group["betas"][1] ** (max(steps, default=0) + 1))
        return super().step(closure)
