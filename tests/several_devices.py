"""Run by test_devices.py in one process per device: `python several_devices.py WHAT OUT DEVICES ...`.

step OUT DEVICES SETTINGS ...     first step of each recipe in float64: losses, gradients, buffers to OUT/0, OUT/1 ...
fit OUT DEVICES ROOT SETTING ...  a training in float64 on the prepared scene under ROOT; the run is OUT
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from maam_lib.config import Recipe
from maam_lib.fast.devices import leave_at_exit, mean_over_devices, place, share_statistics
from maam_lib.losses import latent_loss, total_loss
from maam_lib.training import loop as training
from maam_lib.training.runs import RunFolder
from tests.conftest import tiny_recipe

FRAMES = 2  # of the global batch: with two devices, one each


def first_step(recipe: Recipe) -> dict[str, Tensor]:
    """What one training step finds, over all devices that there are."""
    rank, world_size = place()
    torch.manual_seed(0)
    frames, flow = torch.rand(FRAMES, 1, 48, 64).double() * 2 - 1, torch.randn(FRAMES, 2, 48, 64).double()
    frames, flow = frames[rank::world_size], flow[rank::world_size]
    net = training.build_network(recipe).double().train().to(memory_format=torch.channels_last)
    module = net if world_size == 1 else DistributedDataParallel(share_statistics(net, "cpu"))
    torch.manual_seed(1)
    output = module(frames.contiguous(memory_format=torch.channels_last))
    losses = total_loss(output, frames, flow, recipe.loss, recipe.scoring.patch)
    losses.total.backward()
    found = {f"loss {name}": mean_over_devices(value.detach()) for name, value in losses._asdict().items()}
    found |= {f"gradient {name}": value.grad for name, value in net.named_parameters() if value.requires_grad}
    found |= {f"buffer {name}": value for name, value in net.named_buffers()}
    return {name: value.contiguous() for name, value in found.items()}


def released_latent_loss() -> tuple[Tensor, Tensor]:
    """The one loss that is no mean over frames, of two frames on either side of 0, and its gradient (4, 1, 1)."""
    rank, world_size = place()
    query = torch.ones(4, 1, 1, dtype=torch.float64, requires_grad=True)
    frames = query * torch.tensor([1, -0.5]).view(2, 1, 1, 1)[rank::world_size]
    loss = latent_loss(frames, torch.ones_like(frames), 0.1, "released")
    (gradient,) = torch.autograd.grad(loss, query)
    return mean_over_devices(loss.detach()), mean_over_devices(gradient)


def fit_in_float64(root: Path, out: Path, devices: int, settings: Sequence[str] = ()) -> RunFolder:
    """A whole `fit`, whose "float32" is float64: rounding is then too small for Adam to make anything of it."""
    recipe = tiny_recipe(*settings)
    data = training.dataset_for(root, recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training._FABRIC_NAMES, "float32", "64-true")
        return training.fit(recipe, data, out, accelerator="cpu", devices=devices, progress=False)


if __name__ == "__main__":
    what, out, devices, *rest = sys.argv[1:]
    if what == "fit":
        fit_in_float64(Path(rest[0]), Path(out), int(devices), rest[1:])
    else:
        fabric = Fabric(accelerator="cpu", devices=int(devices))
        fabric.launch()
        leave_at_exit()
        for number, settings in enumerate(rest):
            found = first_step(tiny_recipe(*settings.split()))
            if fabric.is_global_zero:
                save_file(found, Path(out) / str(number))
        loss, gradient = released_latent_loss()
        if fabric.is_global_zero:
            save_file({"loss": loss, "gradient": gradient}, Path(out) / "latent")
