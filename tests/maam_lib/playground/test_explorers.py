"""The shells alone: what a move of a widget does, without any browser."""

import re
from pathlib import Path

import pytest

from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.grid import read_result
from maam_lib.metrics import PROTOCOLS
from maam_lib.model import MAAMNet
from maam_lib.playground.explorers.memory import MemoryExplorer
from maam_lib.playground.explorers.scores import PROTOCOL_NAMES, ScoreExplorer
from maam_lib.playground.explorers.training import TrainingPanel, shortest
from maam_lib.playground.memory_view import MemoryView
from maam_lib.playground.rescoring import ScoreChoice, rescorer_for
from maam_lib.playground.score_view import ScoreView
from maam_lib.training.runs import RunFolder
from tests.conftest import PROJECT

PACKAGE = PROJECT / "maam_lib"


@pytest.fixture(scope="module")
def scores(net: MAAMNet, scene: PreparedDataset, finished_run: RunFolder) -> ScoreExplorer:
    rescorer = rescorer_for(Evaluator(finished_run.recipe, scene), network_predictor(net))
    return ScoreExplorer(ScoreView(rescorer, scene, ScoreChoice.of(finished_run.recipe.scoring)))


@pytest.fixture
def panel(scene_root: Path, finished_run: RunFolder) -> TrainingPanel:
    return TrainingPanel(scene_root, finished_run.folder.parent, finished_run.folder / "recipe.yaml")


def test_only_the_explorers_know_widgets() -> None:
    using = [
        path for path in PACKAGE.rglob("*.py") if re.search(r"^\s*(import|from) ipywidgets", path.read_text(), re.M)
    ]
    assert using
    assert {path.parent for path in using} == {PACKAGE / "playground" / "explorers"}


def test_at_first_everything_is_as_the_recipe_says(scores: ScoreExplorer) -> None:
    scores.reset()
    assert scores.choice() == scores.start
    assert scores.psi.value == pytest.approx(scores.view.found.psi, abs=0.5 / 256)


def test_a_slider_takes_over_from_its_rule_until_the_way_back(scores: ScoreExplorer) -> None:
    scores.reset()
    calibrated = scores.view.found.psi
    scores.psi.value = 0.25
    assert (scores.calibrated_psi.value, scores.view.found.psi) == (False, 0.25)
    assert scores.calibrated_threshold.value, "which follows psi"
    scores.threshold.value = scores.threshold.max / 2
    assert scores.view.found.threshold == scores.threshold.max / 2
    scores.stride_down.value = 5
    assert scores.choice().stride == (5, scores.stride_across.value)
    scores.back.click()
    assert scores.choice() == scores.start
    assert scores.view.found.psi == calibrated


def test_a_browsers_rounding_is_no_move(scores: ScoreExplorer) -> None:
    scores.reset()
    scores.psi.value = scores.view.found.psi + 0.4 / 256
    assert scores.calibrated_psi.value
    assert scores.choice() == scores.start


def test_strides_follow_the_patch_while_they_are_its_quarter(scores: ScoreExplorer) -> None:
    scores.reset()
    scores.patch_height.value = 20
    assert scores.stride_down.value == 5
    assert scores.view.found.choice.windows[1] == (5, 2)


def test_numbers_and_picture_follow(scores: ScoreExplorer) -> None:
    scores.reset()
    numbers, picture = scores.numbers.value, scores.picture.value
    scores.scrubber.frame.value = 12
    assert scores.picture.value != picture
    assert scores.numbers.value == numbers, "the set is the same"
    scores.scrubber.clip.value = scores.scrubber.clip.options[1]
    assert (scores.scrubber.frame.value, scores.view.clip) == (0, scores.scrubber.clip.options[1])
    scores.protocol.value = "macro"
    assert scores.numbers.value != numbers


