"""Dots, means, intervals and printed numbers of differences stand at their values, in the row of their name."""

import pytest

from maam_lib import figures


def test_everything_stands_at_its_value_and_in_its_row() -> None:
    figure = figures.difference_intervals(
        {"a": {"up": [0.1, 0.3], "down": [-0.2]}},
        {"a": {"up": (-0.5, 0.9)}},
        "change",
        {"up": 0.003, "down": -0.001},
        {"up": 0.25},
    )
    figure.canvas.draw()
    [axis] = figure.axes
    rows = [text.get_text() for text in axis.get_yticklabels()]
    assert rows == ["down", "up"], "the first name at the top"
    drawn = [(line.get_marker(), list(line.get_xdata()), list(line.get_ydata())) for line in axis.get_lines()]
    of = {mark: [(x, y) for marker, x, y in drawn if marker == mark and len(x)] for mark in ("o", "|", "x", "*")}
    assert of["o"] == [([-0.2], [0]), ([0.1, 0.3], [1, 1])]
    assert [x for x, _ in of["|"]] == [[-0.2], pytest.approx([0.2])], "means"
    assert of["x"] == [([-0.001], [0.4]), ([0.003], [1.4])]
    assert of["*"] == [([0.25], [1.4])]
    assert [list(line.get_xdata()) for line in axis.get_lines() if line.get_linewidth() == 5] == [[-0.5, 0.9]]
