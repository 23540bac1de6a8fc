"""The report while it is built: what it is made of, where its files go, and where a number leads."""

import html
import re
from pathlib import Path

import pandas as pd

from data_prep.files import write_text
from maam_lib.grid import Number, as_text
from maam_lib.report.collection import Collection
from maam_lib.report.html import table_html


class Site:
    """A report in a folder, made of a collection; `root` holds the prepared datasets."""

    def __init__(self, folder: Path, found: Collection, root: Path):
        self.folder, self.found, self.root = folder, found, root
        self.tables: dict[str, pd.DataFrame] = {}
        self._pages: dict[str, str] = {}  # hash of settings -> page
        for grid in found.grids:
            for variant, results in reversed(grid.results.items()):  # of variants with the same settings, the first
                self._pages |= {r["recipe_hash"]: f"runs/{grid.recipe.name}/{variant}.html" for r in results}

    def link(self, number: Number) -> str | None:
        """Where the results that a number was made of are told."""
        return next((self._pages[h] for h in number.hashes if h in self._pages), None)

    def page_of(self, recipe: str, variant: str) -> str | None:
        """The page of one variant of a recipe."""
        page = f"runs/{recipe}/{variant}.html"
        return page if (self.folder / page).is_file() else None

    def table(self, name: str, table: pd.DataFrame, caption: str) -> str:
        """Keep a table as CSV and LaTeX, and return it as HTML with links to both."""
        self.tables[name] = table
        write_text(self.folder / "tables" / f"{name}.csv", table.to_csv(index=False))
        in_latex = re.sub(r"([&%$#_{}])", r"\\\1", caption)  # pandas escapes the cells alone
        latex = as_text(table).to_latex(index=False, escape=True, caption=in_latex)
        write_text(self.folder / "tables" / f"{name}.tex", latex)
        file = html.escape(name)
        files = f'<p><a href="tables/{file}.csv">CSV</a>, <a href="tables/{file}.tex">LaTeX</a></p>'
        return table_html(table, caption, self.link) + files
