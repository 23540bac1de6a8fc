"""What a folder holds, to compare: arrays and weights bit by bit, results up to times; and what is no whole file."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors import SafetensorError, safe_open

Tree = Mapping[str, str]  # path below the folder -> what it holds, in short
VARIES = re.compile(r"second|time|began|seen|pid|per_second|cpu|revision|created|^done$")  # keys and columns


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder, hidden files and empty folders too; only locks are left out."""
    paths = sorted(path for path in folder.rglob("*") if not path.name.endswith(".lock"))
    return {str(path.relative_to(folder)): "folder" if path.is_dir() else _digest(path) for path in paths}


def differences(found: Tree, expected: Tree) -> list[str]:
    """One line per path that is more, less or other than expected."""
    more = [f"left behind: {path}" for path in found if path not in expected]
    less = [f"missing: {path}" for path in expected if path not in found]
    other = [f"differs: {path}" for path in expected if path in found and found[path] != expected[path]]
    return more + less + other


def half_files(folder: Path, start: Tree) -> list[str]:
    """Visible files that were not there at the start and that nobody can read: a half that passes for a whole."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and str(name) not in start and not any(part.startswith(".") for part in name.parts):
            try:
                _READERS.get(path.suffix, lambda _: None)(path)
            except (OSError, ValueError, EOFError, yaml.YAMLError, SafetensorError) as error:
                found.append(f"half a file: {name} ({' '.join(str(error).split())[:120]})")
    return found


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if not content:
        return "empty"
    if path.suffix in (".mkv", ".html", ".onnx", ".png"):
        return f"some {path.suffix}"
    try:
        if path.suffix == ".safetensors":
            content = b"".join(_read_weights(path))
        if path.suffix == ".json":
            content = json.dumps(_steady(json.loads(content)), sort_keys=True).encode()
        elif path.suffix == ".csv":
            content = _steady_csv(content.decode())
    except (ValueError, SafetensorError):
        return f"not readable, {len(content)} bytes"
    return hashlib.sha256(content).hexdigest()[:16]


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(each) for key, each in value.items() if not VARIES.search(key)}
    return [_steady(each) for each in value] if isinstance(value, list) else value


def _steady_csv(text: str) -> bytes:
    rows = list(csv.reader(io.StringIO(text)))
    kept = [i for i, name in enumerate(rows[0]) if name in ("time", "seconds from") or not VARIES.search(name)]
    return json.dumps([[row[i] for i in kept if i < len(row)] for row in rows]).encode()


def _read_weights(path: Path) -> list[bytes]:
    """All that a file of weights holds: its metadata come in any order."""
    with safe_open(path, "np") as file:
        tensors = [name.encode() + file.get_tensor(name).tobytes() for name in sorted(file.keys())]
        return [json.dumps(file.metadata(), sort_keys=True).encode(), *tensors]


_READERS = {
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".yaml": lambda path: yaml.safe_load(path.read_text(encoding="utf-8"))["name"],
    ".npy": np.load,
    ".safetensors": _read_weights,
}
