"""The paper's tables and figures made of results: our numbers next to those that are printed.

Each takes the results of one recipe. A cell that has no result says so; nothing is computed but means and spreads.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.files import in_form, read_json
from data_prep.words import counted
from maam_lib.evaluation import Cost, Result, Row, UnderProtocol
from maam_lib.grid.differences import effect_table
from maam_lib.grid.experiments import BRANCHES, LOSSES, GridResults, every_part, every_variant, figure6_variants
from maam_lib.grid.numbers import (
    ABSENT,
    NONE,
    Number,
    TableCell,
    auc,
    auc_motion,
    deviation,
    interval,
    number,
    paired,
    same_seeds,
    shown,
    support_items,
)
from maam_lib.grid.results import BASE, REFERENCE, Results, paper_values

PAPERS_LOSSES = {"no-losses": "none", "sparse-only": "sparse", "latent-only": "latent", BASE: "sparse and latent"}


def grid_tables(grid: GridResults, folder: Path, parts: list[str]) -> dict[str, pd.DataFrame]:
    """Title -> table, for each part of the paper that is asked for."""
    made: dict[str, Callable[[GridResults], pd.DataFrame]] = {
        "table2": table2,
        "table3": table3,
        "table4": lambda grid: table4(read_cost(grid.recipe.name, folder, REFERENCE)),
        "table5": table5,
        "figure5": figure5,
        "figure6": figure6,
        "differences": lambda grid: effect_table(grid.results),
    }
    titles = {part: values["title"] for part, values in paper_values().items()}
    titles["differences"] = "Paper against released code: one switch at a time"
    return {titles[part]: made[part](grid) for part in parts}


def summary(groups: Iterable[tuple[str, list[Result]]]) -> pd.DataFrame:
    """One row per named group of results (its seeds): AUC, EER, both branches, and the yardsticks.

    "learning adds" is the fused AUC minus that of the best no-learning row. The motion error is relative to that of
    predicting no motion, on training frames and on normal test frames.
    """
    rows = []
    for name, seeds in groups:
        data, protocol = seeds[0].data, seeds[0].protocol
        errors = [result.motion_error_to_zero_flow for result in seeds]
        train, test = ([error.train for error in errors], [error.test_normal for error in errors])
        row = {
            "result": name,
            "dataset": data.name,
            "seeds": len(seeds),
            "AUC": shown(seeds, auc),
            "EER": shown(seeds, lambda r: r.eer),
            "AUC appearance": shown(seeds, lambda r: r.auc_appearance),
            "AUC motion": shown(seeds, auc_motion),
            "best no-learning": yardstick(seeds),
            "paper, full size": paper(data.name, "table2", "Ours"),
            "learning adds": learning_adds(seeds),
            "motion error, train / normal test": f"{number(train, '.2f')} / {number(test, '.2f')}",
            "protocol": protocol.auc.split(",")[0] + ("" if protocol.complete else ", INCOMPLETE data"),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def table2(grid: GridResults) -> pd.DataFrame:
    """Our two rows of Table 2: AUC with and without memory, the yardsticks, and what learning adds."""
    rows = []
    for of_paper, variant in {"Ours (w/o memory)": "no-memory", "Ours": BASE}.items():
        results, printed = grid.results.get(variant, []), paper(grid.recipe.data.dataset, "table2", of_paper)
        row = {
            "method": "this kit" if variant == BASE else "this kit without memory",
            "seeds": len(results),
            "AUC": shown(results, auc),
            "95 % over clips": clips_interval(results, lambda micro: micro.auc_interval),
            "paper": printed,
            "deviation": deviation(shown(results, auc), printed),
            "best no-learning": yardstick(results),
            "learning adds": learning_adds(results),
            "[95 % over clips]": clips_interval(results, lambda micro: micro.learning_adds_interval, "+.3f"),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def memory_table(results: Results) -> pd.DataFrame:
    """With and without memory, and with two sharper ones (ours): AUC, the gap in the same seeds, support items."""
    rows, names = [], {BASE: "with memory", "similarity": "released similarity"}
    for variant in ("no-memory", BASE, "similarity", "temperature"):
        found, support = results.get(variant, []), shown(results.get(variant, []), support_items, ".1f")
        row = {
            "variant": names.get(variant, every_variant()[variant].what),
            "seeds": len(found),
            "AUC": shown(found, auc),
            "AUC minus AUC with memory, same seeds": number(paired(results, variant), "+.3f")
            if variant != BASE
            else "",
            "support items": NONE if found and support == ABSENT else support,
            "best no-learning": yardstick(found),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def table3(grid: GridResults) -> pd.DataFrame:
    """Our row of Table 3: the equal error rate in percent."""
    results, printed = grid.results.get(BASE, []), paper(grid.recipe.data.dataset, "table3", "Ours")
    ours = shown(results, lambda r: 100 * r.eer, ".1f")
    row = {
        "method": "this kit",
        "seeds": len(results),
        "EER [%]": ours,
        "paper": printed,
        "deviation": deviation(ours, printed, "+.1f", unit=100),
        "best no-learning": shown(results, lambda r: 100 * r.best.eer, ".1f"),
    }
    return pd.DataFrame([row])


def machine_of(cost: Cost) -> str:
    """In words, where a speed was measured."""
    return f"{cost.device}, {counted(cost.threads, 'thread')}"


def table4(cost: Cost | None, hashes: Iterable[str] = ()) -> pd.DataFrame:
    """Our row of Table 4: size and speed on the machine named; `hashes` go with its numbers."""
    if cost is None:
        return pd.DataFrame([{"machine": ABSENT}])
    speed, work = cost.frames_per_second, cost.multiply_adds
    row = {
        "machine": machine_of(cost),
        "parameters [M]": number([cost.parameters / 1e6], ".2f", hashes=hashes),
        "multiply-adds [G]": number([work.network / 1e9], ".2f", hashes=hashes),
        "memory's share of them": number([work.memory / work.network], ".1%", hashes=hashes),
        "network [frames/s]": number([speed.network], ".1f", hashes=hashes),
        "with PSCD": number([speed.with_pscd], ".1f", hashes=hashes),
        f"with decoding and flow ({cost.flow_estimator})": number([speed.end_to_end], ".1f", hashes=hashes),
    }
    return pd.DataFrame([row])


def table5(grid: GridResults) -> pd.DataFrame:
    """Table 5: AUC by losses and branches, a single branch trained alone, of the seeds that all cells have."""
    rows, compared = [], same_seeds(grid.results, every_part()["table5"])
    for losses, loss in LOSSES.items():
        row: dict[str, TableCell] = {"losses": loss.what, "seeds": len(compared.get(losses, []))}
        for branches in BRANCHES:
            column, ours = branches.removeprefix("-") or "fused", shown(compared.get(losses + branches, []), auc)
            printed = paper(grid.recipe.data.dataset, "table5", PAPERS_LOSSES[losses], column)
            row |= {column: ours, f"paper, {column}": printed, f"deviation, {column}": deviation(ours, printed)}
        rows.append(row)
    return pd.DataFrame(rows)


def table5_more(grid: GridResults) -> pd.DataFrame:
    """Of the networks of Table 5 with both branches: each branch scored alone, the yardstick, what learning adds."""
    rows, compared = [], same_seeds(grid.results, every_part()["table5"])
    for losses, loss in LOSSES.items():
        both = compared.get(losses, [])
        row = {
            "losses": loss.what,
            "seeds": len(both),
            "appearance, both trained": shown(both, lambda r: r.auc_appearance),
            "motion, both trained": shown(both, auc_motion),
            "fused": shown(both, auc),
            "best no-learning": yardstick(both),
            "learning adds": learning_adds(both),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def figure5(grid: GridResults) -> pd.DataFrame:
    """Fig. 5: support items per query under the four settings of the losses, of the seeds that all have."""
    values, rows, compared = paper_values()["figure5"], [], same_seeds(grid.results, every_part()["figure5"])
    falls = dict(zip(values["columns"], values["latent_fall_percent"], strict=True))
    fall = falls.get(grid.recipe.data.dataset)  # none for our own data
    for losses, loss in LOSSES.items():
        results, changes = compared.get(losses, []), support_changes(compared, losses)
        row = {
            "losses": loss.what,
            "seeds": len(results),
            "support items": shown(results, support_items, ".1f"),
            "of": next((r.memory.items for r in results if r.memory), ""),
            "change from neither loss": number([float(np.mean(changes))] if changes else [], "+.1%"),
            "paper, latent loss": f"-{fall}%" if fall and losses == "latent-only" else NONE,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def figure6(grid: GridResults) -> pd.DataFrame:
    """Fig. 6: AUC against beta and zeta, of the seeds that all points have."""
    rows, compared = [], same_seeds(grid.results, every_part()["figure6"])
    for knob in ("beta", "zeta"):
        plotted = paper_values()["figure6"][knob]
        printed = dict(zip(plotted["values"], plotted.get(grid.recipe.data.dataset, []), strict=False))
        for value, variant in figure6_variants(knob).items():
            results = compared.get(variant, [])
            row = {
                "knob": knob,
                "value": value,
                "seeds": len(results),
                "AUC": shown(results, auc),
                "paper": printed.get(value, NONE),
                "deviation": deviation(shown(results, auc), printed.get(value, NONE)),
                "best no-learning": yardstick(results),
                "support items": shown(results, support_items, ".1f"),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def read_cost(recipe: str, *folders: Path) -> Cost | None:
    """The first cost.json of a recipe that the folders hold, None where none does; UnreadableError if damaged."""
    paths = (folder / recipe / "cost.json" for folder in folders)
    path = next((path for path in paths if path.is_file()), None)
    return in_form(read_json(path), Cost, str(path)) if path else None


# What the tables are made of


def paper(dataset: str, table: str, row: str, column: str | None = None) -> str:
    """A number of the paper as printed, for a dataset; a dash where the paper has none."""
    values = paper_values()[table]
    if column is None:
        return dict(zip(values["columns"], values["rows"][row], strict=True)).get(dataset, NONE)
    printed = values["rows"][row].get(dataset)
    return NONE if printed is None else printed[values["columns"].index(column)]


def learning_adds(results: list[Result]) -> Number | str:
    """The AUC minus that of the best row without learning."""
    return shown(results, lambda result: result.learning_adds, "+.3f")


def yardstick(
    results: list[Result], measure: Callable[[Row], float] = lambda row: row.auc, form: str = ".3f"
) -> Number | str:
    """A measure of the no-learning row of the best AUC, and which row it is; of the first seed."""
    note = f" ({results[0].best_no_learning.replace('_', ' ')})" if results else ""
    return shown(results[:1], lambda result: measure(result.best), form, note)


def clips_interval(
    results: list[Result], which: Callable[[UnderProtocol], tuple[float, float] | None], form: str = ".3f"
) -> str:
    """An interval over the test clips: the first seed's that has one; it is named where the row has several seeds."""
    for result in results:
        micro = result.protocols.get("micro")
        if bounds := which(micro) if micro else None:
            return interval(bounds, form) + (f" (seed {result.seed})" if len(results) > 1 else "")
    return ""


def support_changes(results: Results, name: str, beside: str = "no-losses") -> list[float]:
    """By what share the support items of a variant differ from another's, for every seed that has both."""

    def log_support(result: Result) -> float | None:
        items = support_items(result)
        return math.log(items) if items else None  # no query may have any

    return [math.expm1(value) for value in paired(results, name, log_support, beside=beside)]
