"""What a notebook shows besides figures and tables: explanations that are folded, and numbers for its report.

Numbers are recorded in an output of the cell and read from the executed file.
"""

from typing import Any

from IPython.display import Markdown, display
from nbformat import NotebookNode

RESULT_MIME = "application/vnd.maam.result+json"


def record(name: str, value: Any) -> None:
    """Hand a number to `results.json` when the notebook runs in a report; it leaves nothing to see.

    `value` is anything that JSON holds; names are dotted, as "memory.support_items".
    """
    # The empty text is for editors that complain about an output which they cannot draw.
    display({RESULT_MIME: {"name": name, "value": value}, "text/plain": ""}, raw=True)


def explain(text: str, title: str = "What came out, and why") -> None:
    """Show Markdown, folded under a title: the answer to a prediction, with the numbers that just came."""
    display(Markdown(f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"))


def recorded_results(notebook: NotebookNode) -> dict[str, Any]:
    """What `record` left in an executed notebook: name -> value."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = [output["data"][RESULT_MIME] for output in outputs if RESULT_MIME in output.get("data", {})]
    return {result["name"]: result["value"] for result in found}
