"""How much motion the networks of a dataset have learned, and their AUC: over size, width, learning rate and epochs."""

from collections.abc import Iterable

import pandas as pd

from maam_lib.config import Recipe
from maam_lib.evaluation import Result
from maam_lib.grid.experiments import RATE_VARIANTS, GridResults
from maam_lib.grid.results import BASE

TRAININGS = (BASE, *RATE_VARIANTS)  # the variants that differ in nothing but the learning rate


def motion_learned(grids: Iterable[GridResults]) -> pd.DataFrame:
    """One row per epoch of each training: training (in words), seed, epoch, learned, auc (of the motion branch).

    grids: of one dataset. learned is 1 - the flow error over that of predicting no motion, on normal test frames: 0
    where nothing is learned. Trainings whose epochs were not measured have the last alone.
    """
    rows, seen = [], set()
    for grid in grids:
        for variant in TRAININGS:
            for result in grid.results.get(variant, []):
                if (grid.recipe.name, result.recipe_hash) not in seen:  # a rate may be the recipe's own
                    seen.add((grid.recipe.name, result.recipe_hash))
                    rows.extend(_epochs(_in_words(grid.recipe, variant, result), result))
    return pd.DataFrame(rows, columns=["training", "seed", "epoch", "learned", "auc"])


def _epochs(training: str, result: Result) -> list[tuple[str, int, int, float, float]]:
    points = [(of.epoch, of.motion_error_to_zero_flow, of.auc_motion) for of in result.curve]
    points = points or [(result.epoch or 0, result.motion_error_to_zero_flow, result.auc_motion)]
    return [(training, result.seed, epoch, 1 - error.test_normal, auc) for epoch, error, auc in points]


def _in_words(recipe: Recipe, variant: str, result: Result) -> str:
    """Name of the recipe, its width and its learning rate; of an unfinished training also how far it came."""
    rate = recipe.training.learning_rate if variant == BASE else float(variant.removeprefix("lr-"))
    epoch, epochs = result.epoch, recipe.training.epochs
    how_far = f", {epoch} of {epochs} epochs" if epoch is not None and epoch < epochs else ""
    return f"{recipe.name}: {recipe.model.base_channels} channels, rate {rate:g}{how_far}"
