"""Reads result files and the paper's numbers, and puts them into tables; computes no metric and trains nothing.

A result file is a `metrics.json`. A sweep, and the results that come with the kit in `reports/reference/`, hold one
per cell, as `<recipe>/<variant>/seed0.json` ...; the kit's hold some weights as well:

reports/reference/<recipe>/paper/seed0.json    "paper" is the recipe as it is
reports/reference/<recipe>/weights.safetensors of its seed 0, with recipe.yaml, detector.json and scores.csv
"""

import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from data_prep.files import UnreadableError, in_form, read_json, read_text, write_json, write_text, written_aside
from maam_lib import CLONE
from maam_lib.config import Recipe, load_recipe
from maam_lib.detector import DETECTOR, Detector
from maam_lib.evaluation import Result
from maam_lib.grid.numbers import NONE, Pair, TableCell, number
from maam_lib.model import MAAMNet
from maam_lib.training import SCORES, RunFolder, build_network, load_weights

REPORTS = CLONE / "reports"
REFERENCE = REPORTS / "reference"
WEIGHTS = "weights.safetensors"
BASE = "paper"  # the variant that is the recipe as it is
NEEDED = {name for name, field in Result.model_fields.items() if field.is_required()}
Results = Mapping[str, list[dict[str, Any]]]  # variant -> one result per seed, in the order of the seeds
TABLE_BEGINS, TABLE_ENDS = "<!-- results: python -m maam_lib.grid.results -->", "<!-- /results -->"


class ResultError(ValueError):
    """A result file that is absent, damaged or foreign: names it and the remedy."""


@cache
def paper_values() -> dict[str, Any]:
    """The paper's tables as printed, from `reports/paper_values.yaml`: the only place that holds them."""
    return yaml.safe_load((REPORTS / "paper_values.yaml").read_text(encoding="utf-8"))


def read_result(path: Path) -> dict[str, Any]:
    """One result file, its form checked (`result_files.Result`); raises ResultError where it is not one."""
    try:
        result = read_json(path)
    except FileNotFoundError:
        raise ResultError(f"{path}: no such result; make it with `maam evaluate --run {path.parent}`") from None
    except UnreadableError as error:
        raise ResultError(f"{error}; was it cut? Evaluate the run again") from error
    if not isinstance(result, dict) or (missing := NEEDED - set(result)):
        lacks = f" (no {', '.join(sorted(missing))})" if isinstance(result, dict) else ""
        raise ResultError(f"{path}: not a metrics.json of this kit{lacks}; remove it or evaluate the run again")
    try:
        in_form(result, Result, str(path))
    except UnreadableError as error:
        raise ResultError(f"{error}; evaluate the run again") from error
    return result


def result_files(home: Path) -> list[Path]:
    """The result files of every cell in the folder of one recipe, those of the recipe as it is first."""
    return sorted(home.glob("*/seed*.json"), key=lambda path: (path.parent.name != BASE, path))


def reference_results() -> dict[str, list[dict[str, Any]]]:
    """Results that come with the kit, named <recipe> or <recipe>-<variant>: one per seed.

    Of the recipes made for sweeps (-mini) only the recipe as it is: the tables of the grid hold the others.
    """
    results: dict[str, list[dict[str, Any]]] = {}
    homes = sorted(folder for folder in REFERENCE.glob("*") if folder.is_dir())
    for path in (path for home in homes for path in result_files(home)):
        recipe, variant = path.parts[-3:-1]
        if variant == BASE or not recipe.endswith("-mini"):
            results.setdefault(recipe if variant == BASE else f"{recipe}-{variant}", []).append(read_result(path))
    return results


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
    result = read_result(run.folder / "metrics.json") | {"machine": run.machine}
    write_json(folder / variant / f"seed{result['seed']}.json", result)
    if weights:
        with written_aside(folder / WEIGHTS) as aside:
            shutil.copyfile(run.weights_file(), aside)
        with written_aside(folder / SCORES) as aside:
            shutil.copyfile(run.folder / SCORES, aside)
        write_text(folder / "recipe.yaml", run.recipe.to_yaml())
        write_text(folder / DETECTOR, (run.folder / DETECTOR).read_text(encoding="utf-8"))
    return folder


def summary(results: Iterable[tuple[str, list[dict[str, Any]]]]) -> pd.DataFrame:
    """One row per named group of results (its seeds): AUC, EER, both branches, and the yardsticks.

    "learning adds" is the fused AUC minus that of the best no-learning row. The motion error is relative to that of
    predicting no motion, on training frames and on normal test frames.
    """
    return pd.DataFrame([_summary_row(name, seeds) for name, seeds in results])


