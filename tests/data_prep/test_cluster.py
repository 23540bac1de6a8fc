"""Clips side by side through Dask: results, errors, killed processes, an existing scheduler; a kill loses nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dask
import dask_jobqueue  # noqa: F401  its defaults are known to dask before a test changes them
import pytest
from distributed import LocalCluster
from filelock import FileLock

from data_prep import cluster
from data_prep.cluster import ClusterError, outcomes, unordered
from data_prep.prepare import prepare
from tests.cluster_tasks import killed_always, killed_unless, process_of, returns_unless
from tests.conftest import PROJECT
from tests.data_prep.test_prepare import contents
from tests.fake_sources import moving, write_video

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
        pytest.raises(ClusterError, match=r"a worker process was killed, and so was each .* what is finished is kept"),
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


def test_an_error_of_one_task_is_its_outcome_and_the_others_go_on(scheduler: str) -> None:
    task = partial(process_of, failing=2)
    for given in ((1,), (8, scheduler)):
        found = dict(outcomes(task, [1, 2, 3], *given))
        assert {item: outcome.result for item, outcome in found.items()} == {1: os.getpid(), 2: None, 3: os.getpid()}
        assert [str(found[item].error) for item in (1, 2, 3)] == ["None", "item 2", "None"]


def test_a_scheduler_that_vanishes(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    with _started("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file) as scheduler:
        while not (file.is_file() and file.read_text().endswith("}")):
            assert scheduler.poll() is None
        address = json.loads(file.read_text())["address"]
        with (
            FileLock(tmp_path / "lock"),
            _started("dask_worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", tmp_path),
        ):
            finished = unordered(partial(returns_unless, tmp_path / "lock"), ["now", "never"], 1, address)
            assert next(finished) == ("now", "now")
            scheduler.kill()
            told = rf"^{address}: the Dask scheduler is gone; what is finished is kept\."
            with pytest.raises(ClusterError, match=told):
                next(finished)


@contextmanager
def _started(program: str, *words: object) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


# SLURM: its commands are replaced by ones that run the jobs here

SBATCH = """#!/bin/sh
cp "$1" "$0.job"  # as the real one: the caller deletes its script
setsid bash "$0.job" > "$0.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -- -"$1"
"""
QUEUE = {"jobqueue.slurm.cores": 1, "jobqueue.slurm.memory": "1GB", "jobqueue.slurm.local-directory": None}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT), prepend=os.pathsep)
    return tmp_path


def test_jobs_of_slurm_do_the_work(slurm: Path) -> None:
    with dask.config.set(QUEUE):
        found = dict(unordered(process_of, [1, 2], 1, "slurm"))
    assert set(found) == {1, 2}
    assert os.getpid() not in found.values()


def test_slurm_without_its_queue_or_without_its_commands(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match=r"no cores and no memory set for a job; .* \(docs/sweeps\.md\)"):
        list(unordered(process_of, [1], 1, "slurm"))
    monkeypatch.setenv("PATH", str(slurm / "nowhere"))
    with pytest.raises(ClusterError, match="no sbatch on this machine; run it on a login node"):
        list(unordered(process_of, [1], 1, "slurm"))


# A kill of the whole


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
