"""Sources that change after they were prepared: noticed by size, time and content, whatever the file."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_prep import prepare as prepare_module
from data_prep.clip_files import ensure_clips
from data_prep.expected import OFFICIAL_COUNTS
from data_prep.files import source_files
from data_prep.files.source_files import RECORD, Part, examine, what_is_in
from data_prep.layout import read_manifest
from data_prep.prepare import PreparationError, prepare
from tests.fake_sources import (
    FAKE_COUNTS,
    mask_file,
    masks,
    moving,
    write_avenue,
    write_images,
    write_shanghaitech,
)

LATER = 2_000_000_000  # seconds since 1970, far from all real times
EARLIER = 1_000_000_000


def prepared(dataset: str, source: Path, root: Path, **options: Any) -> Path:
    return prepare(dataset, source, root, workers=1, progress=False, **options)


def aged(source: Path) -> Path:
    """The source, as if all of its files had been written long ago."""
    for path in source.rglob("*"):
        if path.is_file():
            os.utime(path, (EARLIER, EARLIER))
    return source


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Two clips of BMP frames, of one size whatever they show, with masks and labels."""
    source = tmp_path / "lobby"
    write_images(source / "train" / "noon", moving("noon", 5), "{:04d}.bmp")
    write_images(source / "test" / "night", moving("night", 5), "{:04d}.bmp")
    write_images(source / "masks" / "night", iter(masks(5, [2]) * 255), "{:04d}.bmp")
    return aged(source)


def edit_in_place(path: Path, time: int = LATER) -> None:
    """Change the last byte; the size stays."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 255]))
    os.utime(path, (time, time))


@pytest.mark.parametrize("name", ["train/noon/0003.bmp", "test/night/0000.bmp", "masks/night/0002.bmp"])
def test_an_edit_in_place_is_noticed(name: str, footage: Path, tmp_path: Path) -> None:
    prepared("videos", footage, tmp_path / "data")
    edit_in_place(footage / name)
    with pytest.raises(
        PreparationError, match=rf"from other footage \(lobby\), or it has changed since; .*differs: {name}"
    ):
        prepared("videos", footage, tmp_path / "data")


def test_a_clip_behind_a_link_is_followed_and_a_loop_is_not(footage: Path, tmp_path: Path) -> None:
    shutil.move(footage / "train/noon", tmp_path / "elsewhere")
    (footage / "train/noon").symlink_to(tmp_path / "elsewhere")
    (footage / "train/noon/loop").symlink_to(footage / "train")
    prepared("videos", footage, tmp_path / "data")
    prepared("videos", footage, tmp_path / "data")
    edit_in_place(tmp_path / "elsewhere/0001.bmp")
    with pytest.raises(PreparationError, match=r"differs: train/noon/0001\.bmp"):
        prepared("videos", footage, tmp_path / "data")


@pytest.fixture
def official(tmp_path: Path, ped2: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Path, list[Path]]]:
    """Unpacked official sets, and files of each that a reader reads."""
    for dataset, counts in FAKE_COUNTS.items():
        monkeypatch.setitem(OFFICIAL_COUNTS, dataset, counts)
    avenue, shanghai = write_avenue(tmp_path / "avenue"), write_shanghaitech(tmp_path)
    return {
        "ped2": (ped2, [ped2 / "Test/Test001_gt/002.bmp", ped2 / "Test/UCSDped2.m", ped2 / "Train/Train001/001.tif"]),
        "avenue": (avenue, [mask_file(avenue, "01"), avenue / "Avenue Dataset/training_videos/01.avi"]),
        "shanghaitech": (
            shanghai,
            [
                shanghai / "testing/test_frame_mask/01_0014.npy",
                shanghai / "testing/test_pixel_mask/01_0014.npy",
                shanghai / "testing/frames/01_0014/003.jpg",
            ],
        ),
    }


@pytest.mark.parametrize("dataset", ["ped2", "avenue", "shanghaitech"])
def test_official_folders_are_compared_too(
    dataset: str, official: dict[str, tuple[Path, list[Path]]], tmp_path: Path
) -> None:
    source, read = official[dataset]
    folder = prepared(dataset, aged(source), tmp_path / "data")
    (source / "notes.txt").write_text("what no reader reads")
    assert prepared(dataset, source, tmp_path / "data") == folder
    for path in read:
        before = path.read_bytes()
        edit_in_place(path)
        with pytest.raises(PreparationError, match=rf"has changed since; .*differs: \S*{path.name}"):
            prepared(dataset, source, tmp_path / "data")
        path.write_bytes(before)
        assert prepared(dataset, source, tmp_path / "data") == folder
    read[0].unlink()
    with pytest.raises(PreparationError, match=rf"differs: \S*{read[0].name}"):
        prepared(dataset, source, tmp_path / "data")


def test_touched_moved_and_copied_is_no_change(footage: Path, tmp_path: Path) -> None:
    folder = prepared("videos", footage, tmp_path / "data")
    for path in footage.rglob("*.bmp"):
        os.utime(path, (LATER, LATER))
    assert prepared("videos", footage, tmp_path / "data") == folder
    moved = tmp_path / "moved"
    footage.rename(moved)
    assert prepared("videos", moved, tmp_path / "data") == folder
    copied = Path(shutil.copytree(moved, tmp_path / "copied", copy_function=shutil.copyfile))
    assert prepared("videos", copied, tmp_path / "data") == folder
    (copied / "Thumbs.db").write_bytes(b"what Windows adds")
    (copied / "train" / ".DS_Store").write_bytes(b"what macOS adds")
    assert prepared("videos", copied, tmp_path / "data") == folder


def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content is read from now on."""
    names: list[str] = []
    whole = source_files.file_sha256
    monkeypatch.setattr(source_files, "file_sha256", lambda path: names.append(path.name) or whole(path))
    return names


