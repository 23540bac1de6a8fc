"""Files that anyone may have written or damaged: read whole and bounded, one error that names the file.

Each reader returns a whole, plain value or raises UnreadableError. Nothing is executed, no file can ask for more memory
than its size allows, and a folder or a pipe in place of the file is refused before it is opened.
"""

import json
import math
import re
import stat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

MOST_BYTES = 100_000_000  # of a text file: the manifest of 100,000 clips has half of it
DEEPEST = 50  # levels of lists and mappings; the kit's own files have six
LONGEST_HEADER = 10_000  # bytes of a .npy header; NumPy's own limit
Form = TypeVar("Form", bound=BaseModel)
_NPY_HEADER = re.compile(
    r"\{\s*(?:(?:'descr':\s*'(?P<descr>[<>|=]?[biuf]\d{1,2})'"
    r"|'fortran_order':\s*(?P<order>True|False)"
    r"|'shape':\s*\((?P<shape>[\d, ]{0,100})\))\s*,?\s*){3}\}\s*"
)


class UnreadableError(ValueError):
    """A file that is not what it should be: one line that names it and says what was found."""


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """A whole UTF-8 text file of `most` bytes at most; raises UnreadableError, or FileNotFoundError for none."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a plain file"
            raise UnreadableError(f"{path}: {kind}, expected a file")
        if found.st_size > most:
            raise UnreadableError(f"{path}: {found.st_size:,} bytes, expected {most:,} at most; is it another file?")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{path}: byte {error.start} is not UTF-8; was it cut, or saved in another encoding?"
        ) from error


# JSON


def read_json(path: Path) -> Any:
    """What a JSON file holds; a key that stands twice, more than DEEPEST levels and half characters are refused.

    NaN and infinite numbers are read as Python writes them: whether one may stand somewhere is for the form to say.
    Raises UnreadableError; FileNotFoundError where there is no file.
    """
    text = read_text(path)
    try:
        content = json.loads(text, object_pairs_hook=_without_doubles)
        if _levels(content) > DEEPEST:
            raise RecursionError
        json.dumps(content, ensure_ascii=False).encode()  # half characters (\\ud800), which no file or page can hold
    except (ValueError, RecursionError) as error:
        reason = f"more than {DEEPEST} levels deep" if isinstance(error, RecursionError) else error
        raise UnreadableError(f"{path}: not readable as JSON ({reason})") from error
    return content


def read_checked(path: Path, form: type[BaseModel]) -> Any:
    """What a JSON file holds, as it is, where a pydantic model allows it; raises as `read_json` and `in_form` do."""
    content = read_json(path)
    in_form(content, form, str(path))
    return content


def in_form(content: Any, form: type[Form], where: str) -> Form:
    """JSON content as a model; raises UnreadableError naming `where`, the key, its value, and what is expected."""
    try:
        return form.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = f"{' '.join('.'.join(map(str, first['loc'])).split()):.200}"  # it may be anything
        if first["type"] == "missing":
            raise UnreadableError(f"{where}: no {key}") from error
        found = f"{key} is {first['input']!r:.80}, " if key else ""
        expected = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        raise UnreadableError(f"{where}: {found}{expected.replace('a valid ', 'a ')}") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r:.80} occurs twice")
    return content


def _levels(content: Any) -> int:
    inside = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return max((1 + _levels(value) for value in inside), default=0)


# NumPy


def open_npy(path: Path) -> np.ndarray:
    """A .npy file of plain numbers, memory-mapped and read-only.

    Its header is taken apart by hand: NumPy's own reader evaluates it, and a damaged one then ends in any of a dozen
    errors. Raises UnreadableError for a header that is none, other things than numbers (bool, integers, floats), and a
    file of another size than its header says, and where there is no file.
    """
    try:
        if path.exists() and not path.is_file():
            raise UnreadableError(f"{path}: a folder or a pipe, expected a .npy file")
        with path.open("rb") as file:
            version, _ = np.lib.format.read_magic(file)
            length = int.from_bytes(file.read(2 if version == 1 else 4), "little")
            said = _NPY_HEADER.fullmatch(file.read(min(length, LONGEST_HEADER)).decode("latin-1"))
            start, size = file.tell(), path.stat().st_size
        if version > 3 or said is None or None in said.groups():
            raise UnreadableError(
                f"{path}: not a complete NumPy array of numbers (by its header); was it cut, or is it of text?"
            )
        dtype, shape = np.dtype(said["descr"]), tuple(int(side) for side in said["shape"].split(",") if side.strip())
        expected = start + math.prod(shape) * dtype.itemsize
        if size != expected:
            raise ValueError(f"{size} bytes, expected {expected} for {dtype} {shape}")
        order = "F" if said["order"] == "True" else "C"
        return np.memmap(path, dtype, "r", start, shape, order) if math.prod(shape) else np.zeros(shape, dtype, order)
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be opened ({error.strerror})") from error
    except (TypeError, ValueError) as error:  # no number type, another size, more axes than NumPy has
        raise UnreadableError(f"{path}: not a complete NumPy array ({error}); was it cut?") from error
