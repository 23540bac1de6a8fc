"""Two commands that write one folder: the second says that it waits, and then finds what the first has made."""

import hashlib
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest

from data_prep import download as download_module
from data_prep import flow_import
from data_prep import prepare as prepare_module
from data_prep.download import PUBLICATIONS, Publication, download
from data_prep.flow_import import plan_import, write_import
from data_prep.prepare import prepare
from tests.data_prep.test_flow_import import write_fields

PATIENCE = 20  # seconds; only a failing test waits so long


class Gate(io.StringIO):
    """A stderr that lets the first command go on once the second has said that it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.opened = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        if "waiting for it to end" in text:
            self.opened.set()
        return super().write(text)

    def stop_at(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose calls wait at the gate."""

        def stopped(*arguments: Any, **options: Any) -> Any:
            self.reached.set()
            assert self.opened.wait(PATIENCE), "the second did not wait"
            return function(*arguments, **options)

        return stopped


@pytest.fixture
def gate() -> Gate:
    return Gate()


def both(gate: Gate, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    with redirect_stderr(gate), ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert gate.reached.wait(PATIENCE)
        two = pool.submit(second)
        return one.result(), two.result()


def hidden(folder: Path) -> list[Path]:
    return list(folder.rglob(".*"))


def test_the_second_prepare_finds_the_dataset(
    ped2: Path, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data"
    monkeypatch.setattr(prepare_module, "ensure_clips", gate.stop_at(prepare_module.ensure_clips))

    def call() -> Path:
        return prepare("ped2", ped2, root, workers=1, progress=False)

    assert both(gate, call, call) == (root / "ped2", root / "ped2")
    assert gate.getvalue() == (f"maam: {root / 'ped2'} is being written by another process; waiting for it to end\n")
    assert not hidden(root)


def test_another_size_goes_beside_what_it_has_waited_for(
    ped2: Path, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data"
    monkeypatch.setattr(prepare_module, "ensure_clips", gate.stop_at(prepare_module.ensure_clips))
    assert both(
        gate,
        lambda: prepare("ped2", ped2, root, workers=1, progress=False),
        lambda: prepare("ped2", ped2, root, size=(16, 18), workers=1, progress=False),
    ) == (root / "ped2", root / "ped2-16x18")
    assert not hidden(root)


def test_the_second_goes_on_where_the_first_has_failed(
    ped2: Path, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, failing = prepare_module.ensure_clips, [ValueError("the first fails")]

    def fails_once(*arguments: Any, **options: Any) -> Any:
        if failing:
            raise failing.pop()
        return whole(*arguments, **options)

    monkeypatch.setattr(prepare_module, "ensure_clips", gate.stop_at(fails_once))

    def first() -> None:
        with pytest.raises(ValueError, match="the first fails"):
            prepare("ped2", ped2, tmp_path / "data", workers=1, progress=False)

    second = both(gate, first, lambda: prepare("ped2", ped2, tmp_path / "data", workers=1, progress=False))[1]
    assert (second / "manifest.json").is_file()


def test_the_second_import_finds_the_dataset(
    ped2: Path, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = prepare("ped2", ped2, tmp_path / "data", workers=1, progress=False)
    flows = write_fields(tmp_path / "flows", source, (1, 0))
    monkeypatch.setattr(flow_import, "ensure_clip", gate.stop_at(flow_import.ensure_clip))

    def call() -> Path:
        return write_import(plan_import(source, flows, name="flownet2"), progress=False)

    target = source.parent / "ped2-24x36-flownet2"
    assert both(gate, call, call) == (target, target)
    assert f"{target} is being written by another process" in gate.getvalue()
    assert not hidden(source.parent)


def test_the_second_download_finds_the_archive(tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = Publication("http://page", "", {"http://127.0.0.1:9/a.zip": hashlib.sha256(b"whole").hexdigest()})
    monkeypatch.setitem(PUBLICATIONS, "fake", publication)
    fetched = []

    def fetch(url: str, part: Path, *_: Any) -> None:
        fetched.append(url)
        part.write_bytes(b"whole")

    monkeypatch.setattr(download_module, "_fetch_part", gate.stop_at(fetch))
    paths = both(gate, *[lambda: download("fake", tmp_path, progress=False)] * 2)
    assert paths == ([tmp_path / "a.zip"], [tmp_path / "a.zip"])
    assert len(fetched) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
