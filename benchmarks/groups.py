"""All groups of cases by name, and the run that prints a table and writes JSON for each: `maam bench`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import data_groups, network_groups
from benchmarks.timing import Group, in_one_line, select
from data_prep.files import write_json
from maam_lib.fast import best_accelerator
from maam_lib.training import usable_cores

RESULTS = Path(__file__).parent / "results"
ON_THE_DEVICE: dict[str, Callable[[torch.device, int], Group]] = {
    "forward": network_groups.forward,
    "training": network_groups.training,
    "peers": network_groups.other_networks,
    "memory": network_groups.memory_module,
    "pscd": network_groups.pscd_maps,
}
OF_DATA: dict[str, Callable[[Path, int], Group]] = {
    "flow": data_groups.flow,
    "loading": data_groups.loading,
    "preparation": data_groups.preparation,
    "testset": data_groups.whole_test_set,
    "start": data_groups.start,
}
NAMES = (*ON_THE_DEVICE, *OF_DATA)


class BenchError(RuntimeError):
    """Some cases could not be measured: which, and why."""


def run(
    wanted: Sequence[str], root: Path, *, threads: int | None, rounds: int, device: str | None, out: Path = RESULTS
) -> None:
    """Run the groups named, all where none is, with one thread, or so many (0: all cores).

    Raises ValueError for an unknown group; and BenchError, when all are measured and written, for cases that failed.
    """
    names, number = select(wanted, NAMES), usable_cores() if threads == 0 else threads or 1
    where = torch.device(device or best_accelerator())
    failed: list[str] = []
    with network_groups.threads(number):
        for name in names:
            try:
                group = ON_THE_DEVICE[name](where, rounds) if name in ON_THE_DEVICE else OF_DATA[name](root, rounds)
            except Exception as error:  # whatever stops one group, the others are measured
                failed.append(f"{name}, whole: {in_one_line(error)}")
                continue
            print(group, flush=True)
            failed += group.failed
            suffix = ("" if number == 1 else f"_{number}threads") + ("" if where.type == "cpu" else f"_{where.type}")
            write_json(out / f"bench_{name}{suffix}.json", group.to_dict())
    if failed:
        raise BenchError(f"failed: {'; '.join(failed)}. All others are measured and written to {out}")
