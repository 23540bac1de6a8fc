"""Clips side by side through Dask: results, errors, killed processes, an existing scheduler; a kill loses nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import pytest
from cluster_tasks import killed_always, killed_unless, process_of
from distributed import LocalCluster
from fake_sources import moving, write_video
from test_prepare import contents

from data_prep import cluster
from data_prep.cluster import ClusterError, unordered
from data_prep.prepare import prepare

KILLED = f"""
import os, signal
from pathlib import Path
from data_prep import clip_files
from data_prep.prepare import prepare

unordered = clip_files.unordered

def until_the_first_clip(*arguments):
    yield next(unordered(*arguments))
    os.kill(os.getpid(), signal.{signal.SIGKILL.name})

clip_files.unordered = until_the_first_clip
if __name__ == "__main__":
    import sys
    prepare("videos", Path(sys.argv[1]), Path(sys.argv[2]), workers=2, progress=False)
"""


def test_one_worker_is_this_process() -> None:
    assert list(unordered(process_of, [3, 1, 2], 1)) == [(item, os.getpid()) for item in (3, 1, 2)]


def test_workers_are_other_processes_and_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    task = partial(killed_unless, tmp_path / "marker")
    assert sorted(unordered(task, [1, 2, 3], 2)) == [(1, 1), (2, 2), (3, 3)]
    assert (tmp_path / "marker").exists()


def test_workers_that_keep_being_killed_end_it() -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(ClusterError, match=r"a worker process was killed, and so was each .* finished clips are kept"),
    ):
        list(unordered(killed_always, [1], 2))


@pytest.fixture
def scheduler() -> Iterator[str]:
    """The address of a running scheduler with one worker, both in this process."""
    existing = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    )
    with existing:
        yield existing.scheduler_address


def test_an_existing_scheduler_is_used(scheduler: str) -> None:
    assert sorted(unordered(process_of, [1, 2], 8, scheduler)) == [(1, os.getpid()), (2, os.getpid())]


def test_the_first_error_arrives_as_it_was_raised(scheduler: str) -> None:
    with pytest.raises(ValueError, match=r"^item 2$"):
        list(unordered(partial(process_of, failing=2), [1, 2, 3, 4], 8, scheduler))


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_TIME", 0.2)
    with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there .* leave out"):
        list(unordered(process_of, [1], 2, "tcp://127.0.0.1:9"))
    with pytest.raises(ClusterError, match="nothing://x: no Dask scheduler"):
        list(unordered(process_of, [1], 2, "nothing://x"))


def test_killed_in_the_middle_and_called_again_gives_the_same_bytes(tmp_path: Path) -> None:
    source, script = tmp_path / "in", tmp_path / "killed.py"
    for number, num_frames in enumerate((3, 80, 80, 80, 80)):  # the first is done long before the others
        write_video(source / "train" / f"clip{number}.avi", moving(str(number), num_frames, (64, 96)))
    script.write_text(KILLED)
    command = [sys.executable, script, source, tmp_path / "data"]
    killed = subprocess.run(command, capture_output=True)  # the workers hold the pipe: it returns when they have ended
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    folder = tmp_path / "data" / "videos"
    finished = {name: sha256 for name, sha256 in contents(folder).items() if not name.startswith("train/.")}
    assert "train/clip0/clip.json" in finished
    assert "train/clip4/clip.json" not in finished
    assert not (folder / "manifest.json").exists()
    assert prepare("videos", source, tmp_path / "data", workers=2, progress=False) == folder
    assert finished.items() <= contents(folder).items()
    assert contents(folder) == contents(prepare("videos", source, tmp_path / "at-once", workers=1, progress=False))
