"""Tables 2 to 5 in the paper's own form: its rows as printed, of 2 to 4 also those of this kit, one column per dataset.

`tables` has the same numbers with all that belongs to them, one recipe at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain

import pandas as pd
import torch

from maam_lib.config import load_recipe
from maam_lib.evaluation import Cost, Result
from maam_lib.grid import (
    ABSENT,
    BASE,
    DATASETS,
    NONE,
    SIZES,
    GridResults,
    TableCell,
    ending_of,
    learning_adds,
    machine_of,
    number,
    paper_values,
    shown,
    yardstick,
)
from maam_lib.training import build_network

GENERATED = "generated scene"  # a column of its own: never a result of the paper
COLUMNS = (*DATASETS.values(), GENERATED)
QUOTED, PRINTED, HERE = "quoted from the paper", "the paper's own, as printed", "measured here"
PAPERS_OWN = {"Ours": "MAAM-Net (paper)", "Ours (w/o memory)": "MAAM-Net without memory (paper)"}
PAPERS_FULL_SIZE = ("ped2", "avenue")  # recipes whose networks have the two sizes of Table 4
Measure = Callable[[list[Result]], TableCell]


def size_of(grid: GridResults) -> str:
    """The size of a recipe, in words, by the end of its name."""
    return SIZES[ending_of(grid.recipe.name)]


def of_cost(recipe: str) -> tuple[str]:
    """What numbers of a recipe's cost carry in place of the hash of a training's settings."""
    return (f"cost of {recipe}",)


def table2_as_printed(grids: Sequence[GridResults]) -> pd.DataFrame:
    """Table 2: the frame AUC of all methods, as printed; this kit's with and without memory, without learning."""
    auc = partial(shown, measure=lambda result: result.auc)
    ours = {
        "this kit without memory, {}": ("no-memory", auc),
        "this kit, {}": (BASE, auc),
        "no learning, {}": (BASE, yardstick),
        "learning adds, {}": (BASE, learning_adds),
    }
    return _with_ours("table2", grids, ours)


def table3_as_printed(grids: Sequence[GridResults]) -> pd.DataFrame:
    """Table 3: the equal error rate in percent, in the same way."""
    ours = {
        "this kit, {}": (BASE, partial(shown, measure=lambda result: 100 * result.eer, form=".1f")),
        "no learning, {}": (BASE, partial(yardstick, measure=lambda row: 100 * row.eer, form=".1f")),
    }
    return _with_ours("table3", grids, ours)


def table4_as_printed(grids: Sequence[GridResults], costs: dict[str, Cost]) -> pd.DataFrame:
    """Table 4: parameters, counted in our networks, and frames per second, ours of wall time on the machine named."""
    with torch.device("meta"):  # without values
        nets = [build_network(load_recipe(name)) for name in PAPERS_FULL_SIZE]
    counted = [sum(p.numel() for p in net.parameters()) / 1e6 for net in nets]
    rows = _printed("table4")
    rows.append({"method": "this kit, full size", "origin": HERE, "parameters": "{:.2f} ({:.2f})".format(*counted)})
    for grid in grids:
        if (cost := costs.get(grid.recipe.name)) is not None:
            where = f"this kit, {size_of(grid)}, on {machine_of(cost)}"
            rows.append(
                {
                    "method": where,
                    "origin": HERE,
                    "parameters": number([cost.parameters / 1e6], ".2f", hashes=of_cost(grid.recipe.name)),
                }
            )
            rows[-1][_column(grid)] = number([cost.frames_per_second.network], ".1f", hashes=of_cost(grid.recipe.name))
    table = pd.DataFrame(rows, columns=["method", "origin", "parameters", *COLUMNS]).fillna(NONE)
    return table.rename(columns={"parameters": "parameters [M]"})


def table5_as_printed() -> pd.DataFrame:
    """Table 5 as printed: AUC by losses (rows) and branches, dataset by dataset."""
    table = paper_values()["table5"]
    columns = [f"{name}, {branch}" for name in DATASETS.values() for branch in table["columns"]]
    rows = {losses: chain(*(row[dataset] for dataset in DATASETS)) for losses, row in table["rows"].items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("losses").reset_index()


def _printed(table: str) -> list[dict[str, TableCell]]:
    """The paper's rows: of other methods, quoted there, and its own."""
    values = paper_values()[table]
    names = [DATASETS.get(column) or column for column in values["columns"]]
    origins = {method: PRINTED if method in PAPERS_OWN else QUOTED for method in values["rows"]}
    said = {method: {"method": PAPERS_OWN.get(method, method), "origin": origins[method]} for method in origins}
    return [
        {**said[method], **dict(zip(names, row, strict=True)), GENERATED: NONE}
        for method, row in values["rows"].items()
    ]


def _with_ours(table: str, grids: Sequence[GridResults], ours: Mapping[str, tuple[str, Measure]]) -> pd.DataFrame:
    """A table as printed, and for every size our rows (name: variant and measure), a dataset in each column: full size,
    measured or not, and those that have results."""
    rows, measured = _printed(table), {SIZES[""], *(size_of(grid) for grid in grids if grid.results)}
    for size in (size for size in SIZES.values() if size in measured):
        of_size = [(_column(grid), grid.results) for grid in grids if size_of(grid) == size]
        for name, (variant, measure) in ours.items():
            row: dict[str, TableCell] = {"method": name.format(size), "origin": HERE}
            for column in COLUMNS:
                found = (results[variant] for where, results in of_size if where == column and variant in results)
                row[column] = next(map(measure, found), ABSENT)
            rows.append(row)
    return pd.DataFrame(rows)


def _column(grid: GridResults) -> str:
    """The column of a dataset, empty for one without; of the generated scenes only `synthetic` has one."""
    return (DATASETS | {"synthetic": GENERATED}).get(grid.recipe.data.dataset, "")
