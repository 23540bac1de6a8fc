"""Variants turn what they name; cells are known by their hash; results are found whatever their file is called."""

import json
import shutil
from pathlib import Path

import pytest

from data_prep.files import write_text
from maam_lib.config import SettingError, load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.result import NoLearning, Result
from maam_lib.grid.experiments import (
    OF_THE_PAPER,
    Cell,
    base_recipe,
    cells_of,
    every_part,
    every_variant,
    figure6_variants,
    grid_results,
    measure_cell,
    variants_of,
)
from maam_lib.grid.results import BASE, REFERENCE, paper_values
from maam_lib.training.runs import RunFolder
from tests.conftest import tiny_recipe
from tests.results import made_up_result, rows_without_learning


@pytest.fixture(scope="module")
def measured(scene: PreparedDataset, finished_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of the tiny recipe as it is."""
    run = RunFolder.open(shutil.copytree(finished_run.folder, tmp_path_factory.mktemp("cell") / "run"))
    return measure_cell(run, Cell(BASE, run.recipe), scene)


def kept(result: Result, folder: Path, variant: str = BASE, **changed: object) -> Path:
    """Write a result, with some changes, where a sweep would."""
    result = result.with_values(**changed)
    path = folder / "synthetic-mini" / variant / f"seed{result.seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result.as_json()))
    return path


def hash_of(*settings: str) -> str:
    return tiny_recipe(*settings).hash()


# Variants and cells


@pytest.mark.parametrize("name", [name for name in every_variant() if name != BASE])
def test_every_variant_turns_something_and_nothing_else(name: str):
    base, turned = tiny_recipe(), tiny_recipe(*every_variant()[name].settings)
    assert base.hash() != turned.hash()
    changed = {setting.split("=")[0] for setting in every_variant()[name].settings}
    for section in ("data", "model", "loss", "training", "scoring"):
        one, other = (getattr(r, section).model_dump() for r in (base, turned))
        assert {f"{section}.{key}" for key in one if one[key] != other[key]} <= changed


def test_table_5_has_a_training_for_each_of_its_cells():
    recipes = [load_recipe("ped2", *every_variant()[name].settings) for name in every_part()["table5"]]
    found = [(bool(r.loss.sparse_weight), bool(r.loss.latent_weight), r.loss.branches, r.scoring.psi) for r in recipes]
    on_off = [(False, False), (True, False), (False, True), (True, True)]
    assert found == [
        (*on, *branch) for on in on_off for branch in (("appearance", 1.0), ("motion", 0.0), ("both", None))
    ]


@pytest.mark.parametrize(("knob", "key"), [("beta", "latent_weight"), ("zeta", "margin")])
def test_figure_6_has_the_points_of_the_paper_in_order(knob: str, key: str):
    variants = figure6_variants(knob)
    assert list(variants)[: len(paper_values()["figure6"][knob]["values"])] == paper_values()["figure6"][knob]["values"]
    found = [getattr(load_recipe("ped2", *every_variant()[name].settings).loss, key) for name in variants.values()]
    assert found == [float(value) for value in variants]
    assert list(variants.values()).count(BASE) == 1


def test_a_whole_grid_is_22_trainings_a_seed_and_seed_by_seed():
    cells = cells_of(load_recipe("synthetic-mini"), variants_of(OF_THE_PAPER), range(2))
    assert [cell.seed for cell in cells] == [0] * 22 + [1] * 22
    assert len({cell.recipe.hash() for cell in cells}) == 44
    assert str(cells[0]) == "paper seed 0"


def test_variants_with_the_same_settings_are_one_cell():
    cells = cells_of(load_recipe("ped2-released"), [BASE, "similarity", "sparse", "no-memory"], [0])
    assert [cell.variant for cell in cells] == [BASE, "no-memory"]


def test_an_unknown_variant_or_part_is_named():
    with pytest.raises(SettingError, match=r"^no part table1; there are table2, table3"):
        variants_of(["table1"])
    with pytest.raises(SettingError, match=r"^no variant colour; there are beta-0\.00025"):
        variants_of([], ["colour"])


# Results


def test_a_cell_leaves_its_settings_machine_and_seconds(measured: Result, finished_run: RunFolder):
    assert measured.as_json()["variant"] == BASE
    assert measured.settings == finished_run.recipe.model_dump(mode="json")
    assert measured.machine.processor.endswith("cores")
    assert measured.seconds.training > 0
    assert measured.seconds.measuring > 0
    assert measured.model_fields_set >= {
        "scoring",
        "curve",
        "protocols",
        "localisation",
        "no_learning",
        "learning_adds",
    }


def test_results_are_found_by_their_settings(measured: Result, tmp_path: Path):
    base = tiny_recipe()
    kept(measured, tmp_path, "whatever")
    kept(measured, tmp_path, seed=1, recipe_hash=hash_of("training.seed=1"))
    kept(measured, tmp_path, "x", seed=1, recipe_hash=hash_of("loss.sparse_form=released", "training.seed=1"))
    grid = grid_results(base, tmp_path)
    assert {name: [r.seed for r in seeds] for name, seeds in grid.results.items()} == {BASE: [0, 1], "sparse": [1]}
    assert grid.left_out == []


def test_an_earlier_folder_comes_before_a_later(measured: Result, tmp_path: Path):
    for folder, auc in (("mine", 0.25), ("theirs", 0.75)):
        kept(measured, tmp_path / folder, auc=auc)
    for order, auc in ((("mine", "theirs"), 0.25), (("theirs", "mine"), 0.75)):
        [result] = grid_results(tiny_recipe(), *(tmp_path / name for name in order)).results[BASE]
        assert result.auc == auc


def test_number_formats_are_never_mixed(measured: Result, tmp_path: Path):
    """Those in the recipe's own count; the others, which an earlier kit left, are named."""
    mine, kits, recipe = tmp_path / "mine", tmp_path / "kits", tiny_recipe()
    here = measured.machine.precision
    other = {"float32": "bfloat16", "bfloat16": "float32"}[here]
    foreign = kept(measured, kits, machine={"precision": other})
    kept(measured, mine, recipe_hash=hash_of("training.seed=1"), seed=1)
    grid = grid_results(recipe, mine, kits)
    assert [result.seed for result in grid.results[BASE]] == [1]
    assert grid.left_out == [f"{foreign}: trained in {other}, not compared with results in {here}"]
    unknown = {"machine": {}}
    kept(measured, kits, recipe_hash=hash_of("training.seed=2"), seed=2, **unknown)
    assert [result.seed for result in grid_results(recipe, mine, kits).results[BASE]] == [1, 2], "not kept: counts"


def test_results_of_unfinished_trainings_are_named_and_not_compared(measured: Result, tmp_path: Path):
    epochs = tiny_recipe().training.epochs
    kept(measured, tmp_path, epoch=epochs)
    unfinished = kept(measured, tmp_path, epoch=epochs - 1, seed=1, recipe_hash=hash_of("training.seed=1"))
    grid = grid_results(tiny_recipe(), tmp_path)
    assert [result.seed for result in grid.results[BASE]] == [0]
    why = f"measured after epoch {epochs - 1} of {epochs}: its training is not finished"
    assert grid.left_out == [f"{unfinished}: {why}"]


def test_damaged_and_foreign_results_are_named_and_left_out(measured: Result, tmp_path: Path):
    kept(measured, tmp_path)
    kept(measured, tmp_path, seed=1, recipe_hash=hash_of("training.seed=1"))
    damaged = kept(measured, tmp_path, "sparse")
    damaged.write_text(damaged.read_text()[:100])
    other_data = kept(measured, tmp_path, "latent", data=measured.as_json()["data"] | {"content_hash": "other"})
    other_settings = kept(measured, tmp_path, "adam", recipe_hash="0123456789ab")
    grid = grid_results(tiny_recipe(), tmp_path)
    assert list(grid.results) == [BASE]
    assert len(grid.left_out) == 3
    assert any(f"{damaged}: not readable as JSON" in reason for reason in grid.left_out)
    assert f"{other_data}: measured on other data" in grid.left_out
    assert f"{other_settings}: the settings are those of no variant of synthetic-mini" in grid.left_out
    assert list(grid_results(tiny_recipe(), tmp_path, content_hash="other").left_out) != grid.left_out


# What comes with the kit


@pytest.mark.parametrize("recipe", sorted(path.name for path in REFERENCE.iterdir() if path.is_dir()))
def test_kept_results_are_whole_and_of_the_recipes_as_they_are(recipe: str):
    base = base_recipe(REFERENCE / recipe)
    assert base.with_settings("training.seed=0").hash() == load_recipe(recipe).hash(), "the recipe has changed"
    grid = grid_results(base, REFERENCE)
    assert grid.left_out == []
    for name, seeds in grid.results.items():
        for result in seeds:
            path = REFERENCE / recipe / name / f"seed{result.seed}.json"
            assert json.loads(path.read_text(encoding="utf-8")) == result.as_json(), (
                "found under the name of its variant"
            )


def test_rows_without_learning_are_found_on_the_same_data_and_scoring_under_whatever_recipe(tmp_path: Path):
    base = load_recipe("ped2-mini")
    settings = base.model_dump(mode="json", include={"data", "scoring"})
    written = rows_without_learning().as_json() | {"settings": settings}

    def keep(recipe: str, **changed: object) -> None:
        write_text(tmp_path / recipe / "no_learning.json", json.dumps(written | changed))

    write_text(tmp_path / "ped2-mini" / "paper" / "seed0.json", json.dumps(made_up_result().as_json()))
    assert grid_results(base, tmp_path, content_hash="c").no_learning is None
    keep("ped2-laptop")
    assert grid_results(base, tmp_path, content_hash="c").no_learning == NoLearning.model_validate(written)
    assert grid_results(base, tmp_path, content_hash="other").no_learning is None
    other_patch = base.with_settings("scoring.patch=[7,7]")
    assert grid_results(other_patch, tmp_path, content_hash="c").no_learning is None
    keep("ped2-laptop", settings={"data": settings["data"], "scoring": "none"})
    assert grid_results(base, tmp_path, content_hash="c").no_learning is None
    write_text(tmp_path / "ped2-mini" / "no_learning.json", "{")
    found = grid_results(base, tmp_path, content_hash="c")
    assert found.no_learning is None
    assert any("no_learning.json" in reason for reason in found.left_out)
