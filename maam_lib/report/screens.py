"""A chapter's cells cut so that slides hold them: pieces of text, single outputs, and parts of long tables (ours).

Heights are estimated, in lines of text, for a screen of 16:9. The font of the slides follows the screen, so an estimate
holds for every size; it is made for a wide font, and pictures take what room is left.
"""

import copy
import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from math import ceil
from typing import Any

from bs4 import BeautifulSoup, Tag
from nbformat import NotebookNode
from nbformat.v4 import new_output

from maam_lib.report.notebook_pages import as_html

LARGE = {"image/png", "image/svg+xml", "text/html"}  # outputs that have a slide of their own
ROOM = 18.0  # lines of text that a slide holds
PICTURE = 9.0  # lines that a picture takes at least
FOLD = 2.0  # lines that a closed fold takes
TEXT, TABLE = 90, 118  # letters in a line of text, and in a row of a table
GAP = 0.8  # lines between two paragraphs
SMALL = 0.75  # letters of a table, against those of text
BETWEEN = 0.2  # lines between two rows of a table
FOLDED = re.compile(r"<details.*?</details>", re.DOTALL)
FORMULA = re.compile(r"\$\$.*?\$\$", re.DOTALL)
UNSEEN = re.compile(r"(?<=\])\([^)]*\)|[*`\[\]]|\\\w+")  # addresses of links, signs of emphasis, commands of formulas


def kinds(cell: NotebookNode) -> set[str]:
    """The kinds of data that a cell put out."""
    return {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}


def pieces(cell: NotebookNode) -> Iterator[NotebookNode]:
    """A cell as one or more, each with an id: text cut at headings, and at paragraphs where it is longer than a slide;
    a large output each by itself; a long table in parts."""
    changes: Iterator[dict[str, Any]] = (
        _of_text(cell.source) if cell.cell_type == "markdown" else _of_outputs(cell.outputs)
    )
    for n, changed in enumerate(changes):
        piece = copy.copy(cell)
        piece.update(metadata=copy.deepcopy(cell.metadata), id=f"{cell.id[:60]}-{n}" if n else cell.id, **changed)
        yield piece


def _of_text(source: str) -> Iterator[dict[str, Any]]:
    for text in cut_text(source, at_paragraphs=False):
        for part in cut_text(text, at_paragraphs=True) if text_lines(text) > ROOM else [text]:
            if part.startswith("|") and text_lines(part) > ROOM:
                table = new_output("display_data", {"text/html": as_html(part)})
                yield from ({"source": rows.data["text/html"]} for rows in _parts(table))
            else:
                yield {"source": part}


def _of_outputs(outputs: list[NotebookNode]) -> Iterator[dict[str, Any]]:
    if not outputs:
        yield {}
    for large, alike in groupby(outputs, key=lambda output: bool(LARGE & output.get("data", {}).keys())):
        if large:
            yield from ({"outputs": [part]} for output in alike for part in _parts(output))
        else:
            yield {"outputs": list(alike)}


def lines(cell: NotebookNode) -> float:
    """The estimated height of a piece, as it opens."""
    if cell.cell_type == "markdown":
        return text_lines(cell.source)
    return sum(map(_output_lines, cell.outputs)) if cell.outputs else FOLD


def text_lines(source: str) -> float:
    """The height of Markdown: its paragraphs, items of lists and headings, with closed folds."""
    height = 0.0
    if source.startswith("<table"):
        return _table_lines(source)
    shown = FORMULA.sub("\n\nformula\n\n", FOLDED.sub("\n\nfold\n\n", source))
    for block in re.split(r"\n\s*\n", shown.strip()):
        if block == "formula":
            height += 2.5
        elif block == "fold":
            height += FOLD
        elif block.startswith("|"):
            rows = [[UNSEEN.sub("", c).strip() for c in line.strip("|").split("|")] for line in block.splitlines()]
            height += sum(row_lines([row for row in rows if not set(row[0]) <= set("-: ")], [])) + GAP
        else:
            is_code = block.startswith("```")
            items = block.splitlines()[1:-1] if is_code else re.split(r"\n(?=#|\s*(?:[-*]|\d+\.) )", block)
            sizes = [SMALL if is_code else 1.8 if item.startswith("#") else 1 for item in items]
            wrapped = [ceil(len(item if is_code else UNSEEN.sub("", item)) / TEXT) for item in items]
            height += sum(size * n for size, n in zip(sizes, wrapped, strict=True)) + GAP
    return height


