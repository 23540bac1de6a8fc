"""The notebooks as they are committed, and the whole sequence through the runner that users use."""

import ast
import copy
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from maam_lib.grid.results import REFERENCE, paper_values
from maam_lib.notebook import recorded_results
from maam_lib.report import notebooks as reporting
from maam_lib.report.notebook_pages import Chapter, chapter_page
from maam_lib.report.notebooks import NOTEBOOK_FOLDER, SEQUENCE, reproduce
from tests.maam_lib.report.test_notebook_pages import Resources

MOST_LINES = 25
PATHS = sorted(path for path in NOTEBOOK_FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)

SETTINGS = ["training.epochs=1", "model.base_channels=4"]
SMALL = {"estimators": ["dis"], "num_frames": 16, "num_training_frames": 20, "epochs": 1, "base_channels": 4}


@pytest.fixture(params=PATHS, ids=lambda path: path.relative_to(NOTEBOOK_FOLDER).with_suffix("").as_posix())
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# As committed


def test_every_chapter_is_there() -> None:
    assert {path.stem for path in PATHS} >= set(SEQUENCE)


def test_outputs_are_stripped(notebook: NotebookNode) -> None:
    for cell in code_cells(notebook):
        assert (cell.outputs, cell.execution_count) == ([], None), cell.source[:80]
        assert "papermill" not in cell.metadata
    assert not {"papermill", "widgets"} & set(notebook.metadata)


def test_cells_have_ids_of_their_own(path: Path) -> None:
    ids = [cell.get("id") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def test_ids_of_cells_are_names_that_stay(path: Path, notebook: NotebookNode) -> None:
    """Made by hand or kept, not drawn anew by an editor: else every change would touch every cell."""
    assert [cell.id for cell in notebook.cells if not cell.id.startswith(f"{path.stem[:2]}-")] == []


def test_the_kernel_is_the_one_that_everybody_has(notebook: NotebookNode) -> None:
    assert notebook.metadata["kernelspec"]["name"] == "python3"


def test_the_kit_is_imported_before_torch(notebook: NotebookNode) -> None:
    """It says how torch's threads wait, which they read when torch is loaded."""
    code = "\n".join(cell.source for cell in code_cells(notebook))
    assert re.findall(r"^(?:from|import) (maam_lib|torch)\b", code, re.MULTILINE)[:1] != ["torch"]


def test_one_cell_of_parameters_holds_commented_literals(notebook: NotebookNode) -> None:
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
    commented = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign), ast.unparse(statement)
        ast.literal_eval(statement.value)  # raises for anything that is computed
        assert statement.end_lineno in commented, f"no comment: {ast.unparse(statement)}"


def test_cells_are_short_and_valid(notebook: NotebookNode) -> None:
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source[:80]
        ast.parse(cell.source)  # no magics: they would hide what runs
        assert cell.source.strip(), "an empty cell"


def test_links_lead_somewhere(path: Path, notebook: NotebookNode) -> None:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    here = [target for target in targets if target and "://" not in target]
    assert [target for target in here if not (path.parent / target).exists()] == []


