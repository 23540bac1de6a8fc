"""Finished runs of a folder beside each other: what differs in their settings, what they reached, their histories."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from maam_lib.config import settings_of
from maam_lib.grid import read_result
from maam_lib.training import RunFolder

MEASURES = {"auc": "AUC", "eer": "EER", "auc_appearance": "AUC appearance", "auc_motion": "AUC motion"}


def runs_under(folder: Path) -> dict[str, RunFolder]:
    """Every run at or below a folder that has a finished epoch, by its path from there; none without the folder."""
    folders = sorted(path.parent for path in Path(folder).rglob("recipe.yaml"))
    runs = {str(path.relative_to(folder)): RunFolder(path) for path in folders}
    return {name: run for name, run in runs.items() if len(run.history)}


def compared(runs: Mapping[str, RunFolder]) -> pd.DataFrame:
    """One row per run: epochs, AUC and EER where it was evaluated, the best no-learning AUC, and every setting in
    which the runs differ. Raises ResultError or SettingError, naming the file, for a damaged one."""
    settings = {name: settings_of(run.recipe) for name, run in runs.items()}
    first = next(iter(settings.values()), {})
    differing = [key for key in first if any(of[key] != first[key] for of in settings.values())]
    rows = {name: _row(run) | {key: settings[name][key] for key in differing} for name, run in runs.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def history_figure(runs: Mapping[str, RunFolder]) -> Figure:
    """Per run and epoch: total loss, and motion error relative to predicting no motion."""
    figure = Figure(figsize=(10.4, 3), layout="constrained")
    loss, motion = figure.subplots(1, 2)
    for name, run in runs.items():
        history = run.history
        loss.plot(history["epoch"], history["total"], marker=".", label=name)
        motion.plot(history["epoch"], history["motion"] / history["zero_flow"], marker=".")
    for axis, title in ((loss, "loss"), (motion, "motion error / no motion")):
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("epoch", fontsize=9)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center")
    return figure


def _row(run: RunFolder) -> dict[str, Any]:
    row: dict[str, Any] = {"epochs": len(run.history)}
    if not (run.folder / "metrics.json").is_file():
        return row | dict.fromkeys(MEASURES.values(), float("nan"))
    result = read_result(run.folder / "metrics.json")
    measured = {title: getattr(result, name) for name, title in MEASURES.items()}
    return row | measured | {"best no-learning AUC": result.best.auc}
