"""The paper's tables and figures made of results: our numbers next to those that are printed.

Each takes the results of one recipe. A cell that has no result says so; nothing is computed but means and spreads.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_prep.files import read_checked
from maam_lib.evaluation import Cost
from maam_lib.grid.differences import effect_table, paired, same_seeds
from maam_lib.grid.experiments import BRANCHES, LOSSES, PARTS, VARIANTS, GridResults, figure6_variants
from maam_lib.grid.numbers import ABSENT, NONE, Interval, Number, TableCell, deviation, number
from maam_lib.grid.results import BASE, REFERENCE, Results, hashes_of, paper_values

PAPERS_LOSSES = {"no-losses": "none", "sparse-only": "sparse", "latent-only": "latent", BASE: "sparse and latent"}


def grid_tables(grid: GridResults, folder: Path, parts: list[str]) -> dict[str, pd.DataFrame]:
    """Title -> table, for each part of the paper that is asked for."""
    made: dict[str, Callable[[], pd.DataFrame]] = {
        "table2": lambda: table2(grid),
        "table3": lambda: table3(grid),
        "table4": lambda: table4(read_cost(grid.recipe.name, folder, REFERENCE)),
        "table5": lambda: table5(grid),
        "figure5": lambda: figure5(grid),
        "figure6": lambda: figure6(grid),
        "differences": lambda: effect_table(grid.results),
    }
    titles = {part: values["title"] for part, values in paper_values().items()} | {
        "differences": "Paper against released code: one switch at a time",
    }
    return {titles[part]: made[part]() for part in parts}


def table2(grid: GridResults) -> pd.DataFrame:
    """Our two rows of Table 2: AUC with and without memory, the yardsticks, and what learning adds."""
    rows = {"Ours (w/o memory)": "no-memory", "Ours": BASE}
    return pd.DataFrame([_auc_row(grid, name, variant) for name, variant in rows.items()])


def _auc_row(grid: GridResults, name: str, variant: str) -> dict[str, TableCell]:
    results, printed = grid.results.get(variant, []), paper(grid, "table2", name)
    return {
        "method": name,
        "seeds": len(results),
        "AUC": shown(results, "auc"),
        "95 % over clips": clips_interval(results, "auc_interval"),
        "paper": printed,
        "deviation": deviation([result["auc"] for result in results], printed),
        "best no-learning": yardstick(results),
        "learning adds": shown(results, "learning_adds", "+.3f"),
        "[95 % over clips]": clips_interval(results, "learning_adds_interval", "+.3f"),
    }


def memory_table(results: Results) -> pd.DataFrame:
    """With and without memory, and two ways to a sharper one (ours): AUC, less with memory in the same seeds, items."""
    rows = []
    for variant in ("no-memory", BASE, "similarity", "temperature"):
        found = results.get(variant, [])
        gaps, support = paired(results, variant), _support(found)
        rows.append({
            "variant": "with memory" if variant == BASE else VARIANTS[variant].what,
            "seeds": len(found),
            "AUC": shown(found, "auc"),
            "less with memory, same seeds": number(gaps, "+.3f") if variant != BASE else "",
            "support items": NONE if found and not support else number(support, ".1f"),
            "best no-learning": yardstick(found),
        })  # fmt: skip
    return pd.DataFrame(rows)


def table3(grid: GridResults) -> pd.DataFrame:
    """Our row of Table 3: the equal error rate in percent."""
    results = grid.results.get(BASE, [])
    best = [100 * r["no_learning"][r["best_no_learning"]]["eer"] for r in results]
    printed = paper(grid, "table3", "Ours")
    return pd.DataFrame([{
        "method": "Ours",
        "seeds": len(results),
        "EER [%]": shown(results, lambda r: 100 * r["eer"], ".1f"),
        "paper": printed,
        "deviation": deviation([100 * r["eer"] for r in results], printed, "+.1f", unit=100),
        "best no-learning": number(best, ".1f"),
    }])  # fmt: skip


def machine_of(cost: dict[str, Any]) -> str:
    """In words, where a speed was measured."""
    return f"{cost['device']}, {cost['threads']} thread{'s' * (cost['threads'] > 1)}"


def table4(cost: dict[str, Any] | None) -> pd.DataFrame:
    """Our row of Table 4: size and speed on the machine named."""
    if cost is None:
        return pd.DataFrame([{"machine": ABSENT}])
    speed, work = cost["frames_per_second"], cost["multiply_adds"]
    return pd.DataFrame([{
        "machine": machine_of(cost),
        "parameters [M]": number([cost["parameters"] / 1e6], ".2f"),
        "multiply-adds [G]": number([work["network"] / 1e9], ".2f"),
        "of them memory": number([work["memory"] / work["network"]], ".1%"),
        "network [frames/s]": number([speed["network"]], ".1f"),
        "with PSCD": number([speed["with_pscd"]], ".1f"),
        f"with decoding and flow ({cost['flow_estimator']})": number([speed["end_to_end"]], ".1f"),
    }])  # fmt: skip


def table5(grid: GridResults) -> pd.DataFrame:
    """Table 5: AUC by losses and branches, a single branch trained alone, of the seeds that all cells have."""
    rows, compared = [], same_seeds(grid.results, PARTS["table5"])
    for losses, loss in LOSSES.items():
        row: dict[str, TableCell] = {"losses": loss.what, "seeds": len(compared.get(losses, []))}
        for branches in BRANCHES:
            column = branches.removeprefix("-") or "fused"
            results = compared.get(losses + branches, [])
            row[column] = shown(results, "auc")
            printed = paper(grid, "table5", PAPERS_LOSSES[losses], column)
            row[f"paper, {column}"] = printed
            row[f"deviation, {column}"] = deviation([result["auc"] for result in results], printed)
        rows.append(row)
    return pd.DataFrame(rows)


def table5_more(grid: GridResults) -> pd.DataFrame:
    """Beside Table 5, of networks with both branches: each branch scored alone, the yardstick, what learning adds."""
    rows, compared = [], same_seeds(grid.results, PARTS["table5"])
    for losses, loss in LOSSES.items():
        both = compared.get(losses, [])
        rows.append({
            "losses": loss.what,
            "seeds": len(both),
            "appearance, both trained": shown(both, "auc_appearance"),
            "motion, both trained": shown(both, "auc_motion"),
            "fused": shown(both, "auc"),
            "best no-learning": yardstick(both),
            "learning adds": shown(both, "learning_adds", "+.3f"),
        })  # fmt: skip
    return pd.DataFrame(rows)


def figure5(grid: GridResults) -> pd.DataFrame:
    """Fig. 5: support items per query under the four settings of the losses, of the seeds that all have."""
    rows, compared = [], same_seeds(grid.results, PARTS["figure5"])
    for losses, loss in LOSSES.items():
        results = compared.get(losses, [])
        changes = support_changes(compared, losses)
        rows.append({
            "losses": loss.what,
            "seeds": len(results),
            "support items": number(_support(results), ".1f", hashes=hashes_of(results)),
            "of": next((r["memory"]["items"] for r in results if r["memory"]), ""),
            "against neither loss": number([np.mean(changes)] if changes else [], "+.1%"),
            "paper, of latent": paper_fall(grid) if losses == "latent-only" else NONE,
        })  # fmt: skip
    return pd.DataFrame(rows)


def figure6(grid: GridResults) -> pd.DataFrame:
    """Fig. 6: AUC against beta and zeta, of the seeds that all points have."""
    rows, compared = [], same_seeds(grid.results, PARTS["figure6"])
    for knob in ("beta", "zeta"):
        plotted = paper_values()["figure6"][knob]
        printed = dict(zip(plotted["values"], plotted.get(grid.recipe.data.dataset, []), strict=False))
        for value, variant in figure6_variants(knob).items():
            results = compared.get(variant, [])
            rows.append({
                "knob": knob, "value": value, "seeds": len(results), "AUC": shown(results, "auc"),
                "paper": printed.get(value, NONE),
                "deviation": deviation([result["auc"] for result in results], printed.get(value, NONE)),
                "best no-learning": yardstick(results),
                "support items": number(_support(results), ".1f"),
            })  # fmt: skip
    return pd.DataFrame(rows)


def read_cost(recipe: str, *folders: Path) -> dict[str, Any] | None:
    """The first cost.json of a recipe that the folders hold, None where none does; UnreadableError if damaged."""
    for folder in folders:
        path = folder / recipe / "cost.json"
        if path.is_file():
            return read_checked(path, Cost)
    return None


# What the tables are made of


def paper(grid: GridResults, table: str, row: str, column: str | None = None) -> str:
    """A number of the paper as printed, for the recipe's dataset; a dash where the paper has none."""
    values, dataset = paper_values()[table], grid.recipe.data.dataset
    if column is None:
        return dict(zip(values["columns"], values["rows"][row], strict=True)).get(dataset, NONE)
    printed = values["rows"][row].get(dataset)
    return NONE if printed is None else printed[values["columns"].index(column)]


