"""What is wrong with an answer, in words that help and never say what is expected (ours).

    diagnose(got, expected, tolerance, given, names)

The causes are those of the method's own arithmetic: a mean that is a sum, the wrong axis, a percentage, a sign, a frame
too many. A factor is named only where it is recognised; otherwise the size of the difference stays vague, so that the
answer cannot be computed from its hint.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pandas as pd

from data_prep.words import counted
from maam_lib.exercises.answers import plain, same

FACTORS = {  # and what each may come from
    2.0: "",
    math.sqrt(2): "the root of 2",
    1 / math.log(2): "the base of the logarithm",
    10.0: "",
    60.0: "the seconds of a minute",
    100.0: "percent",
    127.5: "half of 255, the gray levels",
    255.0: "the gray levels",
    1000.0: "",
    3600.0: "the seconds of an hour",
}
OTHER_WAYS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("1 minus your answer would be right", lambda x: 1 - x),
    ("a square root is missing", np.sqrt),
    ("a square is missing", np.square),
    ("it is upside down: 1 divided by your answer would be right", lambda x: 1 / x),
    ("its exponential would be right", np.exp),
    ("its logarithm would be right", np.log),
)
MOST_COUNTS = 12  # of the data that may explain a factor
MOST_VALUES = 5  # of a tuple whose orders are all tried
FEW = 50  # seeds, items ... up to which n - 1 in place of n is seen at all


def diagnose(got: Any, expected: Any, tolerance: float, given: Sequence[Any] = (), names: Sequence[str] = ()) -> str:
    """What is wrong with an answer: its kind, its shape or its numbers. Never holds a number of `expected`.

    given: the data that the answer was made from, whose counts explain factors; names: what they are called.
    """
    if isinstance(expected, tuple):
        return _tuple(got, expected, tolerance, given, names)
    if isinstance(expected, str):
        return _text(got, expected)
    theirs = np.asarray(plain(expected), np.float64)
    if isinstance(got, str):
        return f"this is text, not {_kind(theirs)}"
    try:
        mine = np.asarray(plain(got), np.float64)
    except (TypeError, ValueError, OverflowError):
        return f"this is not {_kind(theirs)}"
    if mine.shape != theirs.shape:
        return _shape(mine, theirs, tolerance)
    with np.errstate(all="ignore"):
        return _numbers(mine, theirs, tolerance, given, names)


# Kinds


def _kind(expected: np.ndarray) -> str:
    return "a number" if expected.ndim == 0 else f"an array of numbers of shape {expected.shape}"


def _text(got: Any, expected: str) -> str:
    if not isinstance(got, str):
        return "expected text, a name"
    if got.strip().casefold() == expected.strip().casefold():
        return "only capitals or spaces differ"
    return "it is another one"


def _tuple(got: Any, expected: tuple[Any, ...], tolerance: float, given: Sequence[Any], names: Sequence[str]) -> str:
    if not isinstance(got, tuple | list):
        return f"expected {len(expected)} values in a tuple, (first, second ...)"
    if {type(part) for part in (*got, *expected)} == {str}:
        return _names(list(got), list(expected))
    if len(got) != len(expected):
        return f"expected {counted(len(expected), 'value')}, not {len(got)}"
    if len(got) <= MOST_VALUES and any(same(other, expected, tolerance) for other in permutations(got)):
        return "the right values in another order"
    wrong = [i for i, pair in enumerate(zip(got, expected, strict=True)) if not same(*pair, tolerance)]
    said = [f"value {i + 1}: {diagnose(got[i], expected[i], tolerance, given, names)}" for i in wrong]
    right = [f"value {i + 1} is right" for i in range(len(got)) if i not in wrong]
    return "; ".join([*right, *said])


def _names(got: list[str], expected: list[str]) -> str:
    if sorted(got) == sorted(expected):
        return "the right names in another order"
    many, absent = len(set(got) - set(expected)), len(set(expected) - set(got))
    said = [f"{many} that do not belong" * (many > 0), f"{absent} missing" * (absent > 0), "a name twice"]
    return " and ".join([part for part in said[:2] if part] or said[2:])


# Shapes


def _shape(mine: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    """Which shape was expected, and which axis explains the difference."""
    g, e = mine.shape, theirs.shape
    if theirs.ndim == 0:
        if mine.size == 1:
            return f"expected one number, not an array of shape {g}: take the number out of it"
        return f"expected one number, not an array of shape {g}: a mean, a sum or a maximum is missing"
    said = f"its shape is {g}, expected {e}"
    if mine.size == theirs.size and same(mine.reshape(e), theirs, tolerance):
        return f"{said}: the numbers are right, only the shape is not"
    for axis in range(theirs.ndim):
        if g == (*e[:axis], *e[axis + 1 :]):
            return f"{said}: {_axis(axis, e)} is gone; was it summed or averaged, or is keepdim missing?"
        if g == (*e[:axis], 1, *e[axis + 1 :]):
            return f"{said}: {_axis(axis, e)} has shrunk to 1; was it summed or averaged?"
    for axis in range(mine.ndim):
        if e == (*g[:axis], *g[axis + 1 :]):
            return f"{said}: {_axis(axis, g)} is still there; sum or average over it"
    if len(g) == len(e):
        if sorted(g) == sorted(e):
            return f"{said}: two axes are exchanged"
        if {abs(a - b) for a, b in zip(g, e, strict=True)} <= {0, 1}:
            axes = [axis for axis, (a, b) in enumerate(zip(g, e, strict=True)) if a != b]
            return f"{said}: off by one along {'axes' if len(axes) > 1 else 'axis'} {' and '.join(map(str, axes))}"
    return said


def _axis(axis: int, shape: tuple[int, ...]) -> str:
    """An axis, of four with its letter in the kit's order: B, then channels C or D or items N, H and W."""
    return f"axis {axis}" + (f" ({('B', 'C, D or N', 'H', 'W')[axis]})" if len(shape) == 4 else "")


