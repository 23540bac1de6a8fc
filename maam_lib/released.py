"""The authors' release as this kit understands it: their checkpoints in, and the names that go with them.

Their variables lie in TensorFlow layout: convolutions (height, width, in, out), transposed convolutions
(height, width, out, in). Side "l" of the decoder is appearance, "r" is motion.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from maam_lib.model import MAAMNet

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


class VariableError(ValueError):
    """A released variable that is missing, unknown or of another shape; names each."""


def variable_names(net: MAAMNet) -> dict[str, str]:
    """Our state-dict key -> the released variable's name, for every tensor that both have.

    The biases of convolutions that batch norm follows have no key of ours: see `net_from_variables`.
    """
    blocks = {f"encoder.{i}": ("conv", f"generator-encoder/gen_h{i + 1}") for i in range(len(net.encoder))}
    names = {"items": "mem"}
    for decoder, side in (("appearance_decoder", "l"), ("motion_decoder", "r")):
        levels = len(net.appearance_decoder.blocks)
        for i in range(levels):
            blocks[f"{decoder}.blocks.{i}"] = ("deconv", f"generator-decoder/gen_h{levels - i}f{side}")
        names |= {f"{decoder}.output.{k}": f"generator-decoder/gen_h0f{side}/{k[0]}" for k in ("weight", "bias")}
    for block, (kind, scope) in blocks.items():
        names[f"{block}.{kind}.weight"] = f"{scope}/{kind}/w"
        names |= {f"{block}.norm.{ours}": f"{scope}/batch_normalization/{theirs}" for ours, theirs in _NORM.items()}
    return names


def net_from_variables(mapping: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32) -> MAAMNet:
    """A MAAMNet with the released weights, similarity and threshold 1/N, in evaluation mode.

    `mapping` is {variable name: array in TensorFlow layout}, all 83 of them. Biases that batch norm follows are
    absorbed exactly: a bias b before a norm of moving mean m acts as a moving mean m - b. Computed in float64,
    then cast to `dtype`. Raises VariableError naming every missing, unknown or misshaped variable.
    """
    wanted = ("mem", "generator-encoder/gen_h1/conv/w")
    if absent := [name for name in wanted if name not in mapping or np.ndim(mapping[name]) not in (2, 4)]:
        raise VariableError(f"not the variables of a MAAM-Net: {absent[0]} is missing or of another shape")
    items, first = (np.shape(mapping[name]) for name in wanted)
    net = MAAMNet(first[2], items[0], base_channels=first[3], similarity="released").double()
    names, own = variable_names(net), net.state_dict()
    biases = {key: _bias_name(names, key) for key in names if key.endswith("norm.running_mean")}
    shapes = {name: _their_shape(own[key]) for key, name in names.items()}
    _check_variables(mapping, shapes | {bias: _their_shape(own[key]) for key, bias in biases.items()})
    state = {key: _to_ours(mapping[name]) for key, name in names.items()}
    state |= {key: state[key] - _to_ours(mapping[bias]) for key, bias in biases.items()}
    net.load_state_dict(own | state)
    return net.to(dtype).eval()


def _check_variables(mapping: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise VariableError naming every variable that is missing, unknown or of another shape."""
    wrong = [f"{name} is missing" for name in shapes if name not in mapping]
    wrong += [f"{name} is unknown" for name in mapping if name not in shapes]
    wrong += [
        f"{name} is {np.shape(mapping[name])}, expected {shape}"
        for name, shape in shapes.items()
        if name in mapping and np.shape(mapping[name]) != shape
    ]
    if wrong:
        raise VariableError(f"released variables: {'; '.join(wrong)}")


def _bias_name(names: Mapping[str, str], running_mean: str) -> str:
    """The released bias in front of a batch norm, given the norm's `running_mean` key."""
    block = running_mean.removesuffix("norm.running_mean")
    weight = names.get(f"{block}conv.weight") or names[f"{block}deconv.weight"]
    return weight.removesuffix("w") + "b"


def _to_ours(array: np.ndarray) -> Tensor:
    """(height, width, in, out) -> (out, in, height, width), and the same permutation for transposed ones; float64."""
    tensor = torch.from_numpy(np.array(array, dtype=np.float64))
    return tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor


def _their_shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.permute(2, 3, 1, 0).shape if tensor.ndim == 4 else tensor.shape)
