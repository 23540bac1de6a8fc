"""The authors' release as this kit understands it: their checkpoints in and out, and the names that go with them.

Their variables lie in TensorFlow layout: convolutions (height, width, in, out), transposed convolutions
(height, width, out, in). Side "l" of the decoder is appearance, "r" is motion. Colour frames are blue first (BGR)
there, prepared datasets hold RGB. The settings of their code are the recipes named `-released`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

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


def net_from_variables(
    mapping: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32, *, rgb: bool = False
) -> MAAMNet:
    """A MAAMNet with the released weights, similarity and threshold 1/N, in evaluation mode.

    `mapping` is {variable name: array in TensorFlow layout}, all 83 of them. Biases that batch norm follows are
    absorbed exactly: a bias b before a norm of moving mean m acts as a moving mean m - b. Computed in float64,
    then cast to `dtype`. `rgb` turns the channel order of colour weights, so that the network takes and gives RGB.
    Raises VariableError naming every missing, unknown or misshaped variable, and every one that is not of a
    floating-point type or not finite.
    """
    wanted = ("mem", "generator-encoder/gen_h1/conv/w")
    if absent := [name for name in wanted if name not in mapping or np.ndim(mapping[name]) not in (2, 4)]:
        raise VariableError(f"not the variables of a MAAM-Net: {absent[0]} is missing or of another shape")
    items, first = (np.shape(mapping[name]) for name in wanted)
    net = MAAMNet(first[2], items[0], base_channels=first[3], similarity="released").double()
    names, own = variable_names(net), net.state_dict()
    biases = _absorbed_biases(names)
    shapes = {name: _their_shape(own[key]) for key, name in names.items()}
    _check_variables(mapping, shapes | {bias: _their_shape(own[key]) for key, bias in biases.items()})
    state = {key: _to_ours(mapping[name]) for key, name in names.items()}
    state |= {key: state[key] - _to_ours(mapping[bias]) for key, bias in biases.items()}
    net.load_state_dict(own | (_turned(state) if rgb else state))
    return net.to(dtype).eval()


def variables_from_net(
    net: MAAMNet, biases: Mapping[str, np.ndarray] | None = None, *, rgb: bool = False
) -> dict[str, np.ndarray]:
    """The way back: {variable name: array in TensorFlow layout}, all 83, in the network's own number format.

    Biases that batch norm follows are 0, or those of `biases` by name, and the moving means are raised by them: the
    outputs are the same for any. `rgb` says that the network takes RGB; the variables are blue first.
    Raises VariableError for a network without memory, or one that predicts speed: neither has a released layout.
    """
    if net.items is None:
        raise VariableError("a network without memory has no released layout: their variables include mem")
    if net.motion_decoder.output.out_channels == 1:
        raise VariableError("a network that predicts speed has no released layout: theirs predict flow")
    names = variable_names(net)
    state = {key: value.detach().cpu() for key, value in net.state_dict().items() if key in names}
    state = _turned(state) if rgb else state
    variables = {names[key]: _to_theirs(value) for key, value in state.items()}
    for key, bias in _absorbed_biases(names).items():
        mean = variables[names[key]]
        variables[bias] = np.zeros_like(mean) if biases is None else np.asarray(biases[bias], mean.dtype)
        variables[names[key]] = mean + variables[bias]
    return variables


def read_checkpoint(prefix: Path) -> dict[str, np.ndarray]:
    """Every variable of a TensorFlow V2 checkpoint, `PREFIX.index` and `PREFIX.data-...`, by its name.

    Needs the package tensorflow (the extra `import` of the kit). Raises VariableError where it is not installed,
    where there is no such checkpoint, and where its files are damaged or do not belong together.
    """
    prefix = Path(str(prefix).removesuffix(".index"))
    if not Path(f"{prefix}.index").is_file():
        raise VariableError(f"{prefix}.index: no such file; give the checkpoint's path without .index or .data-...")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its greetings on stderr are no news to the user
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow
    except ModuleNotFoundError:
        remedy = "install the extra: pip install -c constraints.txt -e '.[import]'"
        raise VariableError(f"reading TensorFlow checkpoints needs the package tensorflow; {remedy}") from None
    try:
        reader = tensorflow.train.load_checkpoint(str(prefix))
        return {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    except (tensorflow.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise VariableError(
            f"{prefix}: not a complete TensorFlow checkpoint ({reason}); copy both files again"
        ) from error


def _check_variables(mapping: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise VariableError naming every variable that is missing, unknown, of another shape or no finite numbers."""
    wrong = [f"{name} is missing" for name in shapes if name not in mapping]
    wrong += [f"{name} is unknown" for name in mapping if name not in shapes]
    for name in (name for name in shapes if name in mapping):
        array = np.asarray(mapping[name])
        if array.shape != shapes[name]:
            wrong.append(f"{name} is {array.shape}, expected {shapes[name]}")
        elif not np.issubdtype(array.dtype, np.floating):
            wrong.append(f"{name} is of type {array.dtype}, expected floating point")
        elif not np.isfinite(array).all():
            wrong.append(f"{name} holds values that are not finite")
    if wrong:
        raise VariableError(f"released variables: {'; '.join(wrong)}")


def _absorbed_biases(names: Mapping[str, str]) -> dict[str, str]:
    """Key of each running mean of ours -> the released bias in front of that batch norm."""
    biases = {}
    for key in (key for key in names if key.endswith("norm.running_mean")):
        block = key.removesuffix("norm.running_mean")
        weight = names.get(f"{block}conv.weight") or names[f"{block}deconv.weight"]
        biases[key] = weight.removesuffix("w") + "b"
    return biases


def _turned(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same network for frames with their channels in opposite order; its own inverse."""
    channels = {"encoder.0.conv.weight": 1, "appearance_decoder.output.weight": 0, "appearance_decoder.output.bias": 0}
    return {key: value.flip(channels[key]) if key in channels else value for key, value in state.items()}


def _to_ours(array: np.ndarray) -> Tensor:
    """(height, width, in, out) -> (out, in, height, width), and the same permutation for transposed ones; float64."""
    tensor = torch.from_numpy(np.array(array, dtype=np.float64))
    return tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor


def _to_theirs(tensor: Tensor) -> np.ndarray:
    """The inverse of `_to_ours`, in the tensor's own number format."""
    return (tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor).contiguous().numpy()


def _their_shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.permute(2, 3, 1, 0).shape if tensor.ndim == 4 else tensor.shape)
