"""Every test begins with no answer handed in, in a folder without a record."""

from pathlib import Path

import pytest

from maam_lib.exercises import record


@pytest.fixture(autouse=True)
def nothing_handed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "SESSION", [])
    monkeypatch.setattr(record, "_told", set())
    monkeypatch.chdir(tmp_path)
