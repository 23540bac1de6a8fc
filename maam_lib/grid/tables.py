"""The paper's tables and figures made of results: ours beside the printed numbers, as text ready to show.

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
from maam_lib.grid.results import ABSENT, BASE, REFERENCE, Number, Results, mean_and_spread, paper_values

PAPERS_LOSSES = {"no-losses": "none", "sparse-only": "sparse", "latent-only": "latent", BASE: "sparse and latent"}


class Deviation(str):
    """Ours less the paper's, as text; `distance` says how far apart they are, in AUC or in percent points / 100."""

    distance: float = 0.0

    @classmethod
    def between(cls, ours: list[float], printed: str, digits: int = 3, unit: float = 1.0) -> "Deviation":
        """Of the mean over seeds; a dash where either is missing. `unit`: what one AUC is in the number's unit."""
        if not ours or not printed.replace(".", "").isdigit():
            return cls("–")
        gap = float(np.mean(ours)) - float(printed)
        deviation = cls(f"{gap:+.{digits}f}")
        deviation.distance = abs(gap) / unit
        return deviation


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


def _auc_row(grid: GridResults, name: str, variant: str) -> dict[str, Any]:
    results, printed = grid.results.get(variant, []), paper(grid, "table2", name)
    return {
        "method": name,
        "seeds": len(results),
        "AUC": shown(results, "auc"),
        "95 % over clips": clips_interval(results, "auc_interval"),
        "paper": printed,
        "deviation": Deviation.between([result["auc"] for result in results], printed),
        "best no-learning": yardstick(results),
        "learning adds": shown(results, "learning_adds", sign="+"),
        "[95 % over clips]": clips_interval(results, "learning_adds_interval", sign="+"),
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
            "less with memory, same seeds": _gaps(gaps) if variant != BASE else "",
            "support items": mean_and_spread(support, digits=1) if support else "–" if found else ABSENT,
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
        "EER [%]": shown(results, lambda r: 100 * r["eer"], digits=1),
        "paper": printed,
        "deviation": Deviation.between([100 * r["eer"] for r in results], printed, digits=1, unit=100),
        "best no-learning": mean_and_spread(best, digits=1) if best else ABSENT,
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
        "parameters [M]": f"{cost['parameters'] / 1e6:.2f}",
        "multiply-adds [G]": f"{work['network'] / 1e9:.2f}",
        "of them memory": f"{work['memory'] / work['network']:.1%}",
        "network [frames/s]": f"{speed['network']:.1f}",
        "with PSCD": f"{speed['with_pscd']:.1f}",
        f"with decoding and flow ({cost['flow_estimator']})": f"{speed['end_to_end']:.1f}",
    }])  # fmt: skip


def table5(grid: GridResults) -> pd.DataFrame:
    """Table 5: AUC by losses and branches, a single branch trained alone, of the seeds that all cells have."""
    rows, compared = [], same_seeds(grid.results, PARTS["table5"])
    for losses, loss in LOSSES.items():
        row: dict[str, Any] = {"losses": loss.what, "seeds": len(compared.get(losses, []))}
        for branches in BRANCHES:
            column = branches.removeprefix("-") or "fused"
            results = compared.get(losses + branches, [])
            row[column] = shown(results, "auc")
            printed = paper(grid, "table5", PAPERS_LOSSES[losses], column)
            row[f"paper, {column}"] = printed
            row[f"deviation, {column}"] = Deviation.between([result["auc"] for result in results], printed)
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
            "learning adds": shown(both, "learning_adds", sign="+"),
        })  # fmt: skip
    return pd.DataFrame(rows)


def figure5(grid: GridResults) -> pd.DataFrame:
    """Fig. 5: support items per query under the four settings of the losses, of the seeds that all have."""
    rows, compared = [], same_seeds(grid.results, PARTS["figure5"])
    for losses, loss in LOSSES.items():
        results = compared.get(losses, [])
        items = _support(results)
        rows.append({
            "losses": loss.what,
            "seeds": len(results),
            "support items": Number.of(mean_and_spread(items, digits=1), results) if items else ABSENT,
            "of": next((r["memory"]["items"] for r in results if r["memory"]), ""),
            "against neither loss": _relative(support_changes(compared, losses)),
            "paper, of latent": paper_fall(grid) if losses == "latent-only" else "–",
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
                "paper": printed.get(value, "–"),
                "deviation": Deviation.between([result["auc"] for result in results], printed.get(value, "–")),
                "best no-learning": yardstick(results),
                "support items": mean_and_spread(_support(results), digits=1) if results else ABSENT,
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
        return dict(zip(values["columns"], values["rows"][row], strict=True)).get(dataset, "–")
    printed = values["rows"][row].get(dataset)
    return "–" if printed is None else printed[values["columns"].index(column)]


def shown(results: list[dict[str, Any]], what: str | Callable[[dict[str, Any]], float], **form: Any) -> str:
    """Mean over the seeds of one of a result's numbers, ± half its range; a Number."""
    take = what if callable(what) else (lambda result: result[what])
    return Number.of(mean_and_spread([take(r) for r in results], **form), results) if results else ABSENT


def yardstick(results: list[dict[str, Any]], measure: str = "auc", unit: float = 1, digits: int = 3) -> str:
    """A measure of the no-learning row of the best AUC, and which row it is; a Number."""
    if not results:
        return ABSENT
    best = results[0]["best_no_learning"]
    value = unit * results[0]["no_learning"][best][measure]
    return Number.of(f"{value:.{digits}f} ({best.replace('_', ' ')})", results[:1])


def clips_interval(results: list[dict[str, Any]], which: str, sign: str = "") -> str:
    """An interval over the test clips of seed 0, which has one where there are two clips or more."""
    interval = results[0].get("protocols", {}).get("micro", {}).get(which) if results else None
    return "" if interval is None else f"[{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]"


def _gaps(values: list[float]) -> str:
    return mean_and_spread(values, sign="+") if values else ABSENT


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
    return "–" if fall is None else f"-{fall}%"


def _relative(values: list[float]) -> str:
    return f"{np.mean(values):+.1%}" if values else ABSENT


def _support(results: list[dict[str, Any]]) -> list[float]:
    return [result["memory"]["support_items"] for result in results if result["memory"]]
