"""Every result that a report is made of: sweeps, single runs, and the results that come with the kit."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

import pandas as pd

from data_prep.files import UnreadableError
from data_prep.layout import checked_name
from maam_lib.config import Recipe, SettingError, differences, load_recipe, recipe_names
from maam_lib.evaluation import Calibration, Cost, Result
from maam_lib.grid import (
    BASE,
    DATASETS,
    REFERENCE,
    SIZES,
    WEIGHTS,
    GridResults,
    ResultError,
    base_recipe,
    cells_of,
    ending_of,
    every_variant,
    grid_results,
    read_cost,
    read_result,
)
from maam_lib.model import MAAMNet
from maam_lib.training import SCORES, RunError, RunFolder, build_network, load_weights, read_scores

IN_ORDER = (*DATASETS, "synthetic", "synthetic-avenue", "synthetic-shanghai")
ALWAYS = tuple(DATASETS)  # recipes that a report speaks of even where nothing is measured
OWN = "own-"  # begins the name of a run whose settings are no variant of its recipe; own-2- for other settings, and on


@dataclass(frozen=True)
class Scored:
    """A network of a recipe as it is: its result, the scores of all test frames, and where its weights are."""

    recipe: Recipe
    result: Result
    scores: pd.DataFrame  # clip, frame, label, appearance, motion, fused
    weights: Path

    @cached_property
    def network(self) -> MAAMNet:
        """In evaluation mode."""
        net = build_network(self.recipe).eval()
        load_weights(net, self.weights)
        return net

    @property
    def calibration(self) -> Calibration:
        psi, threshold = self.result.psi, self.result.threshold
        if psi is None or threshold is None:
            raise RunError(f"{self.weights}: its result has no psi or threshold; evaluate the run again")
        return Calibration(psi, threshold)


@dataclass(frozen=True)
class OwnRun:
    """A run that the user names: its result, and the variant whose row it is in, or why it is in none."""

    folder: Path
    recipe: str
    result: Result
    variant: str | None
    why: str = ""


@dataclass(frozen=True)
class Collection:
    """What was found, one grid per recipe: the paper's datasets first, of each the larger recipe first."""

    grids: list[GridResults]
    costs: dict[str, Cost]  # recipe -> cost.json
    left_out: list[str]  # files that do not count, and why
    scored: dict[str, Scored]  # recipe -> one of its networks
    own: list[OwnRun] = field(default_factory=list)

    @contextmanager
    def leaving_out(self, *errors: type[Exception], before: str = "", after: str = "") -> Iterator[None]:
        """What is damaged is named in `left_out`, and does not end the report."""
        try:
            yield
        except errors as error:
            self.left_out.append(f"{before}{error}{after}")


def collect(folders: Sequence[Path] = (), runs: Iterable[Path] = ()) -> Collection:
    """Read single runs, then folders of sweeps, then what comes with the kit; of the same settings the first counts.

    A run whose settings are no variant of its recipe is a recipe of its own, named "own-...". Damaged and foreign
    files are named in `left_out`, never fatal. Raises RunError for a run folder that is none.
    """
    searched = [*(folder for folder in folders if folder.is_dir()), REFERENCE]
    homes = {home.name: home for folder in reversed(searched) for home in folder.glob("*") if home.is_dir()}
    found = Collection([], {}, [], {})
    own: dict[str, list[RunFolder]] = {}
    opened = [RunFolder.open(run) for run in runs]
    for run in opened:
        with found.leaving_out(SettingError):
            own.setdefault(_name_of(run, own), []).append(run)
    for name in sorted({*homes, *ALWAYS, *own}, key=_order):
        of_name, home = own.get(name, []), homes.get(name, Path(name))
        with found.leaving_out(ValueError, before=f"{home}: "):  # SettingError among them
            checked_name(name)
            base = of_name[0].recipe if of_name and name.startswith(OWN) else base_recipe(home)
            measured = _results(of_name, found)
            grid = grid_results(base.model_copy(update={"name": name}), *searched, more=measured)
            found.left_out.extend([*grid.left_out, *grid.hidden])
            found.own.extend(_own(path, result, grid) for path, result in measured)
            if grid.results or name in ALWAYS:
                found.grids.append(grid)
            with found.leaving_out(UnreadableError, after="; remove it and sweep `--part table4` again"):
                if (cost := read_cost(name, *searched)) is not None:
                    found.costs[name] = cost
            with found.leaving_out(RunError, ResultError):
                if (scored := _scored(grid, searched, of_name)) is not None:
                    found.scored[name] = scored
    named = [run.folder for run in opened]
    found.own.sort(key=lambda run: named.index(run.folder))
    return found