def shown(
    results: list[dict[str, Any]], what: str | Callable[[dict[str, Any]], float], form: str = ".3f"
) -> Number | str:
    """One of the numbers of some results, one per seed."""
    take = what if callable(what) else (lambda result: result[what])
    return number([take(result) for result in results], form, hashes=hashes_of(results))


def yardstick(results: list[dict[str, Any]], measure: str = "auc", unit: float = 1, form: str = ".3f") -> Number | str:
    """A measure of the no-learning row of the best AUC, and which row it is."""
    if not results:
        return ABSENT
    best = results[0]["best_no_learning"]
    value = unit * results[0]["no_learning"][best][measure]
    return number([value], form, f" ({best.replace('_', ' ')})", hashes_of(results[:1]))


def clips_interval(results: list[dict[str, Any]], which: str, form: str = ".3f") -> Interval | str:
    """An interval over the test clips of seed 0, which has one where there are two clips or more."""
    interval = results[0].get("protocols", {}).get("micro", {}).get(which) if results else None
    return "" if interval is None else Interval(*interval, form)


def support_changes(results: Results, name: str, beside: str = "no-losses") -> list[float]:
    """By what share the support items of a variant differ from another's, for every seed that has both."""
    logs = paired(results, name, _log_support, beside=beside)
    return [math.expm1(value) for value in logs]


def _log_support(result: dict[str, Any]) -> float | None:
    """None without memory, and where no query has a support item."""
    items = (result["memory"] or {}).get("support_items")
    return math.log(items) if items else None


def paper_fall(grid: GridResults) -> str:
    """By how much support items fall with the latent loss, as the paper's text says; a dash for our own data."""
    values = paper_values()["figure5"]
    falls = dict(zip(values["columns"], values["latent_fall_percent"], strict=True))
    fall = falls.get(grid.recipe.data.dataset)
    return NONE if fall is None else f"-{fall}%"


def _support(results: list[dict[str, Any]]) -> list[float]:
    return [result["memory"]["support_items"] for result in results if result["memory"]]
