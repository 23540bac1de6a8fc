"""Numbers that a notebook hands to its report: recorded in an output of the cell, read from the executed file."""

from typing import Any

from IPython.display import display
from nbformat import NotebookNode

RESULT_MIME = "application/vnd.maam.result+json"


def record(name: str, value: Any) -> None:
    """Show a number in a notebook, and hand it to `results.json` when the notebook runs in a report.

    `value` is anything that JSON holds; names are dotted, as "memory.support_items".
    """
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    display({RESULT_MIME: {"name": name, "value": value}, "text/plain": f"{name} = {shown}"}, raw=True)


def recorded_results(notebook: NotebookNode) -> dict[str, Any]:
    """What `record` left in an executed notebook: name -> value."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = [output["data"][RESULT_MIME] for output in outputs if RESULT_MIME in output.get("data", {})]
    return {result["name"]: result["value"] for result in found}
