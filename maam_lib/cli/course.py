"""Commands about courses: copies of the chapters for students, and who solved what."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from maam_lib.cli.options import DEFAULT_ROOT, Root, app


@app.command()
def course(
    out: Annotated[Path, Argument(help="Folder for the chapters; with --students, for a folder each.")],
    student: Annotated[str | None, Option(help="Name or number of the one student.")] = None,
    students: Annotated[
        Path | None, Option(help="A text file, one name or number a line: OUT/NAME for each.", dir_okay=False)
    ] = None,
    own_scene: Annotated[
        bool, Option(help="Test clips of the generated scene drawn from the student's number, so that answers differ.")
    ] = False,
    complete: Annotated[bool, Option(help="The complete chapters, for instructors.")] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write the chapters with holes for students to fill in; answers are recorded there, for `maam grade`.

    A copy is never overwritten. With --own-scene each copy prepares its own data at first use (300 MB, half a minute):
    the training clips are everybody's, the test clips are not, so the kept weights fit and the numbers differ.
    """
    from maam_lib.exercises.course import CourseError, students_in, write_course

    if (student is not None) + (students is not None) + complete > 1:
        raise CourseError("--student, --students and --complete go one at a time")
    names = students_in(students) if students else [student] if student is not None else []
    folders = write_course(out, root, names, own_scene=own_scene, complete=complete, apart=students is not None)
    print(f"course: {out}" + (f", a folder for each of {len(folders)} students" if students else ""))
    first = "00_start_here.ipynb"
    if students:
        print(f"next: hand out the folders; a student runs `jupyter lab {first}` there; later: maam grade {out}")
    else:
        print(f"next: jupyter lab {out / first}")


@app.command()
def grade(
    folder: Annotated[Path, Argument(help="The folder of `maam course --students`, or one student's copy.")],
    out: Annotated[Path | None, Option(help="Also write a CSV, a column per exercise.", dir_okay=False)] = None,
) -> None:
    """Tell who solved what: 1 point for a right answer, 0.5 for one after reveal=True.

    The CSV is UTF-8 with a plain header and one row per student, as learning platforms take it. A record is a text
    file that its owner can edit. Where marks count, run the student's chapters again yourself: copy the folder beside
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
