"""Makes the tables of results in README.md and docs/ from reports/reference: python docs/make_tables.py.

One short function per table, which is why the file is long.
"""

import math
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.files import write_text
from maam_lib.analysis import kinds_found, read_event_labels
from maam_lib.config import load_recipe
from maam_lib.evaluation import Result, smoothed, width_history
from maam_lib.grid import (
    BASE,
    COMPARED,
    DATASETS,
    NONE,
    REFERENCE,
    REPORTS,
    GridResults,
    Results,
    State,
    claims,
    deciders_table,
    effect_table,
    learning_table,
    motion_learned,
    no_learning_table,
    number,
    paper_values,
    read_result,
    reference_detector,
    reference_grid,
    scores_side_by_side,
    scoring_table,
    sizes_table,
    summary,
    trainings_table,
    verdict,
)
from maam_lib.grid.numbers import Measure, auc, auc_motion, interval, written
from maam_lib.report import collect

PROJECT = Path(__file__).parent.parent
OURS = 28  # number, in docs/differences.md, of an extension of ours
WITH_EFFECTS = ("synthetic-mini", "ped2-mini")  # recipes whose effects docs/differences.md shows


def results() -> str:
    """Every recipe that comes with results, and its variants; of those made for sweeps (-mini) the recipe alone."""
    recipes = sorted(folder.name for folder in REFERENCE.iterdir() if folder.is_dir())
    return as_markdown(summary(group for recipe in recipes for group in _groups(recipe)))


def _groups(recipe: str) -> Iterator[tuple[str, list[Result]]]:
    found = reference_grid(recipe)
    for variant in sorted(found, key=lambda variant: (variant != BASE, variant)):
        if variant == BASE or not recipe.endswith("-mini"):
            yield recipe if variant == BASE else f"{recipe}-{variant}", found[variant]


def effects() -> str:
    """What each switch between the paper and the released code changes."""
    tables = []
    for recipe in WITH_EFFECTS:
        found = reference_grid(recipe)
        for title, table in (("trained", effect_table(found)), ("scored", scoring_table(found[BASE]))):
            tables.append(f"**{recipe}, {title}**\n\n{as_markdown(table)}\n")
    return "\n" + "\n".join(tables)


def sizes() -> str:
    """Whether small recipes order the variants as larger ones do."""
    tables = [
        sizes_table({name: reference_grid(name) for name in (f"{dataset}-mini", f"{dataset}-laptop")})
        for dataset in ("ped2", "synthetic")
    ]
    return "\n" + "\n".join(f"{as_markdown(table)}\n" for table in tables if len(table))


def would_decide() -> str:
    """How many seeds of which recipe would decide the claims that are undecided, and what they cost."""
    grids = collect().grids
    return as_markdown(deciders_table([verdict(claim, grids) for claim in claims()], grids))


def decided() -> str:
    """The paper's claims that networks trained on real Ped2 decide, each at the size of its recipe."""
    grids = [grid for grid in _grids("ped2") if grid.results]
    found = [
        (claim.text, recipe, finding.evidence, str(finding.state))
        for claim in claims()
        if not claim.ours
        for recipe, finding in verdict(claim, grids).findings.items()
        if finding.state is not State.OPEN
    ]
    return as_markdown(
        pd.DataFrame(found, columns=["claim", "recipe", "measured (95 % interval)", "verdict, at this size"])
    )


