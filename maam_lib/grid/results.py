"""Reads result files and the paper's numbers, and puts them into tables; computes no metric and trains nothing.

A result file is a `metrics.json`. A sweep, and the results that come with the kit in `reports/reference/`, hold one
per cell, as `<recipe>/<variant>/seed0.json` ...; the kit's hold some weights as well:

reports/reference/<recipe>/paper/seed0.json    "paper" is the recipe as it is
reports/reference/<recipe>/weights.safetensors of its seed 0, with recipe.yaml, detector.json and scores.csv
reports/reference/<recipe>/no_learning.json    the rows without learning alone, from `maam baselines`; their scores of
                                               every frame beside it, in no_learning.csv
"""

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import yaml

from data_prep.files import UnreadableError, in_form, read_json, read_text, write_json, written_aside
from maam_lib import CLONE, in_clone
from maam_lib.config import Recipe, load_recipe
from maam_lib.detector import DETECTOR, Detector
from maam_lib.evaluation import NoLearning, Result, Smoothing, UnderProtocol
from maam_lib.model import MAAMNet
from maam_lib.training import SCORES, RunFolder, build_network, load_weights, read_score_table, read_scores

REPORTS = CLONE / "reports"
REFERENCE = REPORTS / "reference"
WEIGHTS = "weights.safetensors"
NO_LEARNING = "no_learning.json"
MOTION_ALONE = ("speed", "zero_flow")  # the rows without learning that a motion branch is read against
BASE = "paper"  # the variant that is the recipe as it is
NEEDED = {name for name, field in Result.model_fields.items() if field.is_required()}
PROTOCOL_ROWS = {  # of a result's table
    "micro": "fused",
    "micro_per_clip": "fused, each clip to [0, 1]",
    "macro": "fused, mean of {measured.clips} clips ({measured.single_class_clips} of one class left out)",
    "macro_padded": "fused, mean of {measured.clips} padded clips (AI-VAD)",
}
SMOOTHING_ROWS: dict[Smoothing, str] = {
    "gaussian_3": "Gaussian over time, sigma 3",
    "median_17": "median over time, 17 frames",
}
PLACES_ROWS = {
    "pixel_auc": "pixels",
    "pixel_auc_ucsd": "pixels, 40 % of a frame's (UCSD)",
    "rbdc": "regions (RBDC)",
    "tbdc": "tracks (TBDC)",
}
Results = Mapping[str, list[Result]]  # variant -> one result per seed, in the order of the seeds


class ResultError(ValueError):
    """A result file that is absent, damaged or foreign: names it and the remedy."""


@cache
def paper_values() -> dict[str, Any]:
    """The paper's tables as printed, from `reports/paper_values.yaml`: the only place that holds them."""
    return yaml.safe_load(in_clone("reports", "paper_values.yaml").read_text(encoding="utf-8"))


def read_result(path: Path) -> Result:
    """One result file; raises ResultError where it is not one."""
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise ResultError(f"{path}: no such result; make it with `maam evaluate --run {path.parent}`") from None
    except UnreadableError as error:
        raise ResultError(f"{error}; was it cut? Evaluate the run again") from error
    if missing := ", ".join(sorted(NEEDED - set(content if isinstance(content, dict) else ()))):
        raise ResultError(f"{path}: not a metrics.json of this kit (no {missing}); remove it or evaluate the run again")
    try:
        return in_form(content, Result, str(path))
    except UnreadableError as error:
        raise ResultError(f"{error}; evaluate the run again") from error


def read_no_learning(path: Path) -> NoLearning:
    """One file of `maam baselines`; raises ResultError where it is not one."""
    again = f"`maam baselines RECIPE --out {path}`"
    try:
        return in_form(read_json(path), NoLearning, str(path))
    except FileNotFoundError:
        raise ResultError(f"{path}: no such result; make it with {again}") from None
    except UnreadableError as error:
        raise ResultError(f"{error}; make it again with {again}") from error


def read_no_learning_scores(path: Path) -> pd.DataFrame:
    """The scores beside one file of `maam baselines`: clip, frame, label, and a column per row that it has.

    path: of the JSON file. Raises ResultError where that is damaged, and RunError where the table is.
    """
    rows = read_no_learning(path).rows
    return read_score_table(
        path.with_suffix(".csv"), list(rows), f"make it again with `maam baselines RECIPE --out {path}`"
    )


def scores_side_by_side(recipe: str, runs: Mapping[str, Path] = MappingProxyType({})) -> pd.DataFrame:
    """Every frame's scores by the rows of motion without learning, by the kept network, and by other evaluated runs.

    Columns: clip, frame, label, a score per row, and "network, motion", "network, fused" and the same of each run, by
    its name. Raises ResultError for a run whose scores are of other frames or labels.
    """
    folder, keys = REFERENCE / recipe, ["clip", "frame", "label"]
    rows = read_no_learning_scores(folder / NO_LEARNING)
    table = rows[keys].assign(**{name.replace("_", " "): rows[name] for name in MOTION_ALONE})
    for name, of in {"network": folder, **runs}.items():
        scores = read_scores(of)
        scores = scores[keys].assign(**{f"{name}, {branch}": scores[branch] for branch in ("motion", "fused")})
        before, table = len(table), table.merge(scores, on=keys)
        if not before == len(table) == len(scores):
            raise ResultError(f"{of}: its scores are of other frames or labels; evaluate it on the same data")
    return table


