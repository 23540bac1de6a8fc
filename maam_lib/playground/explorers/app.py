"""The playground as one page: a tab per explorer, each made when it is first opened (`make app`)."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import ipywidgets as widgets
from IPython.display import HTML, display

from maam_lib.evaluation import network_predictor
from maam_lib.grid import Subject, recipe_file, subject_of
from maam_lib.pages import page
from maam_lib.playground.explorers.comparison import RunComparison
from maam_lib.playground.explorers.controls import WRONG, note
from maam_lib.playground.explorers.memory import MemoryExplorer
from maam_lib.playground.explorers.scores import ScoreExplorer
from maam_lib.playground.explorers.training import TrainingPanel
from maam_lib.playground.memory_view import MemoryView
from maam_lib.playground.rescoring import Rescorer, ScoreChoice, rescorer_for
from maam_lib.playground.score_view import ScoreView

TELL_SECONDS = 0.3  # between two looks at how far the work is
KNOCK_SECONDS = 20.0  # after which nobody seems to look: the notebook is executed without a browser
Say = Callable[[str], None]


class Page(widgets.VBox):
    """One tab: a line that says what it waits for, then its explorer, or in one sentence why there is none.

    `work` computes without any widget, beside the kernel, and is given a function that takes the line; `make` puts an
    explorer around what it gives. A browser that is still loading loses widgets that are made meanwhile, so the page's
    script presses a hidden button as soon as it is shown, and the explorer waits for that.
    """

    def __init__(self, work: Callable[[Say], Any], make: Callable[[Any], widgets.Widget]) -> None:
        self.work, self.make = work, make
        self.line, self.knock = widgets.HTML(), widgets.Button(layout=widgets.Layout(display="none"))
        self.knock.add_class("maam-knock")
        self._is_shown = asyncio.Event()
        self.knock.on_click(lambda _: self._is_shown.set())
        self._task: asyncio.Task | None = None
        self._said = "preparing"
        self.is_started = False
        super().__init__([self.line, self.knock])

    def start(self) -> None:
        """Make the explorer, the first time; at once where no loop runs that could wait for it."""
        if self.is_started:
            return
        self.is_started = True
        try:
            self._task = asyncio.get_running_loop().create_task(self._prepare())
        except RuntimeError:
            self._finish(lambda: self.work(self._say))

    async def _prepare(self) -> None:
        work = asyncio.create_task(asyncio.to_thread(self.work, self._say))
        while not work.done():
            self.line.value = note(f"{self._said} …")
            await asyncio.wait([work], timeout=TELL_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_shown.wait(), KNOCK_SECONDS)
        self._finish(work.result)

    def _say(self, text: str) -> None:
        self._said = text

    def _finish(self, result: Callable[[], Any]) -> None:
        try:
            self.children = [self.make(result())]
        except (OSError, RuntimeError, ValueError) as error:  # all errors of the kit are of these kinds
            self.line.value = note(str(error), WRONG)
            self.is_started = False  # opened again, it tries again
        except Exception as error:
            self.line.value = note(f"an error in the kit: {type(error).__name__}: {error}", WRONG)
            raise


class App(widgets.Tab):
    """The explorers over one network and its dataset; the tab that is shown first is made at once."""

    def __init__(self, run: Path, weights: str, root: Path, runs: Path, clips: Sequence[str]) -> None:
        self._given = Path(run), weights, Path(root)
        self._runs, self._clips = Path(runs), clips
        self._subject: Subject | None = None
        self._one_at_a_time = Lock()
        self._worst: tuple[str, int] | None = None  # the frame that scores highest, once it is known
        self._comparison = RunComparison(self._runs)
        self.pages = {
            "Scores": Page(self._rescorer, self._scores),
            "Memory": Page(self._load, self._memory),
            "Training": Page(lambda _: recipe_file(self._given[0], weights), self._training),
            "Compare runs": Page(lambda _: None, lambda _: self._comparison),
        }
        super().__init__(list(self.pages.values()), titles=tuple(self.pages), selected_index=0)
        self.add_class("maam-app")
        self.observe(lambda _: self._start_shown(), "selected_index")
        self._start_shown()

    def _start_shown(self) -> None:
        """The tab that was chosen; whoever looks at the runs sees those of now."""
        if self.selected_index is None:
            return
        shown = list(self.pages.values())[self.selected_index]
        shown.start()
        if shown is self.pages["Compare runs"]:
            self._comparison.list_runs()

    # What is computed beside the kernel

    def _load(self, say: Say) -> Subject:
        with self._one_at_a_time:  # two tabs may ask for it
            if self._subject is None:
                say("loading the network and its dataset; the first time, this also generates the scene")
                self._subject = subject_of(*self._given)
        return self._subject

    def _rescorer(self, say: Say) -> Rescorer:
        subject = self._load(say)
        say("reading the error maps kept from last time")
        return rescorer_for(
            subject.evaluator,
            network_predictor(subject.net),
            self._clips or None,
            network=subject.name,
            tell=lambda done, total: say(f"the network looks at {total} frames, only this once: {done} done"),
        )

    # What is put around it

    def _scores(self, rescorer: Rescorer) -> ScoreExplorer:
        subject = self._load(lambda _: None)
        choice = ScoreChoice.of(subject.plan.scoring)
        view = ScoreView(rescorer, subject.prepared, choice)
        self._worst = rescorer.test.keys[int(view.found.scores.argmax())]
        view.show_frame(*self._worst)
        return ScoreExplorer(view)

    def _memory(self, subject: Subject) -> MemoryExplorer:
        view = MemoryView(subject.net, subject.evaluator.dataset("test"))
        if self._worst is not None:
            view.show_frame(*self._worst)
        return MemoryExplorer(view)

    def _training(self, own: Path) -> TrainingPanel:
        return TrainingPanel(self._given[2], self._runs, own, self._comparison)


def app(
    run: str = "../runs/synthetic-laptop",
    weights: str = "synthetic-laptop",
    root: str = "../data",
    runs: str = "../runs/playground",
    clips: Sequence[str] = (),
) -> App:
    """The page of `make app`: scores, memory, training and a comparison of runs, a tab each (ours).

    run: folder of a training; where there is none, the network that comes with the kit under the name `weights` is
    taken. root: folder of prepared datasets; the generated scene is made there if it is missing. runs: folder of the
    trainings that are started here and compared. clips: names of the test clips to play with; none: all.
    What cannot be shown says why in its tab.
    """
    display(HTML(page("playground/templates/app.html")))
    return App(Path(run), weights, Path(root), Path(runs), clips)
