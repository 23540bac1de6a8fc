"""Runs the cells of a grid side by side through Dask; nothing that is finished is ever lost, or done twice.

A sweep keeps its state in files alone, so that a killed worker, a dead notebook kernel or a power cut costs the epochs
in flight, and the same command goes on. `<folder>/<recipe>` holds, besides the results of `experiments`:

recipe.yaml, plan.json      the recipe as it is, and the cells of the last sweep, with those that it found done
<variant>/seed0.running     while a cell is worked on: by which process, since when, at which epoch
<variant>/seed0.failed      why a cell failed; gone when it succeeds
cost.json                   of "table4": sizes and speeds
"""

import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from data_prep.cluster import outcomes
from data_prep.files import DiskFullError, alone, clear_asides, write_json, write_text
from data_prep.words import counted
from maam_lib.config import Recipe, load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.grid.cost import measure_cost, memory_needed
from maam_lib.grid.experiments import OF_THE_PAPER, Cell, GridResults, cells_of, grid_results, measure_cell, variants_of
from maam_lib.grid.results import REFERENCE, ResultError, read_result
from maam_lib.grid.status import clock
from maam_lib.training import RunFolder, changed_settings, fit, fit_recipe, usable_cores

_ONE_AT_A_TIME = threading.Lock()  # a worker with several threads would mix up the random numbers of two trainings


class SweepError(RuntimeError):
    """A sweep that cannot run, or did not end whole: says which cells, why, and that the others are kept."""


def sweep(
    recipe: Recipe,
    prepared: PreparedDataset,
    folder: Path,
    *,
    parts: Iterable[str] = OF_THE_PAPER,
    variants: Iterable[str] = (),
    seeds: int = 3,
    workers: int | None = None,
    scheduler: str | None = None,
    say: Callable[[str], None] = print,
) -> GridResults:
    """Train and measure every cell of some parts, and variants, that has no result yet; returns all results (ours).

    A result of the same settings and data is taken from `<folder>/<recipe>`, or from those that come with the kit.
    Workers: one per GPU, else as many as cores and memory bear, each on one thread, so that numbers do not depend on
    how many there are. `scheduler`: as in `data_prep.cluster.outcomes`.

    Raises SettingError for an unknown part or variant; ResultError, before anything is trained, for a damaged result
    file or one of other settings or data where a cell's is to go; SweepError for a folder in which another sweep is
    at work, and at the end for cells that failed; ClusterError for a scheduler that vanishes; DiskFullError.
    """
    recipe, chosen = fit_recipe(recipe, prepared)
    if chosen:
        say(f"{recipe.name}: {chosen}")
    parts, home = list(parts), folder / recipe.name
    cells = cells_of(recipe, variants_of(parts, variants), range(seeds))
    busy = SweepError(f"{home}: another sweep is running in it; wait for it, or name another folder")
    with alone(home / ".lock", busy):
        kept = home / "recipe.yaml"
        if kept.is_file() and (changed := changed_settings(load_recipe(kept), recipe)):
            raise SweepError(f"{home}: holds a sweep with other settings ({changed}); name another folder for these")
        done = [cell for cell in cells if _has_result(cell, prepared, folder)]
        to_do = [Task(home, cell, prepared) for cell in cells if cell not in done]
        _clear(home, done)
        write_text(kept, recipe.to_yaml())
        workers = workers or (1 if scheduler else default_workers(recipe))
        _write_plan(home, cells, done, prepared, workers)
        say(f"{recipe.name}: {counted(len(cells), 'cell')}, {len(done)} done, {len(to_do)} to do in {home}")
        failed = _run(to_do, workers, scheduler, say)
        if "table4" in parts and not (home / "cost.json").is_file():
            write_json(home / "cost.json", measure_cost(recipe, prepared).model_dump(mode="json"))
    if failed:
        raise SweepError(
            f"{len(failed)} of {len(cells)} cells failed, the others are kept: {'; '.join(failed[:3])}"
            f"{' ...' if len(failed) > 3 else ''}. Remove the cause and run the same command again"
        )
    return grid_results(recipe, folder, REFERENCE, content_hash=prepared.content_hash)


def _has_result(cell: Cell, prepared: PreparedDataset, folder: Path) -> bool:
    """Whether a cell's result is in the folder, or comes with the kit; raises ResultError as `sweep` does."""
    for place in (folder, REFERENCE):
        path, other = cell.result_file(place / cell.recipe.name), ""
        if not path.is_file():
            continue
        result = read_result(path)
        if result.recipe_hash != cell.recipe.hash():
            other = "other settings"
        elif result.data.content_hash != prepared.content_hash:
            other = "other data"
        elif result.machine.precision not in (None, cell.recipe.training.precision):
            other = f"another number format ({result.machine.precision})"
        if not other:
            return True
        if place == folder:
            raise ResultError(f"{path}: a result of {other}; move it away, or sweep into another folder")
    return False


