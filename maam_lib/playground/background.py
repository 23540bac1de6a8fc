"""One short training in a process of its own, started, watched and stopped from a notebook (ours).

It is the command line `maam train`, then `maam evaluate`: what a panel starts, a terminal can go on with. Stopping
loses at most the epoch in flight; starting again in the same folder resumes. It ends with the process that began it.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from maam_lib.config import Recipe, load_recipe
from maam_lib.training import RunFolder

State = Literal["training", "measuring", "done", "stopped", "failed"]
# A process begun by a shell in the background ignores interrupts, and so would its children.
_MAIN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from maam_lib.cli import main; main()"


class BackgroundTraining:
    """A training that runs beside the notebook. `poll` is cheap: call it as often as the curves should move."""

    def __init__(self, recipe: str, settings: Sequence[str], root: Path, run: Path, *, measure: bool = True) -> None:
        """Start it; `settings` as for `--set`, `measure`: evaluate the run when trained.

        Raises SettingError for a setting that the recipe does not allow, before anything starts.
        """
        self.plan: Recipe = load_recipe(recipe, *settings)
        self.run = RunFolder(run)
        self.words = training_words(recipe, settings, root, run)
        self._next = ["evaluate", "--run", str(run), "--root", str(root)] if measure else []
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._asked_to_stop = False
        self.state: State = "training"
        self.error = ""
        self._start(self.words)

    @property
    def is_running(self) -> bool:
        """Whether its process still works, as of the last `poll`."""
        return self.state in ("training", "measuring")

    def poll(self) -> State:
        """Where it stands now; goes on to measuring when the training has ended well."""
        if not self.is_running or (code := self._process.poll()) is None:
            return self.state
        if code == 0 and self._next and not self._asked_to_stop:
            self._start(self._next)
            self.state, self._next = "measuring", []
            return self.state
        self.state = "stopped" if self._asked_to_stop else "failed" if code else "done"
        with self._log:
            self._log.seek(0)
            self.error = _last_words(self._log.read()) if self.state == "failed" else ""
        return self.state

    def stop(self) -> None:
        """Ask it to end now; asked a second time, it is killed. Finished epochs are kept; the next polls tell."""
        if self.is_running:
            gently = signal.SIGINT if os.name == "posix" else signal.SIGTERM
            self._process.send_signal(signal.SIGKILL if self._asked_to_stop and os.name == "posix" else gently)
            self._asked_to_stop = True

    def wait(self, seconds: float | None = None) -> State:
        """Wait until it has ended, measuring included; raises subprocess.TimeoutExpired after so many seconds."""
        while self.is_running:
            self._process.wait(seconds)
            self.poll()
        return self.state

    def in_words(self) -> str:
        """One line for a reader: what it does, or how it ended and what to do next."""
        follows = "training.epochs" in self.plan.data.follow  # then only the run knows how many there are
        recipe = self.run.recipe if follows and (self.run.folder / "recipe.yaml").is_file() else self.plan
        epochs = f"epoch {len(self.run.history)} of {recipe.training.epochs} finished"
        return {
            "training": f"training: {epochs}",
            "measuring": f"trained; measuring it on the test clips ({self.run.folder})",
            "done": f"done: {epochs}; the run is {self.run.folder}",
            "stopped": f"stopped: {epochs}, kept in {self.run.folder}; start again to continue",
            "failed": f"failed: {self.error}",
        }[self.state]

    def _start(self, words: Sequence[str]) -> None:
        command = [sys.executable, "-c", _MAIN, *words]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT)


def training_words(recipe: str, settings: Sequence[str], root: Path, run: Path) -> list[str]:
    """The words after `maam` for a training; a run that is there already is resumed."""
    words = ["train", recipe, "--run", str(run), "--root", str(root)]
    words += [word for setting in settings for word in ("--set", setting)]
    return [*words, "--resume"] if (Path(run) / "recipe.yaml").is_file() else words


def as_command(words: Sequence[str]) -> str:
    """The same as a line to type in a terminal."""
    return shlex.join(["maam", *words])


def _last_words(log: str) -> str:
    """What the command line said last: its own error line, if there is one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = [line.partition("maam: error: ")[2] for line in lines if "maam: error: " in line]
    return [*lines, *said][-1] if lines else "the process ended without a message (killed? out of memory?)"
