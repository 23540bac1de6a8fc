"""The notebook runner, tried on small notebooks that are named by the behaviour they show."""

import json
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from jupyter_core.utils import ensure_event_loop
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from data_prep.files.writing import alone
from maam_lib.config import SettingError, load_recipe
from maam_lib.notebook import RESULT_MIME, record, recorded_results
from maam_lib.report import kernels
from maam_lib.report import notebooks as reporting
from maam_lib.report.notebooks import ReportError, declared_parameters, reproduce, run_notebook
from maam_lib.training.runs import RunFolder
from tests.maam_lib.report.test_notebook_pages import PICTURE, Resources

pytestmark = pytest.mark.usefixtures("closed_event_loop")

SHOW_PICTURE = f"""import base64
from IPython.display import Image
Image(base64.b64decode("{PICTURE}"), format="png")"""

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

# name -> cells after the heading and the parameters; (source, tags) or source
BEHAVIOURS = {
    "good": [
        "from maam_lib.notebook import record\nrecord('answer.whole', number)\nrecord('answer.share', number / 8)",
        (SHOW_PICTURE, ["figure"]),
    ],
    "fails": ["print('before')", "if number == 1:\n    raise ValueError('two\\nlines')"],
    "too_slow": ["print('before')", "while True:\n    pass"],
    "no_figure": [("print('no picture')", ["figure"])],
    "dies": ["print('before')", "import os\nos._exit(1)"],
}


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one notebook per behaviour, which stands in for the kit's own."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, cells in BEHAVIOURS.items():
        pairs = [cell if isinstance(cell, tuple) else (cell, []) for cell in cells]
        code = [new_code_cell(source, metadata={"tags": tags}) for source, tags in pairs]
        heading = new_markdown_cell(f"# The notebook {name}\nSee [good](good.ipynb) and $x^2$.")
        parameters = new_code_cell("number = 1  # of nothing", metadata={"tags": ["parameters"]})
        nbformat.write(new_notebook(metadata=KERNEL, cells=[heading, parameters, *code]), folder / f"{name}.ipynb")
    monkeypatch.setattr(reporting, "NOTEBOOK_FOLDER", folder)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def must_not_run(*_: object) -> None:
    raise AssertionError("a notebook was run")


# Before anything runs


def test_parameters_are_those_of_the_tagged_cell(notebooks: Path) -> None:
    assert declared_parameters(notebooks / "good.ipynb") == {"number"}


