"""Numbers of things in messages."""

import pytest

from data_prep.words import counted


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 alarms"),
        (1, "1 alarm"),
        (1.0, "1 alarm"),
        (2010, "2010 alarms"),
        (2.5, "2.5 alarms"),
        (1e6, "1e+06 alarms"),
    ],
)
def test_one_thing_has_no_s(number: float, said: str) -> None:
    assert counted(number, "alarm") == said
