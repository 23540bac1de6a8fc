"""Damage to the content of a file, drawn from a seeded random source: the same number gives the same damage."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

SCRIPT = "<img src=x onerror=alert(1)>"
# Names that are paths, HTML, too long, decomposed, or taken by a system; "\n" and "/" can stand inside a file only.
NAMES = (
    "../../x",
    "/tmp/x",
    "..",
    SCRIPT,
    "x" * 250,
    "cafe\u0301",
    "two\nlines",
    "con",
    "-x",
    ".x",
    "a b",
    "'\"`$(id)`",
    "",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    [],
    {},
    [1],
    {"a": 1},
    [[[[]]]],
    "text",
    *NAMES,
)
_ANY_FILE = (b"", b"\0" * 100, b"PK\x03\x04", b"\xff\xfe\x00\x01", b"<html></html>")
_ANY_TEXT = (b"[]", b"{}", b"null", b"0", b'"text"', b"[" * 100_000, b'{"a":' * 5_000)
_BOMB = "\n".join(
    ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    + ["name: *a9", "data: *a9"]
).encode()  # nine to the tenth: some 3.5 thousand million entries


def damaged(content: bytes, suffix: str, draw: random.Random) -> tuple[bytes, str]:
    """Other content for a file of that suffix, and in a few words what was done to it."""
    kinds: list[Callable[[bytes, random.Random], tuple[bytes, str]]] = [_flip, _flip, _cut, _insert, _zeros, _replace]
    if suffix in (".json", ".yaml"):
        kinds += [_text, _text, *[_other_value] * 8]
    if suffix == ".csv":
        kinds += [_text, *[_other_cell] * 4]
    return draw.choice(kinds)(content, draw)


def _flip(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    changed = bytearray(content)
    # Half of the time near the beginning, where the headers are.
    end = len(changed) if draw.random() < 0.5 else min(len(changed), 200)
    place, bit = draw.randrange(end), draw.randrange(8)
    changed[place] ^= 1 << bit
    return bytes(changed), f"bit {bit} of byte {place} flipped"


def _cut(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    first, last = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    if draw.random() < 0.5:
        last = len(content)
    return content[:first] + content[last:], f"bytes {first} to {last} cut out"


def _insert(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    place, added = draw.randrange(len(content) + 1), draw.randbytes(draw.choice((1, 4, 500)))
    return content[:place] + added + content[place:], f"{len(added)} bytes inserted at {place}"


def _zeros(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    place, length = draw.randrange(len(content)), draw.choice((8, 512, 4096))
    return content[:place] + bytes(len(content[place : place + length])) + content[place + length :], (
        f"{length} bytes from {place} are zero"
    )


def _replace(_: bytes, draw: random.Random) -> tuple[bytes, str]:
    other = draw.choice(_ANY_FILE)
    return other, f"replaced by {other[:10]!r}"


def _text(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    forms = [*_ANY_TEXT, _BOMB, b"\xef\xbb\xbf" + content]
    forms += [content.decode("utf-8", "replace").encode("utf-16"), content.replace(b"\n", b"\r\n")]
    other = draw.choice(forms)
    return other, f"{len(other)} bytes of other text: {other[:20]!r}"


def _other_value(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    """One value of JSON or YAML of another type, gone, or under another key."""
    whole = yaml.safe_load(content)
    place = draw.choice([*_places(whole)])
    parent = whole
    for key in place[:-1]:
        parent = parent[key]
    how = draw.choice(("other", "other", "gone", "renamed", "added"))
    value = draw.choice(VALUES)
    if how == "other":
        parent[place[-1]] = value
    elif how == "added" and isinstance(parent, dict):
        parent[draw.choice(NAMES)] = value
    else:
        kept = parent.pop(place[-1])
        if how == "renamed" and isinstance(parent, dict):
            parent[draw.choice(NAMES)] = kept
    return json.dumps(whole).encode(), f"{'/'.join(map(str, place))} {how} ({value!r:.40})"


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value below the top; of a long list or mapping the first few."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(pairs)[:40]:
        yield (*above, key)
        yield from _places(below, (*above, key))


def _other_cell(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    rows = [line.split(",") for line in content.decode().splitlines()]
    row = draw.randrange(len(rows))
    column, value = draw.randrange(len(rows[row])), str(draw.choice(VALUES))
    rows[row][column] = value
    return "\n".join(",".join(cells) for cells in rows).encode(), f"row {row}, column {column} is {value!r:.40}"