def test_links_lead_to_pages_of_the_report(path: Path, notebook: NotebookNode) -> None:
    """A report holds the chapters only, so nothing else can be linked; anchors must be on their page."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    chapter = r"(\.\./)?\d\d_\w+\.ipynb(#[\w-]+)?" if path.parent.name == "solutions" else r"(\w+\.ipynb)?(#[\w-]+)?"
    assert [target for target in targets if "://" not in target and not re.fullmatch(chapter, target)] == []
    anchors = re.findall(r'<a id="([\w-]+)">', text)
    assert [target for target in targets if target.startswith("#") and target[1:] not in anchors] == []


def test_a_cell_that_reports_skip_follows_the_plain_call(notebook: NotebookNode) -> None:
    """What a widget shows stands above it as a real picture or table, which an executed report keeps."""
    code = code_cells(notebook)
    for before, cell in zip([None, *code], code, strict=False):
        if "skip-execution" in cell.metadata.get("tags", []):
            assert before is not None, cell.source[:80]
            tags = before.metadata.get("tags", [])
            assert {"figure", "report"} & set(tags), before.source[:80]
            assert "skip-execution" not in tags


def test_a_cell_that_draws_says_what_it_shows(notebook: NotebookNode) -> None:
    """For those who cannot see the picture: `alt` in the metadata of the cell, which a page shows."""
    drawing = re.compile(r"\bfigures\.\w+\(|\.figure\b|\.plain\(\)|\bImage\(")
    for cell in code_cells(notebook):
        draws = "figure" in cell.metadata.get("tags", []) or drawing.search(cell.source)
        if draws and "skip-execution" not in cell.metadata.get("tags", []):
            assert re.fullmatch(r"[A-Z].{39,}\.", cell.metadata.get("alt", "")), cell.source[:80]


def test_a_chapter_says_its_time_and_leads_on(path: Path, notebook: NotebookNode) -> None:
    opening = notebook.cells[0].source
    assert re.search(r"\*[^*]*(second|minute)[^*]*\*", opening), "no time"
    assert "GPU" in opening or "computes nothing" in opening
    if path.stem in SEQUENCE and path.parent == NOTEBOOK_FOLDER:
        assert re.search(r"(Before|Next):", opening), "no way on"
        assert "| paper |" in "\n".join(cell.source for cell in notebook.cells), (
            "no table of where it sits in the paper"
        )


def test_no_number_is_typed_that_a_result_file_holds(notebook: NotebookNode) -> None:
    """Numbers of three or more decimals, in prose and code: none equals a measured or printed one at that precision."""
    known = held_numbers()
    for cell in notebook.cells:
        source = cell.source
        if cell.cell_type == "code":
            tokens = tokenize.generate_tokens(io.StringIO(source).readline)
            source = " ".join(token.string for token in tokens if token.type == tokenize.NUMBER)
        typed = re.findall(r"(?<![\w.])0?\.\d{3,}(?![\d\w])", source)
        assert [number for number in typed if f"0{number.lstrip('0')}" in known] == [], source[:80]


def held_numbers() -> set[str]:
    """What the result files and the paper's tables hold between 0 and 1, in three and four decimals.

    Not what has two digits or fewer there: alpha, 0.0003, is not a measured 0.00031. Nor Adam's second decay, 0.999,
    which is a setting, whatever error near 1 a result may hold.
    """
    paper = paper_values()
    files = [json.loads(path.read_text(encoding="utf-8")) for path in REFERENCE.rglob("seed*.json")]
    measured = [x for x in numbers_in([{k: v for k, v in f.items() if k != "settings"} for f in files]) if 0 < x < 1]
    printed = set(re.findall(r"'(0\.\d{3,})'", str({k: v for k, v in paper.items() if k != "figure6"})))
    held = printed | {f"{x:.3f}" for x in measured if x > 0.5} | {f"{x:.4f}" for x in measured if x > 0.01}
    return held - {"0.999"}


def test_held_numbers_are_the_paper_s_and_the_results() -> None:
    kept = json.loads(next(REFERENCE.rglob("seed0.json")).read_text(encoding="utf-8"))
    printed = paper_values()["table2"]["rows"]["Ours"]
    assert {*printed, f"{kept['auc']:.3f}", f"{kept['eer']:.4f}"} <= held_numbers()


def numbers_in(tree: Any) -> Iterator[float]:
    if isinstance(tree, float):
        yield tree
    for branch in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from numbers_in(branch)


def test_a_chapter_begins_with_its_title_and_ends_with_a_summary(path: Path, notebook: NotebookNode) -> None:
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert "## Summary" in "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_formulas_become_a_page_that_needs_no_net(notebook: NotebookNode) -> None:
    page = chapter_page(Chapter("title", notebook, 0))
    assert [url for url in Resources(page).fetched if not url.startswith("data:")] == []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("$$") % 2 == 0, cell.source[:80]


# As executed


@pytest.fixture
def twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The chapters with all cells twice, as after a second click on Run All, stand in for the kit's own.

    Returns how many cells of each, once executed, are of the first time.
    """
    folder, cells_of = tmp_path / "notebooks", {}
    folder.mkdir()
    for name in SEQUENCE:
        notebook = nbformat.read(NOTEBOOK_FOLDER / f"{name}.ipynb", as_version=4)
        cells_of[name] = len(notebook.cells) + 1  # papermill puts the parameters into one of its own
        again = [copy.deepcopy(cell) for cell in notebook.cells if "parameters" not in cell.metadata.get("tags", [])]
        for cell in again:
            cell.id += "-again"
        notebook.cells += again
        nbformat.write(notebook, folder / f"{name}.ipynb")
    monkeypatch.setattr(reporting, "NOTEBOOK_FOLDER", folder)
    return cells_of


@pytest.mark.notebooks
@pytest.mark.usefixtures("closed_event_loop")
def test_the_whole_sequence_runs_twice_alike_and_records_its_numbers(tmp_path: Path, twice: dict[str, int]) -> None:
    """With the real generated scene and the smallest recipe: one epoch of a network of four base channels."""
    out, said = tmp_path / "report", []
    index = reproduce("synthetic-mini", tmp_path / "data", out, settings=SETTINGS, parameters=SMALL, say=said.append)
    print(*said, sep="\n")  # how long each took, shown where it fails
    summary = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert list(summary["notebooks"]) == list(SEQUENCE)
    assert {name: state["failure"] for name, state in summary["notebooks"].items()} == dict.fromkeys(SEQUENCE)
    trained, scored = summary["results"]["03_train"], summary["results"]["05_pscd"]
    assert trained["train.epochs"] == 1
    assert trained["train.auc"] == scored["pscd.auc"], "one training, one result"
    assert json.loads((out / "run" / "metrics.json").read_text())["auc"] == trained["train.auc"]
    for name in SEQUENCE:
        cells = nbformat.read(out / f"{name}.ipynb", as_version=4).cells
        halves = [NotebookNode(cells=part) for part in (cells[: twice[name]], cells[twice[name] :])]
        once, again = (
            {key: v for key, v in recorded_results(half).items() if not key.endswith("per_second")} for half in halves
        )
        assert once, f"{name} recorded nothing"
        assert again == once, f"{name}: a cell leans on what a later one left"
        stubs = untouched_stubs(halves[0])
        assert all("not yet: replace the ... by your answer" in said for said in stubs), name
        assert len(stubs) >= 3, f"{name}: too few exercises"
    pages = {name: (out / f"{name}.html").read_text(encoding="utf-8") for name in SEQUENCE}
    for name, page in (pages | {"index": index.read_text(encoding="utf-8")}).items():
        found = Resources(page)
        assert [url for url in found.fetched if not url.startswith("data:")] == [], name
        assert min(len(text or "") for text in found.texts) >= 20, f"{name}: a picture without words"
        here = [link.split("#")[0] for link in found.links if "://" not in link]
        assert [link for link in here if link and not (out / link).exists()] == [], name
    links = Resources(index.read_text(encoding="utf-8")).links
    assert {f"{name}.html" for name in SEQUENCE} <= set(links)
    assert [path.name for path in out.glob(".*")] == [".lock"], "nothing half done lies about"


def untouched_stubs(executed: NotebookNode) -> list[str]:
    """What the checkers said of the stubs of an executed notebook."""
    stubs = [cell for cell in executed.cells if "exercise" in cell.metadata.get("tags", [])]
    return ["".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs) for cell in stubs]
