"""Commands about courses: copies of the chapters for students, and who solved what."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from data_prep.words import counted
from maam_lib.cli.options import DEFAULT_ROOT, Root, app


@app.command()
def course(
    out: Annotated[Path, Argument(help="Folder for the chapters; with --students, for one folder per student.")],
    student: Annotated[str | None, Option(help="Name or number of a single student.")] = None,
    students: Annotated[
        Path | None, Option(help="Text file with one name or number a line; each gets OUT/NAME.", dir_okay=False)
    ] = None,
    own_scene: Annotated[
        bool, Option(help="Draw the generated test clips from the student's number, so that answers differ.")
    ] = False,
    complete: Annotated[bool, Option(help="Write the complete chapters, for instructors.")] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write chapters for students to fill in. Their answers are recorded in the copy, for `maam grade`.

    A copy is never overwritten. With --own-scene each copy prepares its
    own data at first use (0.3 GB in chapter 00, 1.2 GB after chapter 01).
    All have the same training clips, so the kept weights fit; the test clips differ, so the numbers differ.
    """
    from maam_lib.exercises.course import CourseError, students_in, write_course

    if (student is not None) + (students is not None) + complete > 1:
        raise CourseError("give only one of --student, --students and --complete")
    names = students_in(students) if students else [student] if student is not None else []
    folders = write_course(out, root, names, own_scene=own_scene, complete=complete, apart=students is not None)
    print(f"course: {out}" + (f", a folder for each of {counted(len(folders), 'student')}" if students else ""))
    first = "00_start_here.ipynb"
    if students:
        print(f"next: hand out the folders; a student runs `jupyter lab {first}` there; later: maam grade {out}")
    else:
        print(f"next: jupyter lab {out / first}")


@app.command()
def grade(
    folder: Annotated[Path, Argument(help="Folder of `maam course --students`, or one student's copy.")],
    out: Annotated[Path | None, Option(help="Also write a CSV with a column per exercise.", dir_okay=False)] = None,
) -> None:
    """Show who solved what. A right answer gets 1 point, one after reveal=True gets 0.5.

    The CSV is UTF-8 with a plain header and one row per student, as learning platforms expect. A record is a text
    file that its owner can edit. If marks count, run the student's chapters again yourself: copy the folder next to
    the others, empty its answers.jsonl, run `jupyter execute --allow-errors *.ipynb` in it (this runs the student's
    code), and grade that copy.
    """
    from maam_lib.exercises.grading import grades, short_table, write_grades

    table, notes = grades(folder)
    print(short_table(table))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if out is None:
        print("next: --out grades.csv writes a column per exercise")
    else:
        write_grades(table, out)
        print(f"grades: {out}")
