"""Two ways to train, seed by seed, with the reader's own run among them (ours)."""

from collections.abc import Iterable, Mapping

import pandas as pd

from maam_lib.evaluation import Result
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.numbers import ABSENT, NONE

YOURS = "your run"


def pairs_table(grids: Iterable[GridResults], compared: Mapping[str, str], own: Result | None = None) -> pd.DataFrame:
    """A row per recipe and seed that both variants have: both AUCs and their difference, the first minus the second.

    compared: in words -> variant, two of them. own: a result that is marked where it is in a row; else it has a row of
    its own at the end, which says why it is not compared.
    """
    (words, name), (other_words, other) = compared.items()
    rows, grids = [], list(grids)
    for grid in grids:
        first, second = ({r.seed: r for r in grid.results.get(variant, [])} for variant in (name, other))
        for seed in sorted(first.keys() & second.keys()):
            a, b = first[seed], second[seed]
            is_own = own is not None and own.recipe_hash in (a.recipe_hash, b.recipe_hash)
            row = {"recipe": grid.recipe.name, "seed": seed, words: f"{a.auc:.3f}", other_words: f"{b.auc:.3f}"}
            rows.append(row | {"difference": f"{a.auc - b.auc:+.3f}", "": YOURS if is_own else ""})
    if own is not None and YOURS not in [row[""] for row in rows]:
        rows.append(_alone(own, grids, compared))
    return pd.DataFrame(rows, columns=["recipe", "seed", words, other_words, "difference", ""])


def _alone(own: Result, grids: Iterable[GridResults], compared: Mapping[str, str]) -> dict[str, object]:
    """The row of a result that has no partner, and the reason."""
    of = {r.recipe_hash: variant for grid in grids for variant, results in grid.results.items() for r in results}
    variant = of.get(own.recipe_hash)
    row: dict[str, object] = {"recipe": own.recipe, "seed": own.seed, "difference": NONE}
    row |= dict.fromkeys(compared, NONE)
    if variant in compared.values():
        missing = next(words for words, name in compared.items() if name != variant)
        row |= {words: f"{own.auc:.3f}" if name == variant else ABSENT for words, name in compared.items()}
        return row | {"": f"{YOURS}, not compared: no training with {missing} and seed {own.seed} of {own.recipe}"}
    why = "its settings are those of no kept training" if variant is None else f"it is another variant, {variant}"
    return row | {"": f"{YOURS}, AUC {own.auc:.3f}, not compared: {why}"}
