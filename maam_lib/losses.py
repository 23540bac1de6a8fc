"""The training losses: appearance, motion, sparse, latent and their sum (paper Sec. 3.3, Eq. 5-10)."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from maam_lib import memory
from maam_lib.config import LossSettings
from maam_lib.fast import mean_over_devices
from maam_lib.model import MAAMOutput
from maam_lib.pscd import motion_target
from maam_lib.windows import Pair, default_stride


class Losses(NamedTuple):
    """The total loss and its terms, all scalars."""

    total: Tensor
    appearance: Tensor
    motion: Tensor
    sparse: Tensor
    latent: Tensor


def appearance_loss(frames: Tensor, frame_hat: Tensor) -> Tensor:
    """Mean of squared differences over batch, channels and pixels; both (B, C, H, W) in [-1, 1] (Eq. 5).

    Eq. 5 prints a norm; the mean is the released form, and the only one to which the weights fit (item 7).
    """
    return (frames - frame_hat).square().mean()  # Eq. 5: |I - I_hat|_2


def motion_loss(flow: Tensor, flow_hat: Tensor, patch: Pair | None = None) -> Tensor:
    """Mean absolute difference over batch, components, pixels; both (B, 2, H, W), pixels per frame (Eq. 6, item 8).

    Ours (item 28): a predicted speed, flow_hat (B, 1, H, W), is compared with the length of the flow. With a `patch`
    (height, width), means over patches are compared in place of pixels, each component's by itself: whole patches, a
    quarter of a patch apart.
    """
    target = motion_target(flow, flow_hat)
    if patch is not None:
        target, flow_hat = (F.avg_pool2d(x, patch, default_stride(patch)) for x in (target, flow_hat))
    return (target - flow_hat).abs().mean()  # Eq. 6: |F - F_hat|_1


def sparse_loss(weights: Tensor, form: Literal["paper", "released"] = "paper") -> Tensor:
    """Entropy of the addressing weights (B, N, h, w), in nats (Eq. 8).

    "paper": summed over the N items of a query, mean over the queries. "released": the mean over all entries,
    so 1/N of it, with 1e-12 inside the logarithm (item 9).
    """
    if form == "paper":
        return memory.entropy(weights).mean()  # Eq. 8: sum_i -w_i log(w_i)
    return (-weights * (weights + memory.EPSILON).log()).mean()


def latent_loss(
    query: Tensor, read_out: Tensor, margin: float, form: Literal["paper", "released", "attract"] = "paper"
) -> Tensor:
    """Margin loss between query and read-out, both (B, D, h, w), margin zeta in [0, 1] (Eq. 9).

    "paper": max(|cos| - zeta, 0) of every query, then the mean. Minimised, it pushes the read-out *away* from its
    query until |cos| = zeta (item 11).
    "released": every query of a row of the grid against every read-out of that row, by the released similarity,
    averaged first, then abs, minus margin, max with 0 (item 10).
    "attract": 1 - cos, the mean over queries (ours, for comparison with the sign of Eq. 9; no margin).
    """
    if form == "released":
        z, z_hat = query.permute(0, 2, 3, 1), read_out.permute(0, 2, 1, 3)  # (B, h, w, D), (B, h, D, w)
        product, squares = z @ z_hat, z.square() @ z_hat.square()  # (B, h, w, w)
        pseudo_cosine = (product + memory.EPSILON) / (squares + memory.EPSILON)
        return F.relu(mean_over_devices(pseudo_cosine.mean()).abs() - margin)
    cosine = F.cosine_similarity(query, read_out, dim=1)  # z^T z_hat / (|z| |z_hat|), (B, h, w)
    if form == "attract":
        return (1 - cosine).mean()
    return F.relu(cosine.abs() - margin).mean()  # Eq. 9: max(|cosine| - zeta, 0)


def total_loss(
    output: MAAMOutput, frames: Tensor, flow: Tensor, settings: LossSettings, patch: Pair | None = None
) -> Losses:
    """All terms and their sum L (Eq. 7 and 10), in float32 or finer.

    Without memory the sparse and latent terms are 0. With one branch trained, the other's term is shown but not summed.
    `patch` (height, width): the one that is scored; raises ValueError where `settings.motion_form` needs it.
    """
    appearance = appearance_loss(frames, _at_least_float32(output.frame_hat))
    motion = recipe_motion_loss(flow, _at_least_float32(output.flow_hat), settings, patch)
    sparse = latent = torch.zeros_like(appearance)
    if output.weights is not None:
        sparse = sparse_loss(output.weights, settings.sparse_form)
        query = _at_least_float32(output.query)
        latent = latent_loss(query, output.read_out, settings.margin, settings.latent_form)
    alpha, beta, lambda_m = settings.sparse_weight, settings.latent_weight, settings.motion_weight
    parts = {"appearance": appearance, "motion": lambda_m * motion, "both": appearance + lambda_m * motion}
    generative = parts[settings.branches]  # Eq. 7: L_gen = L_app + lambda_m L_mot
    total = generative + alpha * sparse + beta * latent  # Eq. 10: L = L_gen + alpha L_spa + beta L_lat
    return Losses(total, appearance, motion, sparse, latent)


def recipe_motion_loss(flow: Tensor, flow_hat: Tensor, settings: LossSettings, patch: Pair | None) -> Tensor:
    """`motion_loss` in the form that the settings name; the patch (height, width) is used by "patches" alone."""
    if settings.motion_form == "pixels":
        return motion_loss(flow, flow_hat)
    if patch is None:
        raise ValueError("loss.motion_form = patches compares means over patches; give the recipe's scoring.patch too")
    return motion_loss(flow, flow_hat, patch)


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
