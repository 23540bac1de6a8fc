"""Training (paper Sec. 4.3): epochs, checkpoints, exact resume, on one or many devices through lightning-fabric.

All randomness comes from the recipe's seed and is drawn anew at the start of each epoch, so a run that was killed
and resumed goes the same way as one that was not; on a CPU its weights are equal to the last bit.
"""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from maam_lib.config import Recipe, SettingError
from maam_lib.data import FrameFlowDataset, PreparedDataset, find_dataset, recipe_frames, to_model_input
from maam_lib.fast import (
    best_accelerator,
    compiler_trouble,
    keep_freed_memory,
    largest_divisor,
    leave_at_exit,
    share_statistics,
)
from maam_lib.losses import Losses, recipe_motion_loss, total_loss
from maam_lib.memory import support_count
from maam_lib.model import MAAMNet, MAAMOutput
from maam_lib.training.augmentation import Augmenter
from maam_lib.training.camera import fit_recipe
from maam_lib.training.feeding import Feed
from maam_lib.training.held_out import HeldOut
from maam_lib.training.machine import environment_facts
from maam_lib.training.optimizer import build_optimizer
from maam_lib.training.runs import RunFolder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_FABRIC_NAMES: dict[str, Literal["bf16-mixed", "32-true"]] = {"bfloat16": "bf16-mixed", "float32": "32-true"}
EpochCallback = Callable[[dict[str, float]], bool | None]


class TrainingError(RuntimeError):
    """Training cannot go on: says where and why."""


def build_network(recipe: Recipe) -> MAAMNet:
    """The network that a recipe describes, with initial values drawn from the global random state.

    A decoder that the recipe does not train is frozen at them. Raises SettingError for a recipe that follows data.
    """
    if recipe.data.follow:
        raise SettingError(
            f"recipe {recipe.name} takes {', '.join(recipe.data.follow)} from prepared data and describes no network "
            "before that: recipe, _ = fit_recipe(recipe, dataset_for(root, recipe))"
        )
    motion_channels = 2 if recipe.loss.motion_target == "flow" else 1
    net = MAAMNet(recipe.data.channels, **recipe.model.model_dump(), motion_channels=motion_channels)
    net.appearance_decoder.requires_grad_(recipe.loss.branches != "motion")
    net.motion_decoder.requires_grad_(recipe.loss.branches != "appearance")
    return net


def dataset_for(root: Path, recipe: Recipe) -> PreparedDataset:
    """The prepared dataset under `root` that a recipe asks for, of any size or flow where it follows them.

    Raises DatasetError, with the command that prepares it, where there is none, and where several fit.
    """
    data = recipe.data
    follows_size = "data.height" in data.follow or "data.width" in data.follow
    size = None if follows_size else (data.height, data.width)
    return find_dataset(root, data.dataset, size, None if "data.flow" in data.follow else data.flow)


def fit(
    recipe: Recipe,
    prepared: PreparedDataset,
    folder: Path,
    *,
    resume: bool = False,
    accelerator: str = "auto",
    devices: int | list[int] | Literal["auto"] = "auto",
    compiled: bool = False,
    progress: bool = True,
    on_epoch: EpochCallback | None = None,
) -> RunFolder:
    """Train a recipe on a prepared dataset's normal clips; returns the run folder, its last epoch finished.

    A recipe that follows its data is fitted to them first (`fit_recipe`); the run's recipe.yaml holds the result.
    `devices` is how many, or the numbers of those to use; "auto" is as many GPUs as share a batch equally, or the CPU.
    Several train as one: the same batches, batch-norm statistics, dropout and losses as on one device, up to rounding.
    `compiled` sends the network through torch.compile: the same files, equal up to rounding and, on a GPU, the dropout.
    `progress` shows a bar where there is a terminal.
    `on_epoch` gets each new row of the history, on the first device's process; when it returns True the training
    stops there, whole and resumable.
    With `training.hold_out`, the row of each epoch also holds the widths of `HeldOut`; its seconds leave them out.
    Raises RunError for a folder in use, TrainingError for a loss that is not finite, too few frames, a batch that
    the devices cannot share equally, a run begun in another number format, or where compiling is asked for and
    impossible, and DatasetError where too many clips are held back.
    """
    recipe, _ = fit_recipe(recipe, prepared)
    accelerator = best_accelerator() if accelerator == "auto" else accelerator
    if devices == "auto":
        there = torch.cuda.device_count() if accelerator == "cuda" else 1
        devices = largest_divisor(recipe.training.batch_size, at_most=there)
    _check_shared(recipe.training.batch_size, len(devices) if isinstance(devices, list) else devices)
    from lightning_fabric import Fabric  # here, since importing it takes as long as half of torch

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its word on the number format is in run.json
    precision = _FABRIC_NAMES[recipe.training.precision]
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)
    fabric.launch()
    leave_at_exit()
    keep_freed_memory()
    dataset, run = recipe_frames(recipe, prepared, "train"), RunFolder(folder)
    _check_possible(fabric, recipe, dataset, run, compiled)
    held_out = HeldOut(recipe, prepared, fabric.device) if recipe.training.hold_out else None
    if fabric.is_global_zero:
        run.claim(recipe, resume=resume)
    fabric.barrier()
    try:
        _train(fabric, recipe, dataset, held_out, run, compiled, progress, on_epoch)
    finally:
        if fabric.is_global_zero:
            run.release()
    return run


