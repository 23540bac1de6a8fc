"""Every exercise stands in its notebook as a stub that fails its checker, and is solved beside it by one that passes.

The cells run in this process, on the small scene and its finished run: stub and solution meet the same variables.
"""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from data_prep import prepare as preparing
from maam_lib import exercises
from maam_lib.exercises.checking import EXERCISES, Checked
from maam_lib.grid import experiments, results
from maam_lib.report.notebooks import NOTEBOOK_FOLDER, SEQUENCE
from maam_lib.training.runs import RunFolder
from tests.conftest import TINY_SETTINGS

CHAPTERS = sorted({number.split(".")[0] for number in EXERCISES})
SOLUTIONS = {path.stem[:2]: path for path in (NOTEBOOK_FOLDER / "solutions").glob("*.ipynb")}


def cells(path: Path, tag: str | None = None) -> list[NotebookNode]:
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return code if tag is None else [cell for cell in code if tag in cell.metadata.get("tags", [])]


def number_of(cell: NotebookNode) -> str:
    [number] = re.findall(r'check\("(\d\d\.\d)"', cell.source)
    return number


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Execute a cell; returns the value of its last expression, as Jupyter shows it."""
    *body, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        body, last = [*body, last], None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last is not None else None


def test_every_chapter_has_three_to_five_exercises_and_solutions() -> None:
    assert [name[:2] for name in SEQUENCE] == CHAPTERS
    for chapter in CHAPTERS:
        numbers = sorted(number for number in EXERCISES if number.startswith(f"{chapter}."))
        assert numbers == [f"{chapter}.{i}" for i in range(1, len(numbers) + 1)]
        assert 3 <= len(numbers) <= 5
        [notebook] = NOTEBOOK_FOLDER.glob(f"{chapter}_*.ipynb")
        assert [number_of(cell) for cell in cells(notebook, "exercise")] == numbers
        assert SOLUTIONS[chapter].stem == notebook.stem
        assert [number_of(cell) for cell in cells(SOLUTIONS[chapter], "exercise")] == numbers


def test_exercises_are_told_alike_in_both_places_and_graded() -> None:
    for path in SOLUTIONS.values():
        told = []
        for place in (path, NOTEBOOK_FOLDER / path.name):
            sources = [cell.source for cell in nbformat.read(place, as_version=4).cells]
            told.append([text for text in sources if re.match(r"\*\*\d\d\.\d \(", text)])
        assert told[0] == told[1]
        levels = [re.match(r"\*\*\d\d\.\d \((easy|medium|hard)\)\.\*\*", text) for text in told[0]]
        assert None not in levels


@pytest.fixture
def small_kit(finished_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kept network is the tiny one; the generated scene counts as prepared."""
    kept = tmp_path / "synthetic-laptop"
    kept.mkdir()
    shutil.copyfile(finished_run.weights_file(), kept / "weights.safetensors")
    shutil.copyfile(finished_run.folder / "recipe.yaml", kept / "recipe.yaml")
    monkeypatch.setattr(experiments, "REFERENCE", results.REFERENCE)  # the kept results stay the kit's
    monkeypatch.setattr(results, "REFERENCE", tmp_path)
    monkeypatch.setattr(preparing, "prepare", lambda *args, **settings: None)


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.usefixtures("small_kit")
def test_stubs_fail_and_solutions_pass(chapter: str, scene_root: Path, finished_run: RunFolder, tmp_path: Path) -> None:
    solution = SOLUTIONS[chapter]
    names: dict[str, Any] = {}
    parameters, *setup = [cell for cell in cells(solution) if "exercise" not in cell.metadata.get("tags", [])]
    run_cell(parameters.source, names)
    own = tmp_path / "run"
    shutil.copytree(finished_run.folder, own)  # a solution may calibrate its run, which leaves a file there
    given = {"root": str(scene_root), "run": str(own), "num_frames": 16}
    given |= {"recipe": "synthetic-mini", "settings": list(TINY_SETTINGS)}
    names |= {name: value for name, value in given.items() if name in names}
    for cell in setup:
        run_cell(cell.source, names)
    stubs = {number_of(cell): cell for cell in cells(NOTEBOOK_FOLDER / solution.name, "exercise")}
    for cell in cells(solution, "exercise"):
        untouched = run_cell(stubs[number_of(cell)].source, names)
        assert isinstance(untouched, Checked)
        assert not untouched.passed, untouched
        assert repr(untouched) == f"{number_of(cell)} not yet: replace the ... by your answer"
        wrong = exercises.check(number_of(cell), "wrong", *given_to(cell, names))
        assert not wrong.passed
        assert "got wrong, expected" in wrong.line
        verdict = run_cell(cell.source, names)
        assert verdict.passed, verdict


def given_to(cell: NotebookNode, names: dict[str, Any]) -> list[Any]:
    """What a cell's call of `check` gives besides the answer."""
    call = ast.parse(cell.source).body[-1].value
    return [eval(compile(ast.Expression(argument), "cell", "eval"), names) for argument in call.args[2:]]


def test_solutions_are_told_how_to_be_reached() -> None:
    for path in SOLUTIONS.values():
        text = json.dumps(json.loads((NOTEBOOK_FOLDER / path.name).read_text(encoding="utf-8")))
        assert f"notebooks/solutions/{path.name}" in text
