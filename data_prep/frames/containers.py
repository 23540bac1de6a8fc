"""How long a video file must be by its own header: a file that is shorter was cut.

Only lengths that the container states in bytes count. Numbers of frames and durations in headers are estimates in
several formats, and a whole file may show fewer frames than they say.
"""

from pathlib import Path
from typing import BinaryIO

RIFF, EBML, SEGMENT = b"RIFF", b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
BOXES = set(b"ftyp moov mdat moof styp free skip wide pnot".split())  # that such a file begins with


def missing_bytes(path: Path) -> int:
    """Bytes that the file lacks of what its header states: MP4 and its kin, AVI, Matroska, WebM and GIF (ours).

    0 for a whole file, for one whose header was never finished (a recorder that lost power), and for other formats.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(8)
        if begin[:4] == b"GIF8":  # its last byte is a semicolon; some writers pad it with zeros
            file.seek(max(0, length - 16))
            return int(not file.read().rstrip(b"\0").endswith(b";"))
        part_size = {RIFF: _riff_chunk, EBML: _ebml_element}.get(begin[:4], _box if begin[4:] in BOXES else None)
        end, size = 0, 1
        while part_size and size and end < length:
            file.seek(end)
            size = part_size(file)
            end += size
    return max(0, end - length)


# The bytes of the part that begins here, its header included; 0 where the rest cannot be told


def _box(file: BinaryIO) -> int:
    start = file.read(16)
    size = int.from_bytes(start[:4], "big")
    if len(start) < 8 or size == 0:  # a rest that is no box, or one that ends with the file
        return 0
    return max(16, int.from_bytes(start[8:], "big")) if size == 1 else max(8, size)


def _riff_chunk(file: BinaryIO) -> int:
    start = file.read(8)
    size = int.from_bytes(start[4:], "little")
    if start[:4] != RIFF or size in (0, 0xFFFFFFFF):  # padding after the end, or a header that was never finished
        return 0
    return 8 + size + size % 2


def _ebml_element(file: BinaryIO) -> int:
    """The EBML head or the segment; what may follow is passed over, and an unknown size means to the end."""
    if (name := file.read(4)) not in (EBML, SEGMENT):
        return 0
    first = file.read(1)
    octets = 9 - first[0].bit_length() if first and first[0] else 0
    coded = first + file.read(max(0, octets - 1))
    largest = (1 << 7 * octets) - 1  # which says unknown
    size = int.from_bytes(coded, "big") & largest
    return 0 if size == largest else len(name) + octets + size