def in_short() -> str:
    """What real Ped2 says, in three sentences."""
    grids = _grids("ped2")
    [laptop] = (grid for grid in grids if grid.recipe.name == "ped2-laptop")
    assert laptop.no_learning is not None  # it comes with the kit
    speed, printed = laptop.no_learning.rows["speed"], paper_values()["table2"]["rows"]["Ours"][0]
    low, high = speed.micro.auc_interval or (math.nan, math.nan)
    gaussian, median = (speed.smoothed[name]["micro"].auc for name in ("gaussian_3", "median_17"))
    trained = [name for name in COMPARED if name != f"{BASE}-appearance"]  # whose motion branch is not
    motion = {
        f"`{grid.recipe.name}`{'' if name == BASE else f' with `--variant {name}`'}": results
        for grid in grids
        for name in trained
        if (results := [result.auc_motion for result in grid.results.get(name, [])])
    }
    best = max(motion, key=lambda name: np.mean(motion[name]))
    text = (
        "Plain speed is enough on real Ped2. Take the optical flow, without any network, and score each frame by its "
        f"fastest patch: the frame AUC is {speed.micro.auc:.3f} (95 % interval over the twelve clips: {low:.3f} to "
        f"{high:.3f}). Smoothed over time, as other papers smooth their scores, it is {gaussian:.3f} or {median:.3f}; "
        f"the paper prints {printed} for MAAM-Net. At half of the paper's frame size, no motion branch that this kit "
        f"trained improves on it: the best, that of {best}, reaches {np.mean(motion[best]):.3f} on average (seeds: "
        f"{len(motion[best])})."
    )
    return textwrap.fill(text.replace(" %", "\u00a0%"), 130, break_long_words=False, break_on_hyphens=False)


def findings() -> str:
    """What the kit has found, for a reader who knows none of its words."""
    scene, mini = reference_grid("synthetic-laptop")[BASE], reference_grid("synthetic-mini")
    learned, without = np.mean([result.auc for result in scene]), scene[0].best.auc
    [laptop] = (grid for grid in _grids("ped2") if grid.recipe.name == "ped2-laptop")
    assert laptop.no_learning is not None  # it comes with the kit
    speed, printed = laptop.no_learning.rows["speed"].micro.auc, paper_values()["table2"]["rows"]["Ours"][0]
    of_flow = [_range(laptop, measure, BASE, "no-memory", "released") for measure in (auc_motion, auc)]
    of_speed = [_range(laptop, measure, "speed") for measure in (auc_motion, auc)]
    answering = [np.mean([r.memory.support_items for r in mini[name] if r.memory]) for name in (BASE, "similarity")]
    half, epochs = _half()
    numbered = _differences_of_the_code()
    texts = (
        "**Learning helps where direction matters.** On the kit's generated street, the network's AUC is "
        f"{learned:.2f} (seeds: {len(scene)}); the best score without any network reaches {without:.2f}. Learning adds "
        f"about {learned - without:.1f}. (AUC: the chance that an abnormal frame scores higher than a normal one; 0.5 "
        "is guessing.)",
        "**On real UCSD Ped2, speed is enough.** The plain speed of whatever moves, without any network, has an AUC of "
        f"{speed:.3f}; the paper prints {printed} for MAAM-Net. The kit's networks do learn motion there, but that "
        "lowers their AUC. At half of the paper's frame size and a quarter of its width the motion branch has "
        f"{of_flow[0]}, and with appearance added {of_flow[1]}. If it learns speed without direction, it has "
        f"{of_speed[0]}, and {of_speed[1]} with appearance. At the paper's width it has {half.auc_motion:.2f} and "
        f"{half.auc:.2f} (one seed, {half.epoch} of {epochs} epochs). The paper's full size needs a GPU and has not "
        "been run.",
        f"**The released code is not the paper.** The kit compares the two in {numbered} points and measures what "
        "the differences change. "
        f"In small networks with the paper's similarity, {answering[0]:.0f} of {_items(mini)} memory items answer a "
        f"query; with the released one, {answering[1]:.0f}.",
    )
    wrapped = (
        textwrap.fill(text, 120, initial_indent=f"{i}. ", subsequent_indent="   ", break_on_hyphens=False)
        for i, text in enumerate(texts, 1)
    )
    return "\n".join(wrapped)


