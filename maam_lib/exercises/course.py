"""The student's copy of a chapter: the same notebook with holes where the complete one has solutions (ours).

What a student is to write stands between two marks, which are nbgrader's; the first may say what stands there instead:

    ### BEGIN SOLUTION: answer = ...  # a clip
    answer = table.loc[table["fused"].idxmax(), "clip"]
    ### END SOLUTION
"""

import re
from copy import deepcopy

from nbformat import NotebookNode

SOLUTION = "solution"  # tag of a cell that a student's copy leaves out
REGION = re.compile(
    r"^(?P<indent> *)### BEGIN SOLUTION(?:: *(?P<stub>.*))?\n(?:.*\n)*?\1### END SOLUTION$(?P<end>\n?)", re.MULTILINE
)


class CourseError(ValueError):
    """A notebook with marks that do not pair, or a folder that cannot be written: says which."""


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
