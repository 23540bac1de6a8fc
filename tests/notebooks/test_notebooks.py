"""The notebooks as they are committed, each chapter as executed, and the report that the sequence becomes."""

import ast
import io
import json
import re
import shutil
import tokenize
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from data_prep.scenes.synthetic import SceneSettings, read_synthetic
from maam_lib.config import load_recipe
from maam_lib.evaluation.measuring import evaluate
from maam_lib.exercises.checking import EXERCISES
from maam_lib.exercises.course import student_copy
from maam_lib.exercises.record import RECORD
from maam_lib.exercises.record import read as read_record
from maam_lib.grid.results import REFERENCE, paper_values
from maam_lib.notebook import recorded_results
from maam_lib.report import notebooks as reporting
from maam_lib.report.notebook_pages import Chapter, chapter_page
from maam_lib.report.notebooks import NOTEBOOK_FOLDER, SEQUENCE, declared_parameters, reproduce, run_notebook
from maam_lib.training.loop import dataset_for, fit
from maam_lib.training.runs import RunFolder
from tests.conftest import prepare_clips
from tests.maam_lib.report.test_notebook_pages import Resources

MOST_LINES = 25
CHECKED = {"exercise", "hole"}  # tags of the cells that end in a check
APP = NOTEBOOK_FOLDER / "app.ipynb"  # the page of `make app`, no chapter
NOTEBOOKS = {
    path: nbformat.read(path, as_version=4)
    for path in sorted(NOTEBOOK_FOLDER.rglob("*.ipynb"))
    if ".ipynb_checkpoints" not in path.parts and path != APP
}

# The frame size of the recipe and of the kept networks, with as few frames as the cells need (09 shows frame 130).
SCENE = SceneSettings(train_clips=2, test_clips=2, frames_per_clip=72)
TRAINING = ("03_train", "05_pscd")  # the chapters that begin the training and that score it
RECIPE, SETTINGS = "synthetic-mini", ["training.epochs=1", "model.base_channels=4"]
SMALL = {
    "estimators": ["dis"],
    "num_frames": 16,
    "num_training_frames": 20,
    "training_videos": 2,
    "epochs": 1,
    "base_channels": 4,
}


# As committed. Every test looks at all notebooks and names each that is at fault.


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def at(path: Path, cell: NotebookNode, what: str = "") -> str:
    """Where a fault is, for the list of all of them."""
    return f"{path.relative_to(NOTEBOOK_FOLDER)} {cell.get('id')} {what}".rstrip()


def each_code_cell() -> Iterator[tuple[Path, NotebookNode]]:
    return ((path, cell) for path, notebook in NOTEBOOKS.items() for cell in code_cells(notebook))


def test_every_chapter_is_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SEQUENCE)


def test_the_page_of_the_app_is_a_title_parameters_and_one_call() -> None:
    title, parameters, call = nbformat.read(APP, as_version=4).cells
    assert (title.cell_type, parameters.cell_type, call.cell_type) == ("markdown", "code", "code")
    [chapter] = [c for c in NOTEBOOKS[NOTEBOOK_FOLDER / "07_playground.ipynb"].cells if "parameters" in tags(c)]
    assert parameters.source == chapter.source, "as the chapter that teaches it"
    assert parameters.outputs == call.outputs == []
    assert call.source == "from maam_lib.playground import app\n\napp(run, weights, root, runs, clips)"


def test_outputs_are_stripped_and_the_kernel_is_the_one_that_everybody_has() -> None:
    kept = [at(p, c) for p, c in each_code_cell() if (c.outputs, c.execution_count) != ([], None)]
    assert kept + [at(p, c) for p, c in each_code_cell() if "papermill" in c.metadata] == []
    assert [path for path, notebook in NOTEBOOKS.items() if {"papermill", "widgets"} & set(notebook.metadata)] == []
    assert {notebook.metadata["kernelspec"]["name"] for notebook in NOTEBOOKS.values()} == {"python3"}