# Numbers


def _numbers(mine: np.ndarray, theirs: np.ndarray, tolerance: float, given: Sequence[Any], names: Sequence[str]) -> str:
    tolerance = max(tolerance, 1e-9)
    if fault := _not_finite(mine, theirs):
        return fault
    if same(-mine, theirs, tolerance):
        return "right but for the sign"
    if mine.ndim and same(np.abs(mine), np.abs(theirs), tolerance):
        return "right but for some signs"
    if factor := _factor(mine, theirs, tolerance, _counts(given, names)):
        return factor
    for said, way in OTHER_WAYS:
        if same(way(mine), theirs, tolerance):
            return said
    if mine.ndim and (order := _order(mine, theirs, tolerance)):
        return order
    return _offset(mine, theirs, tolerance) or _places(mine, theirs, tolerance) or _coarse(mine, theirs, tolerance)


def _not_finite(mine: np.ndarray, theirs: np.ndarray) -> str:
    strange = ~np.isfinite(mine) & np.isfinite(theirs)
    if not strange.any():
        return ""
    at = f" at {strange.sum()} of {mine.size} places" if mine.ndim else ""
    if np.isnan(mine[strange]).any():
        return f"NaN{at}: 0 / 0, 0 * log 0, or the mean of nothing"
    return f"infinite{at}: a division by 0 or a logarithm of 0"


def _factor(mine: np.ndarray, theirs: np.ndarray, tolerance: float, counts: dict[float, str]) -> str:
    """By which factor the answer is too large or too small, where the factor says why."""
    if not theirs.any():
        return ""
    ratio = np.abs(mine).max() / np.abs(theirs).max()
    for known in (counts, FACTORS):
        for large, ways in (
            (True, "a mean or a division is missing"),
            (False, "divided once too often, or a sum is meant"),
        ):
            fitting = [f for f in known if same(mine / f if large else mine * f, theirs, tolerance)]
            if fitting:
                factor = min(fitting, key=lambda f: abs(ratio - (f if large else 1 / f)))
                causes = [known[factor], FACTORS.get(factor, "") if known is counts else ""]
                why = " or ".join(filter(None, causes))
                said = f"too {'large' if large else 'small'} by a factor of {factor:.4g}" + (f" ({why})" if why else "")
                return f"{said}: {ways}" if known is counts else said
    return ""


