"""Archives as downloaded: the wanted members of a tar or zip archive, unpacked safely, checked to the end."""

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from data_prep.clip import SourceError

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, EOFError, zlib.error, OSError)
Wanted = Callable[[tuple[str, ...]], bool]


def unpack(archive: Path, scratch: Path, wanted: Wanted) -> list[Path]:
    """Unpack the files of a .zip or .tar[.gz] archive whose parts of the path are `wanted`; where they are (ours).

    Hidden files and what macOS adds are passed over. An archive is refused if any wanted member would land outside
    `scratch`. Raises SourceError for that, and for what is no archive, is cut, or is damaged anywhere.
    """
    unpack_all = _unpack_zip if archive.suffix.lower() == ".zip" else _unpack_tar
    try:
        return unpack_all(archive, scratch, lambda name: _is_wanted(name, wanted))
    except tarfile.FilterError as error:
        raise SourceError(f"{archive}: unsafe archive refused ({error}); download the official one") from error
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the archive
            raise
        kind = "zip" if archive.suffix.lower() == ".zip" else "tar"
        reason = str(error).partition("\n")[0].rstrip(":")
        raise SourceError(f"{archive}: not a whole {kind} archive ({reason}); download it again") from error


def is_junk(name: str) -> bool:
    """macOS and other hidden files: `._001.tif`, `.DS_Store`, `__MACOSX`."""
    return (name.startswith(".") and name not in (".", "..")) or name == "__MACOSX"


def _is_wanted(name: str, wanted: Wanted) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return not any(map(is_junk, parts)) and wanted(parts)


def _unpack_tar(archive: Path, scratch: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    unpacked = []
    with tarfile.open(archive) as members:
        for member in members:
            if is_wanted(member.name):
                members.extract(member, scratch, filter="data")
                unpacked.append(scratch / member.name)
        while members.fileobj.read(1 << 20):  # to the end, where the checksum is: damage looks like an early end
            pass
    return [path for path in unpacked if path.is_file()]


def _unpack_zip(archive: Path, scratch: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    with zipfile.ZipFile(archive) as members:
        files = [member for member in members.infolist() if not member.is_dir() and is_wanted(member.filename)]
        for member in files:
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                raise SourceError(
                    f"{archive}: unsafe archive refused ({member.filename!r} would land outside of its folder); "
                    "download the official one"
                )
        return [Path(members.extract(member, scratch)) for member in files]  # each checked by its CRC
