"""The page that plays, in a real Chromium and from disk: its numbers are the library's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maam_lib import metrics, pscd
from maam_lib.baselines import spread_evenly
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import Evaluator, Predict
from maam_lib.evaluation.scores import calibrate
from maam_lib.report.player import BLOCK, TRAINING_FRAMES, block_means, coarse, player_page
from tests.browser_checks import by_tab, focus_unseen, low_contrast, nameless, too_wide
from tests.conftest import tiny_recipe

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def evaluator(scene: PreparedDataset) -> Evaluator:
    return Evaluator(tiny_recipe(), scene)


@pytest.fixture
def player(evaluator: Evaluator, predict: Predict, window: Any, tmp_path: Path) -> Any:
    """The page of the finished run, open and ready."""
    calibration = calibrate(evaluator.errors(predict, "train"), evaluator.recipe.scoring)
    path = tmp_path / "player.html"
    path.write_text(player_page(evaluator, predict, calibration.psi, "Play", "The small scene."), encoding="utf-8")
    fetched: list[str] = []
    window.on("request", lambda request: fetched.append(request.url))
    window.goto(path.as_uri())
    window.wait_for_function("window.player !== undefined")
    assert [url for url in fetched if not url.startswith(("file:", "data:", "blob:"))] == []
    return window


def library(evaluator: Evaluator, predict: Predict, psi: float, patch: tuple[int, int], stride: tuple[int, int]) -> Any:
    """Scores, AUC, EER and threshold by the library, of the maps that the page has: every pixel its block's mean."""
    train, test = evaluator.dataset("train"), evaluator.dataset("test")
    every = block_means(evaluator, predict, test, np.arange(len(test)))
    normal = block_means(evaluator, predict, train, spread_evenly(len(train), TRAINING_FRAMES))
    largest = (float(every[:, 0].max()), float(every[:, 1].max()))
    height, width = evaluator.prepared.frame_size

    def scores(means: np.ndarray) -> np.ndarray:
        blocks = coarse(means, largest).per_pixel().repeat(BLOCK, axis=2).repeat(BLOCK, axis=3)
        maps = torch.from_numpy(blocks[:, :, :height, :width])
        sums = [pscd.patch_sums(maps[:, branch], patch, stride) for branch in (0, 1)]
        return pscd.fuse(*sums, psi).amax(dim=(1, 2)).numpy()

    labels = np.concatenate([evaluator.prepared.labels(clip)[:-1] for clip in evaluator.prepared.clips("test")])
    found = scores(every)
    threshold = np.quantile(scores(normal), evaluator.recipe.scoring.alarm_quantile)
    return found, metrics.roc_auc(labels, found), metrics.equal_error_rate(labels, found), threshold


@pytest.mark.parametrize(
    ("psi", "patch", "share", "stride"),
    [
        (0.5, (12, 8), 0.25, (3, 2)),
        (0.93, (20, 14), 0.5, (10, 7)),
        (0.0, (7, 11), 1, (7, 11)),
        (1.0, (48, 64), 0.125, (6, 8)),
    ],
)
def test_it_computes_what_the_library_computes(
    player: Any, evaluator: Evaluator, predict: Predict, psi: float, patch: tuple, share: float, stride: tuple
) -> None:
    found = player.evaluate(f"player.set({{psi: {psi}, patch: {list(patch)}, share: {share}}})")
    scores, auc, eer, threshold = library(evaluator, predict, psi, patch, stride)
    assert found["scores"] == pytest.approx(scores, rel=1e-6, abs=1e-9)
    assert (found["auc"], found["eer"]) == pytest.approx((auc, eer), abs=1e-6)
    assert found["threshold"] == pytest.approx(threshold, rel=1e-6)


def test_sliders_are_moved_by_keys_and_change_the_numbers(player: Any) -> None:
    for name in ("psi", "high", "wide", "stride", "threshold"):
        before = player.text_content(f"#{name}-says")
        player.focus(f"#{name}")
        player.keyboard.press("PageDown" if name in ("psi", "threshold") else "ArrowRight")
        assert player.text_content(f"#{name}-says") != before, name
    assert not player.is_checked("#follows"), "a threshold set by hand stays"
    player.click("#reset")
    assert player.is_checked("#follows")


@pytest.mark.parametrize("width", [1400, 900, 390])
def test_all_can_be_read_named_and_reached(player: Any, width: int) -> None:
    player.set_viewport_size({"width": width, "height": 844})
    for scheme in ("dark", "light"):
        player.emulate_media(color_scheme=scheme)
        assert low_contrast(player) == [], scheme
    assert too_wide(player) == []
    assert nameless(player) == []
    assert focus_unseen(player) == []
    sliders = {"time", "psi", "high", "wide", "stride", "threshold"}
    assert set(by_tab(player)) >= sliders | {"play", "view", "follows", "reset", "start"}
    assert player.get_attribute("#high", "aria-valuetext") == player.text_content("#high-says")


@pytest.mark.parametrize("width", [1400, 900, 390])
def test_picture_and_button_of_the_game_are_in_view_together(player: Any, width: int) -> None:
    player.set_viewport_size({"width": width, "height": 844})
    player.focus("#start")
    player.keyboard.press("Enter")
    assert player.evaluate("document.activeElement.id") == "spot", "the space bar presses it"
    for name in ("#stage", "#spot"):
        box = player.locator(name).bounding_box()
        assert box["y"] >= 0, name
        assert box["y"] + box["height"] <= 844, name
    assert low_contrast(player) == []
    assert focus_unseen(player) == []
    assert not {"psi", "01"} & set(by_tab(player)), "nothing helps in the game"


def test_on_paper_it_is_dark_on_light_and_whole(player: Any) -> None:
    player.emulate_media(media="print", color_scheme="dark")
    player.set_viewport_size({"width": 720, "height": 1000})  # A4 within its margins
    assert low_contrast(player) == []
    assert too_wide(player) == []
    assert player.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_game_is_played_to_its_end(player: Any) -> None:
    player.click("#start")
    assert not player.is_visible("#curve polyline")
    for _ in range(2):  # there are two test clips
        player.keyboard.press("Space")
        assert "You said: abnormal" in player.text_content("#round")
        player.evaluate("player.state.frame = 37")  # towards the end of the clip
        player.wait_for_function("player.state.game === null || !player.state.game.hidden")
        if player.is_visible("#next"):
            player.click("#play")  # looking at a clip again is no round
            player.evaluate("player.state.frame = 37")
            player.wait_for_function("player.state.frame < 30")
            assert player.locator("#log li").count() == 1
            player.click("#next")
    assert player.locator("#log li").count() == 2
    assert "The game is over" in player.text_content("#round")