def _range(grid: GridResults, measure: Measure, *variants: str) -> str:
    """From the lowest to the highest mean over seeds of some variants; of one, its mean."""
    values = ([value for of in grid.results[name] if (value := measure(of)) is not None] for name in variants)
    means = [np.mean(of_variant) for of_variant in values]
    return " to ".join(f"{mean:.2f}" for mean in sorted({min(means), max(means)}))


def alarms() -> str:
    """How far the threshold of the kept Ped2 weights can be trusted on footage that they never saw."""
    detector = reference_detector("ped2-laptop")
    share = detector.reached_by_normal_test(detector.threshold)
    assert share is not None  # the kept detector knows
    text = (
        f"Without `--normal`, the Ped2 weights of the kit raise the alarm on {share:.0%} of the *normal* test frames "
        "of Ped2 itself. So give ordinary footage of your own view: it sets the threshold. `maam detect` warns of this."
    )
    return textwrap.fill(text.replace("%", "\u00a0%"), 130, break_long_words=False, break_on_hyphens=False)


def _items(found: Results) -> int:
    memory = found[BASE][0].memory
    assert memory is not None
    return memory.items


def _differences_of_the_code() -> int:
    """How many numbered differences docs/differences.md lists between paper and released code; no. 28 is ours."""
    text = (PROJECT / "docs" / "differences.md").read_text(encoding="utf-8").split("## How psi")[0]
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    return len(numbers - {OURS})


def ped2() -> str:
    """Real Ped2: rows without a network, the paper's, and the networks that were trained here."""
    return as_markdown(learning_table(_grids("ped2")))


def scene() -> str:
    """The same of the generated scene, for its variants of the target."""
    table = learning_table(_grids("synthetic"))
    return as_markdown(table.loc[:, (table != NONE).any()])


def unfinished() -> str:
    """What `ped2-half` has reached: its training is not finished, so no other table has it."""
    half, epochs = _half()
    bounds = half.protocols["micro"].auc_interval
    assert bounds is not None  # its file has one
    row = {
        "after epoch": f"{half.epoch} of {epochs}",
        "AUC fused": f"{half.auc:.3f}",
        "AUC motion": f"{half.auc_motion:.3f}",
        "AUC appearance": f"{half.auc_appearance:.3f}",
        "95 % over clips, fused": interval(bounds),
        "motion error": f"{half.motion_error_to_zero_flow.test_normal:.2f}",
    }
    return as_markdown(pd.DataFrame([row]))


def _half() -> tuple[Result, int]:
    """The result of `ped2-half`, and how many epochs its training would have."""
    return read_result(REFERENCE / "ped2-half" / "unfinished.json"), load_recipe("ped2-half").training.epochs


def held_out() -> str:
    """Widths of the largest motion errors, on training frames and on clips held out, epoch by epoch, over seeds."""
    histories = [
        width_history(result).assign(auc=[point.auc_motion for point in result.curve])
        for result in reference_grid("ped2-mini")["held-out"]
    ]
    columns = {
        "motion_width_train": ("training frames", ".2f"),
        "motion_width_held_out": ("held-out frames", ".2f"),
        "auc": ("AUC motion (with labels)", ".3f"),
    }
    rows = [
        {"epoch": epoch} | {words: number(of[name], form) for name, (words, form) in columns.items()}
        for epoch, of in pd.concat(histories).groupby("epoch")
    ]
    return as_markdown(pd.DataFrame(rows))


def spread() -> str:
    """How far the motion scores of normal frames spread within clips, and what offsets between clips cost."""
    scores = scores_side_by_side("ped2-laptop")
    normal = scores[scores["label"] == 0].groupby("clip")[["zero flow", "network, motion"]]
    widths = (normal.quantile(0.9) - normal.quantile(0.1)).map("{:.1f}".format).reset_index()
    [kept] = (result for result in reference_grid("ped2-laptop")[BASE] if result.seed == 0)
    micro, per_clip = (kept.protocols[name] for name in ("micro", "micro_per_clip"))
    text = (
        "Offsets between clips cost the network part of its motion AUC: over the raw scores of all frames it is "
        f"{micro.auc_motion:.3f}, with the scores of each clip brought to [0, 1] it is {per_clip.auc_motion:.3f} "
        f"(zero flow: {micro.no_learning['zero_flow']:.3f} and {per_clip.no_learning['zero_flow']:.3f})."
    )
    return f"{as_markdown(widths)}\n\n{textwrap.fill(text, 130, break_on_hyphens=False)}"


