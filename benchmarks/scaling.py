"""One training step on several devices against one, each with the same share: `python -m benchmarks.scaling cuda 2`.

It starts itself once more per further device; the first prints the seconds of a step.
"""

import subprocess
import sys
import time

import torch
from lightning_fabric import Fabric

from benchmarks.timing import Demand, Group, Timings, rows_of
from maam_lib.config import LossSettings
from maam_lib.fast import share_statistics
from maam_lib.losses import total_loss
from maam_lib.model import MAAMNet

SHARE = 4  # frames per device
SIZE = (240, 360)
STEPS, ROUNDS = 20, 3
EFFICIENCY = 0.8  # of the ideal, demanded


def add_to(group: Group, accelerator: str, count: int, size: tuple[int, int] = SIZE) -> None:
    """Rows for one device and for `count`, and the share of `count` times the speed that they reach."""
    names = {1: "1 device, float32", count: f"{count} devices, float32"}
    seconds: dict[str, list[float]] = {name: [] for name in names.values()}
    for _ in range(ROUNDS):
        for number, name in names.items():
            seconds[name].append(_in_processes(accelerator, number, size))
    timings = Timings(seconds)
    group.rows += rows_of(timings, names[1])
    reached = timings.speedup(names[count], names[1])
    group.demands.append(
        Demand(f"{count} devices, share of {count} times the frames/s of one", EFFICIENCY, reached, "")
    )
    group.notes.append(f"on several devices {SHARE} frames each: the same ms is the ideal")


def _in_processes(accelerator: str, count: int, size: tuple[int, int]) -> float:
    command = [sys.executable, "-m", "benchmarks.scaling", accelerator, *map(str, (count, *size))]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def _step_seconds(accelerator: str, count: int, size: tuple[int, int]) -> None:
    """Run by every device: as many steps as make a fair mean, after some to warm up."""
    fabric = Fabric(accelerator=accelerator, devices=count)
    fabric.launch()
    net = MAAMNet().to(memory_format=torch.channels_last).train()
    net = share_statistics(net, fabric.device.type) if count > 1 else net
    net, optimizer = fabric.setup(net, torch.optim.Adam(net.parameters(), lr=1e-5))
    frames = torch.rand(SHARE, 3, *size, device=fabric.device).contiguous(memory_format=torch.channels_last)
    flow, settings = torch.randn(SHARE, 2, *size, device=fabric.device), LossSettings()
    for step in range(STEPS + STEPS // 4):
        if step == STEPS // 4:
            began = _now(fabric)
        optimizer.zero_grad()
        fabric.backward(total_loss(net(frames), frames, flow, settings).total)
        optimizer.step()
    seconds = (_now(fabric) - began) / STEPS
    if fabric.is_global_zero:
        print(seconds, flush=True)


def _now(fabric: Fabric) -> float:
    """The time when all devices have done what was asked of them."""
    if fabric.device.type == "cuda":
        torch.cuda.synchronize(fabric.device)
    fabric.barrier()
    return time.perf_counter()


if __name__ == "__main__":
    accelerator, count, *size = sys.argv[1:]
    _step_seconds(accelerator, int(count), tuple(map(int, size)) or SIZE)
