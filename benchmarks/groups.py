"""All groups of cases by name, and the run that prints a table and writes JSON for each: `maam bench`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import data_groups, network_groups
from maam_lib.bench import Group, select
from maam_lib.files import write_json
from maam_lib.hardware import best_accelerator
from maam_lib.runs import usable_cores

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


def run(
    wanted: Sequence[str], root: Path, *, threads: int | None, rounds: int, device: str | None, out: Path = RESULTS
) -> None:
    """Run the groups named, all where none is, with one thread, or so many (0: all cores).

    Raises ValueError for an unknown group.
    """
    names, number = select(wanted, NAMES), usable_cores() if threads == 0 else threads or 1
    where = torch.device(device or best_accelerator())
    with network_groups.threads(number):
        for name in names:
            group = ON_THE_DEVICE[name](where, rounds) if name in ON_THE_DEVICE else OF_DATA[name](root, rounds)
            print(group, flush=True)
            suffix = ("" if number == 1 else f"_{number}threads") + ("" if where.type == "cpu" else f"_{where.type}")
            write_json(out / f"bench_{name}{suffix}.json", group.to_dict())