def _check_shared(batch: int, devices: int) -> None:
    """TrainingError where a batch cannot be shared equally: before the devices' processes are started."""
    if batch % devices:
        raise TrainingError(
            f"training.batch_size is {batch}, which {devices} devices cannot share equally; take "
            f"{largest_divisor(batch, devices)} of them, or set it to a multiple of {devices}"
        )


def _check_possible(
    fabric: "Fabric", recipe: Recipe, dataset: FrameFlowDataset, run: RunFolder, compiled: bool
) -> None:
    """TrainingError where this recipe cannot be trained on these frames, in this run's number format, or compiled."""
    batch = recipe.training.batch_size
    if len(dataset) < batch:
        raise TrainingError(
            f"{dataset.prepared.folder}: {len(dataset)} training frames are fewer than one batch of {batch}; "
            "set training.batch_size"
        )
    if compiled and (trouble := compiler_trouble(fabric.device)):
        raise TrainingError(f"the network cannot be compiled here ({trouble}); train without compiling")
    run.check_data(dataset.prepared.content_hash)
    began_in, wanted = run.facts.get("precision"), recipe.training.precision
    if began_in not in (None, wanted) and not run.is_finished:
        raise TrainingError(
            f"{run.folder}: was begun in {began_in}, which `training.precision=auto` took on this processor; it now "
            f"is {wanted}, and a run has one number format. Train again in another folder"
        )


def epoch_seed(seed: int, epoch: int, purpose: int) -> int:
    """One seed per (run, epoch, purpose), well spread: 0 orders the frames, 1 drops activations, 2 augments."""
    return int(np.random.SeedSequence([seed, epoch, purpose]).generate_state(1)[0])


