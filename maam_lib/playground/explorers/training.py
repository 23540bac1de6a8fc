"""The training panel: change any setting, start a short training, stop it; below, finished runs are compared."""

import asyncio
import os
from pathlib import Path

import ipywidgets as widgets

from maam_lib.config import SettingError, load_recipe, recipe_names
from maam_lib.figures import plots as figures
from maam_lib.playground.background import BackgroundTraining, as_command, training_words
from maam_lib.playground.explorers.comparison import RunComparison
from maam_lib.playground.explorers.controls import FILLING, LABEL, ROW, WRONG, Plot, note
from maam_lib.playground.explorers.settings import SettingsForm
from maam_lib.playground.settings_form import set_words

POLL_SECONDS = 1.0
HALF = widgets.Layout(width="auto", max_width="420px")


class TrainingPanel(widgets.VBox):
    """`root` holds the prepared datasets, `runs` the run folders: new ones go into it, finished ones are compared.

    `own` is the recipe file to begin with, as that of a run; the named recipes can be chosen as well. `comparison` is
    told when a training has ended; without one the panel shows its own, of the runs in `runs`.
    """

    def __init__(self, root: Path, runs: Path, own: Path, comparison: RunComparison | None = None) -> None:
        super().__init__()
        self.root, self.runs = Path(root), Path(runs)
        self.comparison = comparison or RunComparison(self.runs)
        self.training: BackgroundTraining | None = None
        self._own = Path(own)
        self._watcher: asyncio.Task | None = None
        self._build(own)
        if comparison is None:
            self.children = [*self.children, self.comparison]
        self.show_words()

    @property
    def chosen(self) -> str:
        """The recipe: a name, or the path of a file."""
        return str(self.recipe.value)

    @property
    def is_training(self) -> bool:
        """Whether a training that the panel started works still."""
        return self.training is not None and self.training.is_running

    def choose(self) -> None:
        """Another recipe: its settings."""
        self.form.fill(load_recipe(self.chosen))
        self.show_words()

    def words(self) -> list[str]:
        """The settings away from the recipe, as for `--set`; raises SettingError for one that is not allowed."""
        return set_words(self.chosen, self.form.values())

    def run_folder(self) -> Path:
        """Where a training of these settings goes: the same settings meet in the same folder, and go on there."""
        plan = load_recipe(self.chosen, *self.words())
        return self.runs / f"{plan.name}-{plan.hash()[:8]}"

    def show_words(self) -> None:
        """What differs from the recipe, and the command line that does the same."""
        try:
            words, run = self.words(), self.run_folder()
        except SettingError as error:
            self.command.value = note(str(error), WRONG)
            self.start.disabled = True
            return
        recipe = shortest(Path(self.chosen)) if self.chosen == str(self._own) else self.chosen
        line = as_command(training_words(recipe, words, Path(shortest(self.root)), Path(shortest(run))))
        changes = ", ".join(words) or "nothing"
        same = f"the same as a command, in the folder {Path.cwd().name}: {line}"
        self.command.value = f"{note(f'differs from the recipe: {changes}')}{note(same)}"
        self.start.disabled = self.is_training

    def begin(self) -> None:
        """Start a training of what stands in the form; the curves follow by themselves where a kernel's loop runs."""
        self.training = BackgroundTraining(
            self.chosen, self.words(), self.root, self.run_folder(), measure=self.measure.value
        )
        self._epochs_drawn = 0
        self.refresh()
        try:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())
        except RuntimeError:  # no loop: a script calls `refresh` itself
            self._watcher = None

    def refresh(self) -> None:
        """Bring status, curves and the list of runs to where the training stands."""
        training = self.training
        if training is None:
            return
        training.poll()
        self.status.value = note(training.in_words(), WRONG if training.state == "failed" else "inherit")
        self.start.disabled, self.stop.disabled = training.is_running, not training.is_running
        history = training.run.history
        if len(history) != self._epochs_drawn:
            self._epochs_drawn = len(history)
            self.curves.show(figures.training_curves(history))
        if not training.is_running:
            self.comparison.list_runs()
            self.show_words()

    async def _watch(self) -> None:
        while self.is_training:
            await asyncio.sleep(POLL_SECONDS)
            self.refresh()

    # The controls

    def _build(self, own: Path) -> None:
        plan = load_recipe(own)
        options = [(f"{plan.name} (shown here)", str(own)), *((name, name) for name in recipe_names())]
        self.recipe = widgets.Dropdown(options=options, description="recipe", style=LABEL, layout=HALF)
        self.command = widgets.HTML()
        self.status = widgets.HTML(note("no training started yet"))
        self.start = widgets.Button(description="start training", icon="play", button_style="primary")
        self.stop = widgets.Button(description="stop", icon="stop", disabled=True)
        self.measure = widgets.Checkbox(
            True, description="measure on the test clips after training", indent=False, layout=FILLING
        )
        self.curves = Plot()
        self.form = SettingsForm(plan, self.show_words)
        self.children = [
            self.recipe,
            self.form,
            self.command,
            widgets.HBox([self.start, self.stop, self.measure], layout=ROW),
            self.status,
            self.curves,
        ]
        self.recipe.observe(lambda _: self.choose(), "value")
        self.start.on_click(lambda _: self.begin())
        self.stop.on_click(lambda _: None if self.training is None else self.training.stop())


def shortest(path: Path) -> str:
    """A path as seen from the working folder, or as it is where that is shorter."""
    try:
        seen = os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)
    return min(seen, str(path), key=len)
