"""The three generated scenes and their difficulties: what each promises beyond what `test_synthetic` checks."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.clip import Clip, SourceError
from data_prep.prepare import prepare
from data_prep.scenes import campus, plaza, synthetic
from data_prep.scenes.card import scene_card
from data_prep.scenes.render import MIN_VISIBLE
from data_prep.scenes.stage import DIFFICULTIES
from data_prep.scenes.synthetic import (
    SCENES,
    SceneSettings,
    dataset_name,
    dataset_names,
    events,
    read_synthetic,
    scene_hash,
    scene_settings,
    shots,
)
from maam_lib.config import load_recipe, recipe_names
from maam_lib.data import DatasetError, find_dataset

AVENUE, SHANGHAI = "synthetic-avenue", "synthetic-shanghai"
SMALL = {  # with every kind of event at every camera
    AVENUE: {"train_clips": 2, "test_clips": 4, "frames_per_clip": 60},
    SHANGHAI: {"train_clips": 4, "test_clips": 12, "frames_per_clip": 48},
}
QUICK = {"height": 48, "width": 80, "train_clips": 3, "test_clips": 3, "frames_per_clip": 40}
FAST = {"walkway cyclist", "wrong-way cyclist", "runner", "cart", "thrown ball", "chase", "skater"}
PINNED = {  # frames, tracks, masks and labels of a training and two test clips
    AVENUE: "b28401580b355963b52713deb6c3b1b08bd2acee239d5c461fa298488570f431",
    SHANGHAI: "772207044faf4d69346b97a603a68f1973ce3aabacea1e86e0bb764c36941e64",
}
FIRST_SCENE_HASH = "b5c0770c9b0fd260d35c5b168b0b15cf0266e8facb989c983a9baa415e53dbe5"  # in committed manifests


KINDS = {AVENUE: plaza.KINDS, SHANGHAI: campus.KINDS}


def cameras_of(settings: SceneSettings) -> dict[tuple[str, str], int]:
    return {(shot.split, shot.name): shot.camera for shot in shots(settings)}


class Drawn:
    """All that a clip has, and its name."""

    def __init__(self, clip: Clip) -> None:
        self.name, self.split = clip.name, clip.split
        self.frames, self.flow = (np.stack(list(read())) for read in (clip.frames, clip.flow))
        self.tracks = clip.tracks()
        if clip.split == "test":
            self.labels, self.masks = clip.labels(), np.stack(list(clip.masks()))


@pytest.fixture(scope="module", params=[AVENUE, SHANGHAI])
def dataset(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def drawn(dataset: str) -> list[Drawn]:
    """A few clips of full size, shorter than the default."""
    return [Drawn(clip) for clip in read_synthetic(small(dataset))]


def small(dataset: str) -> SceneSettings:
    return replace(scene_settings(dataset), **SMALL[dataset])


def of_split(drawn: list[Drawn], split: str) -> list[Drawn]:
    return [clip for clip in drawn if clip.split == split]


def objects(clip: Drawn, every: int = 6) -> list[dict[str, float]]:
    """What is wholly in sight, every few frames: row of the feet, height, mean flow (dx, dy) and speed."""
    found, (height, width) = [], clip.tracks.shape[1:]
    for t in range(0, len(clip.flow), every):
        for track in np.unique(clip.tracks[t])[1:]:
            y, x = np.nonzero(clip.tracks[t] == track)
            if min(y.min(), x.min()) > 0 and y.max() < height - 1 and x.max() < width - 1 and len(y) > 25:
                dx, dy = clip.flow[t][y, x].mean(axis=0)
                size = y.max() - y.min() + 1
                found.append({"feet": y.max(), "height": size, "dx": dx, "dy": dy, "pace": np.hypot(dx, dy) / size})
    return found


def column(found: list[dict[str, float]], name: str) -> np.ndarray:
    return np.array([entry[name] for entry in found])


# Names and hashes


def test_every_generated_dataset_has_settings_and_a_hash_of_its_own():
    names = dataset_names()
    assert names[:4] == ["synthetic", AVENUE, SHANGHAI, "synthetic-easy"]
    assert len({scene_hash(scene_settings(name)) for name in names}) == len(names) == 9
    assert scene_settings("synthetic") == SceneSettings()
    hard = scene_settings("synthetic-avenue-hard")
    assert (hard.scene, hard.difficulty, hard.colour) == ("plaza", "hard", True)


def test_the_first_scene_keeps_its_hash():
    assert scene_hash(SceneSettings()) == FIRST_SCENE_HASH


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scene_settings("synthetic-rome"), "no generated dataset 'synthetic-rome'; there are synthetic, "),
        (lambda: dataset_name("ped2", "hard"), "ped2 has no difficulty; the generated scenes have: synthetic, "),
        (lambda: dataset_name("synthetic", "brutal"), "no difficulty 'brutal'; there are easy, standard, hard"),
        (lambda: SceneSettings(scene="moon"), "no scene 'moon'; there are lane, plaza, campus"),
        (lambda: SceneSettings(difficulty="brutal"), "no difficulty 'brutal'; there are easy"),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(call: Callable[[], object], message: str):
    with pytest.raises(SourceError, match=message):
        call()


def test_another_difficulty_is_a_dataset_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tiny = SceneSettings(height=32, width=32, train_clips=1, test_clips=1, frames_per_clip=40)
    monkeypatch.setattr(synthetic, "SceneSettings", lambda: tiny)
    folder = prepare("synthetic-hard", None, tmp_path, workers=1, flow="exact")
    assert folder == tmp_path / "synthetic-hard"
    hard = find_dataset(tmp_path, "synthetic-hard")
    assert hard.manifest.source.name == "generated scene lane, difficulty hard"
    with pytest.raises(DatasetError, match=r"no prepared synthetic in .*; there is no synthetic\. Prepare it: maam"):
        find_dataset(tmp_path, "synthetic")
    standard = find_dataset(prepare("synthetic", None, tmp_path, workers=1, flow="exact").parent, "synthetic")
    assert standard.folder == tmp_path / "synthetic"
    assert standard.content_hash != hard.content_hash


def test_an_unfinished_scene_is_not_taken_for_another(tmp_path: Path):
    (tmp_path / "synthetic-avenue").mkdir()
    with pytest.raises(DatasetError, match=r"there is no synthetic\. Prepare it: maam prepare synthetic --root"):
        find_dataset(tmp_path, "synthetic")
    with pytest.raises(DatasetError, match=r"is unfinished .*: maam prepare synthetic-avenue --root"):
        find_dataset(tmp_path, "synthetic-avenue")


def test_recipes_fit_the_scenes():
    for name in SCENES:
        scene = scene_settings(name)
        for recipe in (
            load_recipe(known) for known in recipe_names() if known in (name, f"{name}-laptop", f"{name}-mini")
        ):
            assert recipe.data.dataset == name
            assert (recipe.data.height, recipe.data.width) == (scene.height, scene.width)
            assert recipe.data.channels == (3 if scene.colour else 1)
            assert recipe.data.drop_last == (2 if name == AVENUE else 1)


# What each scene shows


def test_the_bytes_are_the_same_on_every_machine(dataset: str, drawn: list[Drawn]):
    digest = hashlib.sha256()
    for clip in (of_split(drawn, "train")[0], *of_split(drawn, "test")[:2]):
        for array in (
            clip.frames,
            clip.tracks.astype("<i2"),
            *((clip.masks, clip.labels) if clip.split == "test" else ()),
        ):
            digest.update(array.tobytes())
    assert digest.hexdigest() == PINNED[dataset]


def test_clips_are_named_as_in_the_benchmark(dataset: str, drawn: list[Drawn]):
    names = [clip.name for clip in drawn]
    cameras = cameras_of(small(dataset))
    if dataset == AVENUE:
        assert names == ["01", "02", "01", "02", "03", "04"]
        assert set(cameras.values()) == {1}
    else:
        assert names[:6] == ["01_001", "01_002", "02_001", "03_001", "01_0001", "01_0002"]
        assert all(int(name[:2]) == camera for (_, name), camera in cameras.items())


def test_labels_masks_and_tracks_agree(drawn: list[Drawn]):
    for clip in of_split(drawn, "test"):
        area = clip.masks.sum(axis=(1, 2))
        np.testing.assert_array_equal(clip.labels, area > 0)
        assert clip.labels[0] == 0
        assert area[area > 0].min() >= MIN_VISIBLE
        assert (clip.tracks[clip.masks == 1] > 0).all()
    for clip in drawn:
        assert not clip.flow[clip.tracks[:-1] == 0].any()  # fixed things are background


def test_every_kind_of_event_is_there_at_every_camera(dataset: str, drawn: list[Drawn]):
    """And each lasts from its first to its last frame."""
    settings = small(dataset)
    cameras, by_name = cameras_of(settings), {clip.name: clip for clip in of_split(drawn, "test")}
    found = events(settings)
    for camera in set(cameras.values()):
        assert {e.kind for e in found if cameras["test", e.clip] == camera} == set(KINDS[dataset])
    for event in found:
        seen = (by_name[event.clip].tracks == event.track) & (by_name[event.clip].masks == 1)
        visible = np.flatnonzero(seen.any(axis=(1, 2)))
        assert event.first >= visible[0]
        assert event.last <= visible[-1]
        assert seen[[event.first, event.last]].any(axis=(1, 2)).all()


def test_exact_flow_carries_each_frame_onto_the_next(drawn: list[Drawn]):
    """Inside rigid parts, frame t + 1 at the end of the flow looks like frame t: what is left is noise and light."""
    stays, moves = [], []
    for clip in of_split(drawn, "test")[::3]:
        tracks, flow, levels = clip.tracks, clip.flow, clip.frames.astype(float)
        inside = np.zeros(tracks[:-1].shape, bool)
        inside[:, 1:-1, 1:-1] = tracks[:-1, 1:-1, 1:-1] > 0
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            same_flow = np.abs(np.roll(flow, (dy, dx), (1, 2)) - flow).max(axis=-1) < 0.25
            inside &= (np.roll(tracks, (dy, dx), (1, 2)) == tracks)[:-1] & same_flow
        t, y, x = np.nonzero(inside)
        u, v = np.floor(np.stack([x, y]) + flow[t, y, x].T + 0.5).astype(int)
        kept = (u >= 0) & (v >= 0) & (u < tracks.shape[2]) & (v < tracks.shape[1])
        t, y, x, u, v = (index[kept] for index in (t, y, x, u, v))
        shown = tracks[t + 1, v, u] == tracks[t, y, x]
        assert shown.mean() > 0.85
        t, y, x, u, v = (index[shown] for index in (t, y, x, u, v))
        moves.append(np.abs(levels[t + 1, v, u] - levels[t, y, x]).mean())
        stays.append(np.abs(levels[t + 1, y, x] - levels[t, y, x]).mean())
    assert np.mean(moves) < 0.4 * np.mean(stays)


def test_people_are_larger_the_nearer_they_are(dataset: str, drawn: list[Drawn]):
    for camera in sorted({clip.name[:2] for clip in drawn}) if dataset == SHANGHAI else [""]:
        own = [clip for clip in of_split(drawn, "train") if clip.name.startswith(camera)]
        found = [entry for clip in own for entry in objects(clip)]
        assert np.corrcoef(column(found, "feet"), column(found, "height"))[0, 1] > 0.6  # trees hide some feet
    if dataset == AVENUE:
        low, high = np.quantile(column(found, "height"), [0.05, 0.95])
        assert high > 1.6 * low


def test_training_footage_has_no_motion_of_an_event(dataset: str, drawn: list[Drawn]):
    """On the plaza nobody runs and nobody comes towards the camera; in the park of the campus nobody is fast."""
    clips = [clip for clip in of_split(drawn, "train") if dataset == AVENUE or clip.name.startswith("02")]
    found = [entry for clip in clips for entry in objects(clip, every=2)]
    assert np.quantile(column(found, "pace"), 0.99) < 0.08  # heights per frame; a runner has 0.15
    if dataset == AVENUE:
        assert column(found, "dy").max() < 0.3


def test_wrong_way_walkers_come_towards_the_camera():
    settings = replace(small(AVENUE), train_clips=0, test_clips=3, frames_per_clip=80)
    clip = Drawn(read_synthetic(settings)[2])
    down = np.array([clip.flow[t, ..., 1][mask == 1].mean() for t, mask in enumerate(clip.masks[:-1]) if mask.any()])
    sizes = [np.ptp(np.nonzero(mask)[0]) for mask in clip.masks if mask.any()]
    assert (down > 0.1).mean() > 0.9
    assert sizes[-1] > 1.2 * sizes[0]


def test_cameras_of_the_campus_differ():
    settings = replace(small(SHANGHAI), train_clips=6, test_clips=0, frames_per_clip=40)
    grounds = {clip.name: np.median(list(clip.frames()), axis=0) for clip in read_synthetic(settings)}
    for one, first in grounds.items():
        for other, second in grounds.items():
            assert (np.abs(first - second).mean() < 10) == (one[:2] == other[:2])


@pytest.mark.parametrize("scene", SCENES)
def test_difficulty_is_monotone(scene: str):
    """From easy to hard: less contrast to noise, more people in sight, slower fast events."""
    signal, crowd, speed = [], [], []
    for difficulty in DIFFICULTIES:
        settings = replace(scene_settings(scene), difficulty=difficulty, **QUICK)
        card = scene_card(scene, settings)
        clip = Drawn(read_synthetic(settings)[0])
        still = (clip.tracks[1:] == 0) & (clip.tracks[:-1] == 0)
        noise = np.abs(np.diff(clip.frames.astype(float), axis=0))[still].mean()
        signal.append(clip.frames[0].std() / noise)
        crowd.append(card.footage["normal in sight"].mean())
        speed.append(card.events[card.events["kind"].isin(FAST)]["speed"].mean())
    assert signal == sorted(signal, reverse=True)
    assert crowd == sorted(crowd)
    assert speed == sorted(speed, reverse=True)
    assert len(set(signal)) == len(set(crowd)) == len(set(speed)) == 3


def test_card_tells_clips_people_and_events(dataset: str):
    settings = replace(scene_settings(dataset), **QUICK)
    card = scene_card(dataset, settings)
    assert card.footage["clips"].sum() == 6
    assert card.footage["frames"].sum() == 240
    listed = [(row.clip, row.kind, row.first, row.last) for row in card.events.itertuples()]
    assert listed == [(event.clip, event.kind, event.first, event.last) for event in events(settings)]
    assert str(card).startswith(f"{dataset}: generated scene")
    assert card.footage["abnormal"].isna().tolist() == (card.footage["split"] == "train").tolist()
