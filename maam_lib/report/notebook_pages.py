"""Executed notebooks as pages that need no net: pictures embedded, formulas as MathML, one look, no scripts."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from maam_lib.pages import page
from maam_lib.report.picture_texts import pictures_with_texts

_MATH = re.compile(r"(`+[^`]*`+)|\$\$(.+?)\$\$|(?<![\\$\w])\$([^\s$](?:[^$\n]*[^\s$\\])?)\$(?![\w$])", re.DOTALL)


def notebook_page(notebook: NotebookNode, title: str) -> str:
    """One HTML page of an executed notebook, readable without a net."""
    notebook = nbformat.from_dict(notebook)
    for output, text in pictures_with_texts(notebook):
        output.metadata.setdefault("image/png", NotebookNode())["alt"] = text
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _pages_instead_of_notebooks(formulas_as_mathml(cell.source))
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    return _page(_heading(notebook) or title, f'<nav><a href="index.html">All chapters</a></nav>{body}')


def index_page(summary: Mapping[str, Any], chapters: Sequence[tuple[str, str, NotebookNode]]) -> str:
    """The report's first page: what was run, each chapter with its first figure, every recorded number."""
    environment = summary["environment"]
    said = f"""kit {summary["kit_version"]}, revision {environment["git_revision"] or "unknown"}, Python
        {environment["python"]}, torch {environment["packages"].get("torch", "?")}, {environment["platform"]}"""
    facts = f"""<p>Recipe <strong>{html.escape(summary["recipe"])}</strong>, {html.escape(said)}.
        Machine-readable: <a href="results.json">results.json</a>.</p>"""
    parts = [f"<h1>MAAM-Net, reproduced: {html.escape(summary['recipe'])}</h1>", facts]
    if summary["paper"]:
        said = "The paper's tables, figures and claims, ours beside them"
        parts.append(f'<p><a href="{html.escape(summary["paper"])}">{said}</a></p>')
    parts.append("<h2>Chapters</h2>")
    parts.append(f'<div class="gallery">{"".join(_card(summary, *chapter) for chapter in chapters)}</div>')
    parts.append("<h2>Numbers</h2>")
    for name, results in summary["results"].items():
        if results:
            parts.append(
                f"<h3>{html.escape(name)}</h3><table>{''.join(_row(k, v) for k, v in results.items())}</table>"
            )
    return _page(f"MAAM-Net: {summary['recipe']}", "".join(parts))


def formulas_as_mathml(markdown: str) -> str:
    """Replace $...$ and $$...$$ by MathML, which browsers draw by themselves; code spans stay as they are."""

    def replaced(match: re.Match[str]) -> str:
        code, block, inline = match.groups()
        if code is not None:
            return code
        return to_mathml(block, display="block") if block is not None else to_mathml(inline)

    return _MATH.sub(replaced, markdown)


def _pages_instead_of_notebooks(markdown: str) -> str:
    """Links between notebooks become links between their pages."""
    return re.sub(r"\]\((\w+)\.ipynb(#[^)]*)?\)", r"](\1.html\2)", markdown)


def _heading(notebook: NotebookNode) -> str | None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0][2:]
    return None


def _card(summary: Mapping[str, Any], name: str, page: str, notebook: NotebookNode) -> str:
    state = summary["notebooks"][name]
    failed = f'<p class="failed">{html.escape(state["failure"])}</p>' if state["failure"] else ""
    picture = ""
    if pictures := pictures_with_texts(notebook):
        output, text = pictures[0]
        data = output["data"]["image/png"].strip()
        picture = f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'
    title = html.escape(_heading(notebook) or name)
    return f'<a href="{html.escape(page)}"><strong>{title}</strong> ({state["seconds"]:.0f} s){failed}{picture}</a>'


def _row(name: str, value: Any) -> str:
    shown = f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))
    return f"<tr><td>{html.escape(name)}</td><td>{shown}</td></tr>"


def _page(title: str, body: str) -> str:
    code_colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    made = "Made by the MAAM-Net kit from its notebooks. The generated scene is never a result of the paper."
    return page(title, body, made, code_colours)
