"""MATLAB files (v5 to v7) read strictly: every size in the file is checked before it is used.

scipy trusts these sizes: a flipped byte can end its process, and Dask's workers, which read the masks, may start no
process that could be lost in their place. Here a damaged file is always a SourceError, and a cell is read one array at
a time, so that a clip's masks never lie in memory together.

Format: https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf. After a header of 128 bytes, elements of a tag
(type, size) and data; a matrix holds its flags, dimensions, name and data, a compressed element one matrix.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from struct import unpack
from typing import BinaryIO, Literal

import numpy as np

from data_prep.clip import SourceError

HEADER = 128  # bytes
LARGEST_ARRAY = 1 << 28  # bytes; a 4K mask of doubles has 66 MB
MOST_DIMENSIONS = 32
_MATRIX, _COMPRESSED, _INT8, _INT32, _UINT32 = 14, 15, 1, 5, 6
_NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
_KINDS = ("cell", "struct", "object", "char", "sparse", *_NUMERIC)  # matrices of class 1, 2 ...
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
Order = Literal["<", ">"]
Read = Callable[[int], bytes]


class _Damaged(ValueError):
    """What is wrong with the file, in a few words."""


@dataclass(frozen=True)
class Variable:
    """A variable of a MATLAB file, from its header alone."""

    kind: str  # "cell", "double" ...
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.shape}"


def variables(path: Path) -> dict[str, Variable]:
    """The variables of a file by their names; SourceError that names the file where it is no whole MATLAB file."""
    with _opened(path) as matrices:
        return {name: variable for name, variable, _ in matrices}


def cell_arrays(path: Path, name: str) -> Iterator[np.ndarray]:
    """The arrays of numbers in the cell `name`, in MATLAB's order, each of the type that it is stored in (ours).

    Raises SourceError that names the file: no whole MATLAB file, no such cell, a cell that holds other things, an array
    beyond LARGEST_ARRAY. Damage is noticed at the latest after the last array, by the checksum of compressed files.
    """
    with _opened(path) as matrices:
        for found, variable, stream in matrices:
            if found == name and variable.kind == "cell":
                for number in range(1, prod(variable.shape) + 1):
                    yield _array(stream, f"array {number} of {name}")
                stream.check_end()
                return
        raise _Damaged(f"no cell {name} in it")


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[tuple[str, Variable, "_Stream"]]]:
    """The matrices of a file; what is wrong with it as one line."""
    try:
        with path.open("rb") as file:
            yield _matrices(file, _byte_order(path, file.read(HEADER)))
    except (_Damaged, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read as a MATLAB file ({error}); copy or unpack it again") from error


def _byte_order(path: Path, header: bytes) -> Order:
    orders: dict[bytes, Order] = {b"IM": "<", b"MI": ">"}
    order = orders.get(header[126:])
    of_7_3 = header.startswith((b"MATLAB 7.3", b"\x89HDF"))
    if of_7_3 or (len(header) == HEADER and order is None and 0 in header[:4]):
        variable = "volLabel" if path.stem.endswith("_label") else "gt"
        raise SourceError(
            f"{path}: a MATLAB file of version {'7.3' if of_7_3 else 4}, expected 5 to 7; load it in MATLAB and save "
            f"it again: save('{path.name}', '{variable}', '-v7')"
        )
    if order is None or unpack(f"{order}H", header[124:126]) != (0x0100,):
        raise _Damaged(f"it starts with {header[:16]!r}" if len(header) == HEADER else f"{len(header)} bytes")
    return order


def _matrices(file: BinaryIO, order: Order) -> Iterator[tuple[str, Variable, "_Stream"]]:
    """Each matrix with its name; its stream is at the first byte of the data. Unknown kinds are passed over."""
    place, size = HEADER, os.fstat(file.fileno()).st_size
    while place < size:
        file.seek(place)
        tag = file.read(8)
        if len(tag) < 8:
            raise _Damaged("it ends within an element")
        kind, length = unpack(f"{order}II", tag)
        place += 8 + length
        if place > size:
            raise _Damaged(f"it ends {place - size} bytes early")
        if kind == _COMPRESSED:
            stream = _Stream(_inflated(_part(file, length)), order)
            stream.enter_matrix("the compressed element")
        elif kind == _MATRIX:
            stream = _Stream(_part(file, length), order)
        else:
            raise _Damaged(f"an element of type {kind} in place of a matrix")
        name, variable = stream.matrix_header()
        if variable.kind in _KINDS:
            yield name, variable, stream


class _Stream:
    """The elements of a matrix, one after the other; `read` gives fewer bytes than asked for only at its end."""

    def __init__(self, read: Read, order: Order) -> None:
        self._read, self.place = read, 0
        self.order: Order = order

    def take(self, length: int) -> bytes:
        data = self._read(length)
        if len(data) < length:
            raise _Damaged("its data end early")
        self.place += length
        return data

    def tag(self) -> tuple[int, int, bool]:
        """Type and size of the next element, and whether it is a small one, whose data share the tag's eight bytes."""
        (word,) = unpack(f"{self.order}I", self.take(4))
        if word >> 16:
            return word & 0xFFFF, word >> 16, True
        return word, unpack(f"{self.order}I", self.take(4))[0], False

    def element(self, largest: int) -> tuple[int, bytes]:
        """Type and data of the next element."""
        kind, length, is_small = self.tag()
        largest = 4 if is_small else largest
        if length > largest:
            raise _Damaged(f"an element of {length} bytes, {largest} at most")
        data = self.take(length)
        self.take(-length % (4 if is_small else 8))
        return kind, data

    def enter_matrix(self, where: str) -> int:
        """The end of the matrix that starts here."""
        kind, length, is_small = self.tag()
        if kind != _MATRIX or is_small:
            raise _Damaged(f"{where} is of type {kind}, expected a matrix")
        return self.place + length

    def matrix_header(self) -> tuple[str, Variable]:
        """Name, kind and shape of the matrix; of a class that is unknown here, no more than that."""
        kind, flags = self.element(8)
        if kind != _UINT32 or len(flags) != 8:
            raise _Damaged("a matrix without flags")
        matrix_class = unpack(f"{self.order}II", flags)[0] & 0xFF
        if not 1 <= matrix_class <= len(_KINDS):
            return "", Variable("thing of another class", ())
        kind, data = self.element(4 * MOST_DIMENSIONS)
        shape = tuple(np.frombuffer(data[: len(data) // 4 * 4], f"{self.order}i4").tolist())
        if kind != _INT32 or len(shape) < 2 or min(shape) < 0:
            raise _Damaged(f"a matrix of shape {shape}")
        kind, name = self.element(256)
        if kind != _INT8:
            raise _Damaged("a matrix without a name")
        return name.decode("latin-1"), Variable(_KINDS[matrix_class - 1], shape)

    def check_end(self) -> None:
        """Nothing may follow; of compressed data, this reads their checksum."""
        if self._read(1):
            raise _Damaged("more data than it announces")


def _array(stream: _Stream, where: str) -> np.ndarray:
    """The matrix that comes next, of numbers, in MATLAB's order of columns."""
    end = stream.enter_matrix(where)
    if stream.place == end:  # as MATLAB writes []
        return np.zeros((0, 0))
    _, variable = stream.matrix_header()
    if variable.kind not in _NUMERIC:
        raise _Damaged(f"{where} is a {variable.kind}, expected numbers")
    kind, data = stream.element(LARGEST_ARRAY)
    dtype = np.dtype(_DTYPES.get(kind, "V1")).newbyteorder(stream.order)
    if kind not in _DTYPES or len(data) != prod(variable.shape) * dtype.itemsize:
        raise _Damaged(f"{where} has {len(data)} bytes of type {kind} for {variable.shape}")
    if stream.place != end:
        raise _Damaged(f"{where} has another size than it announces")
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("=")).reshape(variable.shape, order="F")


def _part(file: BinaryIO, length: int) -> Read:
    """Reads no further than a part of a file."""
    end = file.tell() + length
    return lambda most: file.read(max(0, min(most, end - file.tell())))


def _inflated(packed: Read) -> Read:
    """Reads compressed data piece by piece, so that no more is held than is asked for."""
    engine = zlib.decompressobj()

    def read(length: int) -> bytes:
        pieces: list[bytes] = []
        while length and not engine.eof:
            given = engine.unconsumed_tail or packed(1 << 16)
            piece = engine.decompress(given, length)
            if not given and not piece:
                raise _Damaged("its compressed data are cut")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    return read
