"""Markdown as HTML that needs no net: nbconvert's own, with formulas as MathML, which browsers draw by themselves."""

import re

from latex2mathml.converter import convert as to_mathml
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath


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
    """A text of the kit as HTML; what is HTML in it stays as it is."""
    return MarkdownWithMath(Renderer(escape=False, exclude_anchor_links=not link_headings)).render(markdown)
