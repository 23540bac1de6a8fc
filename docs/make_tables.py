"""Makes the tables of results in README.md and docs/ anew from reports/reference: python docs/make_tables.py."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from data_prep.files import write_text
from maam_lib.evaluation import Result
from maam_lib.grid import BASE, REFERENCE, effect_table, reference_grid, scoring_table, sizes_table, summary

PROJECT = Path(__file__).parent.parent
WITH_EFFECTS = ("synthetic-mini", "ped2-mini")  # recipes that docs/differences.md shows the effects of


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


PAGES: dict[str, Callable[[], str]] = {
    "README.md": results,
    "docs/differences.md": effects,
    "docs/sweeps.md": sizes,
}  # each holds a table between two comments, of the name of what makes it


def made_anew(page: str, text: str) -> str:
    """The text of a page with its table, between its two marks, made anew."""
    make = PAGES[page]
    begins, ends = f"<!-- {make.__name__}: python docs/make_tables.py -->", f"<!-- /{make.__name__} -->"
    before, rest = text.split(begins, 1)
    _, after = rest.split(ends, 1)
    return f"{before}{begins}\n{make()}\n{ends}{after}"


def as_markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, without its index."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    for page in PAGES:
        path = PROJECT / page
        write_text(path, made_anew(page, path.read_text(encoding="utf-8")))
