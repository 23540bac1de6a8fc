"""The student's copies of the chapters: the same notebooks with holes where the complete ones have solutions (ours).

What a student is to write stands between two marks, which are nbgrader's; the first may say what stands there instead:

    ### BEGIN SOLUTION: answer = ...  # a clip
    answer = table.loc[table["fused"].idxmax(), "clip"]
    ### END SOLUTION

nbgrader's ClearSolutions finds the same marks (tried with 0.9.6, and with enforce_metadata=False, since our cells have
none of its metadata).

A copy is a folder: the chapters, `answers.jsonl` (see `record`), and in time the runs that its chapters make. Its data
are the prepared datasets that it was told of, or, with a scene of its own, lie in its own `data/`.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from data_prep.files import aside_of, clear_asides, read_text, remove
from data_prep.layout import checked_name
from data_prep.scenes import write_own_scene
from maam_lib import in_clone
from maam_lib.exercises.record import RECORD, Owner
from maam_lib.report.notebooks import NOTEBOOK_FOLDER, SEQUENCE

SOLUTION = "solution"  # tag of a cell that a student's copy leaves out
REGION = re.compile(
    r"^(?P<indent> *)### BEGIN SOLUTION(?:: *(?P<stub>.*))?\n(?:.*\n)*?\1### END SOLUTION$(?P<end>\n?)", re.MULTILINE
)


# A parameter that leads out of notebooks/
OUTSIDE = re.compile(r'^(?P<name>\w+) = "\.\./(?P<path>[^"]*)"', re.MULTILINE)
NOTE = """**This is {whose} copy.** Replace each `...` by your answer and run the cell. The check below it says what is
wrong; a second different wrong answer brings a hint. `check(..., reveal=True)` shows what was expected and counts as
revealed. What you hand in is recorded in `answers.jsonl`."""
OWN_NOTE = """

**The test clips of the prepared scene are your own**, drawn from the seed {seed}. The training clips are everybody's,
so the weights that come with the kit fit. Results that come with the kit, and numbers in the text, are of the standard
test clips: do not expect yours to equal them."""


class CourseError(ValueError):
    """A notebook with marks that do not pair, a student's name that no folder can have, or a folder that is taken."""


def write_course(
    out: Path,
    root: Path,
    students: Sequence[str] = (),
    *,
    own_scene: bool = False,
    complete: bool = False,
    apart: bool = False,
) -> list[Path]:
    """Write the chapters with holes into `out`, or into a folder for each student below it; returns these folders.

    root: the prepared datasets that the copies share; a relative path is told as seen from each copy, an absolute one
    stays as it is. With `own_scene` each copy prepares its own at first use, with test clips drawn from `scene_seed` of
    the student. complete: with the solutions, and without a record. apart: a folder per student, even for one. Raises
    CourseError where a folder holds anything or a name cannot be one; then nothing is written.
    """
    in_clone("notebooks")  # must be there
    names = [student_name(name) for name in students]
    _check_no_doubles(names)
    if own_scene and not names:
        raise CourseError("a scene of one's own needs a student: add --student NUMBER, or --students FILE")
    folders = [out / name for name in names] if apart else [out]
    for folder in folders:
        _check_free(folder)
    owners = [Owner(student=name, scene_seed=scene_seed(name) if own_scene else None) for name in names]
    for folder, owner in zip(folders, owners or [None], strict=True):
        _write_copy(folder, root, owner, complete)
    return folders


def students_in(file: Path) -> list[str]:
    """The students of a list, a name or number a line. Raises CourseError for none, UnreadableError."""
    text = read_text(file).removeprefix("\ufeff") if file.exists() else ""  # a mark that some editors begin with
    if not (names := [line.strip() for line in text.splitlines() if line.strip()]):
        raise CourseError(f"{file}: no student there; expected a text file with one name or number a line")
    return names


