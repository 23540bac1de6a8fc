"""Work done side by side through Dask: on this machine, or on a cluster that is already there."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import cv2

from data_prep.clip import SourceError

if TYPE_CHECKING:
    from distributed import Client
    from distributed.deploy.cluster import Cluster
    from tornado.ioloop import IOLoop

Item = TypeVar("Item")
Result = TypeVar("Result")
ANSWER_TIME = 10  # seconds that a scheduler has to answer


class ClusterError(SourceError):
    """There is no cluster, or its workers died: one line that says what to do."""


class Outcome(NamedTuple, Generic[Result]):
    """What became of one task: its result, or the error that it raised."""

    result: Result | None
    error: Exception | None


def unordered(
    task: Callable[[Item], Result], items: list[Item], workers: int, scheduler: str | None = None
) -> Iterator[tuple[Item, Result]]:
    """Each item with `task(item)`, as they are finished (ours).

    The same as `outcomes`, but the first error of a task is raised, and nothing more is started.
    """
    with closing(outcomes(task, items, workers, scheduler)) as finished:
        for item, outcome in finished:
            if outcome.error is not None:
                raise outcome.error
            yield item, outcome.result  # pyright: ignore[reportReturnType]: where there is no error, there is a result


def outcomes(
    task: Callable[[Item], Result], items: list[Item], workers: int, scheduler: str | None = None
) -> Generator[tuple[Item, Outcome[Result]], None, None]:
    """Each item with what became of `task(item)`, as they are finished, the first items started first (ours).

    One worker, and no scheduler: in this process. Else in `workers` processes of one thread each that this call
    starts and ends; or, with a `scheduler` ("tcp://host:8786"), on its workers, which must have the kit and see the
    same files; or, with the scheduler "slurm", on so many jobs of a SLURM cluster as dask-jobqueue is configured for.
    A task whose process was killed is tried again, three times; then its outcome is a ClusterError.

    Raises ClusterError where no scheduler answers, or where it vanishes.
    """
    if workers == 1 and scheduler is None:
        for item in items:
            try:
                outcome = Outcome(task(item), None)
            except Exception as error:  # whatever a task raises is its outcome, as on a worker
                outcome = Outcome(None, error)
            yield item, outcome
        return
    from distributed import KilledWorker, as_completed  # half a second that other commands need not wait

    with _client(workers, scheduler) as client:
        futures = {
            client.submit(_on_one_thread, task, item, pure=False, priority=-number): item
            for number, item in enumerate(items)
        }
        try:
            for future in as_completed(list(futures), loop=client.loop):
                if future.status not in ("finished", "error"):
                    raise ClusterError(
                        f"{scheduler or 'the local scheduler'}: the Dask scheduler is gone; what is finished is kept. "
                        "Start one again and run the same command"
                    )
                error = future.exception() if future.status == "error" else None
                if isinstance(error, KilledWorker):
                    error = ClusterError(
                        "a worker process was killed, and so was each that took its place (out of memory?); run the "
                        "same command again, with fewer workers: what is finished is kept"
                    )
                yield futures.pop(future), Outcome(None if error else future.result(), error)
                del future  # the worker forgets its result
        finally:
            client.cancel(list(futures))


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator["Client"]:
    from distributed import Client, LocalCluster
    from distributed.utils import silence_logging_cmgr

    # Of a lost scheduler Dask tells in pages; here it is one line.
    quiet = silence_logging_cmgr(logging.CRITICAL)
    if scheduler is not None:
        with quiet, _slurm(workers) if scheduler == "slurm" else nullcontext(scheduler) as place:
            try:
                client = Client(place, timeout=ANSWER_TIME, set_as_default=False)
            except (OSError, ValueError) as error:
                raise ClusterError(
                    f"{scheduler}: no Dask scheduler answers there ({error}); start one (dask scheduler), or leave out "
                    "--scheduler"
                ) from error
            with client:
                yield client
        return
    with _loop_deaf_to_interrupts() as loop:
        cluster = LocalCluster(
            loop=loop,
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,  # what a clip needs does not grow with its length: nothing to watch
            dashboard_address="127.0.0.1:0",  # None would still take port 8787, and warn where it is taken
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
        )
        with cluster, Client(cluster, set_as_default=False) as client:
            try:
                yield client
            except BaseException:  # Ctrl-C, an error: nobody waits for what the workers are about
                for nanny in cluster.workers.values():
                    nanny.auto_restart = False
                    with suppress(ProcessLookupError):
                        if nanny.pid is not None:  # else its process has ended
                            os.kill(nanny.pid, signal.SIGKILL)
                raise


def _slurm(workers: int) -> "Cluster":
    """So many one-worker jobs of the SLURM cluster that ~/.config/dask/jobqueue.yaml describes."""
    from dask import config

    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise ClusterError("--scheduler slurm needs dask-jobqueue: pip install -e '.[slurm]'") from error
    if shutil.which("sbatch") is None:
        raise ClusterError("--scheduler slurm: no sbatch on this machine; run it on a login node of the cluster")
    described = config.get("jobqueue.slurm")
    if missing := [key for key in ("cores", "memory") if not described[key]]:
        raise ClusterError(
            f"--scheduler slurm: no {' and no '.join(missing)} set for a job; describe the queue in "
            "~/.config/dask/jobqueue.yaml (docs/sweeps.md)"
        )
    return SLURMCluster(n_workers=workers, processes=1, scheduler_options={"dashboard": False})


@contextmanager
def _loop_deaf_to_interrupts() -> Iterator["IOLoop | None"]:
    """An event loop whose thread, and so each process that it starts, never sees Ctrl-C: the terminal sends it to all.

    It reaches this process's main thread, which ends the others.
    """
    from distributed.utils import LoopRunner

    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")  # of what it tidies up after a kill
    resource_tracker.ensure_running()  # here: it would unblock the signals where it is started
    runner, blocked = LoopRunner(), {signal.SIGINT, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        runner.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield runner.loop
    finally:
        runner.stop()


def _on_one_thread(task: Callable[[Item], Result], item: Item) -> Result:
    cv2.setNumThreads(1)
    return task(item)
