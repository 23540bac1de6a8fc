"""What learning adds: the networks of a dataset in one table with the rows that need no network (ours).

A motion branch is scored by what it cannot predict. One that predicts nothing is the row `zero_flow`, or `speed` where
its target is the length of the flow, so every number of a network is read against these.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from maam_lib.config import DataSettings
from maam_lib.evaluation import NoLearning, Result, Smoothing
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.numbers import NONE, TableCell, auc, auc_motion, interval, number, shown
from maam_lib.grid.results import BASE
from maam_lib.grid.tables import clips_interval, learning_adds, paper

MOTION_ALONE = ("speed", "zero_flow")  # the rows without learning that a motion branch is read against
WORDS: dict[Smoothing, str] = {"gaussian_3": "Gaussian, sigma 3", "median_17": "median of 17"}


def learning_table(
    grids: Iterable[GridResults], no_learning: Mapping[str, NoLearning], variants: Sequence[str]
) -> pd.DataFrame:
    """Rows without learning first, then the paper's as printed, then networks: of each grid those variants it has.

    grids: of one dataset. no_learning: recipe -> its rows. AUC and EER are of raw scores, micro; the smoothed AUCs are
    of the motion branch, which is all that rows without learning have here. Intervals: over the test clips, seed 0.
    """
    grids = list(grids)
    rows = [_without(of, name) for of in no_learning.values() for name in MOTION_ALONE if name in of.rows]
    rows.extend(_printed(dataset) for dataset in dict.fromkeys(grid.recipe.data.dataset for grid in grids))
    rows.extend(_learned(grid, name) for grid in grids for name in variants if grid.results.get(name))
    return pd.DataFrame(rows).fillna(NONE)


def trainings_table(grids: Iterable[GridResults]) -> pd.DataFrame:
    """What was trained, and where: epochs, seeds, minutes of wall time each, threads, number format, processor."""
    return pd.DataFrame(
        {
            "training": _name(grid, variant),
            "epochs": _distinct(result.epoch for result in results),
            "seeds": ", ".join(str(result.seed) for result in results),
            "minutes each": number([r.seconds.training / 60 for r in results if r.seconds], ".0f"),
            "threads": _distinct(result.machine.get("threads") for result in results),
            "number format": _distinct(result.machine.precision for result in results),
            "processor": _distinct(result.machine.processor for result in results),
        }
        for grid in grids
        for variant, results in grid.results.items()
    )


def _without(of: NoLearning, name: str) -> dict[str, TableCell]:
    row, micro = of.rows[name], of.rows[name].micro
    smoothed = {WORDS[smoothing]: _known(under["micro"].auc) for smoothing, under in row.smoothed.items()}
    return {
        "row": f"no network: {name.replace('_', ' ')}",
        "frames": _frames(DataSettings.model_validate(of.settings["data"])),
        "AUC motion": _known(micro.auc),
        **smoothed,
        "EER": _known(micro.eer),
        "95 % over clips": interval(micro.auc_interval) if micro.auc_interval else NONE,
    }


def _printed(dataset: str) -> dict[str, TableCell]:
    return {
        "row": "MAAM-Net, as the paper prints it",
        "AUC motion": paper(dataset, "table5", "sparse and latent", "motion"),
        "AUC fused": paper(dataset, "table2", "Ours"),
    }


def _learned(grid: GridResults, variant: str) -> dict[str, TableCell]:
    results = grid.results[variant]
    smoothed = {words: shown(results, lambda r, s=smoothing: _smoothed(r, s)) for smoothing, words in WORDS.items()}
    return {
        "row": _name(grid, variant),
        "frames": _frames(grid.recipe.data),
        "seeds": len(results),
        "AUC motion": shown(results, auc_motion),
        **smoothed,
        "AUC fused": shown(results, auc),
        "EER": shown(results, lambda r: r.eer),
        "95 % over clips": clips_interval(results, lambda micro: micro.auc_interval),
        "learning adds": learning_adds(results),
        "motion error": shown(results, lambda r: r.motion_error_to_zero_flow.test_normal, ".2f"),
    }


def _smoothed(result: Result, smoothing: Smoothing) -> float | None:
    under = result.smoothed.get(smoothing)
    return under["micro"].auc_motion if under else None


def _known(value: float | None) -> TableCell:
    return number([] if value is None else [value])


def _name(grid: GridResults, variant: str) -> str:
    return grid.recipe.name if variant == BASE else f"{grid.recipe.name}, {variant}"


def _frames(data: DataSettings) -> str:
    return f"{data.height}x{data.width}"


def _distinct(values: Iterable[object]) -> str:
    """What some results say, each thing once."""
    return ", ".join(dict.fromkeys(str(value) for value in values if value is not None))
