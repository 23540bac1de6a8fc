"""Executes notebooks strictly through papermill and gathers what they made into a report folder.

Strictly: a parameter that no notebook declares, a failing cell, a cell over its time limit and a figure that does
not appear are errors that name notebook and cell. Earlier results stay; what was done so far is kept.
"""

import ast
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from data_prep import __version__
from data_prep.files import alone, aside_of, clear_asides, remove, write_json, write_text
from maam_lib import CLONE, in_clone
from maam_lib.config import load_recipe
from maam_lib.report.build import build_report
from maam_lib.report.kernels import OwnKernel, private_files
from maam_lib.report.live_line import LiveLine, earlier_seconds
from maam_lib.report.notebook_pages import Chapter, chapter_page, index_page
from maam_lib.report.player import write_player
from maam_lib.training import RunFolder, changed_settings, dataset_for, environment_facts, fit_recipe

NOTEBOOK_FOLDER = CLONE / "notebooks"
SEQUENCE = (
    "00_start_here",
    "01_data",
    "02_build_the_network",
    "03_train",
    "04_memory_items",
    "05_pscd",
    "06_ablation_tables",
    "07_playground",
    "08_your_camera",
    "09_paper_against_code",
    "10_reviewer_2",
)
PAPER = "paper"  # folder, in that of a report, of the paper's tables and claims
PLAYER = "play.html"
PATHS = (
    "source",
    "footage",
    "video",
    "runs",
    "sweep",
    "bets",
)  # parameters that a user gives as seen from his own folder
CELL_LIMIT = 600  # seconds; a notebook whose cells may take longer says so in its metadata: {"maam": {"cell_limit": s}}
Show = Callable[[int, int], None]  # is told how many cells have begun, of how many


class ReportError(RuntimeError):
    """A notebook that cannot be run, or did not end well: names the notebook, the cell and the reason."""


