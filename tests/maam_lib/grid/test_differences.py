"""Switches are compared by seed; scoring variants are what they say; the kept results make the tables of the docs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.error_maps import Predict, network_predictor
from maam_lib.evaluation.measuring import Evaluator, evaluate
from maam_lib.evaluation.result import Result, Scoring
from maam_lib.grid.differences import (
    SWITCHES,
    effect_table,
    in_words,
    scoring_effects,
    scoring_table,
    scoring_variants,
    sizes_table,
)
from maam_lib.grid.experiments import IN_DEPTH, reference_grid
from maam_lib.grid.numbers import Number, as_text, difference, interval, paired, written
from maam_lib.grid.results import BASE
from maam_lib.metrics import roc_auc
from maam_lib.training.loop import build_network
from maam_lib.training.runs import RunFolder
from tests.conftest import tiny_recipe
from tests.results import made_up_result


@pytest.fixture(scope="module")
def effects(scene: PreparedDataset, finished_run: RunFolder, predict: Predict) -> dict[str, Scoring]:
    return scoring_effects(Evaluator(finished_run.recipe, scene), predict)


def made_up(aucs: dict[int, float]) -> list[Result]:
    """Results of several seeds: the higher the AUC, the lower that of motion."""
    return [
        made_up_result(auc, seed, memory={"items": 50, "support_items": 10.0 + seed}, auc_motion=1.5 - auc)
        for seed, auc in aucs.items()
    ]


# Switches


@pytest.mark.parametrize("name", [name for name in SWITCHES if name != BASE])
def test_every_switch_turns_something_and_nothing_else(name: str):
    base, turned = tiny_recipe(), tiny_recipe(*SWITCHES[name].settings)
    assert base.hash() != turned.hash()
    changed = {setting.split("=")[0] for setting in SWITCHES[name].settings}
    for section in ("data", "model", "loss", "training", "scoring"):
        one, other = (getattr(r, section).model_dump() for r in (base, turned))
        assert {f"{section}.{key}" for key in one if one[key] != other[key]} <= changed


def test_differences_are_of_the_same_seed():
    results = {BASE: made_up({0: 0.5, 1: 0.7, 2: 0.9}), "sparse": made_up({2: 0.8, 0: 0.6})}
    assert paired(results, "sparse") == pytest.approx([-0.1, 0.1])
    assert paired(results, "latent") == []


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ([0.02, 0.03, 0.025], "raises it"),
        ([-0.02, -0.021], "lowers it"),
        ([-0.02, -0.03], "undecided"),  # two seeds can hardly tell
        ([0.02, 0.03, -0.001], "undecided"),
        ([0.001, 0.09, 0.002], "undecided"),
        ([-0.0003, -0.00032, -0.00029], "less than 0.001"),
        ([0.0], "one seed: undecided"),
        ([0.0, 0.0], "less than 0.001"),
        ([0.0, 0.001], "undecided"),
        ([0.5], "one seed: undecided"),
        ([], "not measured"),
    ],
)
def test_an_effect_counts_when_its_interval_excludes_zero(differences: list[float], words: str):
    assert in_words(differences) == words


def test_the_table_compares_the_same_seeds():
    table = effect_table({BASE: made_up({0: 0.5, 1: 0.7, 2: 0.9}), "adam": made_up({1: 0.74, 2: 0.94, 3: 0.5})})
    row = as_text(table).set_index("difference").loc["Adam's epsilon"]
    assert row[["seeds", "AUC off", "AUC on"]].tolist() == [2, "0.800 ± 0.100", "0.840 ± 0.100"]
    assert row["on - off [95 %]"].startswith("+0.040 ")


def test_the_table_says_what_is_missing():
    table = effect_table({BASE: made_up({0: 0.5, 1: 0.7}), "adam": made_up({0: 0.52, 1: 0.73})})
    table = as_text(table).set_index("difference")
    assert table.loc["Adam's epsilon", "on - off [95 %]"] == "+0.025 [-0.039, +0.089]"  # t of 1 degree: 12.7 x 0.005
    assert table.loc["Adam's epsilon", "effect"] == "undecided"
    assert (
        table.loc["sparse loss", ["seeds", "AUC on", "on - off [95 %]", "effect"]].tolist()
        == [0] + ["not measured"] * 3
    )
    assert len(table) == len(SWITCHES) - 1


# Scoring variants


def test_as_is_is_what_evaluate_measures(
    effects: dict[str, Scoring], scene: PreparedDataset, finished_run: RunFolder, tmp_path: Path
):
    measured = evaluate(RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run")), scene)
    assert effects["as is"].auc == pytest.approx(measured.auc, abs=1e-6)
    best = measured.best_no_learning
    assert effects["as is"].best_no_learning == best
    assert effects["as is"].best_no_learning_auc == pytest.approx(measured.best.auc, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("stride 1", "scoring.stride=[1, 1]"),
        ("patch turned", "scoring.patch=[8, 12]"),
        ("padding valid", "scoring.padding=valid"),
        ("psi shanghaitech", "scoring.psi=0.09090909090909091"),
    ],
)
def test_a_variant_is_the_recipe_with_that_setting(
    name: str, setting: str, effects: dict[str, Scoring], scene: PreparedDataset, finished_run: RunFolder
):
    recipe = finished_run.recipe.with_settings(setting)
    net = build_network(recipe)
    finished_run.load_weights(net)
    _, measured = Evaluator(recipe, scene).score(network_predictor(net))
    assert effects[name].auc == pytest.approx(measured["auc"], abs=1e-6)
    assert effects[name].eer == pytest.approx(measured["eer"], abs=1e-6)


def test_dropping_two_and_scaling_each_clip_change_the_scores_of_as_is(
    effects: dict[str, Scoring], scene: PreparedDataset, finished_run: RunFolder, predict: Predict
):
    table, _ = Evaluator(finished_run.recipe, scene).score(predict)
    kept = table[table["frame"] < 38]  # clips of 40 frames; the last is never scored
    assert len(table) - len(kept) == 2
    assert effects["drop two"].auc == pytest.approx(roc_auc(kept["label"], kept["fused"]), abs=1e-9)
    clips = [clip for _, clip in table.groupby("clip", sort=False)]
    scaled = [(c["fused"] - c["fused"].min()) / (c["fused"].max() - c["fused"].min()) for c in clips]
    labels = np.concatenate([c["label"] for c in clips])
    assert effects["per clip"].auc == pytest.approx(roc_auc(labels, np.concatenate(scaled)), abs=1e-9)


def test_variants_move_the_scores(effects: dict[str, Scoring]):
    assert len({round(effect.auc, 9) for effect in effects.values()}) >= 6


def test_the_fine_stride_of_the_release_is_5_5_on_its_own_patch():
    recipe = load_recipe("avenue")
    assert scoring_variants(recipe.scoring)["stride avenue"][2].stride == (5, 5)
    assert load_recipe("avenue-released").scoring.stride == (5, 5)


def test_sizes_agree_only_where_both_are_decided():
    base = made_up({0: 0.80, 1: 0.81, 2: 0.82})
    above = made_up({0: 0.90, 1: 0.911, 2: 0.919})
    below = made_up({0: 0.70, 1: 0.7104, 2: 0.7196})
    mini = {BASE: base, "a": above, "b": above, "c": above, "here only": above}
    laptop = {BASE: base, "a": above, "b": below, "c": above[:1], "there only": above}
    table = sizes_table({"x-mini": mini, "x-laptop": laptop})
    assert list(table["variant"]) == [name for name in "abc" for _ in range(2)]
    assert list(table["AUC"]) == ["fused", "motion"] * 3
    assert list(table["same order"]) == ["yes", "yes", "no", "no", "undecided", "undecided"]
    of = as_text(table).set_index(["variant", "AUC"])
    assert of.loc[("b", "fused"), "x-laptop"].startswith("-0.100 [-0.10")
    assert of.loc[("b", "motion"), "x-laptop"].startswith("+0.100 [+0.09")
    assert of.loc[("c", "fused"), "x-laptop"] == "+0.100 (1)"
    assert sizes_table({"x-mini": mini}).empty


# What comes with the kit


@pytest.mark.parametrize("recipe", ["synthetic-mini", "ped2-mini"])
def test_every_switch_has_three_seeds_or_more_on_the_same_data(recipe: str):
    results = reference_grid(recipe)
    assert len({r.data.content_hash for seeds in results.values() for r in seeds}) == 1
    for name in SWITCHES:
        assert len(results[name]) >= 3, name
        assert [r.seed for r in results[name]] == list(range(len(results[name]))), name
        assert all(bool(r.scoring) == (name in IN_DEPTH) for r in results[name]), name


def test_every_number_of_a_table_comes_from_a_result_file():
    results = reference_grid("synthetic-mini")[BASE]
    table = as_text(scoring_table(results)).set_index("scoring")
    expected = np.mean([r.scoring["stride 1"].auc for r in results])
    assert table.loc[results[0].scoring["stride 1"].what, "AUC"].startswith(f"{expected:.3f}")


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(-0.0002, "+.3f", "+0.000"), (-0.0, ".1f", "0.0"), (-0.0006, "+.3f", "-0.001"), (0.0, "+.3f", "+0.000")],
)
def test_what_is_rounded_to_zero_has_no_minus(value: float, form: str, text: str) -> None:
    assert written(value, form) == text
    assert difference([value], form=form) == text
    assert interval((value, 1), form) == f"[{text}, {1:{form}}]"
    assert str(Number((value,), form)) == text
