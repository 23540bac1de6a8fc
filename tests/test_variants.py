"""Kept results are found by their settings: wherever they lie, whatever their seed, and nothing else is taken."""

from pathlib import Path

import pytest

from maam_lib import variants
from maam_lib.config import load_recipe
from maam_lib.files import write_json
from maam_lib.results import ResultError
from maam_lib.variants import LOSSES, MEMORY

RECIPE = "synthetic-mini"


def keep(path: Path, *settings: str, seed: int = 0, auc: float = 0.9, support: float | None = 20.0) -> None:
    recipe = load_recipe(RECIPE, *settings, f"training.seed={seed}")
    memory = None if support is None else {"support_items": support}
    rows = {"no_learning": {"zero_flow": {"auc": 0.7}}, "best_no_learning": "zero_flow", "protocol": {}}
    write_json(
        path, {"recipe": RECIPE, "recipe_hash": recipe.hash(), "seed": seed, "auc": auc, "memory": memory} | rows
    )


def test_results_are_found_by_settings_in_the_order_of_seeds(tmp_path: Path) -> None:
    keep(tmp_path / "somewhere" / "deep" / "seed1.json", "loss.sparse_weight=0", seed=1, support=31)
    keep(tmp_path / "elsewhere" / "seed0.json", "loss.sparse_weight=0", seed=0, support=30)
    keep(tmp_path / "plain" / "seed0.json", support=10)
    keep(tmp_path / "other" / "seed0.json", "model.num_items=7", support=3)
    found = variants.kept_variants(RECIPE, LOSSES, tmp_path)
    support = {name: [r["memory"]["support_items"] for r in results] for name, results in found.items()}
    assert support == {"none": [], "latent": [30, 31], "sparse": [], "sparse and latent": [10]}
    assert variants.missing(found) == ["none", "sparse"]


def test_a_variant_with_another_setting_besides_is_not_taken(tmp_path: Path) -> None:
    keep(tmp_path / "seed0.json", "model.use_memory=false", "training.epochs=9")
    assert not any(variants.kept_variants(RECIPE, MEMORY, tmp_path).values())


def test_the_memory_table_compares_the_same_seeds_only(tmp_path: Path) -> None:
    for seed, auc in ((0, 0.90), (1, 0.94)):
        keep(tmp_path / f"with/seed{seed}.json", seed=seed, auc=auc)
    keep(tmp_path / "without/seed1.json", "model.use_memory=false", seed=1, auc=0.95, support=None)
    table = variants.memory_table(variants.kept_variants(RECIPE, MEMORY, tmp_path)).set_index("variant")
    column = "less with memory, same seeds"
    assert table.loc["without memory", column] == "+0.010"
    assert table.loc["without memory", "support items"] == "–"
    assert table.loc["with memory", "AUC"] == "0.920 ± 0.020"
    assert table.loc["released similarity", ["AUC", column, "support items"]].tolist() == ["not measured"] * 3


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "seed0.json").write_text("{")
    with pytest.raises(ResultError, match=r"seed0\.json: not readable"):
        variants.kept_variants(RECIPE, LOSSES, tmp_path)


def test_the_kit_comes_with_a_result_of_the_laptop_recipe() -> None:
    assert variants.kept_variants("synthetic-laptop", LOSSES)["sparse and latent"]
    assert variants.kept_variants("synthetic-laptop", MEMORY)["without memory"]
