"""Kept results of the variants of a recipe, found by their settings, wherever they lie under reports/reference.

A variant is the recipe with some settings changed, in any seed. A result belongs to it if its recipe hash is the
variant's: the folder that it lies in says nothing.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from maam_lib.config import load_recipe
from maam_lib.results import REFERENCE, mean_and_spread, read_result

Variants = Mapping[str, tuple[str, ...]]  # name -> settings that make it of the recipe

# Fig. 5 and Table 5, in the paper's order: which of the two memory losses are on
LOSSES: Variants = {
    "none": ("loss.sparse_weight=0", "loss.latent_weight=0"),
    "latent": ("loss.sparse_weight=0",),
    "sparse": ("loss.latent_weight=0",),
    "sparse and latent": (),
}
# Table 2's last two rows, and the two ways to a sharper memory
MEMORY: Variants = {
    "without memory": ("model.use_memory=false",),
    "with memory": (),
    "released similarity": ("model.similarity=released",),
    "temperature 0.1 (ours)": ("model.temperature=0.1",),
}


def kept_variants(recipe: str, variants: Variants, folder: Path = REFERENCE) -> dict[str, list[dict[str, Any]]]:
    """The results there are of each variant of a recipe, one per seed, by seed; an empty list where there are none.

    Raises ResultError for a damaged file, SettingError for a variant that cannot be.
    """
    results = [read_result(path) for path in sorted(Path(folder).rglob("seed*.json"))]
    by_hash = {result["recipe_hash"]: result for result in results}
    seeds = sorted({result["seed"] for result in results})
    hashes = {
        name: [load_recipe(recipe, *settings, f"training.seed={seed}").hash() for seed in seeds]
        for name, settings in variants.items()
    }
    return {name: [by_hash[h] for h in of_variant if h in by_hash] for name, of_variant in hashes.items()}


def missing(kept: Mapping[str, Iterable[Any]]) -> list[str]:
    """The variants without any result."""
    return [name for name, results in kept.items() if not list(results)]


def memory_table(kept: Mapping[str, list[dict[str, Any]]], base: str = "with memory") -> pd.DataFrame:
    """One row per variant: AUC, its difference to `base` in the seeds that both have, support items; as text.

    A variant without results says "not measured".
    """
    of_base = {result["seed"]: result["auc"] for result in kept[base]}
    rows = []
    for name, results in kept.items():
        gaps = [result["auc"] - of_base[result["seed"]] for result in results if result["seed"] in of_base]
        support = [result["memory"]["support_items"] for result in results if result["memory"]]
        rows.append({
            "variant": name, "seeds": len(results),
            "AUC": _shown([r["auc"] for r in results]),
            f"less {base}, same seeds": "" if name == base else _shown(gaps, sign="+"),
            "support items": _shown(support, digits=1) if support or not results else "–",
            "best no-learning": _shown([r["no_learning"][r["best_no_learning"]]["auc"] for r in results]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _shown(values: list[float], **form: Any) -> str:
    return mean_and_spread(values, **form) if values else "not measured"
