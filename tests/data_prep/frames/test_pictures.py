"""Folders of pictures: their order, their depth, stacks, and what is no picture."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep.clip import SourceError
from data_prep.frames.deep_pictures import scale_of
from data_prep.frames.masks import array_masks, mask_pictures
from data_prep.frames.picture_order import in_order
from data_prep.frames.pictures import colour_pictures, picture_folder, whole_folder
from data_prep.readers.videos import read_videos
from maam_lib.video.events import Event
from maam_lib.video.footage import open_footage
from maam_lib.video.trouble import Frame
from tests.fake_sources import moving, write_images

SIZE = (24, 36)


def written(folder: Path, names: list[str], suffix: str = ".png") -> list[Path]:
    """Pictures with these names, in a folder of their own; their gray says their place in the list."""
    folder.mkdir(parents=True)
    for t, name in enumerate(names):
        cv2.imwrite(str(folder / f"{name}{suffix}"), np.full(SIZE, t, np.uint8))
    return [folder / f"{name}{suffix}" for name in names]


# Order


@pytest.mark.parametrize(
    "names",
    [
        ["1", "2", "9", "10", "11"],
        ["cam1_2024-05-17_12-59-58", "cam1_2024-05-17_12-59-59", "cam1_2024-05-17_13-00-00"],
        ["20240517_235959", "20240518_000000", "20240518_000001"],
        ["1305031102.175304", "1305031102.975304", "1305031103.008636"],
        ["1305031102.17", "1305031102.175304", "1305031102.5", "1305031103.0"],  # as Python writes seconds
        ["1305031102.900000", "1305031102.41000000", "1305031102.175304000"],  # as ROS writes nanoseconds
        ["frame_2_of_20", "frame_10_of_20"],
        ["img (1)", "img (2)", "img (10)"],
        ["٨", "٩", "١٠"],
        ["2024.9.1", "2024.11.1"],
    ],
)
def test_pictures_come_in_the_order_of_all_numbers_in_their_names(names: list[str], tmp_path: Path) -> None:
    paths = written(tmp_path / "a", names)
    assert list(in_order(sorted(paths, reverse=True)).paths) == paths


def test_an_order_that_the_last_number_contradicts_is_noted(tmp_path: Path) -> None:
    [note] = in_order(written(tmp_path / "a", ["12-00-59", "12-01-00"])).notes
    assert note.startswith("in the order of all numbers in their names (12-00-59.png before 12-01-00.png); the last")
    assert in_order(written(tmp_path / "b", ["cam2_8", "cam2_9", "cam2_10"])).notes == []


def test_an_order_that_spread_file_times_contradict_is_noted(tmp_path: Path) -> None:
    paths = written(tmp_path / "a", ["0000", "0001", "9998", "9999"])
    for path, second in zip(paths, (2.0, 3.0, 0.0, 1.0), strict=True):  # the counter began again at 0
        os.utime(path, ns=(0, int(second * 1e9)))
    [note] = in_order(paths).notes
    assert note == "in the order of their names (0001.png before 9998.png); the files' times give another order"
    for path, second in zip(paths, (2.0, 3.0, 0.0, 1.0), strict=True):  # copied in one go, in any order
        os.utime(path, ns=(0, int(second * 1e6)))
    assert in_order(paths).notes == []


@pytest.mark.parametrize(
    ("names", "is_gap"),
    [
        (["0001", "0002", "0004"], True),
        (["cam1_0010", "cam1_0020", "cam1_0040"], True),
        (["20240517_0001", "20240517_0002", "20240517_0004"], True),
        (["9998", "9999", "0000"], True),  # a counter that began again
        (["2024-05-17_12-00-30", "2024-05-17_12-00-31", "2024-05-17_12-00-34"], False),
        (["120058", "120059", "120100"], False),
        (["1305031102175304", "1305031102275304", "1305031102475304"], False),
        (["1305031102.175304", "1305031102.208", "1305031102.275304"], False),
        (["2024-05-17_12-59-30", "2024-05-17_13-00-31", "2024-05-17_13-00-34"], False),
    ],
)
def test_a_frame_is_missing_only_where_names_are_a_counter(names: list[str], is_gap: bool, tmp_path: Path) -> None:
    written(tmp_path / "a", names)
    if is_gap:
        with pytest.raises(SourceError, match=r"a: a frame is missing between .* add it, or number the frames again"):
            whole_folder(tmp_path / "a")
    else:
        assert len(whole_folder(tmp_path / "a").paths) == len(names)


def test_two_series_in_one_folder_are_refused_or_noted(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"b_0001\.png: a_0001\.png has the same number; a clip's folder holds"):
        in_order(written(tmp_path / "a", ["a_0001", "a_0002", "b_0001", "b_0002"]))
    [note] = in_order(written(tmp_path / "b", ["frame_0001", "frame_0002", "thumb_0003"])).notes
    assert note.startswith("names of 2 kinds, such as frame_0002.png and thumb_0003.png")


# Depth


def deep(kind: str) -> np.ndarray:
    """(T, H, W): a texture as cameras of more than 8 bits store it."""
    gray = np.stack([frame[..., 0] for frame in moving("hall", 5, SIZE)])
    return {
        "12 of 16 bits": gray.astype(np.uint16) * 16,
        "thermal": gray.astype(np.uint16) * 2 + 7000,
        "signed": gray.astype(np.int16) - 100,
        "float": gray.astype(np.float32) / 255,
        "degrees": gray.astype(np.float32) / 10 - 20,
        "double": gray.astype(np.float64) / 255,
    }[kind]


@pytest.mark.parametrize("kind", ["12 of 16 bits", "thermal", "signed", "float", "degrees", "double"])
def test_deep_pictures_keep_their_contrast(kind: str, tmp_path: Path) -> None:
    write_images(tmp_path / "in/train/a", deep(kind), "{:04d}.tif")
    footage = read_videos(tmp_path / "in")
    frames = np.stack(list(footage.clips[0].frames()))
    assert frames.dtype == np.uint8
    assert len(np.unique(frames)) > 0.9 * len(np.unique(deep(kind)))
    rank = np.corrcoef(frames[..., 0].ravel(), deep(kind).ravel())[0, 1]
    assert rank > 0.999
    [note] = footage.notes
    assert "shown as 0..255" in note
    assert note.startswith("train/a: ")
    shown = [frame.pixels for frame in open_footage(tmp_path / "in/train/a") if isinstance(frame, Frame)]
    np.testing.assert_array_equal(shown, frames)  # detect shows what prepare stores
    assert any("shown as 0..255" in note for note in open_footage(tmp_path / "in/train/a").notes)


def test_one_scale_for_all_pictures_of_a_clip() -> None:
    pictures = [np.full(SIZE, value, np.uint16) for value in (7000, 7100, 7600)]
    scale = scale_of(pictures)
    assert (scale.low, scale.high) == (7000, 7600)
    assert str(scale) == "16-bit pictures, 7000..7600 shown as 0..255"


def test_a_usual_range_is_the_scale_where_half_of_it_is_used() -> None:
    assert scale_of([np.linspace(300, 3000, 864).astype(np.uint16).reshape(SIZE)]).high == 4095
    assert scale_of([np.linspace(0.1, 0.9, 864, dtype=np.float32).reshape(SIZE)]).high == 1


def test_a_defective_pixel_does_not_set_the_scale() -> None:
    picture = np.tile(np.arange(7000, 7036, dtype=np.uint16), (24, 1))
    picture[5, 7] = 65535
    assert scale_of([picture]).high == 7035


def test_values_that_are_no_numbers_do_not_count(tmp_path: Path) -> None:
    picture = np.linspace(20, 30, 864, dtype=np.float32).reshape(SIZE)
    picture[0, :2] = np.nan, np.inf
    cv2.imwrite(str(tmp_path / "1.tif"), picture)
    scale = scale_of([picture])
    assert 20 <= scale.low < scale.high <= 30
    [frame] = colour_pictures((tmp_path / "1.tif",), None, scale)
    assert frame[0, :2, 0].tolist() == [0, 255]


@pytest.mark.parametrize("first", [np.uint8, np.uint16])
def test_one_depth_in_a_clip(first: type, tmp_path: Path) -> None:
    write_images(tmp_path / "in/train/a", iter(deep("12 of 16 bits")[:3].astype(first)), "{}.png")
    other = np.uint16 if first is np.uint8 else np.uint8
    cv2.imwrite(str(tmp_path / "in/train/a/1.png"), np.ones(SIZE, other))
    with pytest.raises(SourceError, match=r"1\.png: has \d+-bit colours, expected \d+-bit as in the first picture"):
        list(read_videos(tmp_path / "in").clips[0].frames())


@pytest.mark.parametrize(
    ("suffix", "modes"),
    [
        (".png", ("L", "RGB", "P", "1", "RGBA", "LA")),
        (".tif", ("L", "RGB", "P", "1", "RGBA", "LA", "CMYK")),
        (".bmp", ("L", "RGB", "P", "1", "RGBA")),
        (".jpg", ("L", "RGB", "1", "CMYK")),
    ],
)
def test_pictures_of_8_bits_stay_as_opencv_shows_them(suffix: str, modes: tuple[str, ...], tmp_path: Path) -> None:
    for mode in modes:
        path = tmp_path / mode / f"1{suffix}"
        path.parent.mkdir()
        Image.fromarray(next(moving("hall", 1, SIZE))).convert(mode).save(path)
        [frame] = colour_pictures((path,))
        np.testing.assert_array_equal(frame, cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1], mode)
        has_alpha = mode in ("RGBA", "LA") and suffix in (".png", ".tif")
        assert any("alpha channel" in note for note in picture_folder(path.parent).notes_on_frames) == has_alpha


def test_pictures_are_turned_as_exif_says(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[274] = 6  # a quarter
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "1.jpg", exif=turned)
    [frame] = colour_pictures((tmp_path / "1.jpg",))
    assert frame.shape == (36, 24, 3)


# Stacks


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_every_picture_of_a_stack_is_a_frame(suffix: str, tmp_path: Path) -> None:
    frames = list(moving("hall", 60, SIZE))
    (tmp_path / "in/train/a").mkdir(parents=True)
    for k in range(3):
        first, *others = [Image.fromarray(frame) for frame in frames[20 * k : 20 * k + 20]]
        first.save(tmp_path / f"in/train/a/stack_{k}{suffix}", save_all=True, append_images=others)
    footage = read_videos(tmp_path / "in")
    np.testing.assert_array_equal(np.stack(list(footage.clips[0].frames())), np.stack(frames))
    assert footage.clips[0].num_frames == 60
    assert "every picture of a file is a frame, 60 in all" in footage.notes[0]
    shown = [frame for frame in open_footage(tmp_path / "in/train/a") if isinstance(frame, Frame)]
    assert [frame.number for frame in shown] == list(range(60))


@pytest.mark.parametrize("kept", [0.3, 0.55, 0.8])
def test_a_cut_stack_is_an_error(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "in/train/a/0.tif"
    path.parent.mkdir(parents=True)
    assert cv2.imwritemulti(str(path), [np.full(SIZE, t, np.uint8) for t in range(20)])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(SourceError, match=r"0\.tif: .*cannot be decoded"):
        list(read_videos(tmp_path / "in").clips[0].frames())


def test_a_missing_or_damaged_stack_is_a_gap_of_its_frames(tmp_path: Path) -> None:
    for k in (0, 1, 3):
        stack = [np.full(SIZE, 10 * k + t, np.uint8) for t in range(10)]
        assert cv2.imwritemulti(str(tmp_path / f"{k}.tif"), stack)
    items = list(open_footage(tmp_path))
    assert [item.number for item in items if isinstance(item, Frame)] == [*range(20), *range(30, 40)]
    [event] = [item for item in items if isinstance(item, Event)]
    assert (event.kind, event.note) == ("gap", "1 missing before 3.tif")


# What is no picture


def test_what_is_no_picture_is_named_and_nothing_hangs(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    written(folder, ["0001", "0002"])
    os.mkfifo(folder / "0003.png")
    (folder / "notes.txt").write_bytes(b"\0")
    (folder / ".hidden.png").write_bytes(b"\0")
    assert picture_folder(folder).notes == ["skipped: 0003.png, notes.txt"]
    (folder / "0004.png").symlink_to("elsewhere.png")
    with pytest.raises(SourceError, match=r"0004\.png: a link to elsewhere\.png, which does not exist"):
        picture_folder(folder)


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"II*\0\x08\0\0\0"])
def test_a_picture_that_is_none_is_an_error_in_prepare(content: bytes, tmp_path: Path) -> None:
    written(tmp_path / "a", ["0001", "0002"], ".tif")
    (tmp_path / "a/0003.tif").write_bytes(content)
    with pytest.raises(SourceError, match=rf"0003\.tif: cannot be decoded \({len(content)} bytes\)"):
        whole_folder(tmp_path / "a")


# Masks

MASK = np.zeros(SIZE, np.uint8)
MASK[4:9, 5:9] = 1


def palette(path: Path, numbers: np.ndarray, colours: list[int]) -> None:
    """A PNG of 8 bits whose palette has these colours."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in numbers)
    head = struct.pack(">IIBBBBB", *numbers.shape[::-1], 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"PLTE", bytes(colours)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks))


