"""The kit with the released settings against numbers computed by the released graph's own code (tests/golden/README.md)."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import regenerate
from torch import Tensor, nn

from maam_lib import memory, pscd
from maam_lib.config import LossSettings
from maam_lib.losses import total_loss
from maam_lib.model import MAAMNet, MAAMOutput
from maam_lib.released import VariableError, net_from_variables, variable_names

HERE = Path(__file__).parent / "golden"
BESIDE = Path(__file__).parents[1].parent / "shared" / "golden"
RELEASED = LossSettings(sparse_form="released", latent_form="released")
SCORING = {
    "ped2": {"patch": (30, 20), "stride": (8, 5), "psi": 10 / 11},
    "avenue": {"patch": (20, 28), "stride": (8, 5), "psi": 1 / 11},  # ShanghaiTech's patch on Avenue's inputs
}
Arrays = Mapping[str, np.ndarray]

# The largest error allowed, by the first part of an array's name; how it is measured: `error` below.
DOUBLE = {
    "z": 1e-12, "raw_sims": 1e-12, "sims": 1e-12, "latent": 1e-12, "recons_images": 1e-11, "recons_flows": 1e-11,
    "kept_per_query": 0, "threshold_margin": 1e-9, "loss": 1e-11, "pscd": 1e-11, "grad": 1e-10, "after": 1e-8,
}  # fmt: skip
SINGLE = {
    "z": 5e-6, "raw_sims": 1e-5, "sims": 1e-5, "latent": 2e-5, "recons_images": 5e-5, "recons_flows": 5e-5,
    "pscd": 2e-5, "after": 1e-6,
}  # fmt: skip
SINGLE_TRAIN_PED2 = SINGLE | {"recons_images": 5e-4, "recons_flows": 5e-4, "pscd": 1e-4}
ABSOLUTE = {"z", "raw_sims", "sims", "latent", "recons_images", "recons_flows", "kept_per_query", "threshold_margin"}

# What a suffix of a golden name takes out of the whole array (B, ...).
VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "stats": lambda a: np.stack([[one.mean(), one.std(), np.linalg.norm(one)] for one in a]),
    "s0": lambda a: a[0],
    "s0_rows4": lambda a: a[0, ::4],
    "s1_sub101": lambda a: a[1].ravel()[::101],
    "sub101": lambda a: a.ravel()[::101],
    "l2": np.linalg.norm,
    "first16": lambda a: a.ravel()[:16],
}


@cache
def released_net(name: str) -> MAAMNet:
    return net_from_variables(regenerate.make_weights(name), torch.float64)


@cache
def inputs(name: str) -> tuple[Tensor, Tensor]:
    """Frames (B, C, H, W) and flow (B, 2, H, W), float64."""
    frames, flow = (torch.from_numpy(a).double().permute(0, 3, 1, 2) for a in regenerate.make_inputs(name))
    return frames, flow


def forward(net: MAAMNet, name: str) -> tuple[dict[str, np.ndarray], Tensor]:
    """Every forward number under its golden name, and the total loss to go backward from."""
    frames, flow = inputs(name)
    out = net(frames)
    losses = total_loss(out, frames, flow, RELEASED)
    found = memory_numbers(net, out) | {
        "recons_images": theirs(out.frame_hat),
        "recons_flows": theirs(out.flow_hat),
        "loss_recons_image": losses.appearance,
        "loss_recons_flow": losses.motion,
        "loss_recons_image_batch": (frames - out.frame_hat).square().mean(dim=(1, 2, 3)),
        "loss_sparsity": losses.sparse,
        "loss_latent": losses.latent,
        "latent_cos_mean": losses.latent + RELEASED.margin,
        "loss_total": losses.total,
        "train_losses": losses.total,
    }
    if name in SCORING:
        found |= pscd_numbers(name, out)
    return {key: value.detach().numpy() for key, value in found.items()}, losses.total


def memory_numbers(net: MAAMNet, out: MAAMOutput) -> dict[str, Tensor]:
    num_items = len(net.items)
    soft = torch.softmax(memory.similarity_map(out.query, net.items, "released"), dim=1)
    return {
        "z": theirs(out.query),
        "latent": theirs(out.read_out),
        "raw_sims": theirs(soft).flatten(1, 2),
        "sims": theirs(out.weights).flatten(1, 2),
        "kept_per_query": memory.support_count(out.weights).flatten(1),
        "threshold_margin": (soft - 1 / num_items).abs().min() * num_items,
    }


def pscd_numbers(name: str, out: MAAMOutput) -> dict[str, Tensor]:
    frames, flow = inputs(name)
    maps = pscd.score_maps(frames, out.frame_hat, flow, out.flow_hat, **SCORING[name])
    return {
        "pscd/map_image": maps.appearance,
        "pscd/map_flow": maps.motion,
        "pscd/map_fused": maps.fused,
        "pscd/score_image": maps.appearance.amax(dim=(1, 2)),
        "pscd/score_flow": maps.motion.amax(dim=(1, 2)),
        "pscd/score_fusion": maps.scores,
    }


def training_step(name: str) -> dict[str, np.ndarray]:
    """One forward and backward pass in training mode without dropout, from the released weights."""
    net = net_from_variables(regenerate.make_weights(name), torch.float64).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    found, total = forward(net, name)
    total.backward()
    names, weights = variable_names(net), regenerate.make_weights(name)
    for key, parameter in net.named_parameters():
        found[f"grad/{names[key]}"] = theirs(parameter.grad).numpy()
    for key, statistic in net.named_buffers():
        if "running" in key:
            bias = 0.0
            if key.endswith("running_mean"):  # the absorbed bias comes back
                scope = names[key].split("/batch_normalization")[0]
                bias = weights[f"{scope}/{'conv' if 'encoder' in key else 'deconv'}/b"].astype(np.float64)
            found[f"after/{names[key]}"] = statistic.numpy() + bias
    return found


def theirs(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W, C); kernels (out, in, h, w) -> (h, w, in, out); others as they are."""
    if x.ndim != 4:
        return x
    is_kernel = x.shape[2:] == (3, 3) and x.shape[0] > 3 or x.shape[1] == 64 and x.shape[2:] == (3, 3)
    return x.permute(2, 3, 1, 0) if is_kernel else x.permute(0, 2, 3, 1)
