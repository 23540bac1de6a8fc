"""Exercises and holes as the chapters hold them: solutions between marks, each with its check, and copies without them.

That solutions are right, and that copies run to their end, is seen in `test_notebooks`, where both are executed.
"""

import ast
import re
from collections.abc import Iterator

import nbformat
import pytest
from nbformat import NotebookNode

from maam_lib.exercises.checking import EXERCISES
from maam_lib.exercises.course import REGION, SOLUTION, student_copy
from maam_lib.report.notebooks import NOTEBOOK_FOLDER, SEQUENCE

CHAPTERS = {name[:2]: nbformat.read(NOTEBOOK_FOLDER / f"{name}.ipynb", as_version=4) for name in SEQUENCE}
by_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def number_of(cell: NotebookNode) -> str:
    [number] = re.findall(r'check\("(\d\d\.\w)"', cell.source)
    return number


def with_solutions(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if "### BEGIN SOLUTION" in cell.source]


def test_every_chapter_has_exercises() -> None:
    assert sorted(CHAPTERS) == sorted({number[:2] for number in EXERCISES})


@by_chapter
def test_exercises_are_numbered_and_holes_lettered_in_their_order(chapter: str) -> None:
    numbers = sorted(number for number in EXERCISES if number.startswith(f"{chapter}."))
    digits, letters = ([n for n in numbers if n[-1].isdigit() is kind] for kind in (True, False))
    assert digits == [f"{chapter}.{i}" for i in range(1, len(digits) + 1)]
    assert letters == [f"{chapter}.{letter}" for letter in "abcdefgh"[: len(letters)]]
    assert 3 <= len(digits) <= 5
    assert [number_of(cell) for cell in tagged(CHAPTERS[chapter], "exercise")] == digits
    assert [number_of(cell) for cell in tagged(CHAPTERS[chapter], "hole")] == letters


@by_chapter
def test_every_solution_is_followed_by_its_check_in_the_same_cell(chapter: str) -> None:
    checked = [*tagged(CHAPTERS[chapter], "exercise"), *tagged(CHAPTERS[chapter], "hole")]
    assert sorted(cell.id for cell in with_solutions(CHAPTERS[chapter])) == sorted(cell.id for cell in checked)
    for cell in checked:
        assert cell.source.rindex("### END SOLUTION") < cell.source.index("check("), cell.id
        is_folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert is_folded is ("exercise" in cell.metadata.tags), f"{cell.id}: of exercises alone the source is folded"
    for cell in tagged(CHAPTERS[chapter], "hole"):
        assert ".go_on_with" in cell.source, f"{cell.id}: a copy could not run on"


@by_chapter
def test_exercises_are_told_and_graded(chapter: str) -> None:
    sources = [cell.source for cell in CHAPTERS[chapter].cells if cell.cell_type == "markdown"]
    told = [text for text in sources if re.match(r"\*\*\d\d\.\d \(", text)]
    assert [re.match(r"\*\*(\d\d\.\d) \((easy|medium|hard)\)\.\*\*", text)[1] for text in told] == [
        number_of(cell) for cell in tagged(CHAPTERS[chapter], "exercise")
    ]


@by_chapter
def test_a_copy_has_stubs_and_no_solution(chapter: str) -> None:
    complete, copy = CHAPTERS[chapter], student_copy(CHAPTERS[chapter])
    text = "\n".join(cell.source for cell in copy.cells)
    assert "SOLUTION" not in text
    assert tagged(copy, SOLUTION) == []
    assert len(copy.cells) == len(complete.cells) - len(tagged(complete, SOLUTION))
    by_id = {cell.id: cell for cell in copy.cells}
    for cell in with_solutions(complete):
        stub = by_id[cell.id]
        assert re.search(r"= \.\.\.|return \.\.\.", stub.source), f"{cell.id}: nothing says what to replace"
        assert not stub.metadata.get("jupyter", {}).get("source_hidden"), "what is to be filled in is seen"
        ast.parse(stub.source)
        assert len(stub.source.strip().splitlines()) <= 25


@by_chapter
def test_nothing_outside_leans_on_a_name_that_only_a_solution_makes(chapter: str) -> None:
    """A student's copy has no such name; the chapter would end there with a NameError."""
    copy = student_copy(CHAPTERS[chapter])
    rest = [ast.parse(cell.source) for cell in copy.cells if cell.cell_type == "code"]
    made = {name for tree in rest for name in names(tree, ast.Store)}
    used = {name for tree in rest for name in names(tree, ast.Load)}
    for cell in with_solutions(CHAPTERS[chapter]):
        own = {name for region in REGION.finditer(cell.source) for name in names(parsed(region), ast.Store)}
        assert (own - made) & used == set(), cell.id


def parsed(region: re.Match[str]) -> ast.AST:
    lines = [line.removeprefix(region["indent"]) for line in region[0].splitlines()]
    return ast.parse("async def region():\n" + "\n".join(f" {line}" for line in [*lines, "pass"]))


def names(tree: ast.AST, context: type) -> Iterator[str]:
    """Names that are read or made, the latter also by imports and definitions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            yield node.id
        elif context is ast.Store and isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name.asname or name.name).split(".")[0] for name in node.names)
        elif context is ast.Store and isinstance(node, ast.FunctionDef | ast.arg):
            yield node.arg if isinstance(node, ast.arg) else node.name


def test_every_exercise_has_a_hint_in_plain_words() -> None:
    assert [number for number, exercise in EXERCISES.items() if not re.fullmatch(r"\S.{38,}[.)]", exercise.hint)] == []
