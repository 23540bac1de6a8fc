"""Tables 2 to 5 in the paper's own form: its rows as printed, of 2 to 4 also ours, one column per dataset.

`tables` has the same numbers with all that belongs to them, one recipe at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import torch

from maam_lib.config import load_recipe
from maam_lib.grid import (
    ABSENT,
    BASE,
    DATASETS,
    SIZES,
    GridResults,
    TableCell,
    ending_of,
    machine_of,
    number,
    paper_values,
    shown,
    yardstick,
)
from maam_lib.training import build_network

GENERATED = "generated scene"  # a column of its own: never a result of the paper
QUOTED, PRINTED, HERE = "quoted from the paper", "the paper's own, as printed", "measured here"
PAPERS_FULL_SIZE = ("ped2", "avenue")  # recipes whose networks have the two sizes of Table 4
Measure = Callable[[list[dict[str, Any]]], TableCell]


def size_of(grid: GridResults) -> str:
    """The size of a recipe, in words, by the end of its name."""
    return SIZES[ending_of(grid.recipe.name)]


def table2_as_printed(grids: Sequence[GridResults]) -> pd.DataFrame:
    """Table 2: the frame AUC of all methods, as printed, then ours with and without memory, and without learning."""
    auc, adds = (lambda found: shown(found, "auc")), (lambda found: shown(found, "learning_adds", "+.3f"))
    rows = _printed("table2")
    for size in _sizes(grids):
        rows.append(_ours(grids, size, "no-memory", f"Ours, {size} (w/o memory)", auc))
        rows.append(_ours(grids, size, BASE, f"Ours, {size}", auc))
        rows.append(_ours(grids, size, BASE, f"no learning, {size}", yardstick))
        rows.append(_ours(grids, size, BASE, f"learning adds, {size}", adds))
    return pd.DataFrame(rows)


def table3_as_printed(grids: Sequence[GridResults]) -> pd.DataFrame:
    """Table 3: the equal error rate in percent, in the same way."""
    rows = _printed("table3")
    for size in _sizes(grids):
        eer = lambda found: shown(found, lambda r: 100 * r["eer"], ".1f")  # noqa: E731
        rows.append(_ours(grids, size, BASE, f"Ours, {size}", eer))
        rows.append(_ours(grids, size, BASE, f"no learning, {size}", lambda found: yardstick(found, "eer", 100, ".1f")))
    return pd.DataFrame(rows)


def table4_as_printed(grids: Sequence[GridResults], costs: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Table 4: parameters, counted in our networks, and frames per second, ours of wall time on the machine named."""
    rows = [
        {"method": row["method"], "origin": row["origin"], "parameters [M]": row.pop("parameters"), **row}
        for row in _printed("table4")
    ]
    with torch.device("meta"):  # without values
        nets = [build_network(load_recipe(name)) for name in PAPERS_FULL_SIZE]
    counted = [sum(p.numel() for p in net.parameters()) / 1e6 for net in nets]
    rows.append({"method": "Ours, full size", "origin": HERE, "parameters [M]": "{:.2f} ({:.2f})".format(*counted)})
    for grid in grids:
        if (cost := costs.get(grid.recipe.name)) is not None:
            where = f"Ours, {size_of(grid)}, on {machine_of(cost)}"
            parameters = number([cost["parameters"] / 1e6], ".2f")
            rows.append({"method": where, "origin": HERE, "parameters [M]": parameters})
            rows[-1][_column(grid)] = number([cost["frames_per_second"]["network"]], ".1f")
    return pd.DataFrame(rows).reindex(columns=["method", "origin", "parameters [M]", *_columns()]).fillna("–")


def table5_as_printed() -> pd.DataFrame:
    """Table 5 as printed: AUC by losses (rows) and branches, dataset by dataset."""
    table = paper_values()["table5"]
    rows = [
        {"losses": losses}
        | {
            f"{name}, {branch}": value
            for dataset, name in DATASETS.items()
            for branch, value in zip(table["columns"], by_dataset[dataset], strict=True)
        }
        for losses, by_dataset in table["rows"].items()
    ]
    return pd.DataFrame(rows)


def _columns() -> list[str]:
    return [*DATASETS.values(), GENERATED]


def _printed(table: str) -> list[dict[str, TableCell]]:
    """The paper's rows: of other methods, quoted there, and its own."""
    values = paper_values()[table]
    columns: list[str] = values["columns"]
    names = [DATASETS.get(column, column) for column in columns]
    rows: list[dict[str, TableCell]] = []
    for method, row in values["rows"].items():
        origin = PRINTED if method.startswith("Ours") else QUOTED
        rows.append({"method": method, "origin": origin, **dict(zip(names, row, strict=True)), GENERATED: "–"})
    return rows


def _sizes(grids: Sequence[GridResults]) -> list[str]:
    """Full size, whether measured or not, and those that have results."""
    measured = {size_of(grid) for grid in grids if grid.results}
    return [size for size in SIZES.values() if size == SIZES[""] or size in measured]


def _ours(grids: Sequence[GridResults], size: str, variant: str, name: str, measure: Measure) -> dict[str, TableCell]:
    """One row of ours: per dataset the measure of a variant at one size."""
    row: dict[str, TableCell] = {"method": name, "origin": HERE}
    for column in _columns():
        found = [grid.results.get(variant, []) for grid in grids if size_of(grid) == size and _column(grid) == column]
        row[column] = next((measure(results) for results in found if results), ABSENT)
    return row


def _column(grid: GridResults) -> str:
    """The column of a dataset, empty for one without; of the generated scenes only `synthetic` has one."""
    return (DATASETS | {"synthetic": GENERATED}).get(grid.recipe.data.dataset, "")