def turned(before: Recipe, after: Recipe) -> str:
    """The settings in which two recipes differ, in words; empty for none."""
    return "; ".join(f"{key} {new} instead of {old}" for key, (old, new) in differences(before, after).items())


def kit_name(name: str) -> str:
    """The name of the recipe that a run of this name began with."""
    return re.sub(rf"^{OWN}(\d+-)?", "", name)


def settings_in_words(recipe: Recipe, variant: str) -> str:
    """The settings of a variant: what differs from the kit's recipe of that name, or from the defaults."""
    name, trained = kit_name(recipe.name), recipe.with_settings(*every_variant()[variant].settings)
    of_kit = name in recipe_names()
    before = load_recipe(name) if of_kit else Recipe(name=name, data=trained.data)
    words = turned(before, trained)
    known = f"recipe {name}" if of_kit else "a recipe of your own"
    return f"{known} with {words}" if words else f"{known}, unchanged"


def _name_of(run: RunFolder, own: Mapping[str, Sequence[RunFolder]]) -> str:
    """The name that a run's results go by: of the recipe or of the earlier run that its settings are a variant of."""
    name = run.recipe.name
    with suppress(SettingError):  # no recipe of the kit
        if _is_variant(run, load_recipe(name)):
            return name
    numbered = (f"{OWN}{f'{n}-' if n > 1 else ''}{name}" for n in count(1))
    return next(other for other in numbered if other not in own or _is_variant(run, own[other][0].recipe))


def _is_variant(run: RunFolder, base: Recipe) -> bool:
    cells = cells_of(base, every_variant(), [run.recipe.training.seed])
    return run.recipe.hash() in {cell.recipe.hash() for cell in cells}


def _results(runs: Sequence[RunFolder], found: Collection) -> list[tuple[Path, Result]]:
    """What single runs measured, with the machine that they ran on."""
    results = []
    for run in runs:
        path = run.folder / "metrics.json"
        with found.leaving_out(ResultError, RunError):
            results.append((path, read_result(path).with_values(machine=run.machine)))
    return results


def _own(path: Path, result: Result, grid: GridResults) -> OwnRun:
    """Where a run's result is in its recipe's grid."""
    home = next((name for name, results in grid.results.items() if any(result is of for of in results)), None)
    reasons = (text.removeprefix(f"{path}: ") for text in grid.left_out if text.startswith(f"{path}: "))
    why = "" if home else next(reasons, "another run of the same settings and seed is shown")
    return OwnRun(path.parent, grid.recipe.name, result, home, why)


def _scored(grid: GridResults, folders: Sequence[Path], runs: Sequence[RunFolder]) -> Scored | None:
    """The first network of the recipe as it is, with result, scores and weights at hand."""
    for result in grid.results.get(BASE, []):
        trained = [run for run in runs if run.recipe.hash() == result.recipe_hash]
        trained += [RunFolder(folder / grid.recipe.name / BASE / f"seed{result.seed}") for folder in folders]
        for run in trained:
            if (run.folder / SCORES).is_file() and run.weights_file().is_file():
                return Scored(grid.recipe, result, read_scores(run.folder), run.weights_file())
        kept = REFERENCE / grid.recipe.name  # of another training than the user's, though of the same settings and seed
        if (kept / WEIGHTS).is_file() and result == read_result(kept / BASE / "seed0.json"):
            return Scored(grid.recipe, result, read_scores(kept), kept / WEIGHTS)
    return None


def _order(name: str) -> tuple[int, int, str]:
    ending = ending_of(name)
    dataset = name.removesuffix(ending)
    return (IN_ORDER.index(dataset) if dataset in IN_ORDER else len(IN_ORDER), list(SIZES).index(ending), name)
