"""The app without any browser: what is made when, and what a tab says that cannot show its explorer."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import pytest

from maam_lib.playground.error_cache import cache_folder
from maam_lib.playground.explorers import app as module
from maam_lib.playground.explorers.app import App, Page, app
from maam_lib.playground.explorers.comparison import RunComparison
from maam_lib.playground.explorers.memory import MemoryExplorer
from maam_lib.playground.explorers.scores import ScoreExplorer
from maam_lib.playground.explorers.training import TrainingPanel
from maam_lib.training.runs import RunFolder

TABS = ("Scores", "Memory", "Training", "Compare runs")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def shown(scene_root: Path, finished_run: RunFolder) -> App:
    runs = finished_run.folder.parent
    return app(str(finished_run.folder), "synthetic-laptop", str(scene_root), str(runs))


def explorers(shown: App) -> list[type]:
    return [type(page.children[0]) for page in shown.pages.values()]


def test_each_tab_is_made_when_it_is_first_opened(shown: App) -> None:
    assert shown.titles == TABS
    assert explorers(shown) == [ScoreExplorer, widgets.HTML, widgets.HTML, widgets.HTML]
    for i in (1, 2, 3):
        shown.selected_index = i
    assert explorers(shown) == [ScoreExplorer, MemoryExplorer, TrainingPanel, RunComparison]
    made = [page.children[0] for page in shown.pages.values()]
    for i in range(4):
        shown.selected_index = i
    assert [page.children[0] for page in shown.pages.values()] == made, "once"
    assert len(list(cache_folder().iterdir())) == 2, "errors on test and training frames"


def test_the_explorers_begin_at_the_frame_that_scores_highest(shown: App) -> None:
    scores = shown.pages["Scores"].children[0].view
    assert scores.found.shown[scores._at.start + scores.place] == scores.found.shown.max()
    shown.selected_index = 1
    memory = shown.pages["Memory"].children[0].view
    assert (memory.clip, memory.place) == (scores.clip, scores.place)


def test_the_comparison_lists_the_runs_of_now(shown: App, tmp_path: Path, finished_run: RunFolder) -> None:
    comparison = shown._comparison
    assert comparison.finished.options == ("finished",)
    other = tmp_path / "runs" / "later"
    comparison.runs = tmp_path / "runs"
    other.mkdir(parents=True)
    for name in ("recipe.yaml", "history.csv"):
        (other / name).write_text((finished_run.folder / name).read_text())
    shown.selected_index = 3
    assert comparison.finished.options == ("later",)


def test_a_tab_says_in_one_sentence_what_is_wrong(tmp_path: Path, finished_run: RunFolder) -> None:
    shown = app(str(tmp_path / "no run"), "no-such-weights", str(tmp_path / "data"), str(tmp_path / "runs"))
    assert "no kept weights of &#x27;no-such-weights&#x27;" in shown.pages["Scores"].line.value
    shown.selected_index = 3
    assert explorers(shown)[3] is RunComparison, "what can be shown is shown"


def a_button(_: object) -> widgets.Button:
    return widgets.Button(description="here")


def test_what_failed_is_tried_again() -> None:
    answers = iter([OSError("the disk is away"), None])

    def work(_: Callable[[str], None]) -> None:
        if (error := next(answers)) is not None:
            raise error

    page = Page(work, a_button)
    page.start()
    assert "the disk is away" in page.line.value
    assert page.children == (page.line, page.knock)
    page.start()
    assert page.children[0].description == "here"


def test_a_fault_of_the_kit_is_shown_and_not_hidden() -> None:
    page = Page(lambda _: {}["absent"], a_button)
    with pytest.raises(KeyError):
        page.start()
    assert "an error in the kit: KeyError" in page.line.value


def test_a_tab_that_nobody_looks_at_is_filled_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOCK_SECONDS", 0.01)

    async def open_a_page() -> Page:
        page = Page(lambda _: None, a_button)
        page.start()
        await page._task
        return page

    assert asyncio.run(open_a_page()).children[0].description == "here"


def test_while_a_loop_runs_the_line_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(module, "KNOCK_SECONDS", 60.0)
    lines: list[str] = []

    async def open_a_page() -> Page:
        half, rest = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work(say: Callable[[str], None]) -> int:
            say("3 of 8 done")
            loop.call_soon_threadsafe(half.set)
            asyncio.run_coroutine_threadsafe(rest.wait(), loop).result(60)
            return 8

        page = Page(work, lambda frames: widgets.Button(description=f"{frames} frames"))
        page.line.observe(lambda change: lines.append(change["new"]), "value")
        page.start()
        assert page.children == (page.line, page.knock), "nothing is waited for"
        await half.wait()
        while not any("3 of 8 done" in line for line in lines):
            await asyncio.sleep(0.01)
        rest.set()
        await asyncio.sleep(0.1)
        assert page.children == (page.line, page.knock), "a browser that is still loading would lose the explorer"
        page.knock.click()  # as the page's script does once it is shown
        await page._task
        return page

    assert asyncio.run(open_a_page()).children[0].description == "8 frames"
