"""Executed notebooks as pages that need no net: pictures embedded, formulas as MathML, one look, no scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from maam_lib.notebook import recorded_results
from maam_lib.pages import page
from maam_lib.report.markdown import as_html


class EmbeddedPicture(NamedTuple):
    """A picture of a notebook."""

    png: str  # base64
    alt: str


@dataclass(frozen=True)
class Chapter:
    """One executed notebook."""

    name: str
    notebook: NotebookNode
    seconds: float
    failure: str | None = None

    @property
    def page(self) -> str:
        return f"{self.name}.html" if self.failure is None else f"{self.name}.failed.html"

    @property
    def results(self) -> dict[str, Any]:
        """The numbers that it recorded."""
        return recorded_results(self.notebook)

    @property
    def title(self) -> str:
        """Its first heading, or its name."""
        texts = (cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")
        return next((text.splitlines()[0][2:] for text in texts if text.startswith("# ")), self.name)

    @property
    def picture(self) -> EmbeddedPicture | None:
        """Its first."""
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return EmbeddedPicture(output["data"]["image/png"].strip(), cell.metadata.get("alt", ""))
        return None


def chapter_page(chapter: Chapter) -> str:
    """One HTML page of an executed notebook, readable without a net.

    The alternative text of a picture is `alt` in the metadata of the cell that draws it: nbconvert looks for it there.
    """
    exporter = HTMLExporter(template_name="basic", filters={"markdown2html": as_html})
    body, _ = exporter.from_notebook_node(chapter.notebook)
    code_colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    return page("report/templates/chapter.html", title=chapter.title, notebook=body, code_colours=code_colours)


def index_page(summary: Mapping[str, Any], chapters: Sequence[Chapter]) -> str:
    """The report's first page: what was run, each chapter with its first picture, every recorded number.

    `summary` is what results.json holds.
    """
    return page("report/templates/chapters.html", **summary, chapters=chapters)
