"""What the network costs: parameters, multiply-adds, memory of a training step, frames per second (Table 4)."""

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from timeit import timeit

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from data_prep.flow import FLOW_ESTIMATORS, estimate_flow
from maam_lib import pscd
from maam_lib.config import Recipe
from maam_lib.data import PreparedDataset, to_model_input
from maam_lib.evaluation import Cost, Work
from maam_lib.fast import best_accelerator
from maam_lib.losses import total_loss
from maam_lib.model import MAAMNet
from maam_lib.training import build_network, processor_name

ROUNDS = 5  # the stages are timed in turn, so that a busy machine slows each of them as much
FRAMES = 24  # that each stage goes through in a round
BESIDE_TRAINING = 600_000_000  # bytes of a process with the kit loaded, before any training
HELD_TO_SAVED = 1.5  # memory that a training step takes, relative to what it saves for the backward pass


def measure_cost(recipe: Recipe, prepared: PreparedDataset, device: str | None = None) -> Cost:
    """Table 4 for a recipe on this machine: sizes, and frames per second of wall time, one frame at a time.

    The network's weights are random: speed does not depend on them. `frames_per_second` are medians of ROUNDS
    interleaved rounds: of the network alone, with PSCD, and end to end from a video file with decoding and flow.
    The paper's figures leave out decoding and flow, and divide by CPU time (item 23).
    """
    device = device or best_accelerator()
    net = build_network(recipe).eval().to(device)
    return Cost.model_validate(
        {
            "recipe": recipe.name,
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
            "multiply_adds": multiply_adds(net, (recipe.data.height, recipe.data.width)),
            "frames_per_second": frames_per_second(recipe, prepared, net),
            "flow_estimator": flow_estimator(prepared),
            "device": torch.cuda.get_device_name() if device.startswith("cuda") else processor_name(),
            "threads": torch.get_num_threads(),
            "number_format": "float32",
        }
    )


def multiply_adds(net: MAAMNet, size: tuple[int, int]) -> Work:
    """Multiply-adds for one frame of (H, W): of the whole network, and of the memory in it (item 3)."""
    frames = torch.zeros(1, net.frame_channels, *size, device=next(net.parameters()).device)
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        query = net(frames).query
    with torch.no_grad(), FlopCounterMode(display=False) as memory:
        net.recall(query)
    return Work(network=whole.get_total_flops() // 2, memory=memory.get_total_flops() // 2)


@cache
def work_of(recipe: Recipe) -> Work:
    """The same of a recipe: its network, one frame of its size."""
    return multiply_adds(build_network(recipe).eval(), (recipe.data.height, recipe.data.width))


def memory_needed(recipe: Recipe) -> int:
    """About how many bytes training a recipe takes on a CPU: counted for one frame, times the batch."""
    data, net = recipe.data, build_network(recipe)
    frames = torch.zeros(1, data.channels, data.height, data.width)
    flow = torch.zeros(1, 2, data.height, data.width)
    saved: dict[int, Tensor] = {}

    def save(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        _ = total_loss(net(frames), frames, flow, recipe.loss, recipe.scoring.patch).total
    per_frame = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    optimizer = 4 * sum(parameter.nbytes for parameter in net.parameters())  # weights, gradients, Adam's two means
    return int(BESIDE_TRAINING + optimizer + HELD_TO_SAVED * recipe.training.batch_size * per_frame)


def frames_per_second(recipe: Recipe, prepared: PreparedDataset, net: MAAMNet) -> dict[str, float]:
    """Of each stage, the median over the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        stages = _stages(recipe, prepared, net, _video(Path(folder) / "clip.avi", prepared))
        rounds = [{name: timeit(step, number=FRAMES) for name, step in stages.items()} for _ in range(ROUNDS + 1)]
    # The first round warms up.
    return {name: round(FRAMES / statistics.median(spent[name] for spent in rounds[1:]), 2) for name in stages}


def _stages(
    recipe: Recipe, prepared: PreparedDataset, net: MAAMNet, video: Iterator[np.ndarray]
) -> dict[str, Callable[[], object]]:
    """The work of one frame in each stage; the last takes its frames from a video."""
    device, scoring = next(net.parameters()).device, recipe.scoring
    clip = prepared.clips("test")[0]
    stored = [torch.from_numpy(np.array(of("test", clip)[:1])) for of in (prepared.frames, prepared.flow)]
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding, "psi": 0.5}
    estimator, pairs = flow_estimator(prepared), itertools.pairwise(video)

    @torch.no_grad()
    def network(raw: Tensor, raw_flow: Tensor) -> tuple[Tensor, ...]:
        frames, flow = to_model_input(raw.to(device), raw_flow.to(device), recipe.data.channels)
        output = net(frames)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return frames, output.frame_hat, flow, output.flow_hat

    def with_pscd(raw: Tensor, raw_flow: Tensor) -> None:
        pscd.score_maps(*network(raw, raw_flow), **where).scores.cpu()

    def end_to_end() -> None:
        first, second = next(pairs)
        flow = estimate_flow(estimator, first, second)
        with_pscd(torch.from_numpy(first)[None], torch.from_numpy(flow)[None])

    return {"network": partial(network, *stored), "with_pscd": partial(with_pscd, *stored), "end_to_end": end_to_end}


def flow_estimator(prepared: PreparedDataset) -> str:
    """The estimator that made a dataset's flow, or "dis" where that cannot be run here (imported, or exact, flow)."""
    name = prepared.manifest.flow.estimator
    return name if name in FLOW_ESTIMATORS else "dis"


def _video(path: Path, prepared: PreparedDataset) -> Iterator[np.ndarray]:
    """Test frames written as a Motion JPEG and decoded again, over and over: uint8 (H, W, C), as the dataset stores."""
    height, width = prepared.frame_size
    clip, gray = prepared.frames("test", prepared.clips("test")[0]), prepared.channels == 1
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    for number in range(FRAMES + 1):
        frame = clip[number % len(clip)]
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR if gray else cv2.COLOR_RGB2BGR))
    writer.release()
    while True:
        video = cv2.VideoCapture(str(path))
        while (read := video.read())[0]:
            frame = cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY if gray else cv2.COLOR_BGR2RGB)
            yield frame.reshape(height, width, prepared.channels)
        video.release()
