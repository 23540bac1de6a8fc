"""The grid behind the paper's tables and figures: which trainings there are, and what each leaves behind.

A variant is a recipe with some settings turned; a cell is one variant with one seed, and one training. It is known by
the hash of its settings and that of its data, and leaves one small result file:

<folder>/<recipe>/<variant>/seed0.json   what `evaluate` measures, the settings and the machine
<folder>/<recipe>/<variant>/seed0/       the run; may be deleted
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.words import counted
from maam_lib.config import LossSettings, Recipe, SettingError, load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import Evaluator, NoLearning, Result, evaluate, network_predictor
from maam_lib.fast import best_accelerator
from maam_lib.grid.differences import SWITCHES, Switch, scoring_effects
from maam_lib.grid.results import (
    BASE,
    NO_LEARNING,
    REFERENCE,
    ResultError,
    Results,
    paper_values,
    read_no_learning,
    read_result,
    result_files,
)
from maam_lib.training import RunFolder, build_network

RATES = ("0.0001", "0.0005", "0.00002")  # of learning, ours; the last is the paper's on Ped2
# Variants that are also scored at every epoch and under every scoring variant.
RATE_VARIANTS = tuple(f"lr-{rate}" for rate in RATES)
IN_DEPTH = (BASE, "channels", *RATE_VARIANTS)
HELD_OUT = "held-out"  # of three clips, since the widths of single ones differ much

# Variants


class Variant(NamedTuple):
    """One way to train a recipe."""

    what: str
    settings: tuple[str, ...]


# Table 5's rows (the losses that are on) and columns (the branches that are trained).
LOSSES = {
    "no-losses": Variant("neither loss", ("loss.sparse_weight=0", "loss.latent_weight=0")),
    "sparse-only": Variant("sparse loss", ("loss.latent_weight=0",)),
    "latent-only": Variant("latent loss", ("loss.sparse_weight=0",)),
    BASE: Variant("both losses", ()),
}
BRANCHES = {
    "-appearance": Variant("appearance trained alone", ("loss.branches=appearance", "scoring.psi=1")),
    "-motion": Variant("motion trained alone", ("loss.branches=motion", "scoring.psi=0")),
    "": Variant("both branches", ()),
}
SPEED, PATCHES = ("loss.motion_target=speed",), "loss.motion_form=patches"
FAR_BETA = "2"  # ours: beyond the points of Fig. 6, since the text speaks of weights larger than 1


def figure6_variants(knob: str) -> dict[str, str]:
    """The points of Fig. 6 for "beta" or "zeta" as printed -> the variant that measures it, in rising order."""
    usual = {"beta": LossSettings().latent_weight, "zeta": LossSettings().margin}[knob]
    values = [*paper_values()["figure6"][knob]["values"], *([FAR_BETA] if knob == "beta" else [])]
    return {value: BASE if float(value) == usual else f"{knob}-{value}" for value in values}


@cache
def every_variant() -> dict[str, Variant | Switch]:
    """All variants by name; those of Fig. 6 come from the paper's printed points."""
    table5 = {
        losses + branches: Variant(f"{loss.what}, {branch.what}", loss.settings + branch.settings)
        for losses, loss in LOSSES.items()
        for branches, branch in BRANCHES.items()
    }
    key = {"beta": "loss.latent_weight", "zeta": "loss.margin"}
    figure6 = {
        name: Variant(f"{knob} = {value}", (f"{key[knob]}={value}",))
        for knob in key
        for value, name in figure6_variants(knob).items()
    }
    ours = {
        "no-memory": Variant("without memory", ("model.use_memory=false",)),
        "speed-pixels": Variant("motion decoder predicts speed (this kit)", SPEED),
        "speed-patches": Variant("predicts speed, compared over patches (this kit)", (*SPEED, PATCHES)),
        "speed": Variant(
            "predicts speed, compared over patches, augmented (this kit)", (*SPEED, PATCHES, "training.augment=true")
        ),
        HELD_OUT: Variant("three clips held out of training (this kit)", ("training.hold_out=3",)),
        **{f"lr-{rate}": Variant(f"learning rate {rate}", (f"training.learning_rate={rate}",)) for rate in RATES},
        "temperature": Variant("softmax temperature 0.1 (this kit)", ("model.temperature=0.1",)),
    }
    return figure6 | SWITCHES | ours | table5


