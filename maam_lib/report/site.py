"""The report while it is built: its pages and their index, its tables as files, and where a number leads."""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from data_prep.files import write_text
from maam_lib.grid import as_text, of_rows
from maam_lib.pages import page
from maam_lib.report.collection import Collection
from maam_lib.report.tables import of_cost

PAPER = {  # the tables and figures of the paper, in its order
    "figure1": "Figure 1: detections",
    "figure4": "Figure 4: why patches",
    "table2": "Table 2: frame AUC",
    "table3": "Table 3: equal error rate",
    "table4": "Table 4: size and speed",
    "figure7": "Figure 7: scores over time",
    "figure8": "Figure 8: where the anomaly is",
    "table5": "Table 5: losses and branches",
    "figure5": "Figure 5: support items",
    "figure6": "Figure 6: beta and zeta",
    "figure9": "Figure 9: failures",
}
INDEX = {  # heading of the side index -> file name without its ending -> what it is called there
    "": {"index": "Overview", "claims": "Claims, judged", "learning": "What learning adds", "epochs": "Epoch by epoch"},
    "The paper": PAPER,
    "How it was made": {
        "protocol": "Protocol and machines",
        "differences": "Paper against code",
        "notes": "Complete, missing, left out",
    },
}


class Table(NamedTuple):
    """A table of a page, whose numbers lead to the pages of their settings."""

    caption: str
    values: pd.DataFrame
    pages: dict[str, str]  # hash of settings -> page
    file: str | None = None  # CSV and LaTeX, without the ending


def site_page(name: str, template: str, **shown: object) -> str:
    """A page of the report, its name without the ending, with the side index beside what its template shows."""
    return page(f"report/templates/{template}.html", index=INDEX, here=name, up="../" * name.count("/"), **shown)


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
            if rows := grid.no_learning:
                self._pages[of_rows(rows)[0]] = f"runs/{rows.recipe}/no_learning.html"
        for recipe in found.costs:
            self._pages[of_cost(recipe)[0]] = f"runs/{recipe}/cost.html"

    def write(self, name: str, template: str, **shown: object) -> None:
        """Write a page, as `site_page`."""
        write_text(self.folder / f"{name}.html", site_page(name, template, **shown))

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
