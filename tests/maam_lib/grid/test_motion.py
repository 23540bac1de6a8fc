"""How much motion is learned is told per epoch, of the networks that differ in size, width and learning rate alone."""

from maam_lib.config import load_recipe
from maam_lib.grid.experiments import GridResults, every_variant
from maam_lib.grid.motion import TRAININGS, motion_learned
from tests.results import made_up_result


def epoch(number: int, error: float, auc: float) -> dict[str, object]:
    errors = {"train": 0.1, "test_normal": error}
    return {"epoch": number, "auc": 0.5, "auc_appearance": 0.5, "auc_motion": auc, "motion_error_to_zero_flow": errors}


def test_every_epoch_that_was_measured_has_a_row_and_a_training_without_them_one():
    curve = [epoch(1, 1.25, 0.95), epoch(2, 0.75, 0.875)]
    results = {
        "paper": [made_up_result(seed=0, curve=curve), made_up_result(seed=1, recipe_hash="a1", epoch=4)],
        "lr-0.0001": [made_up_result(seed=0, recipe_hash="b0", epoch=4)],
        "sparse": [made_up_result(seed=0, recipe_hash="c0")],
    }
    found = motion_learned([GridResults(load_recipe("ped2-mini"), results, [])])
    assert found.to_dict("split")["data"] == [
        ["ped2-mini: 8 channels, rate 0.001", 0, 1, -0.25, 0.95],
        ["ped2-mini: 8 channels, rate 0.001", 0, 2, 0.25, 0.875],
        ["ped2-mini: 8 channels, rate 0.001", 1, 4, 0.25, 0.7],
        ["ped2-mini: 8 channels, rate 0.0001", 0, 4, 0.25, 0.7],
    ]


def test_an_unfinished_training_says_how_far_it_came():
    found = motion_learned([GridResults(load_recipe("ped2"), {"paper": [made_up_result(epoch=37)]}, [])])
    assert found["training"].tolist() == ["ped2: 64 channels, rate 2e-05, 37 of 50 epochs"]


def test_a_rate_that_is_the_recipes_own_is_one_training():
    assert float(TRAININGS[-1].removeprefix("lr-")) == load_recipe("ped2").training.learning_rate
    same = [made_up_result(recipe_hash="a")]
    found = motion_learned([GridResults(load_recipe("ped2"), {"paper": same, TRAININGS[-1]: same}, [])])
    assert found["training"].tolist() == ["ped2: 64 channels, rate 2e-05"]
    assert motion_learned([]).empty


def test_learning_rates_are_variants_that_turn_nothing_else():
    base = load_recipe("ped2-laptop")
    for name in TRAININGS[1:]:
        turned = base.with_settings(*every_variant()[name].settings)
        assert turned.training.learning_rate == float(name.removeprefix("lr-"))
        assert turned.with_settings(f"training.learning_rate={base.training.learning_rate}").hash() == base.hash()
