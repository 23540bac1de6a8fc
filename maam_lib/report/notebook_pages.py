"""Executed notebooks as pages that need no net: pictures embedded, formulas as MathML, one look, no scripts."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.element import AttributeValueList
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from maam_lib.notebook import RESULT_MIME, recorded_results
from maam_lib.pages import page, source_of
from maam_lib.report.recorded import as_rows, headline

UNSEEN = {"application/vnd.jupyter.widget-view+json", RESULT_MIME}  # outputs that are not for a reader
SOLUTION_MARK = re.compile(r"^ *### (BEGIN|END) SOLUTION.*\n?", re.MULTILINE)
SAYS_NOTHING = ("", "–", "-", "NaN", "nan", "None", "not measured")
NUMBER = re.compile(r"(?=.*\d)([-+−\d\s.,:±%/()\[\]–×]|(?<=\d)e(?=[-+]?\d))+")
LINE = 30  # letters of a formula that a phone shows in one line
OTHERS = {"paper": "The paper's tables and claims", "player": "Play"}  # pages beside the chapters
PHONE = 47  # letters of a table that a screen of 390 pixels holds side by side


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
    body = chapter_body(chapter.notebook, "report/templates/cells.html")
    return page("report/templates/chapter.html", title=chapter.title, notebook=body, code_colours=code_colours())


def chapter_body(notebook: NotebookNode, template: str) -> str:
    """The cells of an executed notebook as HTML, as a template for nbconvert has them."""
    exporter = HTMLExporter(raw_template=source_of(template), filters={"markdown2html": _as_read})
    return exporter.from_notebook_node(as_it_is_read(notebook))[0]


def _as_read(markdown: str) -> str:
    return readable_tables(html) if "<table" in (html := as_html(markdown)) else html


def code_colours() -> str:
    """CSS of code on light and on dark paper, in styles whose comments and numbers can be read there."""
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("xcode", "github-dark"))
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


def as_it_is_read(notebook: NotebookNode) -> NotebookNode:
    """The same for a reader: without progress bars and sliders, which are dead without a kernel, and of which nbconvert
    makes scripts that need jQuery; without recorded numbers and the marks of what students write; with plain tables."""
    shown = copy.deepcopy(notebook)
    shown.metadata.pop("widgets", None)
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.source = SOLUTION_MARK.sub("", cell.source)
            cell.outputs = [output for output in cell.outputs if not UNSEEN & output.get("data", {}).keys()]
            for output in cell.outputs:
                if "<table" in output.get("data", {}).get("text/html", ""):
                    output.data["text/html"] = readable_tables(output.data["text/html"])
    return shown


def readable_tables(html: str) -> str:
    """Tables of pandas and of Markdown without their own style: columns of numbers, and their headings, have the class
    `number`, and no line breaks around a ±; a table too wide for a phone has the class `stacked`, and each of its cells
    the heading of its column."""
    soup = BeautifulSoup(html.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"), "html.parser")
    for style in soup.find_all("style"):
        style.decompose()
    for table in soup.find_all("table"):
        for part in (table, *table.select("thead tr")):
            part.attrs = {name: value for name, value in part.attrs.items() if name not in ("border", "style")}
        rows = [cells for row in table.find_all("tr") if (cells := row.find_all("td"))]
        single = [row for row in table.select("thead tr") if not row.find("th", colspan=True)]
        heads = [row.find_all("th")[-len(rows[0]) :] for row in single] if rows else []
        for column in zip(*rows, strict=False):
            said = [text for cell in column if (text := cell.get_text().strip()) not in SAYS_NOTHING]
            if said and all(map(NUMBER.fullmatch, said)):
                place = rows[0].index(column[0])
                for cell in (*column, *(head[place] for head in heads if len(head) == len(rows[0]))):
                    _add_class(cell, "number")
        if _width(table) > PHONE:
            _add_class(table, "stacked")
            for cells in rows:
                for cell, heading in zip(cells, _headings(table, len(cells)), strict=False):
                    cell["data-head"] = heading
    return str(soup)


def _add_class(tag: Tag, name: str) -> None:
    tag["class"] = AttributeValueList(dict.fromkeys(filter(None, [*tag.get_attribute_list("class"), name])))


def _width(table: Tag) -> int:
    """Letters in the narrowest form of a table: the longest words of its columns, two of space between them."""
    least: dict[int, int] = {}
    for row in table.find_all("tr"):
        cells = row.find_all(["td", "th"])
        for place, cell in enumerate(cells, -len(cells)):  # the last ones are of the same column in each row
            text = cell.get_text().strip()
            words = [text] if cell.name == "td" and "number" in cell.get_attribute_list("class") else text.split(" ")
            least[place] = max(least.get(place, 0), *map(len, words))
    return sum(least.values()) + 2 * len(least)


def _headings(table: Tag, columns: int) -> list[str]:
    """What the head of a table says of its last columns."""
    rows = [
        [cell.get_text().strip() for cell in row.find_all("th") for _ in range(int(str(cell.get("colspan") or 1)))]
        for row in table.select("thead tr")
    ]
    return [
        " ".join(filter(None, dict.fromkeys(said))) for said in zip(*(row[-columns:] for row in rows), strict=False)
    ]


def index_page(summary: Mapping[str, Any], chapters: Sequence[Chapter]) -> str:
    """The report's first page, of what results.json holds (`summary`), each chapter with its first picture."""
    titles = {chapter.name: chapter.title for chapter in chapters}
    pages = {"index": "This run"}
    pages |= {Path(url).with_suffix("").as_posix(): words for name, words in OTHERS.items() if (url := summary[name])}
    return page(
        "report/templates/chapters.html",
        **summary,
        chapters=chapters,
        first=headline(summary["results"]),
        numbers={titles.get(name, name): as_rows(found) for name, found in summary["results"].items() if found},
        index={"": pages, "Chapters": {chapter.page.removesuffix(".html"): chapter.title for chapter in chapters}},
        here="index",
        up="",
    )


class Renderer(IPythonRenderer):
    """Formulas are MathML, of the class `long` where a phone cannot hold them; links to notebooks lead to their pages,
    those into the repository lead nowhere."""

    def inline_math(self, body: str) -> str:
        return _formula(to_mathml(body))

    def block_math(self, body: str) -> str:
        return _formula(to_mathml(body, display="block"))

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("../"):
            return text
        return super().link(text, re.sub(r"^(\w+)\.ipynb(?=#|$)", r"\1.html", url), title)


def _formula(mathml: str) -> str:
    letters = len(re.sub(r"<[^>]*>|\s", "", unescape(mathml))) + 2 * mathml.count("<mspace")
    return mathml.replace("<math ", '<math class="long" ', 1) if letters > LINE else mathml


def as_html(markdown: str, *, link_headings: bool = True) -> str:
    """Markdown of the kit as HTML, by nbconvert; what is HTML in it stays as it is."""
    return MarkdownWithMath(Renderer(escape=False, exclude_anchor_links=not link_headings)).render(markdown)
