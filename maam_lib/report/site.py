"""The report while it is built: its tables as files and as cells of a page, and where a number leads."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from data_prep.files import write_text
from maam_lib.grid import ABSENT, Deviation, Number, as_text
from maam_lib.report.collection import Collection

NEAR, FAR = 0.01, 0.05  # deviations in AUC, or in EER / 100, up to which a number is as printed, or near it


class Cell(NamedTuple):
    """What a page shows of a value: its text, its class in report.css, and where it leads."""

    text: str
    kind: str = ""
    link: str | None = None


class Table(NamedTuple):
    """A table of a page."""

    caption: str
    columns: list[str]
    rows: list[list[Cell]]
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
        rows = [[self._cell(value) for value in row] for row in values.to_numpy(dtype=object)]
        return Table(caption, [str(column) for column in values.columns], rows, f"tables/{name}")

    def _cell(self, value: Any) -> Cell:
        text = str(value)
        if value == ABSENT:
            return Cell(text, "absent")
        if isinstance(value, Deviation):
            return Cell(text, "as-printed" if value.distance <= NEAR else "near" if value.distance <= FAR else "far")
        hashes = value.hashes if isinstance(value, Number) else ()
        return Cell(text, link=next((self._pages[h] for h in hashes if h in self._pages), None))
