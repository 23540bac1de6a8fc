"""The notebooks as they are committed, and the whole sequence through the runner that users use."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from test_pages import Resources

from maam_lib.pages import notebook_page
from maam_lib.reporting import NOTEBOOK_FOLDER, SEQUENCE, reproduce

MOST_LINES = 25
PATHS = sorted(path for path in NOTEBOOK_FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
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


def test_the_kernel_is_the_one_that_everybody_has(notebook: NotebookNode) -> None:
    assert notebook.metadata["kernelspec"]["name"] == "python3"


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


def test_a_chapter_begins_with_its_title_and_ends_with_a_summary(path: Path, notebook: NotebookNode) -> None:
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert "## Summary" in "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_formulas_become_a_page_that_needs_no_net(notebook: NotebookNode) -> None:
    page = notebook_page(notebook, "title")
    assert [url for url in Resources(page).fetched if not url.startswith("data:")] == []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("$$") % 2 == 0, cell.source[:80]


# As executed


@pytest.mark.notebooks
@pytest.mark.usefixtures("closed_event_loop")
def test_the_whole_sequence_runs_and_records_its_numbers(tmp_path: Path) -> None:
    """With the real generated scene and the smallest recipe: one epoch of a network of four base channels."""
    out, said = tmp_path / "report", []
    settings = ["training.epochs=1", "model.base_channels=4"]
    index = reproduce("synthetic-mini", tmp_path / "data", out, settings=settings, say=said.append)
    print(*said, sep="\n")  # how long each took, shown where it fails
    summary = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert list(summary["notebooks"]) == list(SEQUENCE)
    assert {name: state["failure"] for name, state in summary["notebooks"].items()} == dict.fromkeys(SEQUENCE)
    assert [name for name in SEQUENCE if not summary["results"][name]] == [], "chapters that recorded nothing"
    trained, scored = summary["results"]["03_train"], summary["results"]["05_pscd"]
    assert trained["train.epochs"] == 1
    assert trained["train.auc"] == scored["pscd.auc"], "one training, one result"
    assert json.loads((out / "run" / "metrics.json").read_text())["auc"] == trained["train.auc"]
    pages = {name: (out / f"{name}.html").read_text(encoding="utf-8") for name in SEQUENCE}
    for name, page in (pages | {"index": index.read_text(encoding="utf-8")}).items():
        found = Resources(page)
        assert [url for url in found.fetched if not url.startswith("data:")] == [], name
        here = [link.split("#")[0] for link in found.links if "://" not in link]
        assert [link for link in here if link and not (out / link).exists()] == [], name
    links = Resources(index.read_text(encoding="utf-8")).links
    assert {f"{name}.html" for name in SEQUENCE} <= set(links)
    assert sorted(path.name for path in out.glob(".*")) == [], "nothing half done lies about"
