"""Archives as downloaded: the wanted members of a tar or zip archive, unpacked safely, checked to the end."""

import errno
import gzip
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from data_prep.clip import SourceError

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, EOFError, zlib.error, OSError)
_BROKEN += (struct.error, RuntimeError, ValueError, KeyError, OverflowError)  # damaged headers, unknown compression
SPARE_BYTES = 50_000_000  # left free on the disk


def unpack(archive: Path, scratch: Path, wanted: Callable[[tuple[str, ...]], bool]) -> list[Path]:
    """Unpack the files of a .zip or .tar[.gz] archive whose parts of the path are `wanted`; where they are (ours).

    Hidden files and what macOS and Windows add are passed over. Raises SourceError for a wanted member that would land
    outside `scratch`, a link out of it or a device; for a member that the disk has no room for; and for what is no
    archive, is cut, or is damaged anywhere. What was unpacked until then stays: the caller deletes `scratch`.
    """

    def is_wanted(name: str) -> bool:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        return not any(map(is_junk, parts)) and wanted(parts)

    kind, unpack_all = ("zip", _unpack_zip) if archive.suffix.lower() == ".zip" else ("tar", _unpack_tar)
    try:
        return unpack_all(archive, scratch, is_wanted)
    except SourceError:
        raise
    except tarfile.FilterError as error:
        raise SourceError(f"{archive}: unsafe archive refused ({error}); download the official one") from error
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # of the disk, not of the archive
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise SourceError(
            f"{archive}: not a complete {kind} archive ({reason}); download it again, or, if it is of another kind "
            "(.rar, .7z), unpack it and give its folder"
        ) from error


def unpacked(found: Path, scratch: Path, folders: tuple[str, ...], suffixes: tuple[str, ...] = ("",)) -> Path:
    """The folder above the official `folders`: `found` itself, or, where it is an archive, what it holds in `scratch`.

    Of an archive, only files in these folders whose names end in one of the `suffixes` are unpacked.
    """
    if found.is_dir():
        return found
    files = unpack(found, scratch, lambda parts: not set(parts).isdisjoint(folders) and parts[-1].endswith(suffixes))
    if not files:
        wanted = f"{' or '.join(suffixes)} files" if any(suffixes) else " or ".join(folders)
        raise SourceError(f"{found}: no {wanted} inside; is it another archive?")
    return next((folder.parent for folder in files[0].parents if folder.name in folders), scratch)


def is_archive_or_folder(path: Path) -> bool:
    """Whether something may be a source: only the beginning of an archive is read."""
    return path.is_dir() or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def is_junk(name: str) -> bool:
    """Hidden files, and what macOS and Windows add: `._001.tif`, `__MACOSX`, `Thumbs.db`, `desktop.ini`."""
    hidden = name.startswith(".") and name not in (".", "..")
    return hidden or name == "__MACOSX" or name.lower() in ("thumbs.db", "desktop.ini")


def _unpack_tar(archive: Path, scratch: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    unpacked = []
    with tarfile.open(archive) as members:
        for member in members:
            if is_wanted(member.name):
                _check_inside(archive, member.name)
                _check_room(archive, member.name, scratch, _written(member))
                members.extract(member, scratch, filter="data")  # refuses links out of scratch, and devices
                unpacked.append(scratch / member.name)
        while members.fileobj.read(1 << 20):  # to the end, where the checksum is: damage looks like an early end
            pass
    return [path for path in unpacked if path.is_file()]


def _written(member: tarfile.TarInfo) -> int:
    """Bytes that a member takes; of a file with holes, a damaged map of its parts may name more than its size."""
    parts = member.sparse or ()  # pairs, which typeshed takes for a number
    return max(member.size, sum(size for _, size in parts))  # pyright: ignore[reportGeneralTypeIssues]


def _unpack_zip(archive: Path, scratch: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    unpacked = []
    with zipfile.ZipFile(archive) as members:
        files = [member for member in members.infolist() if not member.is_dir() and is_wanted(member.filename)]
        for member in files:
            _check_inside(archive, member.filename)
        for member in files:
            _check_room(archive, member.filename, scratch, member.file_size)
            unpacked.append(Path(members.extract(member, scratch)))  # no more than that size, and checked by its CRC
    return unpacked


def _check_inside(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise SourceError(
            f"{archive}: unsafe archive refused ({name!r} would land outside of its folder); download the official one"
        )


def _check_room(archive: Path, name: str, scratch: Path, size: int) -> None:
    """A small archive may hold more than any disk: each member is weighed before it is written."""
    scratch.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(scratch).free
    if size + SPARE_BYTES > free:
        raise SourceError(
            f"{archive}: {name} takes {size / 1e9:.2f} GB unpacked, {max(0, free - SPARE_BYTES) / 1e9:.2f} GB are free "
            f"for it on the disk of {scratch.parent}; make room, or choose another --root. Is it the official archive?"
        )