def test_an_unchanged_source_is_not_read_and_a_touched_file_once(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared("videos", footage, tmp_path / "data")
    names = hashed(monkeypatch)
    prepared("videos", footage, tmp_path / "data")
    assert names == []
    os.utime(footage / "train/noon/0003.bmp", (EARLIER + 9, EARLIER + 9))
    prepared("videos", footage, tmp_path / "data")
    prepared("videos", footage, tmp_path / "data")
    assert names == ["0003.bmp"]


def test_a_file_as_young_as_the_record_is_read_again(footage: Path, tmp_path: Path) -> None:
    """An edit within the same tick of the clock keeps size and time: git's "racy" files."""
    record = prepared("videos", footage, tmp_path / "data") / RECORD
    path = footage / "train/noon/0003.bmp"
    time = path.stat().st_mtime_ns
    os.utime(record, ns=(time, time))
    edit_in_place(path, EARLIER)
    assert path.stat().st_mtime_ns == time
    with pytest.raises(PreparationError, match=r"differs: train/noon/0003\.bmp"):
        prepared("videos", footage, tmp_path / "data")


# Datasets whose record was lost


def of_other_content(folder: Path) -> None:
    (folder / RECORD).unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["source"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("record", [None, "", "[]"])
def test_a_lost_record_is_written_again(record: str | None, footage: Path, tmp_path: Path) -> None:
    folder = prepared("videos", footage, tmp_path / "data")
    (folder / RECORD).unlink()
    if record is not None:
        (folder / RECORD).write_text(record)
    assert prepared("videos", footage, tmp_path / "data") == folder
    assert json.loads((folder / RECORD).read_text())
    edit_in_place(footage / "train/noon/0000.bmp")
    with pytest.raises(PreparationError, match="or it has changed since"):
        prepared("videos", footage, tmp_path / "data")
    of_other_content(folder)
    with pytest.raises(PreparationError, match="or it has changed since"):
        prepared("videos", footage, tmp_path / "data")


def test_an_official_dataset_without_a_record(ped2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prepared("ped2", ped2, tmp_path / "data")
    (folder / RECORD).unlink()
    assert prepared("ped2", ped2, tmp_path / "data") == folder
    assert capsys.readouterr().err == ""
    of_other_content(folder)
    assert prepared("ped2", ped2, tmp_path / "data") == folder
    assert "this other form of it was not compared" in capsys.readouterr().err


def test_another_form_of_an_official_set_is_taken_with_a_word(
    ped2: Path, pack: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepared("ped2", pack(ped2), tmp_path / "data")
    assert prepared("ped2", ped2, tmp_path / "data") == folder
    assert "this other form of it was not compared" in capsys.readouterr().err


def test_what_is_no_source_of_a_prepared_official_set_is_told(
    ped2: Path, pack: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, empty = pack(ped2), tmp_path / "empty"
    folder = prepared("ped2", archive, tmp_path / "data")
    empty.mkdir()
    (text := empty / "README.md").write_text("no archive")
    with pytest.raises(
        PreparationError, match=r"README\.md: neither a folder nor an archive; .* was prepared from UCSD"
    ):
        prepared("ped2", text, tmp_path / "data")
    assert prepared("ped2", empty, tmp_path / "data") == folder
    said = capsys.readouterr().err
    assert "is not there now" in said
    assert f"{empty}: expected UCSDped2/" in said
    archive.unlink()
    assert prepared("ped2", archive, tmp_path / "data") == folder
    assert capsys.readouterr().err == "", "the archive may be deleted once it is prepared"


def test_an_edited_archive_is_noticed(ped2: Path, pack: Callable[[Path], Path], tmp_path: Path) -> None:
    archive = pack(ped2)
    prepared("ped2", archive, tmp_path / "data")
    edit_in_place(archive)
    with pytest.raises(PreparationError, match=r"differs: UCSD_Anomaly_Dataset\.tar\.gz"):
        prepared("ped2", archive, tmp_path / "data")


def test_a_folder_whose_name_is_no_utf8(footage: Path, tmp_path: Path) -> None:
    source = footage.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder = prepared("videos", source, tmp_path / "data")
    assert prepared("videos", source, tmp_path / "data") == folder
    assert read_manifest(folder).source.name == "caf\N{REPLACEMENT CHARACTER}"


# Half prepared


def test_old_and_new_are_never_mixed(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(clips: list[Any], *arguments: Any, **options: Any) -> None:
        ensure_clips(clips[:1], *arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "ensure_clips", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepared("videos", footage, tmp_path / "data")
    frame = footage / "train/noon/0003.bmp"
    whole = frame.read_bytes()
    edit_in_place(frame)
    with pytest.raises(
        PreparationError, match=r"is half prepared from another source .* or the source has changed since"
    ):
        prepared("videos", footage, tmp_path / "data")
    frame.write_bytes(whole)  # and back: as it was, whatever the time
    assert (prepared("videos", footage, tmp_path / "data") / "manifest.json").is_file()


def test_a_change_while_it_is_read_is_noticed(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def edited(*arguments: Any, **options: Any) -> dict:
        edit_in_place(footage / "test/night/0001.bmp")
        return ensure_clips(*arguments, **options)

    monkeypatch.setattr(prepare_module, "ensure_clips", edited)
    with pytest.raises(PreparationError, match=r"lobby: test/night/0001\.bmp changed while it was read; delete"):
        prepared("videos", footage, tmp_path / "data")
    assert not (tmp_path / "data/videos/manifest.json").exists()


# In words


def test_what_is_in_a_folder_is_told(tmp_path: Path) -> None:
    assert what_is_in(tmp_path / "none") == "no such folder"
    assert what_is_in(tmp_path) == "nothing"
    (tmp_path / "a").mkdir()
    for name in ("1.jpg", "2.jpg", ".hidden"):
        (tmp_path / name).touch()
    assert what_is_in(tmp_path) == "2 .jpg files and 1 folder, such as a"


def test_only_what_is_read_counts(tmp_path: Path) -> None:
    for name in ("Train/Train001/001.tif", "Train/notes.txt", "other/Train001/001.tif", "readme.m"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    os.mkfifo(tmp_path / "Train/Train001/pipe")
    part = Part(tmp_path, ("Train", "Test"), r"T\w+/(T\w+\d{3}(_gt)?/.+|UCSDped\d\.m)")
    assert list(part.files()) == ["Train/Train001/001.tif"]
    assert examine(part.files(), {})["Train/Train001/001.tif"].size == 22