def test_ids_of_cells_are_unique_names_that_stay() -> None:
    """Made by hand or kept, not drawn anew by an editor: else every change would touch every cell."""
    for path in NOTEBOOKS:
        ids = [cell.get("id") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        assert len(set(ids)) == len(ids), path
        assert [name for name in ids if not (name or "").startswith(f"{path.stem[:2]}-")] == [], path


def test_cells_are_short_and_valid() -> None:
    assert [at(p, c) for p, c in each_code_cell() if not 0 < len(c.source.strip().splitlines()) <= MOST_LINES] == []
    for _, cell in each_code_cell():
        ast.parse(cell.source)  # no magics: they would hide what runs


def test_what_is_imported_is_there() -> None:
    missing = []
    for path, cell in each_code_cell():
        for line in ast.walk(ast.parse(cell.source)):
            if isinstance(line, ast.ImportFrom) and line.module.split(".")[0] in ("maam_lib", "data_prep"):
                names: dict[str, Any] = {}
                for name in line.names:
                    try:
                        exec(f"from {line.module} import {name.name}", names)
                    except ImportError as error:
                        missing.append(at(path, cell, str(error)))
            elif isinstance(line, ast.Import):
                for name in line.names:
                    import_module(name.name)
    assert missing == []


def test_the_kit_is_imported_before_torch() -> None:
    """It says how torch's threads wait, which they read when torch is loaded."""
    for path, notebook in NOTEBOOKS.items():
        code = "\n".join(cell.source for cell in code_cells(notebook))
        assert re.findall(r"^(?:from|import) (maam_lib|torch)\b", code, re.MULTILINE)[:1] != ["torch"], path


def test_one_cell_of_parameters_holds_commented_literals() -> None:
    for path, notebook in NOTEBOOKS.items():
        [cell] = [cell for cell in notebook.cells if "parameters" in tags(cell)]
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
        commented = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
        for statement in ast.parse(cell.source).body:
            assert isinstance(statement, ast.Assign), at(path, cell, ast.unparse(statement))
            ast.literal_eval(statement.value)  # raises for anything that is computed
            assert statement.end_lineno in commented, at(path, cell, f"no comment: {ast.unparse(statement)}")


def test_links_lead_to_pages_of_the_report() -> None:
    """A report holds the chapters only, so nothing else can be linked; anchors must be on their page."""
    for path, notebook in NOTEBOOKS.items():
        chapter = r"(\w+\.ipynb)?(#[\w-]+)?"
        targets = re.findall(r"\]\(([^)\s]+)\)", prose(notebook))
        here = [target for target in targets if "://" not in target]
        anchors = re.findall(r'<a id="([\w-]+)">', prose(notebook))
        assert [target for target in here if not re.fullmatch(chapter, target)] == [], path
        assert [target for target in here if not (path.parent / target.split("#")[0]).exists()] == [], path
        assert [target for target in here if target.startswith("#") and target[1:] not in anchors] == [], path


def test_a_cell_that_reports_skip_follows_the_plain_call() -> None:
    """What a widget shows stands above it as a real picture or table, which an executed report keeps."""
    for path, notebook in NOTEBOOKS.items():
        code = code_cells(notebook)
        for before, cell in zip([NotebookNode(metadata={}), *code], code, strict=False):
            if "skip-execution" in tags(cell):
                assert {"figure", "report"} & set(tags(before)), at(path, cell)
                assert "skip-execution" not in tags(before), at(path, cell)


def test_a_cell_that_draws_says_what_it_shows() -> None:
    """For those who cannot see the picture: `alt` in the metadata of the cell, which a page shows."""
    drawing = re.compile(r"\bfigures\.\w+\(|\.figure\b|\.plain\(\)|\bImage\(")
    silent = [
        at(path, cell)
        for path, cell in each_code_cell()
        if ("figure" in tags(cell) or drawing.search(cell.source)) and "skip-execution" not in tags(cell)
        if not re.fullmatch(r"[A-Z].{39,}\.", cell.metadata.get("alt", ""))
    ]
    assert silent == []


def test_a_chapter_has_a_title_its_time_a_way_on_and_a_summary() -> None:
    for path, notebook in NOTEBOOKS.items():
        opening = notebook.cells[0].source
        assert notebook.cells[0].cell_type == "markdown", path
        assert opening.startswith("# "), path
        assert "## Summary" in prose(notebook), path
        assert re.search(r"\*[^*]*(second|minute)[^*]*\*", opening), f"{path}: no time"
        assert "GPU" in opening or "computes nothing" in opening, path
        assert re.search(r"(Before|Next):", opening), f"{path}: no way on"
        assert "| paper |" in "\n".join(cell.source for cell in notebook.cells), f"{path}: no table of the paper"


def test_no_number_is_typed_that_a_result_file_holds() -> None:
    """Numbers of three or more decimals, in prose and code: none equals a measured or printed one at that precision."""
    known, typed = held_numbers(), []
    for path, notebook in NOTEBOOKS.items():
        for cell in notebook.cells:
            source = cell.source
            if cell.cell_type == "code":
                tokens = tokenize.generate_tokens(io.StringIO(source).readline)
                source = " ".join(token.string for token in tokens if token.type == tokenize.NUMBER)
            found = re.findall(r"(?<![\w.])0?\.\d{3,}(?![\d\w])", source)
            typed += [at(path, cell, number) for number in found if f"0{number.lstrip('0')}" in known]
    assert typed == []


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


@pytest.mark.slow
def test_formulas_become_a_page_that_needs_no_net() -> None:
    for path, notebook in NOTEBOOKS.items():
        page = chapter_page(Chapter("title", notebook, 0))
        assert [url for url in Resources(page).fetched if not url.startswith("data:")] == [], path
        cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
        assert [at(path, cell) for cell in cells if cell.source.count("$$") % 2] == []


# As executed, through the runner that users use


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of prepared datasets with few frames of the generated scene at the recipe's size. For reading only."""
    root = tmp_path_factory.mktemp("small_scene")
    for flow in ("dis", "exact"):  # chapter 01 compares the two
        prepare_clips(root, read_synthetic(SCENE), flow=flow)
    return root


@pytest.fixture(scope="session")
def trained(small_scene: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run that all chapters share, made once: one epoch of a network of four base channels, measured."""
    plan = load_recipe(RECIPE, *SETTINGS)
    prepared = dataset_for(small_scene, plan)
    run = fit(plan, prepared, tmp_path_factory.mktemp("trained") / "run")
    evaluate(run, prepared)
    return run


def doubled(name: str, folder: Path) -> tuple[Path, int]:
    """A chapter with all cells twice: a student's copy with open holes, then, as after a second click on Run All, the
    complete one, with wrong answers behind the right ones. The folder keeps a record.

    Returns how many cells, once executed, are of the copy.
    """
    complete = nbformat.read(NOTEBOOK_FOLDER / f"{name}.ipynb", as_version=4)
    notebook = student_copy(complete)
    first = len(notebook.cells) + 1  # papermill puts the parameters into one of its own
    for cell in complete.cells:
        if "parameters" not in tags(cell):
            cell.id += "-again"
            notebook.cells.append(cell)
        if CHECKED & set(tags(cell)):
            notebook.cells.append(nbformat.v4.new_code_cell(wrong(cell.source), id=f"{cell.id}-wrong"))
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    (folder / RECORD).touch()
    return folder / f"{name}.ipynb", first


def wrong(source: str) -> str:
    """The check of a cell, asked about a wrong answer."""
    [check] = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and is_check(node)]
    check.args[1] = ast.Constant("wrong")
    return ast.unparse(check)


def is_check(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "check"


@pytest.mark.notebooks
@pytest.mark.usefixtures("closed_event_loop")
@pytest.mark.parametrize("name", [name for name in SEQUENCE if name not in TRAINING])
def test_a_chapter_runs_twice_and_records_the_same_numbers(
    name: str, small_scene: Path, trained: RunFolder, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "report"
    shutil.copytree(trained.folder, run)  # a chapter may leave files in its run
    path, first = doubled(name, tmp_path / "notebooks")
    given = SMALL | {"recipe": RECIPE, "settings": SETTINGS, "root": str(small_scene), "run": str(run)}
    declared = declared_parameters(path)
    chapter = run_notebook(path, out, {key: value for key, value in given.items() if key in declared})
    assert chapter.failure is None
    results_of_both_halves(name, chapter.notebook, first)
    _, entries, damaged = read_record(path.with_name(RECORD))
    assert damaged == []
    assert {entry.exercise for entry in entries if entry.outcome == "right"} == exercises_of(name), "each is recorded"
    assert RunFolder.open(run).history.equals(trained.history), "no chapter trains what is trained"
    page = (out / f"{name}.html").read_text(encoding="utf-8")
    assert_page_is_whole(page, out)
    assert Resources(page).texts, "no picture"
    assert sorted(file.name for file in out.iterdir()) == [f"{name}.html", f"{name}.ipynb"], "nothing half done"


@pytest.mark.notebooks
@pytest.mark.usefixtures("closed_event_loop")
@pytest.mark.parametrize("name", ["04_memory_items", "05_pscd", "07_playground"])
def test_a_chapter_without_a_run_shows_the_network_of_the_kit(name: str, small_scene: Path, tmp_path: Path) -> None:
    path = NOTEBOOK_FOLDER / f"{name}.ipynb"
    given = SMALL | {"root": str(small_scene), "run": str(tmp_path / "none")}
    declared = declared_parameters(path)
    chapter = run_notebook(path, tmp_path / "report", {key: given[key] for key in given if key in declared})
    assert chapter.failure is None
    printed = "".join(output.get("text", "") for cell in code_cells(chapter.notebook) for output in cell.outputs)
    assert "synthetic-laptop: the network that comes with the kit, since there is no run of your own" in printed
    assert not (tmp_path / "none").exists()


@pytest.mark.notebooks
@pytest.mark.usefixtures("closed_event_loop")
def test_chapters_of_a_report_share_one_training_and_run_twice(
    small_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firsts = {name: doubled(name, tmp_path / "notebooks")[1] for name in TRAINING}
    monkeypatch.setattr(reporting, "NOTEBOOK_FOLDER", tmp_path / "notebooks")
    out, said = tmp_path / "report", []
    parameters = {"num_training_frames": SMALL["num_training_frames"]}
    call = {"settings": SETTINGS, "parameters": parameters, "notebooks": TRAINING, "say": said.append}
    index = reproduce(RECIPE, small_scene, out, **call)
    summary = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {name: state["failure"] for name, state in summary["notebooks"].items()} == dict.fromkeys(TRAINING)
    executed = {name: nbformat.read(out / f"{name}.ipynb", as_version=4) for name in TRAINING}
    trained, scored = (results_of_both_halves(name, executed[name], first) for name, first in firsts.items())
    assert trained["train.epochs"] == 1
    assert trained["train.auc"] == scored["pscd.auc"], "one training, one result"
    assert json.loads((out / "run" / "metrics.json").read_text())["auc"] == trained["train.auc"]
    for name in (*TRAINING, "index"):
        page = (out / f"{name}.html").read_text(encoding="utf-8")
        assert_page_is_whole(page, out)
        assert Resources(page).texts, f"{name}: no picture"
    assert {f"{name}.html" for name in TRAINING} <= set(Resources(index.read_text(encoding="utf-8")).links)
    assert (out / summary["paper"]).is_file()
    assert [path.name for path in out.glob(".*")] == [".lock"], "nothing half done lies about"


def results_of_both_halves(name: str, executed: NotebookNode, first: int) -> dict[str, Any]:
    """What a doubled chapter recorded, the same with open holes and with solutions; its checks say which are which."""
    halves = [NotebookNode(cells=part) for part in (executed.cells[:first], executed.cells[first:])]
    once, again = (
        {key: v for key, v in recorded_results(half).items() if not key.endswith("per_second")} for half in halves
    )
    assert once, f"{name} recorded nothing"
    assert again == once, f"{name}: a cell leans on what a later one left, or the library fills a hole otherwise"
    says = {"": "not yet: replace the ... by your answer", "again": "right: ", "wrong": "not yet: got wrong"}
    for half in says:
        lines = [said for part, said in verdicts(executed) if part == half]
        assert [line for line in lines if says[half] not in line] == [], f"{name}: {half}"
        assert len(lines) == len(exercises_of(name)), f"{name}: {half}"
    return once


@pytest.mark.slow
def test_a_report_holds_all_chapters_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `maam reproduce` makes it, with notebooks that are only copied."""

    def copied(notebook: Path, running: Path, *_: object) -> None:
        shutil.copyfile(notebook, running)

    monkeypatch.setattr(reporting, "_execute", copied)
    monkeypatch.setattr(reporting, "_missing_figure", lambda *_: None)
    out = tmp_path / "report"
    index = reproduce(RECIPE, tmp_path, out, settings=SETTINGS, say=str)
    summary = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert list(summary["notebooks"]) == list(SEQUENCE)
    links = Resources(index.read_text(encoding="utf-8")).links
    assert [link for link in dict.fromkeys(links) if link in {f"{name}.html" for name in SEQUENCE}] == [
        f"{name}.html" for name in SEQUENCE
    ]
    for name in SEQUENCE:
        assert_page_is_whole((out / f"{name}.html").read_text(encoding="utf-8"), out)


def assert_page_is_whole(page: str, out: Path) -> None:
    """It needs no net, every picture has words, and every link leads to a file or to a page of the whole report."""
    found = Resources(page)
    assert [url for url in found.fetched if not url.startswith("data:")] == []
    assert min((len(text or "") for text in found.texts), default=20) >= 20, "a picture without words"
    here = {link.split("#")[0] for link in found.links if "://" not in link} - {""}
    assert {link for link in here if not (out / link).exists()} <= {
        "index.html",
        *(f"{name}.html" for name in SEQUENCE),
    }


def verdicts(executed: NotebookNode) -> list[tuple[str, str]]:
    """What the checks of a doubled chapter said: (half, line), the half "" of the copy, "again" or "wrong"."""
    said = []
    for cell in executed.cells:
        half = cell.id.rpartition("-")[2]
        if CHECKED & set(tags(cell)) or half == "wrong":
            text = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
            said.append((half if half in ("again", "wrong") else "", text))
    return said


def exercises_of(name: str) -> set[str]:
    """The numbers of a chapter's exercises and holes."""
    return {number for number in EXERCISES if number.startswith(f"{name[:2]}.")}