def declared_parameters(notebook: Path) -> set[str]:
    """Names assigned in the notebook's cell tagged `parameters` (papermill's own reading misses some lines)."""
    cells = nbformat.read(notebook, as_version=4).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    statements = ast.parse("\n".join(tagged)).body
    targets = [target for s in statements if isinstance(s, ast.Assign) for target in s.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def run_notebook(
    notebook: Path,
    out: Path,
    parameters: Mapping[str, Any],
    *,
    cell_limit: float | None = None,
    show: Show = lambda *_: None,
) -> Chapter:
    """Execute one notebook in a fresh kernel into `out`: NAME.ipynb and NAME.html; `show` is told how far it is.

    Where it fails, the part that ran stands in NAME.failed.ipynb and .html, earlier results stay as they were, and
    the chapter's `failure` says why. Raises ReportError for a parameter that the notebook does not declare.
    """
    known = declared_parameters(notebook)
    if unknown := sorted(set(parameters) - known):
        raise ReportError(
            f"{notebook.name}: unknown parameter {', '.join(unknown)}; it declares {', '.join(sorted(known))}"
        )
    out.mkdir(parents=True, exist_ok=True)
    clear_asides(out)
    aside, began = aside_of(out / notebook.stem), time.perf_counter()
    aside.mkdir()
    try:
        running = aside / notebook.name  # papermill wants this ending
        failure = _execute_beside(notebook, running, parameters, cell_limit, show)
        executed = nbformat.read(running, as_version=4)
        failure = failure or _missing_figure(notebook.stem, executed)
        chapter = Chapter(notebook.stem, executed, time.perf_counter() - began, failure)
        write_text(out / chapter.page, chapter_page(chapter))
        running.replace(out / Path(chapter.page).with_suffix(".ipynb"))
    finally:
        remove(aside)
    if failure is None:
        for leftover in out.glob(f"{chapter.name}.failed.*"):
            leftover.unlink()
    return chapter


def reproduce(
    recipe: str,
    root: Path,
    out: Path,
    *,
    settings: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    notebooks: Iterable[str] = SEQUENCE,
    cell_limit: float | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Run the sequence of notebooks for a recipe into the report folder `out`; returns its index.html.

    One training, kept in `out/run` and not repeated by a second call; `root` holds the prepared datasets. At the end
    the paper's tables and claims are set beside that training and all other results, in `out/paper`, and the test
    clips play in `out/play.html`.
    Raises ReportError for an unknown parameter before anything runs, and after the first notebook that fails,
    with the report so far written.
    """
    plan = load_recipe(recipe, *settings)  # a mistake here should cost no minutes
    run = out.resolve() / "run"
    in_clone("notebooks")  # must be there
    paths = [NOTEBOOK_FOLDER / f"{name}.ipynb" for name in notebooks]
    declared = {path: declared_parameters(path) for path in paths}
    extra = dict(parameters or {})
    if unknown := sorted(set(extra) - set().union(*declared.values())):
        raise ReportError(f"no notebook declares the parameter {', '.join(unknown)}")
    follows = bool(plan.data.follow)
    if follows:
        plan, chosen = fit_recipe(plan, dataset_for(root, plan))
        say(f"{recipe}: {chosen}")
    if (run / "recipe.yaml").is_file() and (changed := changed_settings(RunFolder(run).recipe, plan)):
        raise ReportError(f"{run}: holds a training with other settings ({changed}); name another folder with --out")
    given = {"recipe": recipe, "settings": list(settings), "root": str(root.resolve()), "run": str(run)}
    given |= {name: _from_here(name, value) for name, value in extra.items()}
    busy = ReportError(f"{out}: another process is writing this report; wait for it")
    line = LiveLine([path.stem for path in paths], plan, run, earlier_seconds(out, plan))
    chapters: list[Chapter] = []
    with closing(line), alone(out / ".lock", busy):
        if follows or recipe.endswith((".yaml", ".yml")):  # as it is now, whatever becomes of the file or the data
            write_text(out / "recipe.yaml", plan.to_yaml())
            given["recipe"] = str(out.resolve() / "recipe.yaml")
            given["settings"] = [word for word in settings if not word.startswith("data.follow")]  # it is fitted
        for path in paths:
            wanted = {name: value for name, value in given.items() if name in declared[path]}
            chapters.append(run_notebook(path, out, wanted, cell_limit=cell_limit, show=line.show))
            line.end_chapter(chapters[-1].seconds)
            say(f"{path.stem:<20} {'FAILED' if chapters[-1].failure else 'ok':<6} {chapters[-1].seconds:6.0f} s")
            _write_summary(out, recipe, given, chapters)
            if chapters[-1].failure:
                raise ReportError(f"{chapters[-1].failure}. What ran is in {out / chapters[-1].page}")
        if (run / "metrics.json").is_file():
            began, sweeps = time.perf_counter(), (NOTEBOOK_FOLDER / given.get("sweep", "../runs/sweep")).resolve()
            build_report(out / PAPER, folders=[sweeps], runs=[run], root=root)
            write_player(out / PLAYER, RunFolder(run), root)
            say(f"{'tables and claims':<20} {'ok':<6} {time.perf_counter() - began:6.0f} s")
            _write_summary(out, recipe, given, chapters)
    return out / "index.html"


def _from_here(name: str, value: Any) -> Any:
    """A parameter that is a path, as seen from this folder: notebooks run in their own."""
    text = str(value)
    is_path = name in PATHS and text and "://" not in text and not text.isdecimal()  # an address, a camera
    return str(Path(text).resolve()) if is_path else value


def _execute_beside(
    notebook: Path, running: Path, parameters: Mapping[str, Any], cell_limit: float | None, show: Show
) -> str | None:
    """Run a notebook in a thread, while this one shows how far it is and hears Ctrl-C at once.

    The thread does not outlive the process, nor does the kernel.
    """
    content = nbformat.read(notebook, as_version=4)
    limit = cell_limit or content.metadata.get("maam", {}).get("cell_limit", CELL_LIMIT)
    failure: Future[str | None] = Future()
    begun: list[int] = []  # cells

    def run(config: Config) -> None:
        try:
            failure.set_result(_execute(notebook, running, parameters, limit, begun, config))
        except Exception as error:  # raised again below
            failure.set_exception(error)
        finally:
            ensure_event_loop().close()  # of this thread

    with private_files() as config:
        Thread(target=run, args=(config,), daemon=True).start()
        while not failure.done():
            wait([failure], timeout=0.5)
            show(len(begun), len(content.cells) + 1)  # papermill adds the parameters
    return failure.result()


def _execute(
    notebook: Path, running: Path, parameters: Mapping[str, Any], limit: float, begun: list[int], config: Config
) -> str | None:
    """Run through papermill; returns why it failed, or None."""
    try:
        papermill.execute_notebook(
            str(notebook),
            str(running),
            dict(parameters),
            kernel_name="python3",
            cwd=str(notebook.parent),
            progress_bar=False,
            execution_timeout=limit,
            kernel_manager_class=OwnKernel,
            config=config,
            on_cell_start=lambda cell_index, **_: begun.append(cell_index),
        )
    except PapermillExecutionError as error:
        what = f"{error.ename}: {' '.join(error.evalue.split())}"
        return f"{notebook.name}: cell [{error.exec_count}], `{_first_line(error.source)}`, failed: {what}"
    except CellTimeoutError:
        return f"{notebook.name}: a cell took longer than {limit:g} s; see the last one without output"
    except DeadKernelError:
        return f"{notebook.name}: the kernel died (out of memory?); see the last cell without output"
    except (RuntimeError, TimeoutError, KeyError) as error:  # the kernel did not start
        return f"{notebook.name}: could not be run ({type(error).__name__}: {error}); try `maam doctor`"
    return None


def _missing_figure(name: str, executed: NotebookNode) -> str | None:
    """Cells tagged `figure` must show a picture."""
    for cell in executed.cells:
        if "figure" in cell.metadata.get("tags", []) and not any(
            kind.startswith("image/") for output in cell.get("outputs", []) for kind in output.get("data", {})
        ):
            where = f"cell [{cell.execution_count}], `{_first_line(cell.source)}`,"
            return f"{name}.ipynb: {where} should show a figure and shows none"
    return None


def _first_line(source: str) -> str:
    return next((line for line in source.splitlines() if line.strip()), "")


def _write_summary(out: Path, recipe: str, parameters: Mapping[str, Any], chapters: list[Chapter]) -> None:
    summary = {
        "kit_version": __version__,
        "recipe": recipe,
        "parameters": dict(parameters),
        "notebooks": {c.name: {"seconds": round(c.seconds, 1), "failure": c.failure} for c in chapters},
        "results": {c.name: c.results for c in chapters},
        "paper": f"{PAPER}/index.html" if (out / PAPER / "index.html").is_file() else None,
        "player": PLAYER if (out / PLAYER).is_file() else None,
        "environment": environment_facts(),
    }
    write_json(out / "results.json", summary)
    write_text(out / "index.html", index_page(summary, chapters))
