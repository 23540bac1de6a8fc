"""The files of a run that hold numbers, each checked whole where it is read: weights with a checksum, and tables."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import Module

from data_prep.files import written_aside

SCORES = "scores.csv"
CHECKSUM = "sha256"  # in the metadata of a weights file: of its other metadata and of all its numbers


class RunError(RuntimeError):
    """A run folder that cannot be used as asked: names the folder, the reason and the remedy."""


# Weights


def load_weights(net: Module, path: Path) -> None:
    """Load a weights file into a network; raises RunError naming every tensor that does not fit."""
    tensors, _ = read_weights(path)
    wanted = net.state_dict()
    misfits = [f"{name} is missing" for name in wanted if name not in tensors]
    misfits += [f"{name} is unknown" for name in tensors if name not in wanted]
    pairs = [(name, tensors[name], own) for name, own in wanted.items() if name in tensors]
    sizes = [(name, tuple(found.shape), tuple(own.shape)) for name, found, own in pairs]
    kinds = [(name, found.dtype, own.dtype) for name, found, own in pairs]
    misfits += [f"{name} is {found}, expected {own}" for name, found, own in [*sizes, *kinds] if found != own]
    if misfits:
        more = f" and {len(misfits) - 3} more" if len(misfits) > 3 else ""
        raise RunError(f"{path}: weights of another network: {'; '.join(misfits[:3])}{more}. Was the recipe changed?")
    if endless := [k for k, v in tensors.items() if not torch.isfinite(v).all()]:
        raise RunError(
            f"{path}: {endless[0]} holds NaN or infinite weights; take an earlier epoch, or train with a lower "
            "training.learning_rate"
        )
    net.load_state_dict(tensors)


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a weights file, aside first, with the checksum by which a later damage is noticed."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with written_aside(path) as aside:
        save_file(whole, aside, metadata={**metadata, CHECKSUM: checksum(whole, metadata)})


def checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """sha256 of a weights file's numbers and what its metadata say, except for this checksum itself (ours)."""
    said = sorted((key, value) for key, value in metadata.items() if key != CHECKSUM)
    digest = hashlib.sha256(repr(said).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a weights file; raises RunError for one that is cut or changed."""
    metadata = read_metadata(path)
    with _named(path):
        tensors = load_file(path)
    said = metadata.get(CHECKSUM, next((value for value in metadata.values() if len(value) == 64), None))
    if said not in (None, checksum(tensors, metadata)):  # None: written before there was one
        raise RunError(f"{path}: its numbers are not those that were written (another checksum); copy it again")
    return tensors, metadata


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a weights file, from its header alone: unchecked, unlike those of `read_weights`.

    Raises RunError for a file that is cut.
    """
    with _named(path), safe_open(path, "pt") as file:
        return file.metadata() or {}


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """RunError for a file that safetensors cannot read."""
    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        reason = f"{' '.join(str(error).split()):.200}"
        raise RunError(f"{path}: not a complete safetensors file ({reason}); was it cut or copied in part?") from error


# Tables


def read_scores(folder: Path) -> pd.DataFrame:
    """The `scores.csv` of a run, or of kept weights: clip, frame, label, appearance, motion, fused, whole_frame.

    The names of clips are text, 001 and NA among them. Raises RunError for a damaged file.
    """
    return read_score_table(folder / SCORES, ("appearance", "motion", "fused"), "make it again: maam evaluate")


def read_score_table(path: Path, columns: Sequence[str], remedy: str) -> pd.DataFrame:
    """A CSV file of frames' scores: clip (text), frame, label, `columns`, and others; RunError where it is damaged."""
    scores = read_numbers(path, ("frame", "label", *columns), remedy, text=("clip",))
    wrong = ~scores["label"].isin((0, 1)) | (scores["frame"] < 0) | scores.duplicated(["clip", "frame"])
    if wrong.to_numpy().any():
        raise RunError(f"{path}: expected every frame once, with label 0 or 1; {remedy}")
    return scores


def read_numbers(path: Path, columns: Sequence[str], remedy: str, text: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV file of finite numbers, and of `text` columns taken as they are; RunError where it is not whole.

    `columns` must be there; others may be, of numbers too.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, encoding="utf-8")
        if missing := [name for name in (*text, *columns) if name not in table]:
            raise ValueError(f"no column {missing[0]}")
        for name in table.columns.difference(list(text)):
            if not is_numeric_dtype(table[name]) or is_bool_dtype(table[name]) or not np.isfinite(table[name]).all():
                raise ValueError(f"{name} holds something other than finite numbers")
        for name in table.columns.intersection(("epoch", "frame", "label")):
            table[name] = table[name].astype("int64")
    except (OSError, ValueError, OverflowError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path}: not a complete table ({reason:.200}); was it cut? {remedy}") from error
    return table
