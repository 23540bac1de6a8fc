"""The kit with the released settings against numbers computed by the released graph's own code (golden/README.md)."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maam_lib import memory, pscd
from maam_lib.config import LossSettings
from maam_lib.losses import total_loss
from maam_lib.model import MAAMNet, MAAMOutput
from maam_lib.released import net_from_variables, variable_names, variables_from_net
from maam_lib.training.optimizer import ReleasedAdam
from tests.conftest import PROJECT
from tests.golden import regenerate

HERE = PROJECT / "tests" / "golden"
BESIDE = PROJECT.parent / "shared" / "golden"
RELEASED = LossSettings(sparse_form="released", latent_form="released")
SCORING = {
    "ped2": {"patch": (30, 20), "stride": (8, 5), "psi": 10 / 11},
    "avenue": {"patch": (20, 28), "stride": (8, 5), "psi": 1 / 11},  # ShanghaiTech's patch on Avenue's inputs
}
Arrays = Mapping[str, np.ndarray]

# The largest error allowed, by the first part of an array's name; how it is measured: `error` below.
DOUBLE = {
    "z": 1e-12,
    "raw_sims": 1e-12,
    "sims": 1e-12,
    "latent": 1e-12,
    "recons_images": 1e-11,
    "recons_flows": 1e-11,
    "kept_per_query": 0,
    "threshold_margin": 1e-9,
    "loss": 1e-11,
    "pscd": 1e-11,
    "grad": 1e-10,
    "after": 1e-8,
}
SINGLE = {
    "z": 5e-6,
    "raw_sims": 1e-5,
    "sims": 1e-5,
    "latent": 2e-5,
    "recons_images": 5e-5,
    "recons_flows": 5e-5,
    "pscd": 2e-5,
    "after": 1e-6,
}
SINGLE_TRAIN_PED2 = SINGLE | {"recons_images": 5e-4, "recons_flows": 5e-4, "pscd": 1e-4}
ABSOLUTE = {"z", "raw_sims", "sims", "latent", "recons_images", "recons_flows", "kept_per_query", "threshold_margin"}

# The optimiser of the golden run. Its beta powers were held in float32, hence the tolerances that grow (its README).
LEARNING_RATE = 5e-4
LOSS_TOLERANCES = np.array([1e-11, 1e-7, 5e-6, 1e-5, 1e-4])

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
    net, weights = net_without_dropout(name), regenerate.make_weights(name)
    found, total = forward(net, name)
    total.backward()
    names = variable_names(net)
    for key, parameter in net.named_parameters():
        found[f"grad/{names[key]}"] = kernel_of_theirs(parameter.grad).numpy()
    return found | {f"after/{key}": value for key, value in variables_from_net(net, weights).items()}


def net_without_dropout(name: str) -> MAAMNet:
    """The released weights in training mode."""
    net = net_from_variables(regenerate.make_weights(name), torch.float64).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def theirs(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)


def kernel_of_theirs(x: Tensor) -> Tensor:
    """(out, in, h, w) -> (h, w, in, out), also of transposed convolutions; vectors and items as they are."""
    return x.permute(2, 3, 1, 0) if x.ndim == 4 else x


def view(whole: np.ndarray, family: str, suffix: str, num_gradients: int) -> np.ndarray:
    """The part of our array that a golden array holds."""
    if suffix in VIEWS:
        return VIEWS[suffix](whole)
    if suffix == "sub":
        num_kept = 500 if family == "pscd" else num_gradients
        return whole.ravel()[:: max(1, whole.size // num_kept)]
    return whole


def error(found: np.ndarray, expected: np.ndarray, whole: np.ndarray, family: str, suffix: str) -> float:
    """The largest difference: absolute where the tolerance is, else relative to the largest value.

    Statistics are relative to each value; sub-sampled gradients also count by their relative L2 distance.
    """
    difference = np.abs(found - expected)
    if family in ABSOLUTE:
        return float(difference.max())
    if suffix in ("stats", "l2"):
        return float((difference / np.abs(expected)).max())
    relative = difference.max() / np.abs(whole).max()
    if family == "grad" and suffix == "sub":
        relative = max(relative, np.linalg.norm(difference) / np.linalg.norm(expected))
    return float(relative)


def split(key: str) -> tuple[str, str, str]:
    """Name, family and suffix of a golden key without its prefix: z/s0 -> (z, z, s0)."""
    name, _, suffix = key.rpartition("/")
    if suffix not in VIEWS and suffix != "sub":
        name, suffix = key, ""
    family = name.split("/")[0]
    return name, "loss" if "loss" in family or family == "latent_cos_mean" else family, suffix


def left_out(key: str) -> bool:
    """Numbers that a forward and backward pass cannot give, or that are noise: see the golden README."""
    name, family, _ = split(key)
    after_adam = family == "after" and not name.endswith(("moving_mean", "moving_variance"))
    cancelled = name.startswith("grad/") and name.endswith(("conv/b", "deconv/b"))
    return after_adam or cancelled


def errors(
    golden: Arrays, prefix: str, found: Arrays, *, besides: str = "", num_gradients: int = 512
) -> dict[str, float]:
    """The error of every golden array under a prefix that is not also under the prefix `besides`."""
    keys = [key.removeprefix(f"{prefix}/") for key in golden if key.startswith(f"{prefix}/")]
    worst = {}
    for key in keys:
        if left_out(key) or f"{besides}/{key}" in golden:
            continue
        name, family, suffix = split(key)
        expected = golden[f"{prefix}/{key}"]
        if family == "loss" and name == "train_losses":
            expected = expected[0]  # later ones are the optimiser's
        ours = view(found[name], family, suffix, num_gradients)
        assert ours.shape == expected.shape, key
        worst[key] = error(ours, expected, found[name], family, suffix)
    return worst


def too_large(worst: Mapping[str, float], allowed: Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in worst.items() if not value <= allowed[split(key)[1]]}


def load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    with np.load(path) as arrays:
        return dict(arrays)


def evaluation(name: str) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return forward(released_net(name), name)[0]


@pytest.mark.parametrize(("file", "name"), [("tiny", "tiny"), ("shanghai_pscd", "avenue")])
def test_weights_and_inputs_are_the_golden_ones(file: str, name: str):
    golden = load(HERE / f"golden_{file}.npz")
    checks = regenerate.weight_checks(regenerate.make_weights(name))
    np.testing.assert_allclose(checks, golden["weights/checks"], atol=1e-9)
    if "input/images_u8" in golden:
        frames, flow = regenerate.make_inputs_quantised(name)
        np.testing.assert_array_equal(frames, golden["input/images_u8"])
        np.testing.assert_array_equal(flow, golden["input/flows_i8"])


def test_tiny_evaluation():
    golden = load(HERE / "golden_tiny.npz")
    worst = errors(golden, "eval64", evaluation("tiny"))
    assert len(worst) == 21
    assert too_large(worst, DOUBLE) == {}


def test_tiny_training_step():
    golden, found = load(HERE / "golden_tiny.npz"), training_step("tiny")
    worst = errors(golden, "train64", found)
    assert sum(key.startswith("grad/") for key in worst) == 3 * 44  # of 44 parameters: norm, first entries, sub
    assert too_large(worst, DOUBLE) == {}
    variances = errors(golden, "train", found, besides="train64")
    assert len(variances) == 13
    assert too_large(variances, SINGLE) == {}


def test_shanghai_patch_maps_and_scores():
    golden, found = load(HERE / "golden_shanghai_pscd.npz"), evaluation("avenue")
    assert too_large(errors(golden, "eval64", found), DOUBLE) == {}
    assert too_large(errors(golden, "eval", found, besides="eval64"), SINGLE) == {}


def test_tiny_steps_of_the_released_adam():
    """Variables after one step, and the loss at each of five steps on one batch (its tolerances grow, see below)."""
    golden, net = load(HERE / "golden_tiny.npz"), net_without_dropout("tiny")
    optimizer = ReleasedAdam(net.parameters(), lr=LEARNING_RATE)
    losses, worst = [], {}
    for step in range(5):
        found, total = forward(net, "tiny")
        losses.append(float(found["loss_total"]))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if step == 0:
            worst = after_one_step(golden, net)
    assert len(worst) == 44
    assert max(worst.values()) <= 5e-9
    differences = np.abs(np.array(losses) - golden["train64/train_losses"])
    assert (differences <= LOSS_TOLERANCES).all(), differences


def test_the_golden_step_tells_the_two_forms_of_adam_apart():
    golden, net = load(HERE / "golden_tiny.npz"), net_without_dropout("tiny")
    forward(net, "tiny")[1].backward()
    torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, eps=1e-8).step()
    assert max(after_one_step(golden, net).values()) > 1e-4


def after_one_step(golden: Arrays, net: MAAMNet) -> dict[str, float]:
    """Largest difference of each trained variable; biases that batch norm cancels hold only noise there."""
    ours = variables_from_net(net, regenerate.make_weights("tiny"))
    trained = {variable_names(net)[key] for key, _ in net.named_parameters()}
    return {
        name: float(np.abs(view(ours[name], "after", "sub", 512) - golden[f"train64/after/{name}/sub"]).max())
        for name in sorted(trained)
    }


@pytest.mark.golden
def test_ped2_evaluation():
    """Where the float64 run kept statistics only, places are held to the float32 run."""
    golden, found = load(BESIDE / "golden_ped2.npz"), evaluation("ped2")
    assert too_large(errors(golden, "eval64", found), DOUBLE) == {}
    assert too_large(errors(golden, "eval", found, besides="eval64"), SINGLE) == {}


@pytest.mark.golden
def test_ped2_training_step():
    golden, found = load(BESIDE / "golden_ped2.npz"), training_step("ped2")
    assert too_large(errors(golden, "train64", found, num_gradients=128), DOUBLE) == {}
    assert too_large(errors(golden, "train", found, besides="train64"), SINGLE_TRAIN_PED2) == {}
