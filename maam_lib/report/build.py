"""The report: every table and figure of the paper in its own order, ours beside it, and a verdict on every claim.

Built from result files, without training. A folder of plain files:

index.html                        overview: verdicts, methods, what learning motion does; an index is on every page
claims.html, learning.html        each claim with its rule, evidence and verdict; what learning adds; epochs.html
table2.html ... figure9.html      Tables 2-5 and Figs. 1 and 4-9, a page each
protocol.html, notes.html         how it was measured; what is complete, missing, left out
runs/<recipe>/<variant>.html      what one number was made of, seed by seed; also no_learning.html, cost.html
tables/<name>.csv, .tex           every table, for spreadsheets and papers
differences.html                  the paper against the released code, by number
results.json                      verdicts and tables for machines
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from bs4 import BeautifulSoup

from data_prep import __version__
from data_prep.files import folder_aside, write_json, write_text
from maam_lib import in_clone
from maam_lib.evaluation import Result
from maam_lib.grid import Verdict, claims, deciders, every_variant, no_learning_table, questions, result_table, verdict
from maam_lib.report.collection import collect, settings_in_words
from maam_lib.report.first_page import write_first_pages
from maam_lib.report.how_made import write_how_made
from maam_lib.report.notebook_pages import as_html
from maam_lib.report.paper_pages import write_paper_pages
from maam_lib.report.site import Site, Table, site_page
from maam_lib.training import environment_facts

MARK = "maam-report"  # a file of this name says that a folder holds a report, and may be replaced by a new one


def build_report(
    out: Path,
    *,
    folders: Sequence[Path] = (),
    runs: Iterable[Path] = (),
    root: Path = Path("data"),
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Build the report of all results in folders of sweeps, in run folders, and of those that come with the kit.

    `root` holds prepared datasets, which only the pictures need. Damaged files are named and left out; `say` is told
    of them. The folder is built aside and takes the place of an earlier report; returns its index.html. Raises RunError
    for a run folder that is none, FileExistsError for a folder that holds anything but a report.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise FileExistsError(f"{out}: holds something other than a report; name another folder with --out")
    found = collect(folders, runs)
    for reason in found.left_out:
        say(f"left out: {reason}")
    busy = RuntimeError(f"{out}: another process is writing this report; wait for it, or name another folder")
    with folder_aside(out, busy) as folder:
        site = Site(folder, found, root)
        _write_variant_pages(site)
        _write_cost_pages(site)
        _write_row_pages(site)
        _write_differences(site)
        verdicts = [verdict(claim, found.grids) for claim in (*claims(), *questions())]
        write_first_pages(site, verdicts)
        write_paper_pages(site)
        write_how_made(site)
        write_json(folder / "results.json", _for_machines(site, verdicts))
        write_text(folder / MARK, f"made by maam {__version__}\n")
    return out / "index.html"


# The other pages


def _write_variant_pages(site: Site) -> None:
    for grid in site.found.grids:
        folder = site.folder / "runs" / grid.recipe.name
        for variant, results in grid.results.items():
            files = [f"{variant}/seed{result.seed}.json" for result in results]
            for file, result in zip(files, results, strict=True):
                write_json(folder / file, result.as_json())
            what, settings = every_variant()[variant].what, settings_in_words(grid.recipe, variant)
            write_text(folder / f"{variant}.html", variant_page(grid.recipe.name, what, settings, results, files))


def variant_page(recipe: str, what: str, settings: str, results: Sequence[Result], files: Sequence[str]) -> str:
    """All that was measured of one variant of a recipe, seed by seed (its results and their files), and by what."""
    seeds = [(result.as_json(), file, _measured(result)) for result, file in zip(results, files, strict=True)]
    return site_page("runs/recipe/variant", "variant", recipe=recipe, what=what, settings=settings, seeds=seeds)


def _measured(result: Result) -> Table:
    return Table("everything that was measured", _numbers(result_table(result)), {})


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda value: "" if pd.isna(value) else f"{value:.3f}").rename_axis("row").reset_index()


def _write_cost_pages(site: Site) -> None:
    for recipe, cost in site.found.costs.items():
        facts = cost.model_dump(mode="json")
        write_json(site.folder / "runs" / recipe / "cost.json", facts)
        site.write(f"runs/{recipe}/cost", "cost", recipe=recipe, facts=facts)


def _write_row_pages(site: Site) -> None:
    for rows in (grid.no_learning for grid in site.found.grids if grid.no_learning):
        write_json(site.folder / "runs" / rows.recipe / "no_learning.json", rows.as_json())
        values = _numbers(no_learning_table(rows))
        site.write(f"runs/{rows.recipe}/no_learning", "rows", rows=rows, values=Table("frame AUC, micro", values, {}))


def _write_differences(site: Site) -> None:
    """docs/differences.md as a page, its tables as those of results, each number a place that can be linked to."""
    text = as_html(in_clone("docs", "differences.md").read_text(encoding="utf-8"), link_headings=False)
    body = BeautifulSoup(text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"), "html.parser")
    for table in body("table"):
        names = [cell.get_text() for cell in table("th")]
        table["class"] = "results many" if len(names) > 6 else "results"
        for row in table("tr"):
            cells = row("td")  # the row of names has none
            for name, cell in zip(names, cells, strict=False):
                cell["data-name"] = name
            if cells and cells[0].get_text().isdigit() and not body.find(id=f"no-{cells[0].get_text()}"):
                row["id"] = f"no-{cells[0].get_text()}"
    site.write("differences", "differences", differences=str(body))


def _for_machines(site: Site, verdicts: list[Verdict]) -> dict[str, Any]:
    judged = [
        {
            "claim": verdict.claim.name,
            "of_the_paper": not verdict.claim.ours,
            "text": verdict.claim.text,
            "place": verdict.claim.place,
            "rule": verdict.claim.rule,
            "state": str(verdict.state),
            "in_words": verdict.words,
            "because": verdict.because,
            "would_decide": [str(of) for of in deciders(verdict, site.found.grids)],
            "findings": {name: {"state": str(f.state), "evidence": f.evidence} for name, f in verdict.findings.items()},
        }
        for verdict in verdicts
    ]
    return {
        "kit_version": __version__,
        "environment": environment_facts(),
        "verdicts": judged,
        "tables": {name: table.astype(str).to_dict("records") for name, table in site.tables.items()},
        "left_out": site.found.left_out,
    }