def cut_text(source: str, *, at_paragraphs: bool) -> list[str]:
    """Markdown cut before its headings, or at its empty lines, but never inside a fold, a formula or code."""
    cut = [""]
    for line in source.splitlines(keepends=True):
        text = cut[-1]
        is_whole = text.count("<details") == text.count("</details") and not (
            text.count("```") % 2 or text.count("$$") % 2
        )
        if is_whole and text.strip() and (text.endswith("\n\n") if at_paragraphs else re.match("#+ ", line)):
            cut.append("")
        cut[-1] += line
    return cut


def row_lines(rows: list[list[str]], whole: list[bool]) -> list[float]:
    """The height of each row of a table, its columns as wide as a browser makes them: each as wide as its longest word,
    and what is left shared by what they still lack. `whole`: columns without line breaks."""
    columns = range(max(map(len, rows), default=0))
    words = [[row[c] if c < len(row) else "" for row in rows] for c in columns]
    full = [max(map(len, column)) + 2 for column in words]
    least = [
        full[c] if c < len(whole) and whole[c] else 2 + max(len(w) for text in column for w in text.split() or [""])
        for c, column in enumerate(words)
    ]
    lacking = sum(full) - sum(least)
    share = min(1.0, max(0.0, (TABLE - sum(least)) / lacking)) if lacking else 1.0
    width = [low + share * (high - low) for low, high in zip(least, full, strict=True)]

    def wrapped(text: str, width: float) -> int:  # a line ends before the word that does not fit
        return 1 if len(text) + 2 <= width + 1e-9 else ceil(1.08 * (len(text) + 2) / width)

    return [SMALL * max((wrapped(text, width[c]) for c, text in enumerate(row)), default=1) + BETWEEN for row in rows]


def _output_lines(output: NotebookNode) -> float:
    data = output.get("data", {})
    if "<table" in data.get("text/html", ""):
        return _table_lines(data["text/html"])
    if LARGE & data.keys():
        return PICTURE
    if "text/markdown" in data:
        return text_lines(data["text/markdown"])
    return SMALL * len(output.get("text", data.get("text/plain", "")).splitlines()) + GAP


def _table_lines(html: str) -> float:
    return sum(_measured(BeautifulSoup(html, "html.parser"))[0]) + GAP


def _parts(output: NotebookNode) -> list[NotebookNode]:
    """An output; where it is one long table, the parts that slides hold, each with the headings of its columns."""
    html = output.get("data", {}).get("text/html", "")
    soup = BeautifulSoup(html, "html.parser")
    heights, rows = _measured(soup)
    if len(soup.find_all("table")) != 1 or sum(heights) <= ROOM:
        return [output]
    first = next((n for n, row in enumerate(rows) if row.find("td")), len(rows))  # those before are headings
    room, starts, covered = ROOM - sum(heights[:first]) - 2 * GAP, [], 0
    for n, row in enumerate(rows[first:], first):  # a part may begin where no cell of an earlier row reaches
        if n >= covered:
            starts.append(n)
        covered = max([covered, *(n + int(str(cell.get("rowspan") or 1)) for cell in row.find_all(["th", "td"]))])
    blocks = [(a, b, sum(heights[a:b])) for a, b in pairwise([*starts, len(rows)])]
    total, count = sum(heights[first:]), len(_packed(blocks, room))
    even = total / count
    while len(packed := _packed(blocks, min(even, room))) > count and even < room:  # about as many rows on each slide
        even += 0.5
    return [_rows_of(output, html, set(range(first)) | set(range(a, b))) for a, b in packed]


def _packed(blocks: list[tuple[int, int, float]], room: float) -> list[tuple[int, int]]:
    """Blocks of rows (from, to, height) put together as long as there is room."""
    packed: list[tuple[int, int]] = []
    left = 0.0
    for start, end, height in blocks:
        if packed and height <= left:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
            left = room
        left -= height
    return packed


def _rows_of(output: NotebookNode, html: str, kept: set[int]) -> NotebookNode:
    soup = BeautifulSoup(html, "html.parser")
    for n, row in enumerate(soup.find_all("tr")):
        if n not in kept:
            row.decompose()
    part = copy.deepcopy(output)
    part.data["text/html"] = str(soup)
    return part


def _measured(soup: BeautifulSoup) -> tuple[list[float], list[Tag]]:
    """The heights of all rows of the tables, and the rows."""
    rows = list(soup.find_all("tr"))
    texts = [[cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in rows]
    whole = ["number" in cell.get_attribute_list("class") for cell in (rows[-1].find_all(["th", "td"]) if rows else [])]
    return (row_lines(texts, whole), rows) if rows else ([], rows)
