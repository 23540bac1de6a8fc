"""Everything around the network: flow, reading, preparing, a whole test set end to end, and how long a start takes."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.network_groups import channels_last, optimiser_step
from benchmarks.timing import Demand, Group, interleaved, rows_of
from data_prep.flow import FLOW_ESTIMATORS, estimate_flow
from data_prep.prepare import prepare
from maam_lib import pscd
from maam_lib.config import Recipe, load_recipe
from maam_lib.data import DatasetError, FrameFlowDataset, PreparedDataset
from maam_lib.evaluation import PatchErrors, frame_metrics, score_table
from maam_lib.grid import reference_network
from maam_lib.losses import total_loss
from maam_lib.model import MAAMNet
from maam_lib.training import build_network, dataset_for
from maam_lib.video.inference import prepare_for_inference

FRAMES = 32  # of a test set that go through the network: its time per frame does not depend on which
BATCH = 8


def flow(root: Path, rounds: int) -> Group:
    """Every estimator on one pair of 240x360 frames."""
    group, random = Group("flow"), np.random.default_rng(0)
    base = np.kron(random.integers(0, 256, (48, 72)), np.ones((5, 5))).astype(np.uint8)  # squares that move
    first, second = base[..., None], np.roll(base, 2, axis=1)[..., None]
    names = [name for name in FLOW_ESTIMATORS if FLOW_ESTIMATORS[name].settings]
    timings = interleaved({n: lambda n=n: estimate_flow(n, first, second) for n in names}, rounds=rounds)
    group.rows = rows_of(timings, "dis")
    return group


def loading(root: Path, rounds: int) -> Group:
    """Batches of training frames as the training loop reads them, against its step: the share of time that it waits."""
    group = Group("loading")
    for name in ("synthetic-laptop", "ped2-laptop"):
        recipe = load_recipe(name)
        dataset = FrameFlowDataset(dataset_for(root, recipe), "train", channels=recipe.data.channels)
        first = _first_pass(dataset)
        step = _training_step(recipe, dataset)
        cases = {"read a batch": _random_batches(dataset, recipe.training.batch_size), "step": step}
        timings = interleaved(cases, rounds=rounds, least_seconds=0.05)
        group.rows += [{"recipe": name} | row for row in rows_of(timings, "step")]
        share = 1 / (1 + timings.speedup("read a batch", "step"))
        group.demands.append(Demand(f"{name}: share of a step that is not reading", 0.95, 1 - share, ""))
        group.notes.append(f"{name}: {first:.1f} s for a first pass over all its frames, from the disk or its cache")
    return group


def preparation(root: Path, rounds: int) -> Group:
    """The generated scene from nothing to a prepared dataset, one process: frames per second."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        prepared = PreparedDataset(prepare("synthetic", None, Path(folder), workers=1, progress=False))
        seconds = time.perf_counter() - began
    totals = prepared.manifest.totals
    frames = totals.train_frames + totals.test_frames
    row = {"case": "synthetic, drawing and DIS", "seconds": round(seconds, 1), "frames_per_second": frames / seconds}
    return Group("preparation", [row])


def whole_test_set(root: Path, rounds: int) -> Group:
    """Ped2's test set from prepared data to metrics: what each stage takes, laptop recipe and full network."""
    group = Group("testset")
    laptop, net = reference_network("ped2-laptop")
    full = load_recipe("ped2")
    for recipe, network in ((laptop, net), (full, build_network(full))):
        try:
            prepared = dataset_for(root, recipe)
        except DatasetError as error:
            group.notes.append(f"{recipe.name} left out: {error}")
            continue
        seconds = _stages(recipe, network, prepared, rounds)
        whole = sum(seconds.values())
        row = {"case": recipe.name} | {f"{stage}, s": round(s, 2) for stage, s in seconds.items()}
        group.rows.append(row | {"all, s": round(whole, 2), "outside the network": 1 - seconds["network"] / whole})
        demand = Demand(f"{recipe.name}: share of the network", 0.95, seconds["network"] / whole, "")
        group.demands += [demand] if recipe is full else []
    group.notes.append(f"times of {FRAMES} frames, spread over the set, scaled to all; metrics over all")
    return group