def student_name(name: str) -> str:
    """A student's name, number or address, which every system takes as a folder's name; CourseError for another."""
    name = name.strip()
    try:
        if not name[:1].isalnum():
            raise ValueError
        checked_name(re.sub("[ '@]", "_", name))
    except ValueError:
        raise CourseError(
            f"student {name!r}: expected up to 80 letters, digits, spaces and -_.'@, beginning with a letter or digit, "
            "since it becomes the name of a folder"
        ) from None
    return name


def scene_seed(student: str) -> int:
    """The seed of a student's own test clips: the number itself, or nine digits made from a name."""
    if student.isdecimal() and len(student) <= 12:
        return int(student)
    return int(hashlib.sha256(student.encode()).hexdigest(), 16) % 10**9


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """A notebook without its solutions, ready to be filled in. Raises CourseError for a mark without its partner."""
    copy = deepcopy(notebook)
    copy.cells = [cell for cell in copy.cells if SOLUTION not in cell.metadata.get("tags", [])]
    for cell in copy.cells:
        if cell.cell_type == "code":
            holed = REGION.sub(_hole, cell.source)
            if "### BEGIN SOLUTION" in holed or "### END SOLUTION" in holed:
                raise CourseError(f"cell {cell.id}: expected ### BEGIN SOLUTION and ### END SOLUTION, one of each")
            if holed != cell.source:
                cell.source = holed
                cell.metadata.pop("jupyter", None)  # in the complete one it may be folded
    return copy


def _hole(region: re.Match[str]) -> str:
    """What stands in place of a solution: its stub, or nothing."""
    stub = region["stub"]
    return f"{region['indent']}{stub}{region['end']}" if stub else ""


def _check_no_doubles(names: Sequence[str]) -> None:
    """CourseError where two students would share a folder, on some systems."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            raise CourseError(f"students {other!r} and {name!r} would share a folder; write one of them otherwise")


def _check_free(folder: Path) -> None:
    """CourseError where a folder holds anything, or something else has its name."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise CourseError(
            f"{folder}: is there already, and a copy never replaces a student's work; name another folder, leave that "
            "student out, or move it away first"
        )


def _write_copy(folder: Path, root: Path, owner: Owner | None, complete: bool) -> None:
    """One copy, written aside so that nothing half done is ever in its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear_asides(folder.parent)
    aside = aside_of(folder)
    aside.mkdir()
    try:
        seed = owner.scene_seed if owner else None
        data = _way(root, folder) if seed is None else "data"
        for name in SEQUENCE:
            notebook = nbformat.read(NOTEBOOK_FOLDER / f"{name}.ipynb", as_version=4)
            if not complete:
                notebook = student_copy(notebook)
                notebook.cells.insert(1, _note(f"{name[:2]}-copy", owner))
            _lead_to(notebook, data)
            nbformat.write(notebook, aside / f"{name}.ipynb")
        if not complete:
            first = f"{owner.model_dump_json(exclude_none=True)}\n" if owner else ""
            (aside / RECORD).write_text(first, encoding="utf-8")
        if seed is not None:
            write_own_scene(aside / "data", seed)
        if folder.is_dir():
            folder.rmdir()  # it is empty
        aside.rename(folder)
    except BaseException:  # also Ctrl-C
        remove(aside)
        raise


def _way(root: Path, folder: Path) -> str:
    """The folder of datasets as seen from a copy; a relative path, so that both can be moved together, stays one."""
    if root.is_absolute():
        return root.as_posix()
    try:
        return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return root.resolve().as_posix()


def _lead_to(notebook: NotebookNode, data: str) -> None:
    """Make the parameters lead to the datasets, and all that a chapter writes into the copy's own folder."""
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = OUTSIDE.sub(
                lambda found: f'{found["name"]} = "{data if found["name"] == "root" else found["path"]}"', cell.source
            )


def _note(identity: str, owner: Owner | None) -> NotebookNode:
    text = NOTE.format(whose=f"{owner.student}'s" if owner else "a student's")
    if owner and owner.scene_seed is not None:
        text += OWN_NOTE.format(seed=owner.scene_seed)
    return nbformat.v4.new_markdown_cell(text, id=identity)
