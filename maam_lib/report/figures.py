"""The report's figures: of results (Figs. 5, 6, epochs), of kept scores (7), of weights and videos (1, 4, 8, 9)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from maam_lib.data import DatasetError, PreparedDataset
from maam_lib.evaluation import Result
from maam_lib.figures import epoch_curves, knob_lines, support_bars
from maam_lib.grid import BASE, LOSSES, figure6_variants, paper_values, same_seeds
from maam_lib.report.collection import Collection, Scored
from maam_lib.report.pictures import PICTURES, Picture, score_curves
from maam_lib.report.site import Absent
from maam_lib.training import RunError, dataset_for


def figures_of(name: str, found: Collection, root: Path) -> list[Picture | Absent]:
    """One figure of the paper, for every recipe that it can be drawn of; says what is missing and how to get it."""
    if name == "figure5":
        return [support_picture(found) or Absent("Not measured.", "maam sweep RECIPE --part figure5")]
    if name == "figure6":
        return [knob_picture(found, "beta"), knob_picture(found, "zeta")]
    drawn = [_of_network(name, scored, root) for scored in _largest(found)]
    return drawn or [Absent("No network with its scores is kept.", "maam sweep RECIPE --part table3")]


def epoch_pictures(found: Collection) -> list[Picture | Absent]:
    """The epochs of every recipe that was measured after each of them."""
    pictures = [epoch_picture(grid.recipe.name, grid.results.get(BASE, [])) for grid in found.grids]
    none = Absent("No run was measured after each epoch.", "maam sweep RECIPE --part table3")
    return [picture for picture in pictures if picture] or [none]


def _largest(found: Collection) -> list[Scored]:
    """Of each dataset the first recipe that has a scored network: the largest, since grids are in that order."""
    in_order = [found.scored[grid.recipe.name] for grid in found.grids if grid.recipe.name in found.scored]
    return list({scored.recipe.data.dataset: scored for scored in reversed(in_order)}.values())[::-1]


def _of_network(name: str, scored: Scored, root: Path) -> Picture | Absent:
    who = f"{scored.recipe.name}, seed {scored.result.seed}"
    try:
        picture = score_curves(scored) if name == "figure7" else PICTURES[name](scored, _video(scored, root))
    except DatasetError as error:
        return Absent(f"{who}: its video is not under {root}.", str(error))
    except RunError as error:
        return Absent(f"{who}: its scores or weights cannot be used.", str(error))
    if picture is None:
        remedy = "It needs the scores of whole frames, which `maam evaluate` keeps, and a pair of frames that disagree."
        return Absent(f"{who}: nothing to show.", remedy)
    return picture._replace(caption=f"{who}. {picture.caption}")


def _video(scored: Scored, root: Path) -> PreparedDataset:
    """The prepared dataset that the scores were made of; DatasetError where there is none."""
    prepared = dataset_for(root, scored.recipe)
    if prepared.content_hash != scored.result.data.content_hash:
        raise DatasetError(
            f"{prepared.folder} holds other data than the scores were made of. Prepare the dataset as the recipe asks, "
            "or evaluate the run on it again."
        )
    return prepared


# Of results alone


def support_picture(found: Collection) -> Picture | None:
    """Fig. 5 of every recipe with two settings of the losses or more; None where no recipe has."""
    panels = {}
    for grid in found.grids:
        compared = same_seeds(grid.results, LOSSES)
        memories = {loss.what: [r.memory for r in compared.get(name, []) if r.memory] for name, loss in LOSSES.items()}
        bars = {what: [memory.support_items for memory in of] for what, of in memories.items() if of}
        if len(bars) > 1:
            panels[grid.recipe.name] = (bars, next(of[0].items for of in memories.values() if of))
    if not panels:
        return None
    said = "; ".join(
        f"{name}: {', '.join(f'{words} {np.mean(values):.1f}' for words, values in bars.items())}"
        for name, (bars, _) in panels.items()
    )
    return Picture(
        support_bars(panels),
        f"Mean over seeds (dots; those that all have), of the items in the memory (dashed). {said}.",
    )


def knob_picture(found: Collection, knob: Literal["beta", "zeta"]) -> Picture:
    """Fig. 6 of every recipe with two values of the knob or more, over the paper's points."""
    lines = {}
    for grid in found.grids:
        variants = figure6_variants(knob)
        compared = same_seeds(grid.results, variants.values())
        if len(compared) > 1:
            lines[grid.recipe.name] = {
                value: [r.auc for r in compared[name]] for value, name in variants.items() if name in compared
            }
    plotted = paper_values()["figure6"][knob]
    printed = {
        f"paper, {dataset}": dict(zip(plotted["values"], ([float(v)] for v in plotted[dataset]), strict=True))
        for dataset in plotted
        if dataset != "values"
    }
    words = {"beta": "weight beta of the latent loss", "zeta": "margin zeta of the latent loss"}[knob]
    caption = f"Frame AUC against the {words}. Gray: the paper's points. Dots of ours: seeds that every value has."
    return Picture(knob_lines(lines, printed, words), caption if lines else f"{caption} Ours is not measured.")


def epoch_picture(name: str, results: Sequence[Result]) -> Picture | None:
    """AUC of each epoch of a recipe's seeds, and of the motion branch against what it learned; None if not measured."""
    measured = [result for result in results if len(result.curve) > 1]
    if not measured:
        return None
    first = measured[0]
    return Picture(
        epoch_curves(
            {result.seed: result.curve for result in measured},
            best=(first.best_no_learning.replace("_", " "), first.best.auc),
            zero_flow=first.no_learning["zero_flow"].auc,
        ),
        f"{name}. Left: frame AUC after each epoch, for showing only; the last one is the result. Right: "
        "the motion branch, a dot per epoch, against its flow error, where 1 is the error of predicting no motion.",
    )
