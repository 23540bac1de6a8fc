"""Executed notebooks as pages that need no net: pictures embedded, formulas as MathML, one look, no scripts."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from maam_lib.notebook import recorded_results
from maam_lib.pages import page

WIDGET = "application/vnd.jupyter.widget-view+json"


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
    def picture(self) -> dict[str, str] | None:
        """Its first: `png` in base64, and `alt`."""
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return {"png": output["data"]["image/png"].strip(), "alt": cell.metadata.get("alt", "")}
        return None


def chapter_page(chapter: Chapter) -> str:
    """One HTML page of an executed notebook, readable without a net.

    The alternative text of a picture is `alt` in the metadata of the cell that draws it: nbconvert looks for it there.
    """
    exporter = HTMLExporter(template_name="basic", filters={"markdown2html": as_html})
    body, _ = exporter.from_notebook_node(_without_widgets(chapter.notebook))
    code_colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    return page("report/templates/chapter.html", title=chapter.title, notebook=body, code_colours=code_colours)


def _without_widgets(notebook: NotebookNode) -> NotebookNode:
    """The same without progress bars and sliders: without a kernel they are dead, and nbconvert makes scripts of them
    that need jQuery, which the page has not."""
    still = copy.deepcopy(notebook)
    still.metadata.pop("widgets", None)
    for cell in still.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    return still


def index_page(summary: Mapping[str, Any], chapters: Sequence[Chapter]) -> str:
    """The report's first page, of what results.json holds (`summary`), each chapter with its first picture."""
    return page("report/templates/chapters.html", **summary, chapters=chapters)


class Renderer(IPythonRenderer):
    """Formulas are MathML; links to notebooks lead to their pages, those into the repository lead nowhere."""

    def inline_math(self, body: str) -> str:
        return to_mathml(body)

    def block_math(self, body: str) -> str:
        return to_mathml(body, display="block")

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("../"):
            return text
        return super().link(text, re.sub(r"^(\w+)\.ipynb(?=#|$)", r"\1.html", url), title)


def as_html(markdown: str, *, link_headings: bool = True) -> str:
    """Markdown of the kit as HTML, by nbconvert; what is HTML in it stays as it is."""
    return MarkdownWithMath(Renderer(escape=False, exclude_anchor_links=not link_headings)).render(markdown)
