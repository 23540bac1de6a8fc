"""Cells cut for slides: nothing is lost, nothing is cut where it belongs together."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from maam_lib.report.screens import ROOM, cut_text, lines, pieces

FOLD = "<details><summary>What you should see</summary>\n\n# No heading of a slide\n\nText.\n\n</details>\n\n"


def table_cell(table: pd.DataFrame) -> NotebookNode:
    return new_code_cell("show(table)", outputs=[new_output("display_data", {"text/html": table.to_html()})])


def shown_rows(cell: NotebookNode) -> list[list[str]]:
    rows = BeautifulSoup(cell.outputs[0].data["text/html"], "html.parser").find_all("tr")
    return [[part.get_text() for part in row.find_all(["th", "td"])] for row in rows]


def test_text_is_cut_before_headings_and_never_inside_a_fold() -> None:
    source = f"Text.\n\n{FOLD}## Next\n```\n# a comment\n```\n\n$$\n\nx\n\n$$\nEnd.\n"
    assert cut_text(source, at_paragraphs=False) == [f"Text.\n\n{FOLD}", source.split("</details>\n\n")[1]]
    assert "".join(cut_text(source, at_paragraphs=True)) == source
    assert cut_text(source, at_paragraphs=True)[:2] == ["Text.\n\n", FOLD]


def test_a_cell_that_a_slide_holds_stays_as_it_is() -> None:
    for cell in (new_markdown_cell(f"# Title\nText.\n\n{FOLD}"), table_cell(pd.DataFrame({"a": range(10)}))):
        assert [dict(piece) for piece in pieces(cell)] == [dict(cell)]


@pytest.mark.parametrize("words", [1, 40])
def test_a_long_table_is_cut_into_even_parts_that_keep_the_headings_and_every_row(words: int) -> None:
    table = pd.DataFrame({"name": [f"row {n} " + "word " * words for n in range(40)], "AUC": range(40)})
    parts = list(pieces(table_cell(table)))
    assert len(parts) > 1
    assert all(lines(part) <= ROOM for part in parts)
    rows = [shown_rows(part) for part in parts]
    assert {tuple(part[0]) for part in rows} == {("", "name", "AUC")}
    assert [row[0] for part in rows for row in part[1:]] == [str(n) for n in range(40)]
    sizes = [len(part) for part in rows]
    assert max(sizes) - min(sizes) <= max(sizes) / 3, "not a full slide and a rest"
    assert len({part.id for part in parts}) == len(parts)


def test_rows_under_one_heading_stay_together() -> None:
    index = pd.MultiIndex.from_product([["ped2", "avenue", "street"], range(11)])
    parts = list(pieces(table_cell(pd.DataFrame({"AUC": range(33)}, index=index))))
    assert [shown_rows(part)[1][0] for part in parts] == ["ped2", "avenue", "street"]


def test_a_large_output_is_a_piece_by_itself() -> None:
    said = [new_output("stream", name="stdout", text=f"epoch {n}\n") for n in range(2)]
    picture = new_output("display_data", {"image/png": "a"})
    cell = new_code_cell("draw()", metadata={"alt": "A curve."}, outputs=[*said, picture, picture, *said])
    parts = list(pieces(cell))
    assert [len(part.outputs) for part in parts] == [2, 1, 1, 2]
    assert all(part.metadata.alt == "A curve." for part in parts)


def test_a_long_table_of_text_is_cut_too() -> None:
    rows = "".join(f"| {n} | {'words ' * 30}| $x_{n}$ |\n" for n in range(20))
    parts = list(pieces(new_markdown_cell(f"## All\n\n| no. | what | sign |\n|---|---|---|\n{rows}\nAfter.")))
    assert parts[0].source == "## All\n\n"
    assert parts[-1].source.strip() == "After."
    tables = [part.source for part in parts[1:-1]]
    assert len(tables) > 1
    assert all("<th>no.</th>" in table and lines(part) <= ROOM for table, part in zip(tables, parts[1:], strict=False))
    assert sum(table.count("<td>") for table in tables) == 60
