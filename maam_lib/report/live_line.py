"""A line that tells how far `maam reproduce` is: chapter, cell, epoch of the training, time left (ours)."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from maam_lib import CLONE
from maam_lib.config import Recipe
from maam_lib.grid import clock
from maam_lib.training import RunError, RunFolder

SAMPLE = CLONE / "reports" / "sample" / "results.json"
TRAINING = "03_train"  # the chapter whose time depends on the recipe
EVERY = 30.0  # seconds between two lines where there is no terminal to renew one in


class LiveLine:
    """On stderr: in a terminal one line that is renewed, else a line every half minute."""

    def __init__(self, chapters: Sequence[str], plan: Recipe, run: Path, expected: Mapping[str, float]) -> None:
        """`expected`: seconds that chapters took before; `run` is the folder of the training."""
        self.chapters, self.plan, self.run, self.expected = list(chapters), plan, RunFolder(run), dict(expected)
        self.took: dict[str, float] = {}  # chapter -> seconds, of those that are done
        self._began = time.monotonic()  # of the chapter
        self._next = self._began + EVERY
        self._bar = tqdm(bar_format="{desc}", disable=None, leave=False)

    def show(self, cell: int, cells: int) -> None:
        """Renew the line, where it is time; so many cells of the chapter have begun."""
        if not self._bar.disable:
            self._bar.set_description_str(self.text(cell, cells))
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            print(self.text(cell, cells), file=sys.stderr, flush=True)

    def end_chapter(self, seconds: float) -> None:
        """The chapter is done; the line makes room for what is said of it."""
        self.took[self.chapters[len(self.took)]] = seconds
        self._began = time.monotonic()
        self._bar.clear()

    def close(self) -> None:
        self._bar.close()

    def text(self, cell: int, cells: int) -> str:
        """How far it is, in words."""
        done, left = len(self.took), self.seconds_left(time.monotonic() - self._began)
        where = f"{self.chapters[done]} ({done + 1} of {len(self.chapters)}), cell {cell} of {cells}"  # in 80 columns
        if self.chapters[done] == TRAINING:
            where += f", epochs done: {len(self._epochs())} of {self.plan.training.epochs}"
        return where if left is None else f"{where}; about {clock(left)} left"

    def seconds_left(self, spent: float) -> float | None:
        """What the chapters took before, at the pace of those that are done; `spent` are this chapter's seconds so far.

        A training that has begun tells its own time. None where nothing is known of a chapter.
        """
        current, *later = self.chapters[len(self.took) :]
        known = self.took.keys() & self.expected.keys()
        before = sum(self.expected[name] for name in known)
        pace = sum(self.took[name] for name in known) / before if before else 1.0
        epochs = self._epochs() if current == TRAINING else []
        if not {*later, *([] if epochs else [current])} <= self.expected.keys():
            return None
        if epochs:
            now = (self.plan.training.epochs - len(epochs)) * sum(epochs) / len(epochs)
        else:
            now = max(0.0, self.expected[current] * pace - spent)
        return now + pace * sum(self.expected[name] for name in later)

    def _epochs(self) -> list[float]:
        """The seconds of each epoch of the training that is done."""
        try:
            return self.run.history["seconds"].tolist()
        except (KeyError, ValueError, RunError):  # none is done, or the file is damaged: the chapter itself says so
            return []


def earlier_seconds(out: Path, plan: Recipe) -> dict[str, float]:
    """Seconds per chapter of the last report in `out`; else of the report that comes with the kit.

    That one tells the time of a training only where its recipe is the same.
    """
    for path in (out / "results.json", SAMPLE):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            same = told["recipe"] == plan.name
            seconds = {name: float(chapter["seconds"]) for name, chapter in told["notebooks"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or damaged: there is no telling
            continue
        if path == SAMPLE or (same and len(seconds) > 1):
            return seconds if same else {name: s for name, s in seconds.items() if name != TRAINING}
    return {}
