"""Damaged and hostile files made from whole ones, as Hypothesis strategies: for the fuzz tests and longer campaigns.

A reader holds when every such file gives a value of its form, or the reader's own error with the file's path in it.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

HOSTILE_TEXT = (
    "",
    "../../x",
    "/etc/passwd",
    "a/b",
    "..",
    "a\0b",
    "\ud800",
    "<img src=x onerror=alert(1)>",
    "$\\frac$",
    "x" * 5000,
    "NaN",
    "001",
    "\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe",
    "con",
    "-x",
    ".x",
)
HOSTILE_VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**31,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    -0.0,
    [],
    {},
    [[]],
    {"": {}},
    *HOSTILE_TEXT,
)
HOSTILE_YAML = (
    "yes",
    "1e-3",
    "010",
    "12:30",
    "2024-01-31",
    "&a [1]",
    "*a",
    "!!python/name:os.system",
    "!!binary aGk=",
    "<<: {a: 1}",
    "[" * 3000,
    "{a: 1, a: 2}",
    "? [a]\n: b",
    "9" * 5000,
    "\t",
    "- ",
    "|",
    "'",
    "%TAG",
    "---\na: 1\n---\n",
    "\ufeff",
)


@st.composite
def damaged_bytes(draw: st.DrawFn, whole: bytes, most: int | None = None, faults: int = 3) -> bytes:
    """One to `faults` faults in a file: a flipped, cut, inserted or doubled piece, in its first `most` bytes."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, faults))):
        at = draw(st.integers(0, max(0, min(len(content), most or len(content)) - 1)))
        kind = draw(st.sampled_from(("flip", "set", "cut", "drop", "insert", "double")))
        if kind == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and content:
            content[at] = draw(st.sampled_from(b"\0\xff 09-.,:[]{}()'\"\\\n<eL"))
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at : at + draw(st.integers(1, 20))]
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            content[at:at] = content[at : at + draw(st.integers(1, 40))]
    return bytes(content)


@st.composite
def other_values(draw: st.DrawFn, whole: Any) -> Any:
    """Plain content (of JSON or YAML) with one to three values or keys that are others, or absent."""
    content = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(content))
        if not places:
            return deepcopy(draw(st.sampled_from(HOSTILE_VALUES)))
        inside, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(("value", "value", "value", "absent", "key", "whole")))
        if kind == "absent":
            del inside[key]
        elif kind == "key" and isinstance(inside, dict):
            inside[draw(st.sampled_from(HOSTILE_TEXT))] = inside.pop(key)
        elif kind == "whole" and draw(st.integers(0, 20)) == 0:
            return deepcopy(draw(st.sampled_from(HOSTILE_VALUES)))
        else:
            inside[key] = deepcopy(draw(st.sampled_from(HOSTILE_VALUES)))
    return content


def damaged_json(whole: Any) -> st.SearchStrategy[bytes]:
    """A JSON file with other bytes, other values, or nested so deep that nobody reads it."""
    text = json.dumps(whole, indent=1).encode()
    deep = st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"[" * 400 + b"]" * 400, b"9" * 10_000, b"\xff", b""])
    return st.one_of(damaged_bytes(text), other_values(whole).map(lambda value: json.dumps(value).encode()), deep)


@st.composite
def damaged_yaml(draw: st.DrawFn, text: str) -> bytes:
    """A YAML file with other bytes, or with a hostile value in place of one of its own."""
    if draw(st.booleans()):
        return draw(damaged_bytes(text.encode()))
    lines = text.splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = lines[at].partition(":")[0] + ": " + draw(st.sampled_from(HOSTILE_YAML))
    return "\n".join(lines).encode()


def holds(path: Path, content: bytes, read: Callable[[], Any], *errors: type[Exception]) -> Any:
    """Write a damaged file and read it: what was read, or None for a documented error, which must name the file."""
    path.write_bytes(content)
    try:
        return read()
    except errors as error:
        if str(path) not in str(error):
            raise AssertionError(f"{error} does not name {path}") from error
        if len(str(error)) > 1000 or "\n" in str(error):
            raise AssertionError(f"not one short line: {error}") from error
        return None


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) inside."""
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in list(keys):
        yield content, key
        yield from _places(content[key])
