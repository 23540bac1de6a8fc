"""The report's figures: of results (Figs. 5, 6, epochs), of kept scores (7), of weights and videos (1, 4, 8, 9).

Frames are chosen by the scores of all test frames, so a network runs only on the few that are shown. In place of a
picture that cannot be made stands a text that says why, with `commands` that help.
"""

import io
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from maam_lib import figures
from maam_lib.analysis import misleading_pair, worst_false_alarms, worst_misses
from maam_lib.data import DatasetError, PreparedDataset
from maam_lib.evaluation import Result, detection_row, score_steps
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
from maam_lib.report.collection import OWN, Collection, Scored
from maam_lib.report.tables import PAPERS_OWN, size_of
from maam_lib.training import RunError, dataset_for

CURVES = 6  # clips of Fig. 7, those with the most change between normal and abnormal first
ROWS = 4  # clips of Fig. 8
COLUMNS = (
    "Left to right: frame; what appearance and motion add to the score, as patch sums; both fused; all in one scale of "
    "colours. Then the place: blue where the fused patch sum is above the threshold calibrated on training frames, "
    "orange for the truth."
)
SIGNED = "Motion errors are errors of speed, with their sign: orange is faster than predicted, purple slower."


class Picture(NamedTuple):
    """A figure with what it shows."""

    figure: Figure
    caption: str

    @property
    def png(self) -> str:
        """As base64."""
        image = io.BytesIO()
        self.figure.savefig(image, format="png", dpi=110)
        return b64encode(image.getvalue()).decode("ascii")


def figures_of(name: str, found: Collection, root: Path) -> list[Picture | str]:
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
    drawn = [_of_network(name, scored, root) for scored in reversed(largest.values())]
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


# Of one network


def _of_network(name: str, scored: Scored, root: Path) -> Picture | str:
    who = f"{scored.recipe.name}, seed {scored.result.seed}"
    try:
        picture = score_curves(scored) if name == "figure7" else OF_VIDEO[name](scored, _video(scored, root))
    except DatasetError as error:
        said = re.sub(r"maam prepare .*", r"`\g<0>`", str(error))
        return f"No picture of {who}, because its prepared video is missing: {said}"
    except RunError as error:
        return f"No picture of {who}, because its scores or weights cannot be used: {error}"
    if picture is None:
        needs = "the scores of whole frames, which `maam evaluate` keeps, and a pair of frames that disagree"
        return f"No picture of {who}: it needs {needs}."
    signed = f" {SIGNED}" if name != "figure7" and scored.recipe.loss.motion_target == "speed" else ""
    return picture._replace(caption=f"{who}. {picture.caption}{signed}")


def _video(scored: Scored, root: Path) -> PreparedDataset:
    """The prepared dataset that the scores were made of; DatasetError where there is none."""
    prepared = dataset_for(root, scored.recipe)
    if prepared.content_hash != scored.result.data.content_hash:
        raise DatasetError(
            f"{prepared.folder} holds other data than the scores were made from. Prepare the dataset as the recipe "
            "asks, or evaluate the run on it again."
        )
    return prepared


def score_curves(scored: Scored) -> Picture:
    """Fig. 7: scores over time, abnormal spans shaded; needs no video."""
    clips = {str(clip): table for clip, table in scored.scores.groupby("clip", sort=False)}
    names = sorted(sorted(clips, key=lambda clip: clips[clip]["label"].nunique() < 2)[:CURVES])
    figure = figures.score_curves({clip: clips[clip] for clip in names}, threshold=scored.calibration.threshold)
    shaded = "abnormal spans are orange, the calibrated threshold is dashed"
    return Picture(figure, f"Anomaly score over time, clips {', '.join(names)}; {shaded}.")


def first_detections(scored: Scored, prepared: PreparedDataset) -> Picture:
    """Fig. 1: the two clips with the loudest abnormal frames, and the loudest false alarm."""
    abnormal, normal = _loudest(scored.scores).head(2), worst_false_alarms(scored.scores, 1)
    return _rows(scored, prepared, {"abnormal": abnormal, "normal": normal})


def more_detections(scored: Scored, prepared: PreparedDataset) -> Picture:
    """Fig. 8: the loudest abnormal frame of further clips."""
    loudest = _loudest(scored.scores)
    return _rows(scored, prepared, {"abnormal": (loudest.tail(-2) if len(loudest) > 2 else loudest).head(ROWS)})


def failures(scored: Scored, prepared: PreparedDataset) -> Picture:
    """Fig. 9: the worst false alarms and the worst misses, found by their scores."""
    false_alarms, misses = worst_false_alarms(scored.scores, 2), worst_misses(scored.scores, 2)
    picture = _rows(scored, prepared, {"false alarm": false_alarms, "miss": misses})
    beats, beaten = (", ".join(map("{:.0%}".format, at)) for at in (false_alarms["beats"], misses["beaten by"]))
    said = f"The false alarms score above {beats} of the abnormal frames, the misses below {beaten} of the normal ones."
    return picture._replace(caption=f"{picture.caption} {said}")


def why_patches(scored: Scored, prepared: PreparedDataset) -> Picture | None:
    """Fig. 4: an abnormal and a normal frame whose mean errors say the opposite of their worst patches; None where
    there is no such pair, or the scores of whole frames were not kept."""
    table = scored.scores
    if "whole_frame" not in table:
        return None
    means, maxima, labels = (table[column].to_numpy() for column in ("whole_frame", "fused", "label"))
    pair = misleading_pair(means, maxima, labels)
    if pair is None:
        return None
    net, psi, rows, titles = scored.network, scored.calibration.psi, [], []
    for kind, at in zip(("abnormal", "normal"), pair, strict=True):
        clip, frame = table[["clip", "frame"]].iloc[at]
        rows.append(score_steps(net, prepared, clip, frame, scored.recipe.scoring, psi)._asdict())
        titles.append(f"{kind}: {clip} {frame}, mean {means[at]:.4f}, patch {maxima[at]:.1f}")
    caption = (
        "By the mean error of the whole frame, the normal frame is more abnormal; by the worst patch (blue), it is the "
        f"other. {titles[0]}; {titles[1]}. Of all pairs, this one favours patches most; one pair proves nothing."
    )
    return Picture(figures.frames_against_patches(rows, titles), caption)


OF_VIDEO = {"figure1": first_detections, "figure4": why_patches, "figure8": more_detections, "figure9": failures}


def _loudest(table: pd.DataFrame) -> pd.DataFrame:
    """The loudest abnormal frame of each clip, the loudest clip first."""
    abnormal = table.query("label == 1")
    return abnormal.sort_values("fused", ascending=False, kind="stable").drop_duplicates("clip")


def _rows(scored: Scored, prepared: PreparedDataset, chosen: dict[str, pd.DataFrame]) -> Picture:
    """Rows of frames, by what they are."""
    named = [(kind, clip, frame) for kind, of in chosen.items() for clip, frame in of[["clip", "frame"]].to_numpy()]
    net, scoring, calibration = scored.network, scored.recipe.scoring, scored.calibration
    rows = [detection_row(net, prepared, clip, frame, scoring, calibration) for _, clip, frame in named]
    titles = [f"{kind}: {clip}, frame {frame}" for kind, clip, frame in named]
    return Picture(figures.detection_rows(rows, titles), f"{'; '.join(titles)}. {COLUMNS}")
