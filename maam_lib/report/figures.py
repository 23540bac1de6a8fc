"""The report's figures of results: Figs. 5 and 6, Table 2 as dots, epochs. Those of one network: `network_pictures`.

In place of a picture that cannot be made stands a text that says why, with `commands` that help.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from maam_lib import figures
from maam_lib.evaluation import Result
from maam_lib.figures import Dots
from maam_lib.grid import (
    BASE,
    DATASETS,
    LOSSES,
    GridResults,
    figure6_variants,
    motion_learned,
    paper_values,
    same_seeds,
    tables,
)
from maam_lib.report.collection import OWN, Collection
from maam_lib.report.network_pictures import Kept, Picture, of_network
from maam_lib.report.tables import PAPERS_OWN, size_of


def figures_of(name: str, found: Collection, root: Path) -> list[Picture | Kept | str]:
    """A figure of the paper, or the "epochs", "motion" or "methods", for all recipes or datasets that it can show."""
    if name == "methods":
        return [methods_picture(found)]
    if name == "figure5":
        return [support_picture(found) or "Not measured: `maam sweep RECIPE --part figure5`"]
    if name == "figure6":
        return [knob_picture(found, "beta"), knob_picture(found, "zeta")]
    if name == "motion":
        of_dataset: dict[str, list[GridResults]] = {}
        for grid in found.grids:
            of_dataset.setdefault(grid.recipe.data.dataset, []).append(grid)
        return [picture for name, grids in of_dataset.items() if (picture := motion_picture(name, grids))]
    if name == "epochs":
        epochs = [epoch_picture(grid.recipe.name, grid.results.get(BASE, [])) for grid in found.grids]
        none = "No run was measured after each epoch: `maam sweep RECIPE --part table3`"
        return [picture for picture in epochs if picture] or [none]
    if name.startswith("table"):
        return [methods_picture(found, every=True)] if name == "table2" else []
    in_order = [found.scored[grid.recipe.name] for grid in found.grids if grid.recipe.name in found.scored]
    largest = {scored.recipe.data.dataset: scored for scored in reversed(in_order)}  # of each dataset
    drawn = [of_network(name, scored, root) for scored in reversed(largest.values())]
    return drawn or ["No network with its scores is kept: `maam sweep RECIPE --part table3`"]


# Of results alone


def methods_picture(found: Collection, *, every: bool = False) -> Picture:
    """Table 2 as dots: all methods quoted there (`every`: a row each), the paper's, this kit's seeds, no learning."""
    rows, panels = paper_values()["table2"]["rows"], {}
    for column, (dataset, name) in enumerate(DATASETS.items()):
        printed = {method: values[column] for method, values in rows.items()}
        aucs = {method: float(value) for method, value in printed.items() if value.replace(".", "").isdigit()}
        others = {method: auc for method, auc in aucs.items() if method not in PAPERS_OWN}
        panel = {method: Dots("quoted", [auc]) for method, auc in others.items()} if every else {}
        panel = panel or {"other methods, quoted": Dots("quoted", list(others.values()))}
        panel |= {said: Dots("paper", [aucs[method]]) for method, said in PAPERS_OWN.items()}
        for grid in (grid for grid in found.grids if grid.recipe.data.dataset == dataset):
            if results := grid.results.get(BASE):
                said = f"this kit, {size_of(grid)}"
                said = grid.recipe.name if said in panel or grid.recipe.name.startswith(OWN) else said
                panel[said] = Dots("kit", [result.auc for result in results])
        if without := _best_without(found, dataset):
            panel["no learning, best row"] = Dots("no learning", [without])
        panels[name] = panel
    caption = (
        "Frame AUC of Table 2. Gray: methods as the paper quotes them, most under other protocols; black: MAAM-Net as "
        "printed; blue: this kit, a dot per seed and a line at their mean; orange: the best row without any network."
    )
    return Picture(figures.method_dots(panels), caption)


def _best_without(found: Collection, dataset: str) -> float | None:
    """The highest AUC of a whole dataset without a network; a sample of its clips has none."""
    grids = [grid for grid in found.grids if grid.recipe.data.dataset == dataset]
    kept = [grid.no_learning for grid in grids if grid.no_learning and grid.no_learning.protocol.complete]
    aucs = [row.micro.auc for of in kept for row in of.rows.values() if row.micro.auc is not None]
    first = [result for grid in grids for result in grid.results.get(BASE, [])[:1] if result.protocol.complete]
    return max([*aucs, *(row.auc for result in first for row in result.no_learning.values())], default=None)


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
    caption = f"Mean over the seeds that all have (dots). Dashed: the number of items in the memory. {said}."
    return Picture(figures.support_bars(panels), caption)


def knob_picture(found: Collection, knob: Literal["beta", "zeta"]) -> Picture:
    """Fig. 6 of every recipe with two values of the knob or more, over the paper's points."""
    variants, lines = figure6_variants(knob), {}
    for grid in found.grids:
        compared = same_seeds(grid.results, variants.values())
        aucs = {value: [r.auc for r in compared[name]] for value, name in variants.items() if name in compared}
        if len(compared) > 1:
            lines[grid.recipe.name] = aucs
    plotted = dict(paper_values()["figure6"][knob])
    values = plotted.pop("values")
    printed = {
        f"paper, {dataset}": {value: [float(v)] for value, v in zip(values, points, strict=True)}
        for dataset, points in plotted.items()
    }
    words = {"beta": "weight beta of the latent loss", "zeta": "margin zeta of the latent loss"}[knob]
    caption = f"Frame AUC against the {words}. Gray: the paper's points. Dots: this kit, seeds that every value has."
    drawn = figures.knob_lines(lines, printed, words)
    return Picture(drawn, caption if lines else f"{caption} This kit has not measured it.")


