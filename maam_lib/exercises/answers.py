"""What is handed in as an answer: numbers of any library, compared within a tolerance, shown in few characters."""

import hashlib
import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

SHOWN = 200  # characters of an answer that its line shows


def same(got: Any, expected: Any, tolerance: float) -> bool:
    """Whether an answer is as expected: numbers of one shape within `tolerance` of the largest; tuples part by part."""
    if isinstance(expected, tuple):
        as_many = isinstance(got, tuple | list) and len(got) == len(expected)
        return as_many and all(same(g, e, tolerance) for g, e in zip(got, expected, strict=True))
    if isinstance(expected, str):
        return isinstance(got, str) and got == expected
    try:
        mine, theirs = (np.asarray(plain(values), np.float64) for values in (got, expected))
    except (TypeError, ValueError, OverflowError):  # no numbers
        return False
    size = max(float(np.abs(theirs).max(initial=0)), 1e-12)
    return mine.shape == theirs.shape and np.allclose(mine, theirs, rtol=0, atol=tolerance * size)


def number(answer: Any) -> float:
    """An answer that is a single number, of Python, NumPy or PyTorch; nan for anything else."""
    try:
        return math.nan if isinstance(answer, str) else float(answer)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan


def plain(values: Any) -> Any:
    """Tensors as arrays, where they hold values: bfloat16 and sparse ones too."""
    if not isinstance(values, Tensor) or values.is_meta:
        return values
    dense = values.detach().cpu().to_dense()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()


def fingerprint(answer: Any) -> str:
    """A short text that tells different answers apart, and nothing else of them; equal up to rounding is the same."""
    return hashlib.sha256(_written(answer)).hexdigest()[:16]


def _written(answer: Any) -> bytes:
    if isinstance(answer, tuple | list) and not _is_numeric(answer):
        return b"(" + b",".join(_written(part) for part in answer) + b")"
    if isinstance(answer, str):
        return b"text " + answer.encode(errors="replace")
    if not _is_numeric(answer):
        return b"a " + type(answer).__name__.encode()
    mantissa, exponent = np.frexp(np.asarray(plain(answer), np.float64))
    coarse = np.nan_to_num(mantissa * 2**20, nan=2**40, posinf=2**41, neginf=-(2**41)).round().astype(np.int64)
    return repr(coarse.shape).encode() + coarse.tobytes() + exponent.astype(np.int64).tobytes()


def _is_numeric(answer: Any) -> bool:
    try:
        np.asarray(plain(answer), np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(answer, str)


def shown(values: Any) -> str:
    """An answer in few characters: numbers rounded, arrays by their shape and first values."""
    values = plain(values)
    if isinstance(values, np.ndarray | pd.Series) and values.ndim > 0:
        first = ", ".join(shown(v) for v in np.ravel(values)[:6].tolist())
        return f"{values.shape} numbers, first {first}"
    if isinstance(values, np.ndarray | np.generic):
        values = values.item()
    if isinstance(values, float):
        return f"{values:.4g}"
    if isinstance(values, tuple | list):
        return f"({', '.join(shown(v) for v in values)})"
    return " ".join(str(values).split())[:SHOWN]
