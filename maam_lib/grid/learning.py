"""What learning adds: the networks of a dataset in one table with the rows that need no network (ours).

A motion branch is scored by what it cannot predict. One that predicts nothing is the row `zero_flow`, or `speed` where
its target is the length of the flow, so every number of a network is read against these.
"""

from collections.abc import Iterable
from functools import partial

import pandas as pd

from maam_lib.config import DataSettings
from maam_lib.evaluation import NoLearning, Result, Smoothing
from maam_lib.grid.experiments import RATE_VARIANTS, GridResults
from maam_lib.grid.judging import DATASETS
from maam_lib.grid.numbers import ABSENT, NONE, TableCell, auc, auc_motion, interval, number, shown
from maam_lib.grid.results import BASE, MOTION_ALONE
from maam_lib.grid.tables import clips_interval, learning_adds, paper

COMPARED = (  # variants
    *(BASE, "no-memory", "released", f"{BASE}-appearance", *RATE_VARIANTS),
    *("speed-pixels", "speed-patches", "speed"),
)
WORDS: dict[Smoothing, str] = {"gaussian_3": "motion, Gaussian of 3", "median_17": "motion, median of 17"}
COLUMNS = (
    *("row", "frames", "seeds", "AUC fused", "AUC motion", *WORDS.values(), "EER", "95 % over clips"),
    *("motion error", "learning adds"),
)


def learning_table(grids: Iterable[GridResults]) -> pd.DataFrame:
    """Rows without a network first, then the paper's as printed, then networks: of each grid the COMPARED variants.

    grids: of one dataset. AUC and EER are micro, of raw scores; EER and the interval over the test clips (of one seed)
    are those of the fused score, or of motion where that is all there is. The smoothed AUCs are of motion, over the
    seeds that have them, which are named where they are not all: older results have none.
    """
    grids = list(grids)
    without = {of.data.content_hash: of for grid in grids if (of := grid.no_learning) is not None}
    rows = [_without(of, name) for of in without.values() for name in MOTION_ALONE if name in of.rows]
    datasets = dict.fromkeys(grid.recipe.data.dataset for grid in grids)
    rows.extend(_printed(dataset) for dataset in datasets if dataset in DATASETS)
    rows.extend(_learned(grid, name) for grid in grids for name in COMPARED if grid.results.get(name))
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object).fillna(NONE)


def trainings_table(grids: Iterable[GridResults]) -> pd.DataFrame:
    """What was trained, and where: epochs, seeds, minutes of wall time each, threads, number format, processor."""
    rows = []
    for grid in grids:
        for name, results in ((name, grid.results.get(name, [])) for name in COMPARED):
            machines = [result.machine for result in results]
            row = {
                "training": _name(grid, name),
                "seeds": _distinct(result.seed for result in results),
                "epochs": _distinct(result.epoch for result in results),
                "minutes each, wall": number([r.seconds.training / 60 for r in results if r.seconds], ".0f"),
                "threads": _distinct(machine.threads for machine in machines),
                "number format": _distinct(machine.precision for machine in machines),
                "processor": _distinct(machine.processor for machine in machines),
            }
            rows.extend([row] if results else [])
    return pd.DataFrame(rows)


def of_rows(found: NoLearning) -> tuple[str]:
    """What numbers of rows without a network carry in place of the hash of a training's settings."""
    return (f"rows of {found.data.content_hash}",)


def _without(of: NoLearning, name: str) -> dict[str, TableCell]:
    row, micro = of.rows[name], of.rows[name].micro
    over_clips = micro.auc_interval  # of a sample's few clips it would say nothing

    def known(value: float | None) -> TableCell:
        return number([] if value is None else [value], hashes=of_rows(of))

    smoothed = {WORDS[smoothing]: known(under["micro"].auc) for smoothing, under in row.smoothed.items()}
    return {
        "row": f"no network: {name.replace('_', ' ')}{'' if of.protocol.complete else ' (of a sample)'}",
        "frames": _frames(DataSettings.model_validate(of.settings["data"])),
        "EER": known(micro.eer),
        "95 % over clips": interval(over_clips) if over_clips and of.protocol.complete else NONE,
        "AUC motion": known(micro.auc),
        **smoothed,
    }


def _printed(dataset: str) -> dict[str, TableCell]:
    return {
        "row": "MAAM-Net, as the paper prints it",
        "AUC fused": paper(dataset, "table2", "Ours"),
        "EER": f"{float(paper(dataset, 'table3', 'Ours')) / 100:.3f}",
        "AUC motion": paper(dataset, "table5", "sparse and latent", "motion"),
    }


def _learned(grid: GridResults, variant: str) -> dict[str, TableCell]:
    results = grid.results[variant]
    of_seeds = _of_seeds([result for result in results if result.smoothed], results)
    smoothed = {words: shown(results, partial(_smoothed, name), note=of_seeds) for name, words in WORDS.items()}
    return {
        "row": _name(grid, variant),
        "frames": _frames(grid.recipe.data),
        "seeds": str(len(results)),
        "AUC fused": shown(results, auc),
        "EER": shown(results, lambda r: r.eer),
        "95 % over clips": clips_interval(results, lambda micro: micro.auc_interval) or ABSENT,
        "AUC motion": shown(results, auc_motion),
        **smoothed,
        "motion error": shown(
            results,
            lambda r: r.motion_error_to_zero_flow.test_normal,
            ".2f",
            " (of speed)" if variant.startswith("speed") else "",
        ),
        "learning adds": learning_adds(results),
    }


def _smoothed(smoothing: Smoothing, result: Result) -> float | None:
    under = result.smoothed.get(smoothing)
    return under["micro"].auc_motion if under else None


def _of_seeds(known: list[Result], results: list[Result]) -> str:
    """The seeds of a number that not all of a row's results have; empty where all do."""
    seeds = sorted(result.seed for result in known)
    if len(known) in (0, len(results)):
        return ""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f" (seeds {seeds[0]} to {seeds[-1]})"
    return f" (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"


def _name(grid: GridResults, variant: str) -> str:
    return grid.recipe.name if variant == BASE else f"{grid.recipe.name}, {variant}"


def _frames(data: DataSettings) -> str:
    return f"{data.height}x{data.width}"


def _distinct(values: Iterable[object]) -> str:
    """What some results say, each thing once."""
    return ", ".join(dict.fromkeys(str(value) for value in values if value is not None))
