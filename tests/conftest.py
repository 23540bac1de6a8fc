"""Shared fixtures: small fake sources in the official on-disk layout, prepared datasets, a small finished run."""

import os
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from jupyter_core.utils import ensure_event_loop

from data_prep.clip import Clip
from data_prep.expected import OFFICIAL_COUNTS, OfficialCounts
from data_prep.prepare import prepare
from data_prep.readers import RELEASE
from data_prep.scenes import SceneSettings, read_synthetic, synthetic
from maam_lib.config import Recipe, load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import Predict, evaluate, network_predictor
from maam_lib.model import MAAMNet
from maam_lib.training import RunFolder, build_network, dataset_for, fit

if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the commands that are tested would ignore it as well

PROJECT = Path(__file__).parents[1]
FRAME_SIZE = (24, 36)
TRAIN = {"Train001": 6, "Train002": 7}
TEST = {"Test001": 8, "Test002": 6}
ABNORMAL = {"Test001": [3, 4, 5, 7, 8], "Test002": [1, 2, 3, 4]}  # counted from 1
LABEL_FILE = """TestVideoFile = {};
% TestVideoFile{end+1}.gt_frame = [1:2];
TestVideoFile{end+1}.gt_frame = [3:5, 7:8];
TestVideoFile{end+1}.gt_frame = [1:4];
"""
FAKE_COUNTS = {
    "ped1": OfficialCounts(TRAIN, TEST, mask_clips=1),
    "ped2": OfficialCounts(TRAIN, TEST, mask_clips=2, abnormal_frames=9),
}
SMALL_SCENE = SceneSettings(height=48, width=64, train_clips=2, test_clips=2, frames_per_clip=40)
TINY_SETTINGS = (
    "data.height=48",
    "data.width=64",
    "model.base_channels=4",
    "model.num_items=8",
    "training.epochs=2",
    "training.batch_size=8",
    "scoring.patch=[12, 8]",
)
SPEED = ("loss.motion_target=speed", "loss.motion_form=patches", "training.augment=true")
# What `pytest -m "not slow"` leaves out, so that it ends within a minute: tests that train, that execute notebooks or
# drive a browser, that read real data, and the files below, which train, start processes or draw whole scenes. A test
# may also be marked by hand.
SLOW_MARKS = {"browser", "data", "golden", "notebooks"}
SLOW_FIXTURES = {"finished_run", "speed_run"}  # a training
SLOW_FILES = {
    "benchmarks/test_timing.py",
    "data_prep/scenes/test_scenes.py",
    "data_prep/scenes/test_synthetic.py",
    "data_prep/test_cluster.py",
    "data_prep/test_learned_flow.py",
    "data_prep/test_prepare.py",
    "data_prep/test_two_at_once.py",
    "maam_lib/cli/test_cli.py",
    "maam_lib/cli/test_stopping.py",
    "maam_lib/evaluation/test_localisation.py",
    "maam_lib/evaluation/test_no_learning.py",
    "maam_lib/fast/test_devices.py",
    "maam_lib/grid/test_runner.py",
    "maam_lib/playground/test_background.py",
    "maam_lib/report/test_build.py",
    "maam_lib/report/test_notebooks.py",
    "maam_lib/test_golden.py",
    "maam_lib/training/test_camera.py",
    "maam_lib/training/test_held_out.py",
    "maam_lib/training/test_loop.py",
    "maam_lib/training/test_runs.py",
    "maam_lib/video/test_detection.py",
    "maam_lib/video/test_inference.py",
    "test_campaign.py",
    "test_hostile_files.py",
    "test_setup.py",
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: trains, starts processes or works long; see tests/conftest.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests; the longest come first, so that no worker has one left at the end."""
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        in_slow_file = item.path.relative_to(PROJECT / "tests").as_posix() in SLOW_FILES
        if in_slow_file or marks & SLOW_MARKS or set(getattr(item, "fixturenames", ())) & SLOW_FIXTURES:
            item.add_marker("slow")
    items.sort(key=lambda item: [not any(item.iter_markers(mark)) for mark in ("notebooks", "slow")])


@pytest.fixture
def fake_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official counts of Ped1 and Ped2 become those of the fake sources."""
    for subset, counts in FAKE_COUNTS.items():
        monkeypatch.setitem(OFFICIAL_COUNTS, subset, counts)


@pytest.fixture
def ped2(tmp_path: Path, fake_counts: None) -> Path:
    """A fake `UCSDped2` folder, inside `UCSD_Anomaly_Dataset.v1p2`, with the quirks of the real one."""
    return write_ucsd(tmp_path / "source", "ped2")


@pytest.fixture
def ped1(tmp_path: Path, fake_counts: None) -> Path:
    """A fake `UCSDped1` folder: masks for one of two test clips only."""
    return write_ucsd(tmp_path / "source", "ped1")


@pytest.fixture
def pack(tmp_path: Path) -> Callable[[Path], Path]:
    """Packs a fake tree as the official archive is packed, in a folder of its own."""

    def pack_tree(tree: Path) -> Path:
        (tmp_path / "download").mkdir()
        archive = tmp_path / "download" / "UCSD_Anomaly_Dataset.tar.gz"
        with tarfile.open(archive, "w:gz") as members:
            members.add(tree.parent, arcname=RELEASE)
        return archive

    return pack_tree


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake Ped2 prepared at its own size with DIS flow: `<root>/ped2`. For reading only."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OFFICIAL_COUNTS, "ped2", FAKE_COUNTS["ped2"])
        return prepare("ped2", write_ucsd(folder / "source", "ped2"), folder / "data", workers=1)


@pytest.fixture(scope="session")
def scene_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of prepared datasets that holds the small generated scene. For reading only."""
    root = tmp_path_factory.mktemp("scene")
    prepare_clips(root, read_synthetic(SMALL_SCENE))
    return root


@pytest.fixture(scope="session")
def scene(scene_root: Path) -> PreparedDataset:
    """The small generated scene: two training and two test clips of 40 frames, 48x64, gray. For reading only."""
    return dataset_for(scene_root, tiny_recipe())


@pytest.fixture(scope="session")
def finished_run(scene: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two epochs of the tiny recipe on the small scene, evaluated. For reading only."""
    run = fit(tiny_recipe(), scene, tmp_path_factory.mktemp("runs") / "finished")
    evaluate(run, scene, every_epoch=True)
    return run


@pytest.fixture(scope="session")
def speed_run(scene: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same of a network that predicts speed, whose loss compares patches of augmented frames. For reading only."""
    run = fit(tiny_recipe(*SPEED), scene, tmp_path_factory.mktemp("runs") / "speed")
    evaluate(run, scene)
    return run


@pytest.fixture(scope="module")
def net(finished_run: RunFolder) -> MAAMNet:
    """The network of the finished run, in evaluation mode; a module's own, so that its tests may change its mode."""
    net = build_network(finished_run.recipe)
    finished_run.load_weights(net)
    return net.eval()


@pytest.fixture(scope="module")
def predict(net: MAAMNet) -> Predict:
    """The same as a function of frames."""
    return network_predictor(net)


@pytest.fixture
def closed_event_loop() -> Iterator[None]:
    """Closes the event loop that Jupyter's client leaves open in this thread."""
    yield
    ensure_event_loop().close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real datasets; skips the test where it is not on this machine."""
    beside = PROJECT.parent / "shared" / "data"
    folder = Path(os.environ.get("MAAM_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: neither {beside} nor MAAM_DATA exists")
    return folder


def tiny_recipe(*settings: str) -> Recipe:
    """A recipe for the small generated scene, of a fraction of a second per epoch."""
    return load_recipe("synthetic-mini", *TINY_SETTINGS, *settings)


def prepare_clips(root: Path, clips: list[Clip], flow: str = "dis") -> Path:
    """Prepare clips as if the generator had drawn them: `<root>/synthetic`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "read_synthetic", lambda _: clips)
        return prepare("synthetic", None, root, flow=flow, workers=1, progress=False)


def write_ucsd(parent: Path, subset: str, suffix: str = ".tif") -> Path:
    """Write a fake tree in the layout of the UCSD archive and return its `UCSDped1` or `UCSDped2` folder."""
    tree = parent / RELEASE / f"UCSD{subset}"
    for name, num_frames in TRAIN.items():
        _write_files(tree / "Train" / name, fake_frames(name, num_frames), suffix)
    for name, num_frames in TEST.items():
        _write_files(tree / "Test" / name, fake_frames(name, num_frames), suffix)
    _write_files(tree / "Test" / "Test001_gt", fake_masks("Test001"), ".bmp")
    if subset == "ped2":
        # Three of the real mask folders name their files so.
        _write_files(tree / "Test" / "Test002_gt", fake_masks("Test002"), ".bmp", prefix="frame")
    (tree / "Test" / f"UCSD{subset}.m").write_text(LABEL_FILE)
    for junk in (
        "Train/.DS_Store",
        "Train/Train001/._001.tif",
        "Test/Test001/.DS_Store",
        "Test/Test001/Thumbs.db",
    ):
        (tree / junk).write_bytes(b"\x00\x05\x16\x07")
    return tree


def fake_frames(name: str, num_frames: int) -> Iterator[np.ndarray]:
    """uint8 (H, W): a random texture that moves one pixel to the right per frame."""
    random = np.random.default_rng(sum(name.encode()))
    height, width = FRAME_SIZE
    texture = random.integers(0, 256, (height, width + num_frames), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    for t in range(num_frames):
        yield np.ascontiguousarray(texture[:, num_frames - t :][:, :width])


def fake_masks(name: str) -> Iterator[np.ndarray]:
    """uint8 (H, W): a rectangle of 255 in the abnormal frames."""
    for number in range(1, TEST[name] + 1):
        mask = np.zeros(FRAME_SIZE, np.uint8)
        if number in ABNORMAL[name]:
            mask[4:12, number : number + 8] = 255
        yield mask


def _write_files(folder: Path, arrays: Iterator[np.ndarray], suffix: str, prefix: str = "") -> None:
    folder.mkdir(parents=True)
    for number, array in enumerate(arrays, start=1):
        cv2.imwrite(str(folder / f"{prefix}{number:03d}{suffix}"), array)
