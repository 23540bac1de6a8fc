"""Finished runs of a folder, chosen from a list and shown beside each other."""

from html import escape
from math import isnan
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from maam_lib.config import SettingError
from maam_lib.grid import ResultError
from maam_lib.playground.comparison import compared, history_figure, runs_under
from maam_lib.playground.explorers.controls import LABEL, ROW, WRONG, Plot, note

WIDE = widgets.Layout(flex="1 1 300px", max_width="640px")


class RunComparison(widgets.VBox):
    """The finished runs at or below a folder; those that are chosen are compared."""

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.runs = Path(runs)
        self.table, self.histories = widgets.HTML(), Plot()
        self.finished = widgets.SelectMultiple(description="finished runs", rows=5, style=LABEL, layout=WIDE)
        self.again = widgets.Button(description="refresh", icon="refresh")
        self.children = [widgets.HBox([self.finished, self.again], layout=ROW), self.table, self.histories]
        self.again.on_click(lambda _: self.list_runs())
        self.finished.observe(lambda _: self.compare(), "value")
        self.list_runs()
        self.compare()

    def list_runs(self) -> None:
        """The finished runs of the folder, the choice kept."""
        names = list(runs_under(self.runs))
        chosen = [name for name in self.finished.value if name in names]
        self.finished.options, self.finished.value = names, chosen

    def compare(self) -> None:
        """The chosen runs beside each other: results, differing settings, histories."""
        found = runs_under(self.runs)
        chosen = {name: found[name] for name in self.finished.value if name in found}
        if not chosen:
            none = "there is no finished run yet; train a network in the training tab"
            some = "choose one or more of the finished runs to compare them side by side"
            self.table.value = note(some if found else none)
            self.histories.show(None)
            return
        try:
            table = compared(chosen)
        except (ResultError, SettingError) as error:
            self.table.value = note(str(error), WRONG)
            return
        self.table.value = _beside(table)
        self.histories.show(history_figure(chosen))


def _beside(runs: pd.DataFrame) -> str:
    """A row per run as an HTML table with a column per run, so that on a phone it grows downward."""
    names = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in runs.index)
    rows = (
        f'<tr><th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(_text(value))}</td>" for value in runs[name])
        for name in runs
    )
    return f"<table><thead><tr><td></td>{names}</tr></thead><tbody>{'</tr>'.join(rows)}</tr></tbody></table>"


def _text(value: object) -> str:
    """A number or setting of a run."""
    if not isinstance(value, float):
        return str(value)
    return "not measured" if isnan(value) else f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:g}"
