"""Copies of the chapters: holes between marks, parameters that lead to the right place, names, nothing overwritten."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from typer.testing import CliRunner, Result

from data_prep.scenes import own_test_seed
from maam_lib import cli
from maam_lib.exercises import course
from maam_lib.exercises.course import CourseError, scene_seed, student_copy, student_name, students_in, write_course
from maam_lib.exercises.record import RECORD, Owner, read
from maam_lib.report.notebooks import SEQUENCE

SOLVED = """def shares(query):
    ### BEGIN SOLUTION: return ...  # (B, N)
    a = query
    return a
    ### END SOLUTION


### BEGIN SOLUTION
import numpy
### END SOLUTION
check("02.a", shares)"""


def maam(*words: object) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def notebook_of(*sources: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def parameters(notebook: Path) -> dict[str, object]:
    [cell] = [c for c in nbformat.read(notebook, as_version=4).cells if "parameters" in c.metadata.get("tags", [])]
    names: dict[str, object] = {}
    exec(cell.source, {}, names)
    return names


# Holes


def test_a_solution_becomes_its_stub_or_nothing() -> None:
    [cell] = student_copy(notebook_of(SOLVED)).cells
    assert cell.source == 'def shares(query):\n    return ...  # (B, N)\n\n\ncheck("02.a", shares)'


def test_what_only_the_complete_chapter_has_is_left_out_and_a_hole_is_unfolded() -> None:
    complete = notebook_of(SOLVED, "1", "2")
    complete.cells[0].metadata = {"tags": ["exercise"], "jupyter": {"source_hidden": True}}
    complete.cells[1].metadata["tags"] = ["solution"]
    complete.cells[2].metadata["jupyter"] = {"source_hidden": True}
    before = json.dumps(complete)
    hole, last = student_copy(complete).cells
    assert (hole.metadata, last.source) == ({"tags": ["exercise"]}, "2")
    assert last.metadata.jupyter.source_hidden, "no hole: it stays folded"
    assert json.dumps(complete) == before, "the complete one is left as it was"


@pytest.mark.parametrize(
    "source",
    [
        "### BEGIN SOLUTION: x = ...\nx = 1",
        "x = 1\n### END SOLUTION",
        "### END SOLUTION\nx = 1\n### BEGIN SOLUTION",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n### END SOLUTION",
        "if x:\n    ### BEGIN SOLUTION\n    pass\n### END SOLUTION",
    ],
)
def test_marks_that_do_not_pair_are_refused(source: str) -> None:
    with pytest.raises(CourseError, match=r"cell .*: expected ### BEGIN SOLUTION and ### END SOLUTION, one of each"):
        student_copy(notebook_of(source))


# Copies


def test_a_copy_holds_all_chapters_with_stubs_a_note_and_an_empty_record(tmp_path: Path) -> None:
    [folder] = write_course(tmp_path / "mine", tmp_path / "data")
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(f"{name}.ipynb" for name in SEQUENCE), RECORD])
    assert read(folder / RECORD) == (None, [], [])
    for name in SEQUENCE:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert "SOLUTION" not in json.dumps(notebook)
        assert notebook.cells[1].source.startswith("**This is a student's copy.**")
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert list(tmp_path.iterdir()) == [folder], "nothing half done lies about"


def test_parameters_lead_to_the_shared_data_and_into_the_copy(tmp_path: Path) -> None:
    [folder] = write_course(Path("courses/spring"), Path("data"))
    assert parameters(folder / "03_train.ipynb")["root"] == "../../data"
    assert parameters(folder / "03_train.ipynb")["run"] == "runs/synthetic-laptop"
    playground = parameters(folder / "07_playground.ipynb")
    assert (playground["runs"], playground["weights"]) == ("runs/playground", "synthetic-laptop")
    for name in SEQUENCE:
        found = parameters(folder / f"{name}.ipynb")
        assert [key for key, value in found.items() if str(value).startswith("..") and key != "root"] == []
        assert found.get("root", "../../data") == "../../data"


def test_an_absolute_folder_of_data_stays_absolute(tmp_path: Path) -> None:
    """As one that all users of a server share: their copies go anywhere."""
    [folder] = write_course(tmp_path / "mine", tmp_path / "shared")
    assert parameters(folder / "00_start_here.ipynb")["root"] == str(tmp_path / "shared")


def test_the_complete_chapters_have_solutions_and_no_record(tmp_path: Path) -> None:
    [folder] = write_course(tmp_path / "teacher", Path("data"), complete=True)
    assert not (folder / RECORD).exists()
    assert all("### BEGIN SOLUTION" in (folder / f"{name}.ipynb").read_text() for name in SEQUENCE)
    assert parameters(folder / "00_start_here.ipynb")["root"] == "../data"


def test_each_student_has_a_folder_and_may_have_test_clips_of_his_own(tmp_path: Path) -> None:
    names = ["Ada Lovelace", "1234567", "Žofie.N@uni.cz"]
    folders = write_course(tmp_path / "class", tmp_path / "data", names, own_scene=True, apart=True)
    assert [folder.name for folder in folders] == names
    for folder, name in zip(folders, names, strict=True):
        assert read(folder / RECORD)[0] == Owner(student=name, scene_seed=scene_seed(name))
        assert own_test_seed(folder / "data") == scene_seed(name)
        assert parameters(folder / "00_start_here.ipynb")["root"] == "data"
        note = nbformat.read(folder / "00_start_here.ipynb", as_version=4).cells[1].source
        assert note.startswith(f"**This is {name}'s copy.**")
        assert f"drawn from the seed {scene_seed(name)}" in note
        assert "of the standard test clips" in " ".join(note.split())
    assert scene_seed("1234567") == 1234567
    assert len({scene_seed(name) for name in names}) == 3


# Nothing is overwritten


def test_work_is_never_overwritten(tmp_path: Path) -> None:
    [folder] = write_course(tmp_path / "mine", tmp_path / "data")
    (folder / "00_start_here.ipynb").write_text("my work")
    with pytest.raises(CourseError, match=r"mine: is there already, and a copy never replaces .* name another folder"):
        write_course(tmp_path / "mine", tmp_path / "data")
    assert (folder / "00_start_here.ipynb").read_text() == "my work"


def test_one_copy_that_is_there_stops_the_whole_list_before_anything_is_written(tmp_path: Path) -> None:
    write_course(tmp_path, tmp_path / "data", ["Bob"], apart=True)
    with pytest.raises(CourseError, match="Bob: is there already"):
        write_course(tmp_path, tmp_path / "data", ["Ada", "Bob"], apart=True)
    assert [path.name for path in tmp_path.iterdir()] == ["Bob"]


@pytest.mark.parametrize("kind", ["file", "link into nothing", "folder with a file"])
def test_what_stands_in_the_way_stays(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "link into nothing":
        out.symlink_to(tmp_path / "nowhere")
    else:
        out.mkdir()
        (out / "essay.txt").write_text("mine")
    with pytest.raises(CourseError, match="out: is there already"):
        write_course(out, tmp_path / "data")
    assert out.is_symlink() or out.is_file() or (out / "essay.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_course(tmp_path / "out", tmp_path / "data")
    assert (tmp_path / "out" / RECORD).is_file()


def test_a_failure_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(course.nbformat, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_course(tmp_path / "out", tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


# Names


@pytest.mark.parametrize(
    "name",
    [
        "../Ada",
        "a/b",
        "a\\b",
        "",
        " ",
        ".hidden",
        "..",
        "con",
        "=1+1",
        "@SUM(A1)",
        "a\nb",
        "a\0b",
        "x" * 81,
        "Ada.",
        "-rf",
        "a:b",
    ],
)
def test_odd_names_are_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="since it becomes the name of a folder"):
        write_course(tmp_path / "class", tmp_path / "data", ["Bob", name], apart=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["Ada Lovelace", "O'Hara", "1234567", "ada@uni.edu", "李小龙", "Anne-Marie_2", "Jr. Smith"]
)
def test_names_of_people_are_taken(name: str) -> None:
    assert student_name(f" {name} ") == name


@pytest.mark.parametrize("names", [["Ada", "ada"], ["Ada", "Bob", "Ada "], ["STRASSE", "straße"]])
def test_names_that_one_folder_would_share_are_refused(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="would share a folder"):
        write_course(tmp_path / "class", tmp_path / "data", names, apart=True)
    assert list(tmp_path.iterdir()) == []


def test_a_list_is_read_as_editors_write_it(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("\ufeffAda Lovelace\r\n\r\n  Bob \r\n".encode())
    assert students_in(tmp_path / "list.txt") == ["Ada Lovelace", "Bob"]


@pytest.mark.parametrize("content", [None, b"", b" \n\n"], ids=["no file", "nothing", "no name"])
def test_a_list_without_students_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CourseError, match=r"list\.txt: no student there; expected a text file"):
        students_in(path)


def test_a_scene_of_one_s_own_needs_a_student(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="needs a student: add --student NUMBER"):
        write_course(tmp_path / "out", tmp_path / "data", own_scene=True)


# The command


def test_the_command_tells_the_next_step(tmp_path: Path) -> None:
    answer = maam("course", tmp_path / "mine", "--root", tmp_path / "data")
    assert answer.exit_code == 0
    assert (
        answer.output == f"course: {tmp_path / 'mine'}\nnext: jupyter lab {tmp_path / 'mine' / '00_start_here.ipynb'}\n"
    )
    (tmp_path / "list.txt").write_text("Ada\nBob\n")
    answer = maam("course", tmp_path / "class", "--students", tmp_path / "list.txt")
    assert answer.output.startswith(f"course: {tmp_path / 'class'}, a folder for each of 2 students\nnext: hand out")
    assert answer.output.endswith(f"later: maam grade {tmp_path / 'class'}\n")
    assert sorted(path.name for path in (tmp_path / "class").iterdir()) == ["Ada", "Bob"]


@pytest.mark.parametrize("words", [["--student", "Ada", "--complete"], ["--students", "list.txt", "--complete"]])
def test_students_do_not_get_the_complete_chapters(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("Ada\n")
    answer = maam("course", tmp_path / "out", *words)
    assert "give only one of --student, --students and --complete" in str(answer.exception)
    assert not (tmp_path / "out").exists()