# Running


@dataclass(frozen=True)
class Task:
    """A cell, the folder of its recipe, and its data: what travels to a worker."""

    home: Path
    cell: Cell
    prepared: PreparedDataset

    def note(self, kind: str) -> Path:
        return self.cell.result_file(self.home).with_suffix(f".{kind}")


def _run(tasks: list[Task], workers: int, scheduler: str | None, say: Callable[[str], None]) -> list[str]:
    """Run cells, telling of each; returns the failed ones with their reason."""
    began, failed = time.perf_counter(), []
    for number, (task, outcome) in enumerate(outcomes(run_cell, tasks, workers, scheduler), start=1):
        spent = time.perf_counter() - began
        left = clock(spent / number * (len(tasks) - number))
        if outcome.error is None:
            says = outcome.result
            task.note("failed").unlink(missing_ok=True)
        elif isinstance(outcome.error, DiskFullError):
            raise outcome.error
        else:
            reason = " ".join(str(outcome.error).split()) or type(outcome.error).__name__
            write_text(task.note("failed"), f"{reason}\n")
            failed.append(f"{task.cell}: {reason}")
            says = f"FAILED: {reason}"
        say(f"{number}/{len(tasks)} {task.cell}: {says} [{clock(spent)} gone, about {left} left]")
    return failed


def run_cell(task: Task) -> str:
    """Train a cell, or continue its training, measure it and write its result; returns it in a few words."""
    cell, path = task.cell, task.cell.result_file(task.home)
    with _ONE_AT_A_TIME, _one_thread(), _running(task) as tell:
        device, used = _device_number(), time.process_time()
        begun = RunFolder(path.with_suffix("")).epochs_done > 0
        run = fit(
            cell.recipe,
            task.prepared,
            path.with_suffix(""),
            resume=True,
            devices=1 if device is None else [device],
            progress=False,
            on_epoch=lambda row: tell(int(row["epoch"])),
        )
        result = measure_cell(run, cell, task.prepared, None if device is None else f"cuda:{device}")
        content = result.as_json()
        if not begun:  # of this process, however busy the machine; of a training that went on, it is a part
            content["seconds"]["cpu"] = round(time.process_time() - used, 1)
        write_json(path, content)
    return f"AUC {result.auc:.3f}, best no-learning {result.best.auc:.3f}"


@contextmanager
def _running(task: Task) -> Iterator[Callable[[int], None]]:
    """Leaves word of a cell that is worked on, and takes it away at the end, but for a killed process."""
    process, began = psutil.Process(), time.time()
    facts = {"host": platform.node(), "pid": process.pid, "process_began": process.create_time(), "began": began}
    facts["epochs"] = task.cell.recipe.training.epochs

    def tell(epoch: int) -> None:
        write_json(task.note("running"), facts | {"epoch": epoch, "seen": time.time()})

    tell(0)
    try:
        yield tell
    finally:
        task.note("running").unlink(missing_ok=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _write_plan(home: Path, cells: list[Cell], done: list[Cell], prepared: PreparedDataset, workers: int) -> None:
    plan = [
        {"variant": cell.variant, "seed": cell.seed, "recipe_hash": cell.recipe.hash(), "done": cell in done}
        for cell in cells
    ]
    write_json(home / "plan.json", {"workers": workers, "content_hash": prepared.content_hash, "cells": plan})


def _device_number() -> int | None:
    """The GPU of this worker: the workers of a local cluster, numbered 0, 1 ..., share them; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:  # in this process, not on a worker
        name = 0
    return name % torch.cuda.device_count() if isinstance(name, int) else 0


def _clear(home: Path, done: list[Cell]) -> None:
    """Delete what killed sweeps left: temporary files, and notes of finished cells."""
    for place in (home, *(path for path in home.glob("*") if path.is_dir())):
        clear_asides(place)
    for cell in done:
        for kind in ("running", "failed"):
            cell.result_file(home).with_suffix(f".{kind}").unlink(missing_ok=True)


# How many


def default_workers(recipe: Recipe) -> int:
    """One worker per GPU; without any, as many as there are cores and room in memory for a training each."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return max(1, min(usable_cores(), int(psutil.virtual_memory().available // memory_needed(recipe))))
