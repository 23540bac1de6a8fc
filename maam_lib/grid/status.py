"""How far a sweep is, told from the files that it leaves: from any machine that sees them, while it runs or after."""

import platform
import statistics
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import psutil

from data_prep.files import UnreadableError, in_form, read_json
from data_prep.words import counted
from maam_lib.evaluation import Plan, PlannedCell, Result, Word
from maam_lib.grid.experiments import base_recipe, grid_results
from maam_lib.grid.results import REFERENCE, ResultError
from maam_lib.training import RunFolder

Progress = Literal["done", "running", "interrupted", "failed", "waiting"]
ORDER: tuple[Progress, ...] = ("done", "running", "interrupted", "failed", "waiting")


@dataclass(frozen=True)
class CellState:
    """One cell of a plan and how far it is."""

    variant: str
    seed: int
    state: Progress
    detail: str = ""  # the AUC, the epoch, the reason


@dataclass(frozen=True)
class SweepState:
    """All cells of the last sweep in a folder, and the seconds that it still needs, as far as can be told."""

    home: Path
    cells: list[CellState]
    seconds_left: float | None
    left_out: list[str]

    def of(self, state: Progress) -> list[CellState]:
        return [cell for cell in self.cells if cell.state == state]

    def __str__(self) -> str:
        counts = ", ".join(f"{len(self.of(state))} {state}" for state in ORDER if self.of(state))
        left = "" if not self.seconds_left else f"; about {clock(self.seconds_left)} left"
        lines = [f"{self.home}: {counted(len(self.cells), 'cell')}: {counts}{left}"]
        for state in ("running", "interrupted", "failed"):
            lines += [f"  {state:12} {cell.variant} seed {cell.seed}: {cell.detail}" for cell in self.of(state)]
        return "\n".join(lines + [f"  left out     {reason}" for reason in self.left_out])


def sweep_states(folder: Path) -> list[SweepState]:
    """Of every recipe swept in a folder; raises ResultError where there is no sweep.

    A sweep whose own files are damaged is told of as well, so that it does not hide the others.
    """
    homes, states = sorted(path.parent for path in folder.glob("*/plan.json")), []
    if not homes:
        raise ResultError(
            f"{folder}: no sweep here (no */plan.json); start one with `maam sweep RECIPE --out {folder}`"
        )
    for home in homes:
        try:
            states.append(sweep_state(home))
        except (ValueError, RuntimeError, OSError) as error:  # what damaged or vanished files lead to
            reason = f"plan or notes not readable ({type(error).__name__}: {' '.join(str(error).split())})"
            remedy = "run the same `maam sweep` again: it writes them again"
            states.append(SweepState(home, [], None, [f"{reason}; {remedy}"]))
    return states


def sweep_state(home: Path) -> SweepState:
    """How far the last sweep in `<folder>/<recipe>` is; raises UnreadableError for a damaged plan."""
    plan = in_form(read_json(home / "plan.json"), Plan, str(home / "plan.json"))
    grid = grid_results(base_recipe(home), home.parent, REFERENCE, content_hash=plan.content_hash)
    results = {result.recipe_hash: result for seeds in grid.results.values() for result in seeds}
    cells = [_cell_state(home, cell, results.get(cell.recipe_hash)) for cell in plan.cells]
    return SweepState(home, cells, _seconds_left(home, cells, results, plan.workers), grid.left_out)


def _cell_state(home: Path, planned: PlannedCell, result: Result | None) -> CellState:
    """Of a cell of a plan. A result of the kit counts only where the plan took it: its number format may be another."""
    state = partial(CellState, planned.variant, planned.seed)
    own, running, failed = (
        home / planned.variant / f"seed{planned.seed}.{kind}" for kind in ("json", "running", "failed")
    )
    if result is not None and (planned.done or own.is_file()):
        return state("done", f"AUC {result.auc:.3f}")
    if running.is_file():
        try:
            word = in_form(read_json(running), Word, str(running))
        except (UnreadableError, FileNotFoundError) as error:  # damaged, or done in this moment
            return state("interrupted", f"{error}; the next sweep continues it")
        at = f"epoch {word.epoch} of {word.epochs} done"
        if not _is_alive(word):
            return state("interrupted", f"{at}; the next sweep continues it")
        spent, silent = (clock(time.time() - moment) for moment in (word.began, word.seen))
        return state("running", f"{at}, for {spent}, last sign {silent} ago, on {word.host}")
    if failed.is_file():
        return state("failed", failed.read_text(encoding="utf-8", errors="replace").strip())
    return state("waiting")


def _is_alive(word: Word) -> bool:
    """Whether the process that left word is still there; of another machine nobody here can tell, so yes."""
    if word.host != platform.node():
        return True
    try:
        return abs(psutil.Process(word.pid).create_time() - word.process_began) < 1
    except psutil.Error:
        return False


def _seconds_left(home: Path, cells: list[CellState], results: dict[str, Result], workers: int) -> float | None:
    """Cells still to do times what a finished one took, over the workers; a running one counts half.

    Before any is finished, what the epochs so far let expect of the trainings.
    """
    took = [of.training + of.measuring for result in results.values() if (of := result.seconds)]
    if not took:
        runs = [RunFolder(home / cell.variant / f"seed{cell.seed}") for cell in cells]
        took = [statistics.mean(r.history["seconds"]) * r.recipe.training.epochs for r in runs if len(r.history)]
    to_do = sum({"waiting": 1, "interrupted": 1, "running": 0.5}.get(cell.state, 0) for cell in cells)
    return to_do * statistics.median(took) / workers if took else None


def clock(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds, in a few characters."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"
