"""The pages of the report that hold a table or a figure of the paper, each with all that this kit has of it."""

from typing import Any

from maam_lib.config import load_recipe, recipe_names
from maam_lib.grid import BASE, NONE, GridResults, every_part, is_generated, tables
from maam_lib.report.collection import ALWAYS, turned
from maam_lib.report.figures import figures_of
from maam_lib.report.site import PAPER, Site
from maam_lib.report.tables import of_cost, table2_as_printed, table3_as_printed, table4_as_printed, table5_as_printed

FORMS = {  # caption and maker of the tables as printed, with this kit's rows
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


def write_paper_pages(site: Site) -> None:
    """One page per table and figure of the paper, in its order."""
    names = list(PAPER)
    for i, name in enumerate(names):
        beside = {"before": names[i - 1] if i else None, "after": names[i + 1] if i + 1 < len(names) else None}
        site.write(name, "part", titles=PAPER, part=_part(site, name), **beside)


def _part(site: Site, name: str) -> dict[str, Any]:
    """A table or a figure of the paper: its figures, the table as printed, what each recipe has of it, what not."""
    part: dict[str, Any] = {"name": name, "title": PAPER[name], "form": None}
    recipes, missing = [], ""
    part["figures"] = figures_of(name, site.found, site.root)
    if name in FORMS:
        caption, make = FORMS[name]
        part["form"] = site.table(name, make(site.found), caption)
    if name == "table4":
        for recipe, cost in site.found.costs.items():
            table = site.table(f"table4-{recipe}", tables.table4(cost, of_cost(recipe)), f"{recipe}: size and speed")
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
        made.append(site.table(f"{make.__name__}-{name}", table, f"{name}: {PAPER[part]}"))
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