def motion_picture(dataset: str, grids: Sequence[GridResults]) -> Picture | None:
    """AUC of the motion branch against the motion learned, of all networks of a dataset; None without a curve."""
    points = motion_learned(grids)
    if not points.duplicated(["training", "seed"]).any():  # no training was measured at several epochs
        return None
    rows: dict[str, float] = {}
    for grid in grids:
        for result in grid.results.get(BASE, [])[:1]:
            rows |= {name: row.auc for name, row in result.no_learning.items()}
        for name, row in grid.no_learning.rows.items() if grid.no_learning else ():
            rows |= {name: row.micro.auc} if row.micro.auc is not None else {}
    best = max(rows, key=lambda name: rows[name])
    shown = {f"no learning, {name.replace('_', ' ')}": rows[name] for name in dict.fromkeys((best, "zero_flow"))}
    printed = tables.paper(dataset, "table5", "sparse and latent", "motion")
    marks = {f"the paper, full size: {printed}": float(printed)} if dataset in DATASETS else {}
    words = f" The paper prints {printed}, but not how much motion its network learned." if marks else ""
    shown_of = DATASETS.get(dataset, f"Generated scene {dataset}")
    return Picture(
        figures.auc_against_motion(points, shown, marks),
        f"{shown_of}: frame AUC of the motion branch against how much motion it has learned, on normal test frames. At "
        f"0 a network predicts motion no better than predicting none does; that is the row zero flow.{words}",
    )


def epoch_picture(name: str, results: Sequence[Result]) -> Picture | None:
    """AUC of each epoch of a recipe's seeds, and of the motion branch against what it learned; None if not measured."""
    measured = [result for result in results if len(result.curve) > 1]
    if not measured:
        return None
    first = measured[0]
    drawn = figures.epoch_curves(
        {result.seed: result.curve for result in measured},
        best=(first.best_no_learning.replace("_", " "), first.best.auc),
        zero_flow=first.no_learning["zero_flow"].auc,
    )
    return Picture(
        drawn,
        f"{name}. Left: frame AUC after each epoch, for showing only; the last one is the result. Right: "
        "the motion branch, a dot per epoch, against its flow error, where 1 is the error of predicting no motion.",
    )
