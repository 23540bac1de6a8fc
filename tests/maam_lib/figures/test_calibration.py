"""The reliability diagram draws every row where it says, its bets beside it, and the line of the well calibrated."""

import pandas as pd
import pytest

from maam_lib import figures


def test_a_dot_per_row_with_its_bets_beside_the_diagonal() -> None:
    table = pd.DataFrame(
        {"confidence": [0.4, 0.8], "bets": [5, 10], "right": [0.2, 0.9], "low": [0.1, 0.6], "high": [0.6, 1.0]}
    )
    figure = figures.reliability({"class": table})
    figure.canvas.draw()
    [axis] = figure.axes
    diagonal, dots = axis.get_lines()[:2]
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert dots.get_xydata() == pytest.approx(table[["confidence", "right"]].to_numpy())
    assert [text.get_text().strip() for text in axis.texts] == ["5", "10"]
    intervals = [segment[:, 1].tolist() for bars in axis.collections for segment in bars.get_segments()]
    assert intervals == [pytest.approx([0.1, 0.6]), pytest.approx([0.6, 1.0])]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["well calibrated", "class"]


def test_without_bets_the_line_stands_alone() -> None:
    empty = pd.DataFrame(columns=["confidence", "bets", "right", "low", "high"], dtype=float)
    drawn = figures.reliability({"nobody": empty})
    drawn.canvas.draw()
    [axis] = drawn.axes
    assert len(axis.texts) == 0