def result_files(home: Path) -> list[Path]:
    """The result files of every cell in the folder of one recipe, those of the recipe as it is first."""
    return sorted(home.glob("*/seed*.json"), key=lambda path: (path.parent.name != BASE, path))


def kept_weights() -> list[str]:
    """The recipes of reports/reference that have weights."""
    return sorted(path.parent.name for path in REFERENCE.glob(f"*/{WEIGHTS}"))


def reference_network(name: str) -> tuple[Recipe, MAAMNet]:
    """A recipe of reports/reference and the network with its kept weights (seed 0), in evaluation mode."""
    folder = REFERENCE / name
    if name not in kept_weights():
        raise ResultError(f"{folder}: no kept weights of {name!r}; there are: {', '.join(kept_weights()) or 'none'}")
    recipe = load_recipe(folder / "recipe.yaml")
    net = build_network(recipe)
    load_weights(net, folder / WEIGHTS)
    return recipe, net.eval()


def reference_detector(name: str) -> Detector:
    """What scores any video with those weights: settings, calibration, scores of normal test frames; needs no data."""
    path, scores = REFERENCE / name / DETECTOR, read_scores(REFERENCE / name)
    detector = Detector.from_json(read_text(path), str(path))
    return detector.knowing(np.asarray(scores.loc[scores["label"] == 0, "fused"]))


def keep_reference(run: RunFolder, variant: str = BASE, *, weights: bool = False) -> Path:
    """Copy an evaluated run's small results into reports/reference/<recipe>.

    weights: also its last weights, with their scores and detector.
    """
    folder = REFERENCE / run.recipe.name
    result = read_result(run.folder / "metrics.json").with_values(machine=run.machine)
    write_json(folder / variant / f"seed{result.seed}.json", result.as_json())
    if weights:
        kept = {WEIGHTS: run.weights_file()} | {name: run.folder / name for name in (SCORES, "recipe.yaml", DETECTOR)}
        for name, source in kept.items():
            with written_aside(folder / name) as aside:
                shutil.copyfile(source, aside)
    return folder


def result_table(result: Result) -> pd.DataFrame:
    """A metrics.json as a table: the learned rows, then the no-learning rows; columns AUC and EER.

    Where the result has them: the average precision, the 95 % interval over clips and the best yardstick under the
    same protocol; rows for the other protocols; for smoothed scores, all frames together; and pixel, region and track
    criteria, areas as well.
    """
    rows: dict[str, dict[str, float | None]] = {
        "fused": {"AUC": result.auc, "EER": result.eer},
        "appearance alone": {"AUC": result.auc_appearance},
        "motion alone": {"AUC": result.auc_motion},
    }
    for name, measured in result.protocols.items():
        if measured.auc is not None:  # else no clip has frames of both kinds
            rows.setdefault(PROTOCOL_ROWS[name].format(measured=measured), {}).update(_columns(measured))
    for smoothing, words in SMOOTHING_ROWS.items():
        if measured := result.smoothed.get(smoothing, {}).get("micro"):
            rows[f"fused, {words}"] = _columns(measured)
            rows[f"appearance alone, {words}"] = {"AUC": measured.auc_appearance}
            rows[f"motion alone, {words}"] = {"AUC": measured.auc_motion}
    if places := result.localisation:
        for criterion, row in PLACES_ROWS.items():
            if (ours := getattr(places, criterion)) is not None:
                rows[row] = {"AUC": ours, "best no-learning": getattr(places.no_learning, criterion)}
    for name, without in result.no_learning.items():
        rows[f"no learning: {name.replace('_', ' ')}"] = {"AUC": without.auc, "EER": without.eer}
    return pd.DataFrame.from_dict(rows, orient="index")


def _columns(measured: UnderProtocol) -> dict[str, float | None]:
    """What a result says of the fused scores under one protocol, by the columns of its table."""
    low, high = measured.auc_interval or (None, None)
    columns = {
        "AUC": measured.auc,
        "EER": measured.eer,
        "AP": measured.average_precision,
        "AUC from": low,
        "to": high,
        "best no-learning": max(measured.no_learning.values(), default=None),
    }
    return {column: value for column, value in columns.items() if value is not None}


def no_learning_table(found: NoLearning) -> pd.DataFrame:
    """The rows without learning as a table: AUC and EER of the raw scores with the 95 % interval over clips, the AUC of
    smoothed scores, and pixel, region and track criteria; columns without any number are left out."""
    rows: dict[str, dict[str, float | None]] = {}
    for name, row in found.rows.items():
        low, high = row.micro.auc_interval or (None, None)
        columns = {"AUC": row.micro.auc, "EER": row.micro.eer, "AUC from": low, "to": high}
        columns |= {smoothing: of["micro"].auc for smoothing, of in row.smoothed.items() if "micro" in of}
        columns |= {words: getattr(row.localisation, criterion, None) for criterion, words in PLACES_ROWS.items()}
        rows[name.replace("_", " ")] = columns
    return pd.DataFrame.from_dict(rows, orient="index").astype(float).dropna(axis="columns", how="all")
