"""Work done side by side through Dask: on this machine, or on a cluster that is already there."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import cv2

from data_prep.clip import SourceError

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")
ANSWER_TIME = 10  # seconds that a scheduler has to answer


class ClusterError(SourceError):
    """There is no cluster, or its workers died: one line that says what to do."""


def unordered(
    task: Callable[[Item], Result], items: list[Item], workers: int, scheduler: str | None = None
) -> Iterator[tuple[Item, Result]]:
    """Each item with `task(item)`, as they are finished (ours).

    One worker, and no scheduler: in this process. Else in `workers` processes of one thread each that this call
    starts and ends, or, with a `scheduler` ("tcp://host:8786"), on its workers, which must have the kit and see the
    same files. The first error of a task is raised, and nothing more is started; a task whose process was killed
    is tried again, three times.

    Raises ClusterError where no scheduler answers and where workers keep being killed.
    """
    if workers == 1 and scheduler is None:
        yield from ((item, task(item)) for item in items)
        return
    from distributed import KilledWorker, as_completed  # half a second that other commands need not wait

    with _client(workers, scheduler) as client:
        futures = {client.submit(_on_one_thread, task, item, pure=False): item for item in items}
        try:
            for future, result in as_completed(futures, loop=client.loop, with_results=True):
                yield futures[future], result
                del futures[future]  # the worker forgets its result
        except KilledWorker as error:
            raise ClusterError(
                "a worker process was killed, and so was each that took its place (out of memory?); run the same "
                "command again, with fewer workers: finished clips are kept"
            ) from error
        finally:
            client.cancel(list(futures))


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator["Client"]:
    from distributed import Client, LocalCluster

    if scheduler is not None:
        with _answering(scheduler) as client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,  # what a clip needs does not grow with its length: nothing to watch
            dashboard_address="127.0.0.1:0",  # None would still take port 8787, and warn where it is taken
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.run(_ignore_interrupts)  # Ctrl-C reaches this process, which ends the others
        yield client


def _answering(scheduler: str) -> "Client":
    from distributed import Client

    try:
        return Client(scheduler, timeout=ANSWER_TIME, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"{scheduler}: no Dask scheduler answers there ({error}); start one (dask scheduler), or leave out "
            "--scheduler"
        ) from error


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_one_thread(task: Callable[[Item], Result], item: Item) -> Result:
    cv2.setNumThreads(1)
    return task(item)