def test_a_click_on_the_frame_asks_another_query(net: MAAMNet, scene: PreparedDataset) -> None:
    explorer = MemoryExplorer(MemoryView(net, FrameFlowDataset(scene, "test")))
    over, _ = explorer.children[1].children
    places = over.children[1].children
    assert len(places) == 3 * 4
    picture = explorer.picture.value
    places[4 * 2 + 1].click()
    assert (explorer.row.value, explorer.column.value) == explorer.view.cell == (2, 1)
    assert explorer.picture.value != picture
    explorer.temperature.value = 0.01
    explorer.threshold.value = 3
    assert explorer.view.addressing == ("cosine", 0.01, 3 / 8)
    explorer.back.click()
    assert explorer.view.addressing.temperature == 1
    explorer.scrubber.frame.value = 7
    assert explorer.view.place == 7


def test_the_panel_says_what_differs_and_what_is_wrong(panel: TrainingPanel) -> None:
    assert panel.words() == []
    panel.form.controls["model.num_items"].values[0].value = 20
    assert panel.words() == ["model.num_items=20"]
    assert "--set model.num_items=20" in panel.command.value
    panel.form.controls["model.temperature"].values[0].value = -1
    assert "model.temperature = -1.0" in panel.command.value
    assert panel.start.disabled
    panel.recipe.value = "ped2"
    assert panel.words() == [], "filled anew"
    assert not panel.start.disabled


def test_the_panel_names_the_recipe_and_shows_paths_from_the_working_folder(
    panel: TrainingPanel, finished_run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert panel.recipe.label == f"{finished_run.recipe.name} (shown here)"
    monkeypatch.chdir(finished_run.folder.parent)
    panel.show_words()
    assert (
        f"in the folder {finished_run.folder.parent.name}: maam train finished/recipe.yaml --run "
        in panel.command.value
    )
    assert str(finished_run.folder.parent) not in panel.command.value
    panel.recipe.value = "ped2"
    assert "maam train ped2 --run ped2-" in panel.command.value


def test_a_path_far_from_the_working_folder_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shortest(tmp_path / "data") == "data"
    assert shortest(Path("/data")) == "/data"


def test_every_protocol_has_a_short_name() -> None:
    assert list(PROTOCOL_NAMES) == list(PROTOCOLS)


def test_what_a_recipe_takes_from_its_data_is_a_list_to_choose_from(panel: TrainingPanel) -> None:
    panel.recipe.value = "camera"
    assert panel.words() == []
    panel.form.controls["training.epochs"].values[0].value = 3
    assert panel.words() == ["training.epochs=3"]
    panel.form.controls["data.follow"].values[0].value = ("data.height", "data.width")
    assert panel.words() == ["data.follow=[data.height, data.width]", "training.epochs=3"]


def test_a_setting_left_to_its_rule_is_none(panel: TrainingPanel) -> None:
    control = panel.form.controls["scoring.stride"]
    assert control.get() is None
    control.by_rule.value = False
    for box, value in zip(control.values, (3, 4), strict=True):
        box.value = value
    assert panel.words() == ["scoring.stride=[3, 4]"]


def test_finished_runs_can_be_compared(panel: TrainingPanel) -> None:
    assert panel.comparison.finished.options == ("finished",)
    panel.comparison.finished.value = ["finished"]
    assert "AUC appearance" in panel.comparison.table.value
    measured = read_result(panel.runs / "finished" / "metrics.json").auc
    assert f'<th scope="row">AUC</th><td>{measured:.3f}</td>' in panel.comparison.table.value
    assert bytes(panel.comparison.histories.value).startswith(b"\x89PNG")
    panel.comparison.finished.value = []
    assert panel.comparison.histories.layout.display == "none"


def test_the_panel_starts_and_stops_a_training(panel: TrainingPanel, tmp_path: Path) -> None:
    """Outside a kernel there is no loop that watches: `refresh` stands for it."""
    panel.runs = tmp_path
    panel.form.controls["training.epochs"].values[0].value = 3
    panel.start.click()
    assert panel.start.disabled
    assert not panel.stop.disabled
    panel.stop.click()
    panel.training.wait(240)
    panel.refresh()
    assert "stopped: epoch" in panel.status.value
    assert not panel.start.disabled
