"""What the first page of the report shows: summary, claims, tables and figures in the paper's order, what is missing.

`templates/paper.html` says it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from data_prep import __version__
from maam_lib.config import load_recipe, recipe_names
from maam_lib.grid import (
    AT_THIS_SIZE,
    BASE,
    DATASETS,
    NONE,
    GridResults,
    Results,
    State,
    Verdict,
    deciders,
    ending_of,
    every_part,
    is_full_size,
    is_generated,
    learning_table,
    sizes_table,
    summary,
    tables,
)
from maam_lib.pages import page
from maam_lib.report.collection import ALWAYS, turned
from maam_lib.report.figures import figures_of
from maam_lib.report.site import Site, Table
from maam_lib.report.tables import table2_as_printed, table3_as_printed, table4_as_printed, table5_as_printed
from maam_lib.training import environment_facts

NAMES = {  # in the paper's order
    "figure1": "Figure 1: detections",
    "figure4": "Figure 4: why patches",
    "table2": "Table 2: frame AUC",
    "table3": "Table 3: equal error rate",
    "table4": "Table 4: size and speed",
    "figure7": "Figure 7: scores over time",
    "figure8": "Figure 8: where the anomaly is",
    "table5": "Table 5: losses and branches",
    "figure9": "Figure 9: failures",
    "figure5": "Figure 5: support items",
    "figure6": "Figure 6: beta and zeta",
}
FORMS = {  # caption and maker of the tables as printed, with ours
    "table2": ("Table 2 in the paper's form", lambda found: table2_as_printed(found.grids)),
    "table3": ("Table 3 in the paper's form, percent", lambda found: table3_as_printed(found.grids)),
    "table4": ("Table 4 in the paper's form", lambda found: table4_as_printed(found.grids, found.costs)),
    "table5": ("Table 5 as printed", lambda _: table5_as_printed()),
}
MAKERS = {  # the tables of one recipe
    "table2": [tables.table2],
    "table3": [tables.table3],
    "table5": [tables.table5, tables.table5_more],
    "figure5": [tables.figure5],
    "figure6": [tables.figure6],
}
VERDICTS = (  # in words, in this order
    *(f"{state}{reach}" for reach in ("", f" {AT_THIS_SIZE}") for state in (State.HOLDS, State.FAILS)),
    str(State.OPEN),
)
SIZES_SAY = "AUC minus that of the unchanged recipe, same seeds [95 %] (seeds)"


def first_page(site: Site, verdicts: list[Verdict]) -> str:
    """The page; its tables are kept by the site."""
    cards = [(verdict, deciders(verdict, site.found.grids)) for verdict in verdicts]
    counts = Counter(verdict.words for verdict in verdicts if not verdict.claim.ours)
    grids = [grid for grid in site.found.grids if grid.results]
    measured = [grid for grid in grids if grid.results.get(BASE)]
    real = [grid for grid in measured if not is_generated(grid)]
    rows = summary((grid.recipe.name, grid.results[BASE]) for grid in measured)
    complete = pd.DataFrame(map(_completeness, site.found.grids))
    protocols, machines = pd.DataFrame(map(_protocol, measured)), pd.DataFrame(map(_machines, grids))
    return page(
        "report/templates/paper.html",
        full_size=[grid.recipe.name for grid in real if is_full_size(grid)],
        on_paper_data=[grid.recipe.name for grid in real],
        cards=[card for card in cards if not card[0].claim.ours],
        questions=[card for card in cards if card[0].claim.ours],
        counts={words: counts[words] for words in VERDICTS},
        at_this_size=AT_THIS_SIZE,
        summary=site.table("summary", rows, "Every recipe, unchanged: mean over seeds ± half their range"),
        page_of=site.page_of,
        motion=figures_of("motion", site.found, site.root),
        learning=list(_learning(site)),
        paper=[_part(site, name) for name in NAMES],
        epochs=figures_of("epochs", site.found, site.root),
        complete=site.table("complete", complete, "Measured cells, of all cells of each part and seed started"),
        left_out=site.found.left_out,
        sizes=list(_sizes(site, grids)),
        protocol=site.table("protocol", protocols, "How every number was made"),
        machines=site.table("machines", machines, "Where the results come from"),
        kit_version=__version__,
        environment=environment_facts(),
    )


def _learning(site: Site) -> Iterator[Table]:
    """What learning adds on each dataset of the paper that has rows without a network, or networks."""
    for dataset, name in DATASETS.items():
        grids = [grid for grid in site.found.grids if grid.recipe.data.dataset == dataset]
        if any(grid.results or grid.no_learning for grid in grids):
            caption = f"{name}: rows without a network first, then the paper's, then networks; frame AUC, micro"
            yield site.table(f"learning-{dataset}", learning_table(grids), caption)


# The parts of the paper


def _part(site: Site, name: str) -> dict[str, Any]:
    """A table or a figure of the paper: its figures, the table as printed, what each recipe has of it, what not."""
    part: dict[str, Any] = {"name": name, "title": NAMES[name], "figures": [], "form": None}
    recipes, missing = [], ""
    if name.startswith("figure"):
        part["figures"] = figures_of(name, site.found, site.root)
    if name in FORMS:
        caption, make = FORMS[name]
        part["form"] = site.table(name, make(site.found), caption)
    if name == "table4":
        for recipe, cost in site.found.costs.items():
            table = site.table(f"table4-{recipe}", tables.table4(cost), f"{recipe}: size and speed")
            recipes.append({"name": recipe, "tables": [table], "why": "", "missing": ""})
        missing = "" if recipes else f"No speed is measured: {_command('RECIPE', name)}"
    if name in MAKERS:
        recipes = [_of_recipe(site, name, grid) for grid in site.found.grids if _has(grid, name)]
        absent = [grid.recipe.name for grid in site.found.grids if grid.recipe.name in ALWAYS and not _has(grid, name)]
        commands = "; ".join(_command(recipe, name) for recipe in absent)
        missing = f"Not measured at full size, which needs a GPU: {commands}" if absent else ""
    return part | {"recipes": recipes, "missing": missing}


def _command(recipe: str, part: str) -> str:
    return f"`maam sweep {recipe} --part {part}`"


def _has(grid: GridResults, part: str) -> bool:
    """Whether more of a part was measured than the recipe as it is, where the part is more than that."""
    variants = set(every_part()[part])
    return variants & set(grid.results) > (set() if variants == {BASE} else {BASE})


def _of_recipe(site: Site, part: str, grid: GridResults) -> dict[str, Any]:
    """The tables of a recipe, why it deviates, and the command for what is missing."""
    name, variants = grid.recipe.name, set(every_part()[part])
    made = []
    for make in MAKERS[part]:
        table = make(grid)
        table = table.loc[:, (table != NONE).any()]  # the paper may have no number for a dataset
        made.append(site.table(f"{make.__name__}-{name}", table, f"{name}: {NAMES[part]}"))
    absent = len(variants - set(grid.results))
    missing = f"{absent} of {len(variants)} variants are not measured: {_command(name, part)}" if absent else ""
    return {"name": name, "tables": made, "why": _why(grid), "missing": missing}


def _why(grid: GridResults) -> str:
    """In words, what makes a recipe's numbers other than the paper's."""
    if is_generated(grid):
        return "The generated scene belongs to this kit; the paper has no number for it."
    dataset = grid.recipe.data.dataset
    if dataset not in recipe_names():
        return ""
    words = turned(load_recipe(dataset), grid.recipe)
    if not words:
        return "The paper's settings; flow is DIS instead of FlowNet2, and psi is calibrated (nos. 17, 21)."
    return f"Not the paper's settings, so a deviation is expected: {words}. Flow is DIS instead of FlowNet2."


# What there is


def _sizes(site: Site, grids: list[GridResults]) -> Iterator[Table]:
    """For each dataset that was measured in two sizes: whether they say the same of the variants."""
    of_dataset: dict[str, dict[str, Results]] = {}
    for grid in reversed(grids):  # the smaller first
        dataset = grid.recipe.name.removesuffix(ending_of(grid.recipe.name))
        of_dataset.setdefault(dataset, {})[grid.recipe.name] = grid.results
    for dataset, sizes in reversed(of_dataset.items()):
        if len(table := sizes_table(sizes)):
            caption = f"{dataset}: do both sizes rank the variants in the same order? {SIZES_SAY}"
            yield site.table(f"sizes-{dataset}", table, caption)


def _completeness(grid: GridResults) -> dict[str, str]:
    seeds = {result.seed for results in grid.results.values() for result in results}
    row = {"recipe": grid.recipe.name, "seeds started": str(len(seeds))}
    for part, variants in every_part().items():
        measured = sum(len(grid.results.get(variant, [])) for variant in variants)
        if variants:
            row[part] = f"{measured} of {len(variants) * max(1, len(seeds))}"
    return row


def _protocol(grid: GridResults) -> dict[str, str]:
    protocol = grid.results[BASE][0].protocol
    shown = {key.replace("_", " "): str(value) for key, value in protocol.model_dump(exclude={"complete"}).items()}
    return {"recipe": grid.recipe.name, "data": "complete" if protocol.complete else "INCOMPLETE"} | shown


def _machines(grid: GridResults) -> dict[str, str]:
    every = [result for results in grid.results.values() for result in results]
    machines = [result.machine for result in every]
    hours = sum(m.training_seconds or 0 for m in machines) / 3600
    return {
        "recipe": grid.recipe.name,
        "trainings": str(len(every)),
        "seeds": ", ".join(str(seed) for seed in sorted({result.seed for result in every})),
        "machines (trainings)": _counted(m.gpu or m.processor or m.platform for m in machines),
        "number formats": _counted(m.precision for m in machines),
        "training, hours": f"{hours:.1f}",
    }


def _counted(names: Iterable[str | None]) -> str:
    return ", ".join(f"{name or 'not kept'} ({count})" for name, count in Counter(names).items())