def _counts(given: Sequence[Any], names: Sequence[str]) -> dict[float, str]:
    """Counts of the data and what they count, as lengths, products and roots; where two fit, both are named."""
    found: dict[float, list[str]] = {}

    def add(count: float, what: str) -> None:
        if count > 1 and what not in found.setdefault(count, []):
            found[count].append(what)

    for i, value in enumerate(given):
        name = names[i] if i < len(names) else "the data"
        if isinstance(value, int) and not isinstance(value, bool):
            add(float(value), name)
        for what, shape in _shapes(value, name):
            for axis, n in enumerate(shape):
                add(
                    float(n),
                    f"the length of {_axis(axis, shape)} of {what}" if len(shape) > 1 else f"the length of {what}",
                )
                if len(shape) > 2:
                    add(math.prod(shape) / max(n, 1), f"the number of values of {what} along all axes but {axis}")
            if len(shape) > 1:
                add(float(math.prod(shape)), f"the number of all values of {what}")
    simple = [(n, what) for n, causes in list(found.items())[:MOST_COUNTS] for what in causes]
    for (a, one), (b, other) in combinations(simple, 2):
        add(a * b, f"{one} times {other}")
    for n, what in simple:
        add(math.sqrt(n), f"the root of {what}")
        if n <= FEW:
            add(n / (n - 1), f"n / (n - 1), n {what}")
            add(math.sqrt(n / (n - 1)), f"the root of n / (n - 1), n {what}: ddof?")
    return {count: " or ".join(causes[:2]) for count, causes in found.items()}


def _shapes(value: Any, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of an array, and of the arrays that a small record holds."""
    if isinstance(value, pd.DataFrame):
        yield name, (len(value),)
    elif hasattr(value, "shape"):
        if tuple(value.shape):
            yield name, tuple(value.shape)
    elif type(value) in (list, tuple):
        yield name, (len(value),)
    else:
        parts = (
            dict(zip(value._fields, value, strict=True))
            if hasattr(value, "_fields")
            else getattr(value, "__dict__", {})
        )
        for part, array in parts.items():
            if hasattr(array, "shape") and tuple(array.shape):
                yield part, tuple(array.shape)


def _order(mine: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    for axis in range(mine.ndim):
        if same(np.flip(mine, axis), theirs, tolerance):
            return f"the right numbers, reversed along axis {axis}"
    for axis in range(mine.ndim):
        ours, right = (x / x.sum(axis, keepdims=True) for x in (mine, theirs))
        if same(ours, right, tolerance):
            return f"right but for the scale along {_axis(axis, mine.shape)}: divide by the sum over it?"
    for axes in permutations(range(mine.ndim)):
        if same(mine.transpose(axes), theirs, tolerance):
            return "right but for axes that are exchanged"
    if same(np.sort(mine, axis=None), np.sort(theirs, axis=None), tolerance):
        return "the right numbers in another order"
    return ""


def _offset(mine: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    by = mine - theirs
    whole = (theirs == np.round(theirs)).all() and tolerance <= 1e-6
    if whole and (np.abs(by) == 1).all() and len(np.unique(by)) == 1:
        return "off by one"
    if mine.size > 1 and same(by, np.broadcast_to(by.mean(), by.shape), tolerance) and by.any():
        return f"too {'large' if by.mean() > 0 else 'small'} by the same amount everywhere"
    return ""


def _places(mine: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    """Where an array is right and where it is not."""
    if mine.size < 2:
        return ""
    wrong = np.abs(mine - theirs) > tolerance * max(np.abs(theirs).max(), 1e-12)
    if not 0 < wrong.sum() < wrong.size:
        return ""
    first = tuple(np.argwhere(wrong)[0].tolist())
    where = ", ".join(map(str, first))
    said = _coarse(mine[first], theirs[first], tolerance)
    return f"right at {wrong.size - wrong.sum()} of {wrong.size} places; at [{where}] it is {mine[first]:.4g}: {said}"


def _coarse(mine: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    """Too large or too small, and roughly how much."""
    size = np.abs(theirs).max()
    if np.abs(mine - theirs).max() <= 20 * tolerance * size:
        return "close, but not close enough: was it rounded, or is a detail missing?"
    if mine.size > 1 and not ((mine >= theirs).all() or (mine <= theirs).all()):
        return "too large at some places and too small at others"
    if mine.sum() * theirs.sum() < 0:
        return "it has the wrong sign"
    small, large = sorted([np.abs(mine).sum(), np.abs(theirs).sum()])
    way = "large" if mine.sum() > theirs.sum() else "small"
    if small == 0 or large > 10 * small:
        return f"much too {way}"
    return f"too {way}" if large > 1.25 * small else f"a little too {way}"