def _summary_row(name: str, seeds: list[dict[str, Any]]) -> dict[str, TableCell]:
    first, hashes = seeds[0], hashes_of(seeds)
    best = first["best_no_learning"]
    table2 = paper_values()["table2"]
    paper = dict(zip(table2["columns"], table2["rows"]["Ours"], strict=True))
    errors = [r["motion_error_to_zero_flow"] for r in seeds]
    incomplete = "" if first["protocol"]["complete"] else ", INCOMPLETE data"
    return {
        "result": name,
        "dataset": first["data"]["name"],
        "seeds": len(seeds),
        "AUC": number([r["auc"] for r in seeds], hashes=hashes),
        "EER": number([r["eer"] for r in seeds], hashes=hashes),
        "AUC appearance": number([r["auc_appearance"] for r in seeds], hashes=hashes),
        "AUC motion": number([r["auc_motion"] for r in seeds], hashes=hashes),
        "best no-learning": number([first["no_learning"][best]["auc"]], note=f" ({best.replace('_', ' ')})"),
        "paper, full size": paper.get(first["data"]["name"], NONE),
        "learning adds": number([r["learning_adds"] for r in seeds], "+.3f"),
        "motion error, train / normal test": Pair(
            number([e["train"] for e in errors], ".2f"), number([e["test_normal"] for e in errors], ".2f")
        ),
        "protocol": first["protocol"]["auc"].split(",")[0] + incomplete,
    }


def hashes_of(results: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """The hashes of the settings of some results, by which a number leads to them."""
    return tuple(result.get("recipe_hash", "") for result in results)


def result_table(result: dict[str, Any]) -> pd.DataFrame:
    """A metrics.json as a table: the learned rows, then the no-learning rows; columns AUC and EER.

    Where the result has them: the average precision, the 95 % interval over clips and the best yardstick under the
    same protocol; rows for the other protocols; and pixel, region and track criteria, areas as well.
    """
    learned = {
        "fused": {"AUC": result["auc"], "EER": result["eer"]},
        "appearance alone": {"AUC": result["auc_appearance"]},
        "motion alone": {"AUC": result["auc_motion"]},
    }
    for name, measured in result.get("protocols", {}).items():
        if measured["auc"] is None:  # no clip has frames of both kinds
            continue
        row = "fused" if name == "micro" else _protocol_row(name, measured)
        learned[row] = learned.get(row, {}) | _protocol_columns(measured)
    learned |= _localisation_rows(result.get("localisation") or {})
    yardsticks = {
        f"no learning: {name.replace('_', ' ')}": {"AUC": row["auc"], "EER": row["eer"]}
        for name, row in result["no_learning"].items()
    }
    return pd.DataFrame.from_dict(learned | yardsticks, orient="index")


def _protocol_row(name: str, measured: dict[str, Any]) -> str:
    if name == "macro":
        clips, left_out = (measured.get(count, "?") for count in ("clips", "single_class_clips"))
        return f"fused, mean of {clips} clips ({left_out} of one class left out)"
    return "fused, each clip to [0, 1]"


def _protocol_columns(measured: dict[str, Any]) -> dict[str, float | None]:
    low, high = measured.get("auc_interval") or (None, None)
    no_learning = measured.get("no_learning", {})
    columns = {
        "AUC": measured["auc"],
        "EER": measured.get("eer"),
        "AP": measured.get("average_precision"),
        "AUC from": low,
        "to": high,
        "best no-learning": max(no_learning.values()) if no_learning else None,
    }
    return {name: value for name, value in columns.items() if value is not None}


def _localisation_rows(measured: dict[str, Any]) -> dict[str, dict[str, float]]:
    rows = {
        "pixels": "pixel_auc",
        "pixels, 40 % of a frame's (UCSD)": "pixel_auc_ucsd",
        "regions (RBDC)": "rbdc",
        "tracks (TBDC)": "tbdc",
    }
    return {
        row: {"AUC": measured[name], "best no-learning": measured["no_learning"].get(name)}
        for row, name in rows.items()
        if measured.get(name) is not None
    }


def as_markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown, without its index."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_results(readme: str) -> str:
    """The README's text with its results table, between its two marks, made anew from reports/reference."""
    return between_marks(readme, TABLE_BEGINS, TABLE_ENDS, as_markdown(summary(reference_results().items())))


def between_marks(text: str, begins: str, ends: str, body: str) -> str:
    """A text with what stands between its two marks replaced, on lines of its own."""
    before, rest = text.split(begins, 1)
    _, after = rest.split(ends, 1)
    return f"{before}{begins}\n{body}\n{ends}{after}"


if __name__ == "__main__":
    readme = REPORTS.parent / "README.md"
    write_text(readme, with_results(readme.read_text(encoding="utf-8")))