def write_mask(folder: Path, kind: str) -> Path:
    """MASK as a picture of some kind."""
    path = folder / ("1.tif" if "TIFF" in kind else "1.bmp" if kind == "bmp" else "1.png")
    black = np.zeros(SIZE, np.uint8)
    transparent = np.full(SIZE, 255, np.uint8)
    transparent[6:] = 0
    stored = {
        "bmp": MASK,
        "16 bits": MASK.astype(np.uint16) * 7,
        "red": np.dstack([black, black, MASK]),
        "green, 16 bits": np.dstack([black, MASK, black]).astype(np.uint16),
        "alpha": np.dstack([black, black, MASK, transparent]),
        "float TIFF": MASK.astype(np.float32) / 1000,
        "negative TIFF": -MASK.astype(np.int16),
    }
    if kind == "palette":
        palette(path, MASK, [0, 0, 0, 0, 0, 3])
    elif kind == "palette from white to black":
        palette(path, 1 - MASK, [255, 255, 255, 0, 0, 0])
    elif kind == "1 bit":
        Image.fromarray(MASK * 255).convert("1").save(path)
    elif kind == "alpha TIFF":
        Image.fromarray(np.dstack([MASK, black, black, transparent])).save(path)
    else:
        cv2.imwrite(str(path), stored[kind])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        *("bmp", "16 bits", "red", "green, 16 bits", "palette", "palette from white to black", "1 bit"),
        *("alpha", "alpha TIFF", "float TIFF", "negative TIFF"),
    ],
)
def test_a_mask_is_abnormal_where_any_colour_is_not_zero(kind: str, tmp_path: Path) -> None:
    [mask] = mask_pictures((write_mask(tmp_path, kind),))
    np.testing.assert_array_equal(mask, MASK)