def batches(num_frames: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> Iterator[np.ndarray]:
    """One epoch's batches of frame numbers in random order: each frame at most once, whole global batches only.

    Each device takes its slice of every global batch, so the batches are the same on one device and on many.
    """
    order = np.random.default_rng(seed).permutation(num_frames)
    for start in range(0, num_frames - batch_size + 1, batch_size):
        yield order[start + rank : start + batch_size : world_size]


def _train(
    fabric: "Fabric",
    recipe: Recipe,
    dataset: FrameFlowDataset,
    held_out: HeldOut | None,
    run: RunFolder,
    compiled: bool,
    shows_progress: bool,
    on_epoch: EpochCallback | None,
) -> None:
    settings = recipe.training
    torch.manual_seed(settings.seed)
    net = build_network(recipe)
    adam = build_optimizer(recipe, net)
    facts = _facts(fabric, recipe, dataset) | {"compiled": compiled}
    if held_out is not None:
        facts["held_out"] = held_out.clips
    if fabric.world_size > 1:
        net = share_statistics(net, fabric.device.type)
    if compiled:
        net.compile(dynamic=False)  # in place: the names of parameters stay; all batches have one shape
    net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  torch's types leave it out
    module, optimizer = fabric.setup(net, adam)
    done = run.load_epoch(net, adam)  # after the set-up: on the device
    if fabric.is_global_zero and (done < settings.epochs or run.facts.get("epochs") != done):
        run.record(facts | _so_far(run, done))
    module.train()
    feed = Feed(dataset, fabric.device)
    frames = len(dataset) // settings.batch_size * settings.batch_size  # of an epoch
    disable = None if fabric.is_global_zero and shows_progress else True
    with tqdm(total=settings.epochs * frames, initial=done * frames, unit="frame", disable=disable) as progress:
        for epoch in range(done + 1, settings.epochs + 1):
            row = _train_epoch(fabric, recipe, feed, module, optimizer, epoch, progress)
            if fabric.is_global_zero:
                if held_out is not None:
                    row |= _checked_widths(held_out, net, epoch)
                run.save_epoch(net, adam, row)
                run.record(facts | _so_far(run, epoch))
            wants_to_stop = on_epoch is not None and fabric.is_global_zero and on_epoch(row)
            if fabric.broadcast(bool(wants_to_stop)):
                return


def _so_far(run: RunFolder, epoch: int) -> dict[str, float]:
    """What run.json says of the epochs behind it; nothing before the first."""
    return {"epochs": epoch, "training_seconds": round(sum(run.history["seconds"].tolist()), 1)} if epoch else {}


def _train_epoch(
    fabric: "Fabric",
    recipe: Recipe,
    feed: Feed,
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    progress: tqdm,
) -> dict[str, float]:
    """One pass over the training frames; returns the history row of means over its steps."""
    settings, began = recipe.training, time.perf_counter()
    torch.manual_seed(epoch_seed(settings.seed, epoch, 1))  # one for all devices: see dropout.py
    order_seed = epoch_seed(settings.seed, epoch, 0)
    order = batches(len(feed.dataset), settings.batch_size, order_seed, fabric.global_rank, fabric.world_size)
    augmenter = None
    if settings.augment:
        draws = np.random.default_rng(epoch_seed(settings.seed, epoch, 2))
        augmenter = Augmenter(draws, settings.batch_size, fabric.global_rank, fabric.world_size)
    sums, steps = torch.zeros((), device=fabric.device), 0
    for raw_frames, raw_flow in feed.batches(order):
        frames, flow = to_model_input(raw_frames, raw_flow, feed.dataset.channels)
        if augmenter is not None:
            frames, flow = augmenter(frames, flow)
        output = module(frames.contiguous(memory_format=torch.channels_last))
        losses = total_loss(output, frames, flow, recipe.loss, recipe.scoring.patch)
        nothing = recipe_motion_loss(flow, torch.zeros_like(output.flow_hat), recipe.loss, recipe.scoring.patch)
        terms = torch.stack([*losses, nothing, _mean_support(output, losses.total)]).detach()
        # before the check, so that all devices stop together; of a tensor, a tensor
        terms: Tensor = fabric.all_reduce(terms, reduce_op="mean")  # pyright: ignore[reportAssignmentType]
        _check_finite(Losses(*terms[: len(losses)]), epoch, steps + 1)
        optimizer.zero_grad()
        fabric.backward(losses.total)
        optimizer.step()
        sums = sums + terms
        steps += 1
        progress.update(settings.batch_size)
        progress.set_postfix_str(f"epoch {epoch} loss {terms[0].item():.4f}", refresh=False)
    names = [*Losses._fields, "zero_flow", "support_items"]
    means = dict(zip(names, (sums / steps).tolist(), strict=True))
    seconds = time.perf_counter() - began
    speed = steps * settings.batch_size / seconds
    return {"epoch": epoch} | means | {"seconds": round(seconds, 2), "frames_per_second": round(speed, 1)}


def _mean_support(output: MAAMOutput, like: Tensor) -> Tensor:
    """Mean number of support items per query, a scalar; 0 without memory."""
    return torch.zeros_like(like) if output.weights is None else support_count(output.weights).to(like.dtype).mean()


def _check_finite(losses: Losses, epoch: int, step: int) -> None:
    if not torch.isfinite(losses.total):
        terms = ", ".join(f"{name} {value.item():g}" for name, value in losses._asdict().items())
        raise TrainingError(
            f"the loss is not finite at epoch {epoch}, step {step}: {terms}; earlier epochs are kept. "
            "A lower training.learning_rate usually helps"
        )


def _checked_widths(held_out: HeldOut, net: MAAMNet, epoch: int) -> dict[str, float]:
    """The row of `HeldOut`; TrainingError where it is not finite, as no history can hold that."""
    row = held_out.row(net)
    if not np.isfinite(list(row.values())).all():
        raise TrainingError(
            f"the errors after epoch {epoch} are not finite: {row}; earlier epochs are kept. "
            "A lower training.learning_rate usually helps"
        )
    return row


def _facts(fabric: "Fabric", recipe: Recipe, dataset: FrameFlowDataset) -> dict[str, object]:
    """What run.json says of this run."""
    on_cuda, data = fabric.device.type == "cuda", dataset.prepared
    return {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash(),
        "seed": recipe.training.seed,
        "data": {"name": data.name, "content_hash": data.content_hash, "frames": len(dataset)},
        "device": torch.cuda.get_device_name(fabric.device) if on_cuda else "cpu",
        "devices": fabric.world_size,
        "precision": recipe.training.precision,
        "threads": torch.get_num_threads(),
        "deterministic": not on_cuda,  # on CUDA some gradients are summed in varying order
        **environment_facts(),
    }
