"""Archives: nothing lands outside, nothing fills the disk, every damage is one line that names the archive."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.clip import SourceError
from data_prep.files import archives
from data_prep.files.archives import SPARE_BYTES, unpack


def anything(parts: tuple[str, ...]) -> bool:
    return bool(parts)


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def a_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    "member",
    [
        a_member("/etc/evil.txt"),
        a_member("../evil.txt"),
        a_member("a/../../evil.txt"),
        a_member("C:\\evil.txt"),
        a_member("link", tarfile.SYMTYPE, "/etc/passwd"),
        a_member("link", tarfile.SYMTYPE, "../../evil.txt"),
        a_member("link", tarfile.LNKTYPE, "../../evil.txt"),
        a_member("device", tarfile.CHRTYPE),
        a_member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_what_would_leave_the_folder_is_refused(member: tarfile.TarInfo, tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", (a_member("good.txt"), b"good"), (member, b""))
    with pytest.raises(SourceError, match=r"a\.tar\.gz: unsafe archive refused .*download the official one"):
        unpack(archive, tmp_path / "scratch" / "deep", anything)
    assert not list(tmp_path.rglob("evil*"))


def test_a_link_inside_is_a_file_like_any_other(tmp_path: Path) -> None:
    archive = tar_of(
        tmp_path / "a.tar.gz", (a_member("x/1.txt"), b"one"), (a_member("x/2.txt", tarfile.LNKTYPE, "x/1.txt"), b"")
    )
    assert [path.read_bytes() for path in unpack(archive, tmp_path / "scratch", anything)] == [b"one", b"one"]


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_bomb_is_weighed_before_it_is_written(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
            members.writestr("zeros.bin", bytes(10_000_000))
    else:
        tar_of(archive, (a_member("zeros.bin"), bytes(10_000_000)))
    assert archive.stat().st_size < 20_000
    usage = shutil.disk_usage("/")._replace(free=SPARE_BYTES + 9_999_999)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SourceError, match=rf"bomb\.{kind}: zeros.bin takes 0\.01 GB unpacked, 0\.01 GB are free"):
        unpack(archive, tmp_path / "scratch", anything)
    assert not list((tmp_path / "scratch").iterdir())
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage._replace(free=usage.free + 1))
    assert len(unpack(archive, tmp_path / "scratch", anything)) == 1


def test_a_zip_member_that_holds_more_than_it_says_writes_no_more(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("zeros.bin", bytes(1_000_000))
    content = archive.read_bytes()
    archive.write_bytes(content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(SourceError, match=r"a\.zip: not a complete zip archive"):
        unpack(archive, tmp_path / "scratch", anything)
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*")) <= 10


def test_a_file_with_holes_counts_with_all_that_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    member = a_member("holes.bin")
    member.sparse, member.size = [(0, 6_000_000), (0, 6_000_000)], 1  # a map that names more than the file's size
    assert archives._written(member) == 12_000_000
    member.sparse, member.size = [(0, 10)], 1 << 40
    assert archives._written(member) == 1 << 40


@pytest.mark.parametrize("kind", ["tar.gz", "tar", "zip"])
def test_a_damaged_archive_is_one_line_that_names_it(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    archive = folder / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
            members.writestr("x/1.txt", b"one" * 50)
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as members:
            for name in ("x/1.txt", "x/2.txt"):
                members.addfile(_sized(a_member(name), 150), io.BytesIO(b"one" * 50))
    whole = archive.read_bytes()

    @settings(max_examples=150, derandomize=True, database=None, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, min(len(whole), 1600) - 1), st.integers(1, 255)), min_size=1, max_size=3))
    def damaged(flips: list[tuple[int, int]]) -> None:
        content = bytearray(whole)
        for place, mask in flips:
            content[place] ^= mask
        archive.write_bytes(content)
        scratch, said = folder / "scratch", []
        try:
            for path in unpack(archive, scratch, anything):
                assert path.resolve().is_relative_to(scratch.resolve())
        except SourceError as error:
            said.append(str(error))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        assert all(line.startswith(f"{archive}: ") and "\n" not in line for line in said)

    damaged()


def _sized(member: tarfile.TarInfo, size: int) -> tarfile.TarInfo:
    member.size = size
    return member
