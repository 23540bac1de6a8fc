"""What learning adds stands beside rows without a network, each number under its own protocol and of all seeds."""

import pytest

from maam_lib.config import load_recipe
from maam_lib.evaluation.result import NoLearning, Result
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.learning import learning_table, trainings_table
from maam_lib.grid.numbers import ABSENT, NONE, as_text
from maam_lib.grid.results import BASE, paper_values
from tests.results import made_up_no_learning, made_up_result

SMOOTHED = {
    "gaussian_3": {"micro": {"auc": 0.8, "auc_motion": 0.9}},
    "median_17": {"micro": {"auc_motion": 0.95, "auc": 0.8}},
}


def rows(complete: bool = True) -> NoLearning:
    made = made_up_no_learning(speed=(0.96, (0.9, 0.99)), zero_flow=(0.95, None))
    size = {"data": {"dataset": "ped2", "height": 120, "width": 180, "channels": 1}}
    protocol = {"auc": "micro, raw scores", "complete": complete}
    return NoLearning.model_validate(made.as_json() | {"settings": size, "protocol": protocol})


def grid(*results: Result, variant: str = BASE, no_learning: NoLearning | None = None) -> GridResults:
    return GridResults(load_recipe("ped2-mini"), {variant: list(results)} if results else {}, [], no_learning)


def test_rows_without_a_network_come_first_then_the_papers_then_networks() -> None:
    table = as_text(learning_table([grid(made_up_result(smoothed=SMOOTHED), no_learning=rows())]))
    printed = paper_values()
    assert table["row"].tolist() == [
        "no network: speed",
        "no network: zero flow",
        "MAAM-Net, as the paper prints it",
        "ped2-mini",
    ]
    speed, zero_flow, paper, network = (row for _, row in table.iterrows())
    assert (speed["AUC motion"], speed["AUC fused"], speed["EER"]) == ("0.960", NONE, "0.100")
    assert (speed["95 % over clips"], zero_flow["95 % over clips"]) == ("[0.900, 0.990]", NONE)
    assert paper["AUC fused"] == printed["table2"]["rows"]["Ours"][0]
    assert float(paper["EER"]) == float(printed["table3"]["rows"]["Ours"][0]) / 100, "a share, as all others"
    assert (network["AUC fused"], network["AUC motion"], network["motion, median of 17"]) == ("0.750", "0.700", "0.950")
    assert (network["motion error"], network["learning adds"]) == ("0.75", "+0.100")


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ((), ABSENT),
        ((1,), "0.950 (seed 1)"),
        ((0, 2), "0.950 ± 0.000 (seeds 0, 2)"),
        ((1, 2, 3), "0.950 ± 0.000 (seeds 1 to 3)"),
        ((0, 1, 2, 3), "0.950 ± 0.000"),
    ],
)
def test_a_mean_over_some_of_the_seeds_names_them(seeds: tuple[int, ...], expected: str) -> None:
    results = [made_up_result(seed=seed, smoothed=SMOOTHED if seed in seeds else {}) for seed in range(4)]
    [network] = as_text(learning_table([grid(*results)]))[-1:].to_dict("records")
    assert network["motion, median of 17"] == expected
    assert network["AUC motion"] == "0.700 ± 0.000"
    assert network["95 % over clips"] == ABSENT


def test_a_sample_says_so_and_has_no_interval() -> None:
    table = as_text(learning_table([grid(no_learning=rows(complete=False))]))
    assert table.loc[0, "row"] == "no network: speed (of a sample)"
    assert table.loc[0, "95 % over clips"] == NONE


def test_the_motion_error_of_another_target_says_so() -> None:
    table = as_text(learning_table([grid(made_up_result(), variant="speed")]))
    assert table.iloc[-1]["motion error"] == "0.75 (of speed)"


def test_a_training_tells_its_time_and_machine() -> None:
    seconds, machine = {"training": 120, "measuring": 5}, {"threads": 1, "precision": "float32", "processor": "a"}
    results = [made_up_result(seed=seed, seconds=seconds, machine=machine, epoch=4) for seed in (0, 1)]
    [row] = trainings_table([grid(*results, variant="no-memory"), grid()]).to_dict("records")
    assert (row["training"], row["seeds"], row["epochs"]) == ("ped2-mini, no-memory", "0, 1", "4")
    assert (str(row["minutes each, wall"]), row["threads"], row["processor"]) == ("2 ± 0", "1", "a")
