"""What the network costs: forward pass, training step, memory and PSCD, against the straight port and the machine."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import peers, scaling
from benchmarks.straight_port import PARAMETERS, StraightPort, training_loss
from benchmarks.timing import Demand, Group, Work, interleaved, matrix_product, rows_of, waiting
from maam_lib import memory, pscd
from maam_lib.config import LossSettings
from maam_lib.fast import keep_freed_memory
from maam_lib.grid import multiply_adds
from maam_lib.losses import total_loss
from maam_lib.model import MAAMNet, MAAMOutput
from maam_lib.video.inference import prepare_for_inference

Size = tuple[int, int]
SIZES = {"240x360x1, 500 items": (1, 500, (240, 360)), "180x320x3, 2000 items": (3, 2000, (180, 320))}
TRAINING_BATCH = 4
PATCH, STRIDE = (30, 20), (8, 5)
YARDSTICK = "product, float32"


def forward(device: torch.device, rounds: int) -> Group:
    """Frames through the network, without gradients, batch 1 and 8."""
    group = Group("forward")
    for title, (channels, items, size) in SIZES.items():
        for batch in (1, 8):
            _forward(group, f"{title}, batch {batch}", channels, items, size, batch, device, rounds)
    return group


def _forward(
    group: Group, title: str, channels: int, items: int, size: Size, batch: int, device: torch.device, rounds: int
) -> None:
    torch.manual_seed(0)
    port, net = StraightPort(channels, items).eval().to(device), MAAMNet(channels, items).eval().to(device)
    frames = torch.rand(batch, channels, *size, device=device) * 2 - 1
    work = 2 * multiply_adds(net, size).network * batch / 1e9
    product, product_work = matrix_product(torch.float32, device)
    nets = {"straight port": port, "network as trained": net, "prepared": prepare_for_inference(net)}
    cases = {name: waiting(_without_gradients(case, frames), device) for name, case in nets.items()}
    timings = interleaved({YARDSTICK: product} | cases, rounds=rounds)
    gflop = {YARDSTICK: product_work} | dict.fromkeys(cases, work)
    rows = rows_of(timings, "straight port", limits=dict.fromkeys(cases, YARDSTICK), gflop=gflop)
    group.rows += [{"input": title} | row for row in rows]
    if batch == 1 and channels == 1:
        over, share = timings.speedup("prepared", "straight port"), timings.speedup("prepared", YARDSTICK)
        group.demands += [
            Demand(f"{title}: prepared over the straight port", 1.5, over),
            Demand(f"{title}: prepared, share of the product", 0.8, share * work / product_work, "of the limit"),
        ]


def training(device: torch.device, rounds: int) -> Group:
    """One optimiser step in float32, batch 4, 240x360: ours against the straight port in both memory formats."""
    group, size = Group("training"), (240, 360)
    keep_freed_memory()
    torch.manual_seed(0)
    frames = torch.rand(TRAINING_BATCH, 3, *size, device=device) * 2 - 1
    flow = torch.randn(TRAINING_BATCH, 2, *size, device=device)
    port = StraightPort()
    if (found := sum(p.numel() for p in port.parameters())) != PARAMETERS:
        raise RuntimeError(f"the straight port has {found} parameters, expected {PARAMETERS}")
    product, gflop = matrix_product(torch.float32, device)
    settings = LossSettings()

    def our_loss(output: MAAMOutput, x: Tensor, f: Tensor) -> Tensor:
        return total_loss(output, x, f, settings).total

    nets = {"straight port": port, "straight port, channels-last": StraightPort(), "ours": MAAMNet()}
    cases = {YARDSTICK: product}
    for name, net in nets.items():
        laid_out = channels_last if name != "straight port" else (lambda x: x)
        loss = our_loss if name == "ours" else training_loss
        cases[name] = optimiser_step(laid_out(net.to(device)), laid_out(frames), flow, loss)
    cases = {name: waiting(work, device) for name, work in cases.items()}
    timings = interleaved(cases, rounds=rounds, least_seconds=0)
    work = 3 * 2 * multiply_adds(MAAMNet().eval(), size).network * TRAINING_BATCH / 1e9
    limits = {name: YARDSTICK for name in cases if name != YARDSTICK}
    rows = rows_of(timings, "straight port", limits=limits, gflop={YARDSTICK: gflop} | dict.fromkeys(limits, work))
    group.rows = rows
    over = min(timings.speedup("ours", base) for base in cases if base.startswith("straight"))
    group.demands = [Demand("training step over the faster straight port", 1.5, over), Demand("the aim", 1.8, over)]
    group.notes.append("the same allocator settings for all: freed memory is kept")
    if device.type == "cuda" and (count := torch.cuda.device_count()) > 1:
        scaling.add_to(group, "cuda", count)
    else:
        group.notes.append("several GPUs against one: left out, there is at most one here")
    return group


def other_networks(device: torch.device, rounds: int) -> Group:
    """One input through ours and through each peer in float32, every one in its faster memory format."""
    group, size = Group("peers"), (240, 360)
    keep_freed_memory()
    ours = prepare_for_inference(MAAMNet().eval().to(device))
    cases = {"ours, 240x360x3": _without_gradients(ours, torch.rand(1, 3, *size, device=device) * 2 - 1)}
    for name in peers.NETS:
        net, frames = (part.to(device) for part in peers.build(name))
        cases[f"{name}, contiguous"] = _without_gradients(net, frames)
        last = torch.channels_last if frames.ndim == 4 else torch.channels_last_3d
        laid_out, beside = copy.deepcopy(net).to(memory_format=last), frames.contiguous(memory_format=last)
        cases[f"{name}, channels-last"] = _without_gradients(laid_out, beside)
    cases = {name: waiting(work, device) for name, work in cases.items()}
    timings = interleaved(cases, rounds=rounds, least_seconds=0)
    group.rows = rows_of(timings, "ours, 240x360x3")
    for name in peers.NETS:
        ahead = min(timings.speedup("ours, 240x360x3", case) for case in cases if case.startswith(name))
        group.demands.append(Demand(f"ours over {name} at its faster", 1, ahead))
    group.notes.append("frames/s at each network's own input; clips of 16 frames for MemAE; peers as trained, unfolded")
    return group


def memory_module(device: torch.device, rounds: int) -> Group:
    """Addressing and read-out alone, of the queries of one frame."""
    group = Group("memory")
    for items in (500, 2000):
        net = MAAMNet(3, items).eval().to(device)
        query = torch.rand(1, 512, 15, 23, device=device)

        def work(query: Tensor = query, net: MAAMNet = net) -> Tensor:
            return memory.read(memory.address(query, net.items), net.items)

        product, gflop = matrix_product(torch.float32, device)
        with torch.no_grad():
            cases = {YARDSTICK: product, "address and read": waiting(work, device)}
            timings = interleaved(cases, rounds=rounds)
        done = 2 * 2 * 15 * 23 * 512 * items / 1e9
        rows = rows_of(
            timings,
            YARDSTICK,
            limits={"address and read": YARDSTICK},
            gflop={YARDSTICK: gflop, "address and read": done},
        )
        group.rows += [{"input": f"15x23 queries, {items} items"} | row for row in rows]
    return group


def pscd_maps(device: torch.device, rounds: int) -> Group:
    """Patch sums and scores of one 240x360 frame against the two convolutions with filters of ones."""
    group = Group("pscd")
    torch.manual_seed(0)
    frames, frame_hat, flow, flow_hat = (torch.randn(1, c, 240, 360, device=device) for c in (3, 3, 2, 2))
    for title, stride, demand in (("stride 8x5", STRIDE, 5.0), ("dense", (1, 1), 100.0)):

        def two_convolutions(stride: Size = stride) -> Tensor:
            kernels = (torch.ones(1, c, *PATCH, device=device) for c in (3, 2))
            errors = (frames - frame_hat) ** 2, (flow - flow_hat).abs()
            maps = [F.conv2d(e, k, None, stride) for e, k in zip(errors, kernels, strict=True)]
            return (0.9 * maps[0] + 0.1 * maps[1]).amax(dim=(1, 2, 3))

        def ours(stride: Size = stride) -> Tensor:
            where = {"patch": PATCH, "stride": stride, "padding": "valid"}
            return pscd.score_maps(frames, frame_hat, flow, flow_hat, psi=0.9, **where).scores

        def fused_first(stride: Size = stride) -> Tensor:
            fused = pscd.fuse(*pscd.error_maps(frames, frame_hat, flow, flow_hat), 0.9)
            return pscd.patch_sums(fused, PATCH, stride, "valid").amax(dim=(1, 2))

        cases = {"two convolutions": two_convolutions, "score_maps": ours, "fused first, score alone": fused_first}
        differs = max(float((work() / two_convolutions() - 1).abs()) for work in (ours, fused_first))
        timings = interleaved({n: waiting(w, device) for n, w in cases.items()}, rounds=rounds)
        group.rows += [{"input": title} | row for row in rows_of(timings, "two convolutions")]
        for case in ("score_maps", "fused first, score alone"):
            group.demands.append(Demand(f"{title}: {case}", demand, timings.speedup(case, "two convolutions")))
        group.demands.append(
            Demand(f"{title}: equal to 1e-5 (largest difference {differs:.1e})", 1, differs <= 1e-5, "")
        )
    return group


def _without_gradients(net: Callable[[Tensor], object], frames: Tensor) -> Work:
    def work() -> None:
        with torch.no_grad():
            net(frames)

    return work


def optimiser_step(net: torch.nn.Module, frames: Tensor, flow: Tensor, loss: Callable[..., Tensor]) -> Work:
    optimizer = torch.optim.Adam(net.train().parameters(), lr=1e-5)

    def work() -> None:
        optimizer.zero_grad()
        loss(net(frames), frames, flow).backward()
        optimizer.step()

    return work


def channels_last(x: torch.nn.Module | Tensor) -> torch.nn.Module | Tensor:
    return x.to(memory_format=torch.channels_last)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """So many threads of PyTorch within."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
