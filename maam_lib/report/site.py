"""The report while it is built: its tables as files and on a page, and where a number leads."""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from data_prep.files import write_text
from maam_lib.grid import as_text
from maam_lib.report.collection import Collection


class Table(NamedTuple):
    """A table of a page, whose numbers lead to the pages of their settings."""

    caption: str
    values: pd.DataFrame
    pages: dict[str, str]  # hash of settings -> page
    file: str | None = None  # CSV and LaTeX, without the ending


class Site:
    """A report in a folder, made of a collection; `root` holds the prepared datasets."""

    def __init__(self, folder: Path, found: Collection, root: Path):
        self.folder, self.found, self.root = folder, found, root
        self.tables: dict[str, pd.DataFrame] = {}
        self._pages: dict[str, str] = {}  # hash of settings -> page; of variants with the same settings, the first
        for grid in found.grids:
            for variant, results in grid.results.items():
                for result in results:
                    self._pages.setdefault(result.recipe_hash, f"runs/{grid.recipe.name}/{variant}.html")

    def page_of(self, recipe: str, variants: tuple[str, ...]) -> str | None:
        """The page of the first of some variants of a recipe that has results."""
        pages = (f"runs/{recipe}/{variant}.html" for variant in variants)
        return next((page for page in pages if (self.folder / page).is_file()), None)

    def table(self, name: str, values: pd.DataFrame, caption: str) -> Table:
        """Keep a table as CSV and LaTeX, and return what a page shows of it."""
        self.tables[name] = values
        file = self.folder / "tables" / name
        write_text(file.with_name(f"{name}.csv"), values.to_csv(index=False))
        in_latex = re.sub(r"([&%$#_{}])", r"\\\1", caption)  # pandas escapes the cells alone
        latex = as_text(values).to_latex(index=False, escape=True, caption=in_latex)
        write_text(file.with_name(f"{name}.tex"), latex)
        return Table(caption, values, self._pages, f"tables/{name}")
