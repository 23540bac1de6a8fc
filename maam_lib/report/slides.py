"""Slides of executed chapters, by nbconvert: one HTML file each, without scripts and without a net (ours).

nbconvert's own slides load reveal.js, jQuery, RequireJS and MathJax when they are opened; a lecture hall may have no
network. These turn by scrolling, which a browser does without a script, and print as a PDF of one page each.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from data_prep.files import write_text
from maam_lib.pages import page
from maam_lib.report.notebook_pages import Chapter, as_it_is_read, chapter_body, code_colours
from maam_lib.report.notebooks import SEQUENCE, ReportError
from maam_lib.report.screens import LARGE, ROOM, kinds, lines, pieces

FOLDER = "slides"  # in that of a report
EXPLAINED = "text/markdown"
LAST = ("## Summary", "## Exercises")  # what follows is for the student's own screen


def write_slides(report: Path) -> list[Path]:
    """The slides of every executed chapter of a report folder, into its folder `slides`; their paths.

    Raises ReportError where there is none.
    """
    executed = [path for name in SEQUENCE if (path := report / f"{name}.ipynb").is_file()]
    if not executed:
        raise ReportError(f"{report}: no executed chapters; make them with maam reproduce")
    (report / FOLDER).mkdir(exist_ok=True)
    written = []
    for path in executed:
        target = report / FOLDER / f"{path.stem}.html"
        write_text(target, slides_page(Chapter(path.stem, nbformat.read(path, as_version=4), 0)))
        written.append(target)
    return written


def slides_page(chapter: Chapter) -> str:
    """One chapter as slides.

    A slide begins at a heading, at a prediction, at a picture or table, and where no more fits on it. Code is left out,
    but for what students write themselves, which is folded; so are the summary and the exercises.
    """
    shown = as_it_is_read(chapter.notebook)
    cells = [cell for cell in shown.cells if is_shown(cell)]
    for cell in filter(is_hole, cells):
        cell.outputs = []  # the checker's word
    shown.cells = list(until_the_end(piece for cell in cells for piece in pieces(cell)))
    height = 0.0  # of the slide so far
    for before, cell in zip([None, *shown.cells], shown.cells, strict=False):
        height += lines(cell)
        cell.metadata["begins_slide"] = before is None or begins_slide(cell) or height > ROOM
        if cell.metadata["begins_slide"]:
            height = lines(cell)
        if before is not None:
            before.metadata["ends_slide"] = cell.metadata["begins_slide"]
    shown.cells[-1].metadata["ends_slide"] = True
    body = chapter_body(shown, "report/templates/slide_cells.html")
    return page("report/templates/slides.html", title=chapter.title, notebook=body, code_colours=code_colours())


def until_the_end(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """The cells before the summary."""
    return takewhile(lambda cell: not (cell.cell_type == "markdown" and cell.source.startswith(LAST)), cells)


def is_shown(cell: NotebookNode) -> bool:
    """Text, what students write, and what shows a picture, a table or an explanation; no parameters and imports."""
    return cell.cell_type == "markdown" or is_hole(cell) or bool(kinds(cell) & {*LARGE, EXPLAINED})


def begins_slide(cell: NotebookNode) -> bool:
    """A heading, a prediction, a picture, a table."""
    if cell.cell_type == "markdown":
        return cell.source.startswith("#") or "**Predict" in cell.source
    return bool(kinds(cell) & LARGE)


def is_hole(cell: NotebookNode) -> bool:
    """Whether students write it."""
    return "hole" in cell.metadata.get("tags", [])
