"""What each difference between the paper and the released code changes, measured by turning one switch at a time.

Some switches need a training of their own: they are variants of the grid (`experiments`). Differences in scoring need
none: the same errors are scored under each.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from maam_lib import baselines, metrics
from maam_lib.baselines import constant_answers
from maam_lib.config import ScoringSettings
from maam_lib.evaluation import BRANCHES, Evaluator, Predict, Result, Scoring, calibrate, score_table, seed_interval
from maam_lib.grid.numbers import ABSENT, auc, auc_motion, difference, number, paired, same_seeds, shown, support_items
from maam_lib.grid.results import BASE, Results
from maam_lib.grid.scene_patches import ONE_PATCH, PER_SCENE, scene_patch_tables

RAISES, LOWERS, TINY = "raises it", "lowers it", "less than 0.001"


class Switch(NamedTuple):
    """One difference that a training can have either way; the recipes named -laptop and -mini have it `off`."""

    number: int | None  # in docs/differences.md
    what: str
    off: str
    on: str
    settings: tuple[str, ...]  # what turns it on


RELEASED = (
    "model.similarity=released",
    "loss.sparse_form=released",
    "loss.latent_form=released",
    "training.adam_form=released",
)
SCENE_PATCHES = {
    ONE_PATCH: "means over one patch, the size of what moves in all scenes",
    PER_SCENE: "means over a patch for each scene, the size of what moves in it",
}
ATTRACT = ("loss.latent_form=attract",)
SWITCHES = {
    BASE: Switch(None, "the unchanged recipe", "the paper's forms", "the paper's forms", ()),
    "similarity": Switch(1, "similarity", "cosine", "released", RELEASED[:1]),
    "sparse": Switch(9, "sparse loss", "sum over the items", "mean over all entries (released)", RELEASED[1:2]),
    "latent": Switch(10, "latent loss", "per query", "rows, averaged first (released)", RELEASED[2:3]),
    "attract": Switch(11, "sign of the latent loss", "pushes away", "pulls: 1 - cos (this kit)", ATTRACT),
    "adam": Switch(14, "Adam's epsilon", "after the correction", "before it (released)", RELEASED[3:]),
    "channels": Switch(27, "channels of gray video", "1 (released)", "3 equal ones (Table 1)", ("data.channels=3",)),
    "released": Switch(None, "1, 9, 10 and 14 together", "the paper's forms", "all released", RELEASED),
}


# Differences in scoring


def scoring_variants(scoring: ScoringSettings) -> dict[str, tuple[int | None, str, ScoringSettings]]:
    """Other ways to score the same errors: name -> (number of the difference, in words, settings)."""
    height, width = scoring.patch
    avenue = (max(1, round(height * 5 / 85)), max(1, round(width * 5 / 40)))  # the released stride to its patch
    turned = "height and width of the patch swapped, as ShanghaiTech's seem to be"
    changed = {
        "as is": (None, "the recipe: stride patch/4, SAME padding, psi calibrated", {}),
        "stride 1": (19, "every place: stride 1", {"stride": (1, 1)}),
        "stride avenue": (19, "stride as fine as Avenue's released one, patch/17 and patch/8", {"stride": avenue}),
        "stride patch": (19, "patches side by side: stride patch", {"stride": scoring.patch}),
        "patch turned": (19, turned, {"patch": (width, height)}),
        "padding valid": (20, "whole patches only", {"padding": "valid"}),
        "psi ped2": (21, "psi = 10/11, Ped2's released one", {"psi": 10 / 11}),
        "psi avenue": (21, "psi = 100/101, Avenue's", {"psi": 100 / 101}),
        "psi shanghaitech": (21, "psi = 1/11, ShanghaiTech's", {"psi": 1 / 11}),
    }
    return {name: (no, words, scoring.model_copy(update=new)) for name, (no, words, new) in changed.items()}


def scoring_effects(evaluator: Evaluator, predict: Predict) -> dict[str, Scoring]:
    """AUC and EER of one network under every scoring variant, and the best no-learning AUC under the same.

    Besides `scoring_variants`: "drop two" leaves out two frames a clip instead of one (item 16), "per clip" brings
    the scores of each clip to [0, 1] before all frames are taken together, as most of Table 2's methods do (item 22);
    where clips name their scene, one patch for all scenes and one for each, both measured in the training clips.
    """
    variants = scoring_variants(evaluator.recipe.scoring)
    scorings = {name: settings for name, (_, _, settings) in variants.items()}
    predictors = {"network": predict} | constant_answers(evaluator.dataset("train"))
    tables = {
        who: _tables(evaluator, answer, scorings) | scene_patch_tables(evaluator, answer)
        for who, answer in predictors.items()
    }
    words = {name: (number, said) for name, (number, said, _) in variants.items()}
    words |= {"drop two": (16, "two frames of each clip left out"), "per clip": (22, "each clip brought to [0, 1]")}
    words |= {name: (19, SCENE_PATCHES[name]) for name in SCENE_PATCHES if name in tables["network"]}
    effects = {}
    for name, (place, said) in words.items():
        learned = tables["network"][name]
        rows = {row: _auc(tables[answer][name], column) for row, (answer, column) in baselines.ROWS.items()}
        best = max(rows, key=rows.__getitem__)
        effects[name] = Scoring(
            number=place,
            what=said,
            auc=_auc(learned, "fused"),
            eer=metrics.equal_error_rate(learned["label"].to_numpy(), learned["fused"].to_numpy()),
            best_no_learning=best,
            best_no_learning_auc=rows[best],
        )
    return effects


def _auc(table: pd.DataFrame, column: str) -> float:
    return metrics.roc_auc(table["label"].to_numpy(), table[column].to_numpy())


def _tables(evaluator: Evaluator, predict: Predict, scorings: Mapping[str, ScoringSettings]) -> dict[str, pd.DataFrame]:
    """The score table of a predictor under each scoring, calibrated under the same; and the two made of the first."""
    errors = (evaluator.errors_under(list(scorings.values()), predict, split) for split in ("train", "test"))
    tables = {
        name: score_table(test, calibrate(train, scoring).psi, evaluator.prepared)
        for (name, scoring), train, test in zip(scorings.items(), *errors, strict=True)
    }
    table = tables["as is"]
    last = table.groupby("clip", sort=False)["frame"].transform("max")
    tables["drop two"] = table.loc[table["frame"] < last]
    clips = table["clip"].to_numpy()
    scaled = {column: metrics.normalise_per_clip(table[column].to_numpy(), clips) for column in BRANCHES}
    return tables | {"per clip": table.assign(**scaled)}


# Tables


def in_words(differences: list[float]) -> str:
    """What paired differences say of a switch: it raises or lowers the measure where the 95 % interval excludes 0.

    TINY where the interval lies within 0.001 of 0, which no table shows, whatever it excludes.
    """
    if len(differences) < 2:
        return "one seed: undecided" if differences else ABSENT
    low, high = seed_interval(differences)
    if low > -0.001 and high < 0.001:
        return TINY
    return RAISES if low > 0 else LOWERS if high < 0 else "undecided"


def effect_table(results: Results) -> pd.DataFrame:
    """One row per switch: AUC off and on, their difference, support items, what learning adds; all of the same seeds.

    Where the two share no seed, or a switch was not measured, off is of all its seeds.
    """
    rows = []
    for name, switch in SWITCHES.items():
        if name == BASE:
            continue
        both, differences = same_seeds(results, (BASE, name)), paired(results, name)
        off, on = both.get(BASE, []), both.get(name, [])
        row = {
            "no.": "" if switch.number is None else switch.number,
            "difference": switch.what,
            "off": switch.off,
            "on": switch.on,
            "seeds": len(differences),
            "AUC off": shown(off, auc),
            "AUC on": shown(on, auc),
            "on - off [95 %]": difference(differences),
            "effect": in_words(differences),
            "support items off": shown(off, support_items, ".1f"),
            "support items on": shown(on, support_items, ".1f"),
            "best no-learning": shown(on, lambda r: r.best.auc),
            "learning adds, on": shown(on, lambda r: r.learning_adds, "+.3f"),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def sizes_table(sizes: Mapping[str, Results]) -> pd.DataFrame:
    """Whether a smaller recipe orders the variants as a larger one does: name of a recipe -> its results, same dataset.

    One row per variant that two recipes have, fused and motion: its AUC minus that of the recipe as it is, in the same
    seeds. "same order" is known only where two 95 % intervals over seeds exclude 0, as said by `in_words`.
    """
    names = dict.fromkeys(name for results in sizes.values() for name in results if name != BASE)
    rows = []
    for name, (branch, measure) in itertools.product(names, {"fused": auc, "motion": auc_motion}.items()):
        found = {size: paired(results, name, measure) for size, results in sizes.items()}
        if sum(map(bool, found.values())) < 2:
            continue
        known = [words for d in found.values() if (words := in_words(d)) in (RAISES, LOWERS)]
        agree = "undecided" if len(known) < 2 else "yes" if len(set(known)) == 1 else "no"
        cells = {size: difference(gaps, f" ({len(gaps)})") for size, gaps in found.items()}
        rows.append({"variant": name, "AUC": branch} | cells | {"same order": agree})
    return pd.DataFrame(rows)


def scoring_table(results: list[Result]) -> pd.DataFrame:
    """One row per scoring variant of the same trainings (one result per seed): AUC, minus "as is", yardstick."""
    rows = []
    for name in results[0].scoring if results else ():
        scored = [result.scoring[name] for result in results]
        gaps = [of.auc - result.scoring["as is"].auc for of, result in zip(scored, results, strict=True)]
        row = {
            "no.": scored[0].number or "",
            "scoring": scored[0].what,
            "AUC": number(of.auc for of in scored),
            "change of AUC [95 %]": difference(gaps) if name != "as is" else "",
            "effect": in_words(gaps) if name != "as is" else "",
            "EER": number(of.eer for of in scored),
            "best no-learning": number(of.best_no_learning_auc for of in scored),
        }
        rows.append(row)
    return pd.DataFrame(rows)