OF_THE_PAPER = ("table2", "table3", "table4", "table5", "figure5", "figure6")


@cache
def every_part() -> dict[str, tuple[str, ...]]:
    """What each part of the paper, and of the kit, is made of: the names of its variants."""
    knobs = [figure6_variants(knob).values() for knob in ("beta", "zeta")]
    return {
        "table2": (BASE, "no-memory"),
        "table3": (BASE,),
        "table4": (),  # measured without training: `cost`
        "table5": tuple(losses + branches for losses in LOSSES for branches in BRANCHES),
        "figure5": tuple(LOSSES),
        "figure6": tuple(dict.fromkeys(chain(*knobs))),
        "differences": tuple(SWITCHES),
    }


# Cells


@dataclass(frozen=True)
class Cell:
    """One variant of a recipe with one seed."""

    variant: str
    recipe: Recipe

    @property
    def seed(self) -> int:
        return self.recipe.training.seed

    def __str__(self) -> str:
        return f"{self.variant} seed {self.seed}"

    def result_file(self, home: Path) -> Path:
        """Where its result lies in the folder of its recipe; its run is the folder of that name without the ending."""
        return home / self.variant / f"seed{self.seed}.json"


def variants_of(parts: Iterable[str], variants: Iterable[str] = ()) -> list[str]:
    """The variants that some parts, and some variants by name, need; raises SettingError for an unknown one."""
    for given, known, kind in ((parts, every_part(), "part"), (variants, every_variant(), "variant")):
        if unknown := sorted(set(given) - set(known)):
            raise SettingError(f"no {kind} {', '.join(unknown)}; there are {', '.join(known)}")
    return list(dict.fromkeys([*(name for part in parts for name in every_part()[part]), *variants]))


def cells_of(base: Recipe, variants: Iterable[str], seeds: Sequence[int]) -> list[Cell]:
    """The cells, seed by seed so that a whole table exists early; of variants with the same settings, the first."""
    cells = [
        Cell(name, base.with_settings(*every_variant()[name].settings, f"training.seed={seed}"))
        for seed in seeds
        for name in variants
    ]
    return list({cell.recipe.hash(): cell for cell in reversed(cells)}.values())[::-1]


def measure_cell(run: RunFolder, cell: Cell, prepared: PreparedDataset, device: str | None = None) -> Result:
    """The result of one finished training: what `evaluate` measures of it, with its machine and seconds.

    Those IN_DEPTH get the curve over their epochs and their "scoring" under every scoring variant; "held-out" gets the
    curve, since what its held-out clips say is to be seen at every epoch.
    """
    began, device, in_depth = time.perf_counter(), device or best_accelerator(), cell.variant in IN_DEPTH
    result = evaluate(run, prepared, every_epoch=in_depth or cell.variant == HELD_OUT, device=device)
    more: dict[str, Any] = {"variant": cell.variant, "machine": run.machine}
    if in_depth:
        net = build_network(run.recipe).to(device)
        run.load_weights(net)
        more["scoring"] = scoring_effects(Evaluator(run.recipe, prepared, device), network_predictor(net))
    measuring = round(time.perf_counter() - began, 1)
    more["seconds"] = {"training": run.machine.get("training_seconds", 0.0), "measuring": measuring}
    return result.with_values(**more)


# Results


@dataclass(frozen=True)
class GridResults:
    """The results of one recipe's grid that folders hold, and why others were left out."""

    recipe: Recipe
    results: Results
    left_out: list[str]
    no_learning: NoLearning | None = None  # of `maam baselines`, on the same data
    hidden: list[str] = field(default_factory=list)  # how many results of later folders do not count, and why


