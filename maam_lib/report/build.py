"""The report: every table and figure of the paper in its own order, ours beside it, and a verdict on every claim.

Built from result files, without training. A folder of plain files:

index.html                        summary, verdicts, Tables 2-5, Figs. 1 and 4-9, what is complete and what is missing
runs/<recipe>/<variant>.html      what one number was made of, seed by seed; the result files beside it
tables/<name>.csv, .tex           every table, for spreadsheets and papers
differences.html                  the paper against the released code, by number
results.json                      verdicts and tables for machines
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nbconvert.filters import markdown2html

from data_prep import __version__
from data_prep.files import folder_aside, write_json, write_text
from maam_lib.grid import REPORTS, VARIANTS, Verdict, claims, verdict
from maam_lib.report.collection import collect
from maam_lib.report.html import site_page, variant_page
from maam_lib.report.sections import first_page
from maam_lib.report.site import Site
from maam_lib.training import environment_facts

DOCS = REPORTS.parent / "docs"
MARK = "maam-report"  # a file of this name says that a folder holds a report, and may be replaced by a new one


def build_report(
    out: Path, *, folders: Sequence[Path] = (), runs: Iterable[Path] = (), root: Path = Path("data")
) -> Path:
    """Build the report of all results in folders of sweeps, in run folders, and of those that come with the kit.

    `root` holds prepared datasets, which only the pictures need. Damaged files are named and left out. The folder is
    built aside and takes the place of an earlier report; returns its index.html. Raises RunError for a run folder that
    is none, FileExistsError for a folder that holds anything but a report.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise FileExistsError(f"{out}: holds something else than a report; name another folder with --out")
    found = collect(folders, runs)
    busy = RuntimeError(f"{out}: another process is writing this report; wait for it, or name another folder")
    with folder_aside(out, busy) as folder:
        site = Site(folder, found, root)
        _write_variant_pages(site)
        _write_differences(site)
        verdicts = [verdict(claim, found.grids) for claim in claims()]
        write_text(
            folder / "index.html", site_page("MAAM-Net: the paper's tables and claims", first_page(site, verdicts))
        )
        write_json(folder / "results.json", _for_machines(site, verdicts))
        write_text(folder / MARK, f"made by maam {__version__}\n")
    return out / "index.html"


# The other pages


def _write_variant_pages(site: Site) -> None:
    for grid in site.found.grids:
        for variant, results in grid.results.items():
            files = []
            for result in results:
                path = site.folder / "runs" / grid.recipe.name / variant / f"seed{result['seed']}.json"
                write_json(path, result)
                files.append(f"{variant}/{path.name}")
            page = variant_page(grid.recipe.name, VARIANTS[variant].what, results, files)
            write_text(site.folder / "runs" / grid.recipe.name / f"{variant}.html", page)


def _write_differences(site: Site) -> None:
    """docs/differences.md as a page, each number a place that can be linked to."""
    body = markdown2html((DOCS / "differences.md").read_text(encoding="utf-8"))
    body = re.sub(r"<tr>\s*<td>(\d+)</td>", r'<tr id="no-\1"><td>\1</td>', body)
    body = re.sub(r'<a class="anchor-link"[^>]*>[^<]*</a>', "", body)
    body = re.sub(r'<a href="\.\./[^"]*">([^<]*)</a>', r"\1", body)  # into the repository, which is not here
    nav = '<nav><a href="index.html">The report</a></nav>'
    write_text(site.folder / "differences.html", site_page("The paper against the released code", nav + body))


def _for_machines(site: Site, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "kit_version": __version__,
        "environment": environment_facts(),
        "verdicts": [
            {
                "claim": v.claim.name, "text": v.claim.text, "place": v.claim.place, "rule": v.claim.rule,
                "state": str(v.state), "because": v.because, "findings": {
                    recipe: {"state": str(f.state), "evidence": f.evidence} for recipe, f in v.findings.items()
                },
            }
            for v in verdicts
        ],
        "tables": {name: table.astype(str).to_dict("records") for name, table in site.tables.items()},
        "left_out": site.found.left_out,
    }  # fmt: skip