def test_black_is_normal_whatever_its_alpha(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.dstack([MASK * 0, MASK * 0, MASK * 0, MASK * 255]))
    [mask] = mask_pictures((tmp_path / "1.png",))
    assert not mask.any()


def test_two_numbers_of_a_palette_without_colour_are_an_error(tmp_path: Path) -> None:
    palette(tmp_path / "1.png", MASK, [0, 0, 0, 0, 0, 0])
    with pytest.raises(SourceError, match=r"1\.png: its palette has no colour for number 1, which then is black like"):
        list(mask_pictures((tmp_path / "1.png",)))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int32, np.float64])
def test_masks_as_an_array(dtype: type, tmp_path: Path) -> None:
    stack = np.stack([MASK, 0 * MASK]).astype(dtype)
    stack = -stack if dtype in (np.int32, np.float64) else stack
    np.save(tmp_path / "b.npy", stack)
    np.testing.assert_array_equal(np.stack(list(array_masks(tmp_path / "b.npy"))), [MASK, 0 * MASK])


def test_a_mask_of_no_numbers_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.where(MASK, np.nan, 0)[None])
    with pytest.raises(SourceError, match=r"b\.npy, mask 1: 20 values are no numbers \(NaN\)"):
        list(array_masks(tmp_path / "b.npy"))