def test_an_unknown_parameter_of_one_notebook_is_refused(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_execute", must_not_run)
    with pytest.raises(ReportError, match=r"good\.ipynb: unknown parameter numbr; it declares number"):
        run_notebook(notebooks / "good.ipynb", tmp_path / "out", {"numbr": 2})
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_the_call_costs_no_minutes(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_execute", must_not_run)
    call = {"root": tmp_path, "out": tmp_path / "out", "notebooks": ["good", "fails"]}
    with pytest.raises(ReportError, match="no notebook declares the parameter numbr"):
        reproduce("synthetic-mini", **call, parameters={"numbr": 2, "number": 3})
    with pytest.raises(SettingError, match=r"unknown setting training\.epoch;"):
        reproduce("synthetic-mini", **call, settings=["training.epoch=1"])
    with pytest.raises(SettingError, match="no recipe 'synthetic-mimi'"):
        reproduce("synthetic-mimi", **call)
    assert not (tmp_path / "out").exists()


def test_recording_leaves_nothing_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("maam_lib.notebook.display", lambda data, **_: shown.append(data))
    record("a.b", 0.5)
    assert shown == [{RESULT_MIME: {"name": "a.b", "value": 0.5}, "text/plain": ""}]


def test_recorded_results_are_read_from_outputs() -> None:
    data = {RESULT_MIME: {"name": "a.b", "value": [1, None]}, "text/plain": "a.b = [1, None]"}
    outputs = [new_output("display_data", data), new_output("stream", text="a.b = 5")]
    assert recorded_results(new_notebook(cells=[new_code_cell(outputs=outputs), new_markdown_cell()])) == {
        "a.b": [1, None]
    }


def test_a_recipe_file_is_read_once_and_paths_are_those_of_the_caller(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def execute(notebook: Path, running: Path, parameters: dict, *_: object) -> None:
        (tmp_path / "own.yaml").write_text("extends: nothing")  # edited meanwhile
        seen.append(parameters | {"plan": load_recipe(parameters["recipe"], *parameters["settings"])})
        running.write_bytes(notebook.read_bytes())

    for name in ("good", "dies"):
        notebook = nbformat.read(notebooks / f"{name}.ipynb", as_version=4)
        notebook.cells[1].source = "\n".join(
            f"{n} = ''" for n in ("recipe", "settings", "root", "run", "sweep", "video")
        )
        notebook.cells = [cell for cell in notebook.cells if "figure" not in cell.metadata.get("tags", [])]
        nbformat.write(notebook, notebooks / f"{name}.ipynb")
    monkeypatch.setattr(reporting, "_execute", execute)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "base.yaml").write_text("extends: synthetic-mini\nmodel: {num_items: 9}")
    (tmp_path / "below" / "middle.yaml").write_text("extends: base.yaml")
    (tmp_path / "own.yaml").write_text("extends: below/middle.yaml\ntraining: {epochs: 3}")
    given = {"sweep": "sweeps", "video": "rtsp://a/b"}
    call = {"settings": ["training.seed=4"], "notebooks": ["good", "dies"], "parameters": given, "say": str}
    reproduce("own.yaml", Path("data"), Path("out"), **call)
    for parameters in seen:
        plan = parameters["plan"]
        assert (plan.name, plan.model.num_items, plan.training.epochs, plan.training.seed) == ("own", 9, 3, 4)
        paths = {name: parameters[name] for name in ("recipe", "root", "run", "sweep")}
        places = {"recipe": "out/recipe.yaml", "root": "data", "run": "out/run", "sweep": "sweeps"}
        assert paths == {name: str(tmp_path / place) for name, place in places.items()}
        assert parameters["video"] == "rtsp://a/b"
    assert len(seen) == 2


def test_a_training_with_other_settings_is_refused_before_anything_runs(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_execute", must_not_run)
    run = RunFolder(tmp_path / "out" / "run")
    run.claim(load_recipe("synthetic-mini"), resume=False)
    run.release()
    with pytest.raises(ReportError, match=r"holds a training with other settings \(model\.num_items: \d+ -> 7\)"):
        reproduce("synthetic-mini", tmp_path, tmp_path / "out", settings=["model.num_items=7"], notebooks=["good"])


def test_two_reports_into_one_folder(notebooks: Path, tmp_path: Path) -> None:
    with (
        alone(tmp_path / "out" / ".lock", ValueError()),
        pytest.raises(ReportError, match="another process is writing"),
    ):
        reproduce("synthetic-mini", tmp_path, tmp_path / "out", notebooks=["good"])


# What runs well


def test_two_reports_at_once_do_not_collide(notebooks: Path, tmp_path: Path) -> None:
    def run(number: int) -> reporting.Chapter:
        try:
            return run_notebook(notebooks / "good.ipynb", tmp_path / f"out{number}", {"number": number})
        finally:
            ensure_event_loop().close()  # as the fixture does for the main thread

    with ThreadPoolExecutor(2) as pool:
        chapters = list(pool.map(run, (2, 3)))
    assert [chapter.failure for chapter in chapters] == [None, None]
    assert [chapter.results for chapter in chapters] == [
        {"answer.whole": 2, "answer.share": 0.25},
        {"answer.whole": 3, "answer.share": 0.375},
    ]
    assert files(tmp_path / "out2") == ["good.html", "good.ipynb"]
    executed = nbformat.read(tmp_path / "out2" / "good.ipynb", as_version=4)
    assert recorded_results(executed) == chapters[0].results
    page = (tmp_path / "out2" / "good.html").read_text()
    assert f"data:image/png;base64,{PICTURE}" in "".join(page.split("\n"))
    assert [url for url in Resources(page).fetched if not url.startswith("data:")] == []
    assert "0.25" not in page, "a number is recorded for results.json and leaves nothing to see"


def test_notebooks_run_in_this_python_whichever_kernel_comes_first(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JUPYTER_PATH of a cluster's module, or of JupyterHub, may lead to the kernel of another Python."""
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    path = notebooks / "good.ipynb"
    asks = nbformat.read(path, as_version=4)
    asks.cells.append(new_code_cell("import sys\nrecord('python', sys.executable)"))
    nbformat.write(asks, path)
    chapter = run_notebook(path, tmp_path / "out", {})
    assert chapter.failure is None
    assert chapter.results["python"] == sys.executable


@pytest.mark.parametrize("short", ["/tmp", "/nowhere"])
def test_a_long_folder_of_temporary_files_is_too_long_for_no_kernel(
    short: str, notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has at most 107 characters: then under /tmp, and where that is not there, by ports."""
    long = tmp_path / ("scratch" * 13)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(kernels, "SHORT_FOLDER", short)
    with kernels.private_files() as config:
        manager = config.KernelManager
        assert ("ip" in manager) == (short == "/tmp")
        assert manager.connection_file.startswith(short if "ip" in manager else str(long))
    assert run_notebook(notebooks / "good.ipynb", tmp_path / "out", {}).failure is None
    assert list(long.iterdir()) == []


@pytest.mark.parametrize(
    "names", [["HOME"], ["JUPYTER_RUNTIME_DIR"], ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "IPYTHONDIR"]]
)
def test_no_folder_of_the_user_need_be_writable(
    names: list[str], notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in containers: no folder can be made under a file."""
    (tmp_path / "file").touch()
    for name in names:
        monkeypatch.setenv(name, str(tmp_path / "file" / name))
    assert run_notebook(notebooks / "good.ipynb", tmp_path / "out", {}).failure is None


# What fails


def test_a_report_stops_at_a_failing_cell_names_it_and_keeps_what_is_there(notebooks: Path, tmp_path: Path) -> None:
    """Fails at the second notebook; then, with the parameter that mends it, replaces what failed."""
    out, said = tmp_path / "out", []
    call = {"root": tmp_path / "data", "out": out, "notebooks": ["good", "fails"], "say": said.append}
    out.mkdir()
    (out / "fails.ipynb").write_text("an earlier good result")
    cell = r"fails\.ipynb: cell \[3\], `if number == 1:`, failed: ValueError: two lines\. "
    expected = cell + r"What ran is in .*fails\.failed\.html"
    with pytest.raises(ReportError, match=expected):
        reproduce("synthetic-mini", **call)
    assert (out / "fails.ipynb").read_text() == "an earlier good result"
    names = ["fails.failed.html", "fails.failed.ipynb", "fails.ipynb", "good.html", "good.ipynb"]
    assert files(out) == [".lock", *names, "index.html", "results.json"]
    assert "before" in (out / "fails.failed.html").read_text()
    summary = json.loads((out / "results.json").read_text())
    assert summary["notebooks"]["good"]["failure"] is None
    assert "ValueError: two lines" in summary["notebooks"]["fails"]["failure"]
    index = (out / "index.html").read_text()
    assert {"good.html", "fails.failed.html"} <= set(Resources(index).links)
    assert "ValueError: two lines" in index
    assert [line.split()[:2] for line in said] == [["good", "ok"], ["fails", "FAILED"]]

    assert (
        reproduce("synthetic-mini", **call | {"notebooks": ["fails"]}, parameters={"number": 5}) == out / "index.html"
    )
    assert not list(out.glob("*.failed.*"))
    assert nbformat.read(out / "fails.ipynb", as_version=4)
    summary = json.loads((out / "results.json").read_text())
    assert (summary["recipe"], summary["parameters"]["number"]) == ("synthetic-mini", 5)
    assert summary["parameters"]["run"] == str(out / "run")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("too_slow", r"too_slow\.ipynb: a cell took longer than 1 s; see the last one without output"),
        ("no_figure", r"no_figure\.ipynb: cell \[2\], .*, should show a figure and shows none"),
        ("dies", r"dies\.ipynb: the kernel died \(out of memory\?\); see the last cell without output"),
    ],
)
def test_a_notebook_that_does_not_end_well_says_why_and_keeps_its_part(
    name: str, expected: str, notebooks: Path, tmp_path: Path
) -> None:
    limit = 1 if name == "too_slow" else None
    chapter = run_notebook(notebooks / f"{name}.ipynb", tmp_path / "out", {}, cell_limit=limit)
    assert re.search(expected, chapter.failure)
    assert files(tmp_path / "out") == [f"{name}.failed.html", f"{name}.failed.ipynb"]
    assert "before" in (tmp_path / "out" / chapter.page).read_text() or name == "no_figure"


def test_a_notebook_may_ask_for_more_time_than_the_default(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    def execute(source: str, target: str, *_: object, execution_timeout: float, **__: object) -> None:
        limits.append(execution_timeout)
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(reporting.papermill, "execute_notebook", execute)
    path = notebooks / "dies.ipynb"
    run_notebook(path, tmp_path / "out", {})
    patient = nbformat.read(path, as_version=4)
    patient.metadata["maam"] = {"cell_limit": 7200}
    nbformat.write(patient, path)
    run_notebook(path, tmp_path / "out", {})
    run_notebook(path, tmp_path / "out", {}, cell_limit=5)
    assert limits == [reporting.CELL_LIMIT, 7200, 5]
