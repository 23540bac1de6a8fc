"""Texts for the pictures of a report page, for those who cannot see them; taken from what the notebook says (ours)."""

import re
from collections.abc import Sequence

from nbformat import NotebookNode

_SEEN = "**What you should see:**"
_NO_SENTENCE = ("**Predict", "|", "$$", "```")  # what paragraphs begin with that tell nothing of the picture


def pictures_with_texts(notebook: NotebookNode) -> list[tuple[NotebookNode, str]]:
    """The outputs of an executed notebook that hold a picture, in order, each with its alternative text.

    The text is the heading above the picture and one sentence: the first of "What you should see" below or above it,
    else the last paragraph's above it. Screen readers say it, and browsers show it where a picture is missing.
    """
    found, heading, above, told = [], "", [], ""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            for paragraph in _paragraphs(cell.source):
                if paragraph.startswith("#"):
                    heading, above = _plain(paragraph.lstrip("#")), []
                elif paragraph != told:  # of the picture before
                    above.append(paragraph)
        if shown := _pictures(cell):
            told = _telling(_told_below(notebook.cells[place + 1 :]), above)
            text = _joined(heading, _first_sentence(told)) or "a figure"
            found += [(output, text) for output in shown]
            above = []
    return found


def _pictures(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]


def _told_below(cells: Sequence[NotebookNode]) -> list[str]:
    """The paragraphs between a picture and the next picture or heading."""
    told: list[str] = []
    for cell in cells:
        if _pictures(cell):
            break
        if cell.cell_type == "markdown":
            for paragraph in _paragraphs(cell.source):
                if paragraph.startswith("#"):
                    return told
                told.append(paragraph)
    return told


def _telling(below: Sequence[str], above: Sequence[str]) -> str:
    """The paragraph of what one should see, or else the last that leads to the picture; empty where nothing is said."""
    seen = [text for text in (*below, *reversed(above)) if text.startswith(_SEEN)]
    leading = [text for text in reversed(above) if not text.startswith(_NO_SENTENCE)]
    return next(iter([*seen, *leading]), "")


def _first_sentence(paragraph: str) -> str:
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", _plain(paragraph.removeprefix(_SEEN)))[0]


def _joined(heading: str, sentence: str) -> str:
    if heading and sentence:
        return f"{heading}{'' if heading.endswith('?') else ':'} {sentence}"
    return heading or sentence


def _paragraphs(markdown: str) -> list[str]:
    """What stands between empty lines; a heading is a paragraph of its own."""
    apart = re.sub(r"^#+ .*$", r"\n\g<0>\n", markdown, flags=re.MULTILINE)
    return [part.strip() for part in re.split(r"\n\s*\n", apart) if part.strip()]


def _plain(markdown: str) -> str:
    """Words without marks: no tags, addresses, stars, code quotes or dollars."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"<[^>]+>", "", markdown))
    return " ".join(re.sub(r"\\[,;!]?", " ", re.sub(r"[$*`]", "", text)).split())