@pytest.mark.parametrize("stacked", [False, True])
def test_a_mask_under_alpha_counts_in_a_file_and_in_a_stack(stacked: bool, tmp_path: Path) -> None:
    shapes = np.zeros((6, *SIZE), np.uint8)
    shapes[2:4, 5:9, 5:15] = 255
    pages = [Image.fromarray(np.dstack([shape, shape, shape, 0 * shape])) for shape in shapes]
    if stacked:
        pages[0].save(tmp_path / "0.tif", save_all=True, append_images=pages[1:])
        masks = list(mask_pictures((tmp_path / "0.tif",), (6,)))
    else:
        paths = tuple(tmp_path / f"{t}.tif" for t in range(6))
        for page, path in zip(pages, paths, strict=True):
            page.save(path)
        masks = list(mask_pictures(paths))
    np.testing.assert_array_equal(masks, shapes > 0)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["31-01-2024_23-59-59", "01-02-2024_00-00-00"], "dates with the day first"),
        (["11-59-59 AM", "01-00-00 PM"], "named by a 12-hour clock"),
        (["2024-01-31_23-59-59", "2024-02-01_00-00-00"], ""),
    ],
)
def test_clocks_whose_numbers_do_not_rise_with_time_are_noted(names: list[str], said: str, tmp_path: Path) -> None:
    notes = [
        note for note in in_order([touched(tmp_path / f"{name}.png") for name in names]).notes if "named by" in note
    ]
    assert [said in note for note in notes] == ([True] if said else [])


def touched(path: Path) -> Path:
    path.touch()
    return path


def test_the_default_picture_of_an_animated_png_is_no_frame(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full(SIZE, 20 * t, np.uint8)) for t in range(6)]
    pages[0].save(tmp_path / "0.png", save_all=True, append_images=pages[1:], default_image=True)
    found = picture_folder(tmp_path)
    frames = list(colour_pictures(found.paths, found.pages))
    assert [int(frame.mean()) for frame in frames] == [20, 40, 60, 80, 100]
