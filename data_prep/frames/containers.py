"""How long a video file must be by its own header: a file that is shorter was cut.

Only lengths that the container states in bytes count. Numbers of frames and durations in headers are estimates in
several formats, and a whole file may show fewer frames than they say.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

RIFF, EBML, SEGMENT = b"RIFF", b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
BOXES = set(b"ftyp moov mdat moof styp free skip wide pnot".split())  # that such a file begins with
Header = Callable[[BinaryIO], tuple[int, int]]  # reads a header: its own size and that of what follows, in bytes


def missing_bytes(path: Path) -> int:
    """Bytes that the file lacks of what its header states: MP4 and its kin, AVI, Matroska, WebM and GIF (ours).

    0 for a whole file, for one whose header was never finished (a recorder that lost power), and for other formats.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(8)
        file.seek(0)
        if begin[:4] == RIFF:
            return max(0, _end(file, length, _riff_chunk) - length)
        if begin[:4] == EBML:
            return max(0, _end(file, length, _ebml_element) - length)
        if begin[4:] in BOXES:
            return max(0, _end(file, length, _box) - length)
        if begin[:4] == b"GIF8":  # its last byte is a semicolon; some writers pad it with zeros
            file.seek(max(0, length - 16))
            return int(not file.read().rstrip(b"\0").endswith(b";"))
    return 0


def _end(file: BinaryIO, length: int, header: Header) -> int:
    """Where the last part ends that begins in the file."""
    end = 0
    while end < length:
        file.seek(end)
        own, size = header(file)
        if own == 0:
            break
        end += own + size
    return end


def _box(file: BinaryIO) -> tuple[int, int]:
    start = file.read(16)
    size = int.from_bytes(start[:4], "big")
    if len(start) < 8 or size == 0:  # a rest that is no box, or one that ends with the file
        return 0, 0
    if size == 1:
        return 16, max(0, int.from_bytes(start[8:], "big") - 16)
    return 8, max(0, size - 8)


def _riff_chunk(file: BinaryIO) -> tuple[int, int]:
    start = file.read(8)
    size = int.from_bytes(start[4:], "little")
    if start[:4] != RIFF or size in (0, 0xFFFFFFFF):  # padding after the end, or a header that was never finished
        return 0, 0
    return 8, size + size % 2


def _ebml_element(file: BinaryIO) -> tuple[int, int]:
    """The EBML head or the segment; what may follow is passed over, and an unknown size means to the end."""
    if (name := file.read(4)) not in (EBML, SEGMENT):
        return 0, 0
    first = file.read(1)
    octets = 9 - first[0].bit_length() if first and first[0] else 0
    coded = first + file.read(max(0, octets - 1))
    size = int.from_bytes(coded, "big") & ((1 << 7 * octets) - 1)
    unknown = octets == 0 or size == (1 << 7 * octets) - 1
    return (0, 0) if unknown else (len(name) + octets, size)
