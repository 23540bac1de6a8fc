"""Points by what the records say and in which order; nothing in a folder or a record stops the others' grades."""

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from maam_lib import cli
from maam_lib.exercises.checking import EXERCISES
from maam_lib.exercises.grading import GradingError, grades, points, short_table, write_grades
from maam_lib.exercises.record import RECORD, Entry, Outcome, Owner, append


def entry(exercise: str, outcome: Outcome, answer: str = "") -> Entry:
    return Entry(time="2026-11-28T16:00:00+00:00", exercise=exercise, outcome=outcome, answer=answer)


def copy_of(student: str, folder: Path, *entries: Entry, owner: str | None = None) -> Path:
    home = folder / student
    home.mkdir(parents=True)
    (home / RECORD).write_text(Owner(student=owner or student).model_dump_json() + "\n")
    for one in entries:
        append(home / RECORD, one)
    return home


@pytest.fixture
def class_of_three(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    copy_of("Ada", folder, entry("00.1", "wrong", "a"), entry("00.1", "right", "b"), entry("02.3", "right", "c"))
    copy_of("Bob", folder, entry("00.1", "revealed"), entry("00.1", "right", "b"), entry("00.2", "revealed"))
    copy_of("Eve", folder)
    return folder


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], 0),
        (["wrong"], 0),
        (["right"], 1),
        (["wrong", "wrong", "right"], 1),
        (["right", "wrong"], 1),
        (["right", "revealed"], 1),
        (["revealed"], 0),
        (["wrong", "revealed", "right"], 0.5),
        (["revealed", "wrong"], 0),
    ],
)
def test_points_follow_the_order(outcomes: list[Outcome], expected: float) -> None:
    assert points([entry("00.1", outcome) for outcome in outcomes]) == expected


def test_a_copy_without_a_record_counts_as_nothing_solved(class_of_three: Path) -> None:
    (class_of_three / "Zoe").mkdir()
    (class_of_three / "Zoe" / "00_start_here.ipynb").write_text("{}")
    table, notes = grades(class_of_three)
    assert table.set_index("student").loc["Zoe", "total"] == 0
    assert notes == [f"{class_of_three / 'Zoe'}: no {RECORD}, so nothing counts as solved"]


def test_a_record_of_nobody_is_named_by_its_folder_and_stops_no_csv(class_of_three: Path, tmp_path: Path) -> None:
    (class_of_three / "Eve" / RECORD).write_text('{"student": ""}\n')
    table, _ = grades(class_of_three)
    assert table["student"].tolist() == ["Ada", "Bob", "Eve"]
    write_grades(table, tmp_path / "grades.csv")
    assert (tmp_path / "grades.csv").read_text().count("\n") == 4


def test_one_row_a_student_one_column_an_exercise(class_of_three: Path) -> None:
    table, notes = grades(class_of_three)
    assert list(table.columns) == ["student", *sorted(EXERCISES), "attempts", "total"]
    assert table[["student", "00.1", "00.2", "02.3", "attempts", "total"]].to_numpy().tolist() == [
        ["Ada", 1, 0, 1, 3, 2],
        ["Bob", 0.5, 0, 0, 1, 0.5],
        ["Eve", 0, 0, 0, 0, 0],
    ]
    assert notes == []


def test_a_single_copy_is_graded_too(class_of_three: Path) -> None:
    table, _ = grades(class_of_three / "Ada")
    assert table["student"].tolist() == ["Ada"]


def test_the_csv_is_one_that_other_programs_read(class_of_three: Path, tmp_path: Path) -> None:
    copy_of("李小龙", class_of_three, entry("00.1", "right"))
    write_grades(grades(class_of_three)[0], tmp_path / "grades.csv")
    text = (tmp_path / "grades.csv").read_bytes().decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["student"] for row in rows] == ["Ada", "Bob", "Eve", "李小龙"]
    assert [row["00.1"] for row in rows] == ["1", "0.5", "0", "1"]
    assert [row["total"] for row in rows] == ["2", "0.5", "0", "1"]
    assert not text.startswith("\ufeff")


def test_a_name_is_no_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    copy_of("a", tmp_path / "class", owner="=HYPERLINK(1)")
    write_grades(grades(tmp_path / "class")[0], tmp_path / "grades.csv")
    assert "\n'=HYPERLINK(1)," in (tmp_path / "grades.csv").read_text()


def test_a_damaged_record_costs_nobody_else(class_of_three: Path) -> None:
    with (class_of_three / "Ada" / RECORD).open("a") as file:
        file.write("cut\n")
    (class_of_three / "Bob" / RECORD).write_bytes(b"\xff\xfe")
    append(class_of_three / "Eve" / RECORD, entry("42.1", "right"))
    table, notes = grades(class_of_three)
    assert dict(zip(table["student"], table["total"], strict=True)) == {"Ada": 2, "Bob": 0, "Eve": 0}
    assert [note.removeprefix(str(class_of_three)) for note in notes] == [
        f"/Ada/{RECORD}: 1 of 5 lines cannot be read, first line 5",
        f"/Bob/{RECORD}: byte 0 is not UTF-8; was it cut, or saved in another encoding?",
        f"/Eve/{RECORD}: no exercise 42.1 in this version",
    ]


def test_two_records_of_one_student_are_told(class_of_three: Path) -> None:
    copy_of("Mallory", class_of_three, entry("00.1", "right"), owner="Ada")
    table, notes = grades(class_of_three)
    assert table["student"].tolist() == ["Ada", "Bob", "Eve", "Mallory"]
    assert notes == ["the records in Ada, Mallory all say that they are of Ada; named by folder here"]


def test_other_folders_are_passed_over(class_of_three: Path) -> None:
    (class_of_three / "data" / "synthetic").mkdir(parents=True)
    (class_of_three / "notes.txt").touch()
    copy_of(".Ada.old", class_of_three)
    assert grades(class_of_three)[0]["student"].tolist() == ["Ada", "Bob", "Eve"]


@pytest.mark.parametrize("kind", ["no folder", "an empty folder", "a file"])
def test_a_folder_without_records_is_an_error(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    if kind == "an empty folder":
        folder.mkdir()
    elif kind == "a file":
        folder.touch()
    with pytest.raises(GradingError, match=r"class: no (such folder|answers\.jsonl)"):
        grades(folder)


def test_the_short_table_sums_by_chapter(class_of_three: Path) -> None:
    head, ada, bob, _, of = (line.split() for line in short_table(grades(class_of_three)[0]).splitlines())
    at = head.index
    assert (ada[at("00")], ada[at("02")], ada[at("total")], ada[at("attempts")]) == ("1", "1", "2", "3")
    assert (bob[at("00")], bob[at("total")]) == ("0.5", "0.5")
    assert int(of[at("total")]) == len(EXERCISES)
    assert int(of[at("00")]) == sum(number.startswith("00") for number in EXERCISES)


def maam(*words: object) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_the_command_prints_and_writes(class_of_three: Path, tmp_path: Path) -> None:
    answer = maam("grade", class_of_three)
    assert answer.exit_code == 0
    assert "Ada" in answer.output
    assert answer.output.endswith("next: --out grades.csv writes a column per exercise\n")
    answer = maam("grade", class_of_three, "--out", tmp_path / "grades.csv")
    assert answer.output.endswith(f"grades: {tmp_path / 'grades.csv'}\n")
    assert (tmp_path / "grades.csv").read_text().count("\n") == 4


def test_the_help_says_that_a_record_can_be_edited() -> None:
    text = " ".join(maam("grade", "--help").output.split())
    assert "A record is a text file that its owner can edit" in text