def start(root: Path, rounds: int) -> Group:
    """`import maam_lib` over `import torch`, and `maam --help`, each in a new process."""
    commands = {
        "import torch": "import torch",
        "import torch, maam_lib": "import torch, maam_lib",
        "maam --help": "import sys; sys.argv = ['maam', '--help']; from maam_lib.cli import main; main()",
        "python": "pass",
    }
    timings = interleaved(
        {n: lambda c=c: _in_new_process(c) for n, c in commands.items()}, rounds=rounds, least_seconds=0
    )
    group = Group("start", rows_of(timings, "import torch"))
    pairs = zip(timings.seconds["import torch, maam_lib"], timings.seconds["import torch"], strict=True)
    added = statistics.median(both - torch_alone for both, torch_alone in pairs)
    group.notes.append(f"import maam_lib adds {added:.3f} s to import torch")
    group.demands = [
        Demand("below 0.3 s: 0.3 s over what import maam_lib adds", 1, 0.3 / max(added, 1e-3)),
        Demand("below 0.5 s: 0.5 s over maam --help", 1, 0.5 / timings.median("maam --help")),
    ]
    return group


def _stages(recipe: Recipe, net: MAAMNet, prepared: PreparedDataset, rounds: int) -> dict[str, float]:
    """Seconds of each stage for the whole test set."""
    dataset = FrameFlowDataset(prepared, "test", drop_last=recipe.data.drop_last, channels=recipe.data.channels)
    chosen = np.linspace(0, len(dataset) - 1, FRAMES).astype(int).reshape(-1, BATCH).tolist()
    ready, scoring = prepare_for_inference(net), recipe.scoring
    seconds: dict[str, list[float]] = {"reading": [], "network": [], "PSCD": []}
    for turn in range(rounds + 1):
        spent = dict.fromkeys(seconds, 0.0)
        for indices in chosen:
            (x, f), spent["reading"] = _timed(lambda i=indices: dataset.__getitems__(i), spent["reading"])
            output, spent["network"] = _timed(lambda x=x: ready(x), spent["network"])
            sums, spent["PSCD"] = _timed(
                lambda x=x, f=f, o=output: [
                    pscd.patch_sums(e, scoring.patch, scoring.stride, scoring.padding)
                    for e in pscd.error_maps(x, o.frame_hat, f, o.flow_hat)
                ],
                spent["PSCD"],
            )
        if turn:  # the first warms up
            for name, value in spent.items():
                seconds[name].append(value * len(dataset) / FRAMES)
    grid, random = sums[0].shape[1:], np.random.default_rng(0)
    maps = [random.random((len(dataset), *grid), np.float32) for _ in range(2)]
    size = np.ones(len(dataset), np.float32)
    errors = PatchErrors(dataset.keys(), *maps, size, size, size, size)
    began = time.perf_counter()
    frame_metrics(score_table(errors, 0.5, prepared))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return medians | {"metrics": time.perf_counter() - began}


def _timed(work: Callable[[], object], before: float) -> tuple[object, float]:
    began = time.perf_counter()
    result = work()
    return result, before + time.perf_counter() - began


def _random_batches(dataset: FrameFlowDataset, size: int) -> Callable[[], object]:
    order = np.random.default_rng(0)
    return lambda: dataset.stored_batch(order.integers(0, len(dataset), size).tolist())


def _first_pass(dataset: FrameFlowDataset) -> float:
    """Seconds to read all frames once, which is the first epoch's share: later ones find them in the system's cache."""
    began = time.perf_counter()
    for index in np.random.default_rng(1).permutation(len(dataset)).tolist():
        dataset.stored_batch([index])
    return time.perf_counter() - began


def _training_step(recipe: Recipe, dataset: FrameFlowDataset) -> Callable[[], None]:
    torch.manual_seed(0)
    frames, flow = dataset.__getitems__(range(recipe.training.batch_size))
    net = channels_last(build_network(recipe))
    return optimiser_step(net, channels_last(frames), flow, lambda out, x, f: total_loss(out, x, f, recipe.loss).total)


def _in_new_process(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