def base_recipe(home: Path) -> Recipe:
    """The recipe that the results in a folder are variants of: its recipe.yaml, or the kit's of the folder's name."""
    kept = home / "recipe.yaml"
    return load_recipe(kept if kept.is_file() else home.name)


def grid_results(
    base: Recipe,
    *folders: Path,
    more: Sequence[tuple[Path, Result]] = (),
    content_hash: str | None = None,
) -> GridResults:
    """Each variant's results for one recipe in `<folder>/<recipe>`, an earlier folder before a later, after any `more`.

    They are found by the hash of their settings. Of results on different data, those on the data asked for, else those
    on the data that most have. Damaged files, those of unfinished trainings, those trained in another number format
    than the recipe's, which an earlier kit chose by the processor, and those of the first folder that are of other
    settings or data, are named in `left_out`; those of later folders are counted in `hidden`.
    """
    found, left_out = list(more), []
    for path in (path for folder in folders for path in result_files(folder / base.name)):
        try:
            found.append((path, read_result(path)))
        except ResultError as error:
            left_out.append(str(error))
    hashes = [result.data.content_hash for _, result in found]
    content_hash = content_hash or (max(hashes, key=hashes.count) if hashes else None)
    seeds = sorted({result.seed for _, result in found})
    hashes_of = {name: [cell.recipe.hash() for cell in cells_of(base, [name], seeds)] for name in every_variant()}
    known = set(chain.from_iterable(hashes_of.values()))
    by_hash: dict[str, Result] = {}
    elsewhere: Counter[tuple[Path, str]] = (
        Counter()
    )  # of later folders, whose results are not the user's own: how many, and why
    for path, result in found:
        if result.data.content_hash != content_hash:
            why, is_told = "measured on other data", False
        elif result.recipe_hash not in known:
            why, is_told = f"the settings are those of no variant of {base.name}", False
        elif (precision := result.machine.precision) not in (None, base.training.precision):
            why, is_told = f"trained in {precision}, not compared with results in {base.training.precision}", True
        elif result.epoch is not None and result.epoch < (epochs := base.training.epochs):
            why, is_told = f"measured after epoch {result.epoch} of {epochs}: its training is not finished", True
        else:
            by_hash.setdefault(result.recipe_hash, result)
            continue
        if is_told or path.is_relative_to(folders[0]) or (path, result) in more:
            left_out.append(f"{path}: {why}")
        else:
            folder = next(folder for folder in folders if path.is_relative_to(folder))
            elsewhere[folder / base.name, why] += 1
    hidden = [f"{home}: {counted(n, 'result')} left out: {why}" for (home, why), n in elsewhere.items()]
    results = {name: [by_hash[h] for h in of_variant if h in by_hash] for name, of_variant in hashes_of.items()}
    no_learning = _no_learning(base, folders, content_hash, left_out)
    return GridResults(base, {name: seeds for name, seeds in results.items() if seeds}, left_out, no_learning, hidden)


def _no_learning(
    base: Recipe, folders: Iterable[Path], content_hash: str | None, left_out: list[str]
) -> NoLearning | None:
    """The first file of `maam baselines` on the same data (None: any) under the same data and scoring settings, of
    whatever recipe.

    A damaged one of the recipe itself is named in left_out.
    """
    settings = base.model_dump(mode="json", include={"data", "scoring"})

    def is_as_asked(found: NoLearning) -> bool:
        kept = {part: found.settings.get(part) for part in settings}
        same = (isinstance(of, dict) and of.items() <= settings[part].items() for part, of in kept.items())
        return content_hash in (None, found.data.content_hash) and all(same)

    for path in (path for folder in folders for path in sorted(folder.glob(f"*/{NO_LEARNING}"))):
        try:
            found = read_no_learning(path)
        except ResultError as error:
            if path.parent.name == base.name:
                left_out.append(str(error))
            continue
        if is_as_asked(found):
            return found
    return None


def reference_grid(recipe: str) -> Results:
    """The results that come with the kit for a recipe, by variant; empty where there are none."""
    return grid_results(base_recipe(REFERENCE / recipe), REFERENCE).results