def rates() -> str:
    """Motion AUC of ped2-laptop (seed 0) at each learning rate, epoch by epoch, with the share of motion learned."""
    points = motion_learned(grid for grid in _grids("ped2") if grid.recipe.name == "ped2-laptop")
    points = points[(points["seed"] == 0) & (points["epoch"].isin((1, *range(2, 21, 2))))]
    both = zip(points["auc"], points["learned"], strict=True)
    cells = [f"{auc:.3f} ({written(100 * learned, '.0f')} %)" for auc, learned in both]
    table = points.assign(cell=cells).pivot(index="epoch", columns="training", values="cell")
    table.columns = [name.rpartition(", ")[2] for name in table.columns]
    by_rate = sorted(table.columns, key=lambda name: float(name.removeprefix("rate ")))
    return as_markdown(table[by_rate].reset_index())


def events() -> str:
    """Which share of the abnormal frames of real Ped2 each score finds, by what is abnormal in them."""
    objects = read_event_labels(REPORTS / "ped2_events.yaml").table()
    scores = scores_side_by_side("ped2-laptop")
    over_time = smoothed(scores, "median_17")
    scores = scores.assign(**{f"{name}, median of 17": over_time[name] for name in ("speed", "network, motion")})
    found = kinds_found(scores, objects).rename_axis("in the frame").reset_index()
    return as_markdown(found.map(lambda cell: f"{cell:.2f}" if isinstance(cell, float) else cell))


def samples() -> str:
    """Rows without a network on the other two benchmarks, as far as their data are at hand."""
    found = {DATASETS[name]: grid.no_learning for name in ("avenue", "shanghaitech") for grid in _grids(name)}
    tables = {name: no_learning_table(of) for name, of in found.items() if of is not None}
    of_few_clips = ["AUC from", "to"]  # one or two clips say nothing of how much clips differ
    joined = pd.concat(tables, names=["sample of", "row"]).drop(columns=of_few_clips).reset_index()
    return as_markdown(joined.map(lambda cell: f"{cell:.3f}" if isinstance(cell, float) else cell).replace("nan", NONE))


def trainings() -> str:
    """What was trained on real Ped2, and where."""
    return as_markdown(trainings_table(_grids("ped2")))


def _grids(dataset: str) -> list[GridResults]:
    """The kept results of the recipes of a dataset, the largest first."""
    return [grid for grid in collect().grids if grid.recipe.data.dataset == dataset]


PAGES: dict[str, tuple[Callable[[], str], ...]] = {
    "README.md": (findings, alarms),
    "docs/results.md": (results, in_short),
    "docs/differences.md": (effects,),
    "docs/ped2.md": (in_short, ped2, spread, rates, held_out, scene, unfinished, decided, events, samples, trainings),
    "docs/sweeps.md": (sizes, would_decide),
}  # what makes each table of a page, which stands between two comments of that name


def made_anew(page: str, text: str) -> str:
    """The text of a page with its tables, each between its two marks, made again."""
    for make in PAGES[page]:
        begins, ends = f"<!-- {make.__name__}: python docs/make_tables.py -->", f"<!-- /{make.__name__} -->"
        before, rest = text.split(begins, 1)
        _, after = rest.split(ends, 1)
        text = f"{before}{begins}\n{make()}\n{ends}{after}"
    return text


def as_markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, without its index."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    for page in PAGES:
        path = PROJECT / page
        write_text(path, made_anew(page, path.read_text(encoding="utf-8")))
