"""Reads result files and the paper's numbers, and puts them into tables; computes no metric and trains nothing.

A result file is a `metrics.json`. A sweep, and the results that come with the kit in `reports/reference/`, hold one
per cell, as `<recipe>/<variant>/seed0.json` ...; the kit's hold some weights as well:

reports/reference/<recipe>/paper/seed0.json    "paper" is the recipe as it is
reports/reference/<recipe>/weights.safetensors of its seed 0, with recipe.yaml, detector.json and scores.csv
"""

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from data_prep.files import UnreadableError, in_form, read_json, read_text, write_json, written_aside
from maam_lib import CLONE, in_clone
from maam_lib.config import Recipe, load_recipe
from maam_lib.detector import DETECTOR, Detector
from maam_lib.evaluation import Result
from maam_lib.model import MAAMNet
from maam_lib.training import SCORES, RunFolder, build_network, load_weights

REPORTS = CLONE / "reports"
REFERENCE = REPORTS / "reference"
WEIGHTS = "weights.safetensors"
BASE = "paper"  # the variant that is the recipe as it is
NEEDED = {name for name, field in Result.model_fields.items() if field.is_required()}
PROTOCOL_ROWS = {  # of a result's table
    "micro": "fused",
    "micro_per_clip": "fused, each clip to [0, 1]",
    "macro": "fused, mean of {measured.clips} clips ({measured.single_class_clips} of one class left out)",
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
    """What scores any video with those weights: their settings and calibration; needs no data."""
    path = REFERENCE / name / DETECTOR
    return Detector.from_json(read_text(path), str(path))


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
    same protocol; rows for the other protocols; and pixel, region and track criteria, areas as well.
    """
    rows: dict[str, dict[str, float | None]] = {
        "fused": {"AUC": result.auc, "EER": result.eer},
        "appearance alone": {"AUC": result.auc_appearance},
        "motion alone": {"AUC": result.auc_motion},
    }
    for name, measured in result.protocols.items():
        low, high = measured.auc_interval or (None, None)
        columns = {
            "AUC": measured.auc,
            "EER": measured.eer,
            "AP": measured.average_precision,
            "AUC from": low,
            "to": high,
            "best no-learning": max(measured.no_learning.values(), default=None),
        }
        if measured.auc is not None:  # else no clip has frames of both kinds
            row = rows.setdefault(PROTOCOL_ROWS[name].format(measured=measured), {})
            row |= {column: value for column, value in columns.items() if value is not None}
    if places := result.localisation:
        for criterion, row in PLACES_ROWS.items():
            if (ours := getattr(places, criterion)) is not None:
                rows[row] = {"AUC": ours, "best no-learning": getattr(places.no_learning, criterion)}
    for name, without in result.no_learning.items():
        rows[f"no learning: {name.replace('_', ' ')}"] = {"AUC": without.auc, "EER": without.eer}
    return pd.DataFrame.from_dict(rows, orient="index")
