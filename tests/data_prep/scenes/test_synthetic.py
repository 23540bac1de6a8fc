"""The generated scene: the same bytes everywhere, and a ground truth that agrees with itself and with it."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from data_prep.clip import Clip, SourceError
from data_prep.scenes import lane
from data_prep.scenes.parts import Actor, Part
from data_prep.scenes.render import MIN_VISIBLE, Footage, render
from data_prep.scenes.stage import DIFFICULTIES
from data_prep.scenes.synthetic import SceneSettings, events, read_synthetic
from maam_lib.metrics import roc_auc
from maam_lib.pscd import patch_sums

SMALL = SceneSettings(height=48, width=72, train_clips=1, test_clips=3, frames_per_clip=48)
PINNED = {
    "frames": "66c9aed4e44e2fc55c70fc3bb31ca2d2b21f747940d43c9754e2b5ee55c8e45d",
    "masks": "e70e1b46ee5acd5a65c489ceb8c3139dfba566166f82999227d36d3e41086fd2",
    "labels": "d31cbab5effce62498564670382705ac24aed74a858f4a544754a695cc4f33f0",
}
SQUARE = np.array([[20, 20], [30, 20], [30, 30], [20, 30]], float)
WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Footage]:
    """The test clips of the default set, each drawn once."""
    return {clip.name: arrays(clip) for clip in read_synthetic() if clip.split == "test"}


def arrays(clip: Clip) -> Footage:
    """All that a test clip has, read through its callables."""
    frames, masks, flow = (stacked(clip, name) for name in ("frames", "masks", "flow"))
    return Footage(frames, clip.labels(), masks, flow, clip.tracks())


def stacked(clip: Clip, name: str) -> np.ndarray:
    return np.stack(list(getattr(clip, name)()))


def two_frames(part: Part) -> Footage:
    """Two frames of one abnormal actor of a single part."""
    actor = Actor([part], np.zeros((2, 2, 3, 2)), np.zeros(2), np.ones(2, bool), track=1)
    return render([actor], np.full((96, 144, 1), 100, np.uint8), np.random.default_rng(0), DIFFICULTIES["standard"])


def test_the_bytes_are_the_same_on_every_machine():
    clip = read_synthetic(SMALL)[2]
    found = {name: hashlib.sha256(stacked(clip, name).tobytes()).hexdigest() for name in PINNED}
    assert found == PINNED


def test_default_set_has_the_announced_clips_and_arrays(drawn):
    clips = read_synthetic()
    assert [clips[k].name for k in (0, 19, 20, 29)] == ["Train001", "Train020", "Test001", "Test010"]
    assert clips[0].labels is None
    assert clips[0].masks is None
    last = drawn["Test010"]
    assert last.frames.shape == (clips[29].num_frames, 96, 144, 1)
    assert last.flow.shape == (clips[29].num_frames - 1, 96, 144, 2)
    assert (last.frames.dtype, last.flow.dtype, last.tracks.dtype) == (np.uint8, np.float32, np.int16)


def test_a_clip_does_not_depend_on_the_others():
    alone = read_synthetic(replace(SMALL, train_clips=0))[2]
    among = pickle.loads(pickle.dumps(read_synthetic(SMALL)[3]))
    assert among.name == alone.name == "Test003"
    np.testing.assert_array_equal(stacked(among, "frames"), stacked(alone, "frames"))


def test_what_a_caller_does_to_an_array_stays_with_the_caller():
    clip = read_synthetic(SMALL)[1]
    clip.labels()[:] = 7
    assert set(clip.labels()) == {0, 1}


def test_another_seed_gives_another_clip():
    one, other = (read_synthetic(replace(SMALL, seed=seed))[0] for seed in (1, 2))
    assert (one.tracks() != other.tracks()).any()


def test_labels_and_masks_agree_and_tracks_hold_the_masks(drawn):
    for clip in drawn.values():
        area = clip.masks.sum(axis=(1, 2))
        np.testing.assert_array_equal(clip.labels, area > 0)
        assert area[area > 0].min() >= MIN_VISIBLE
        assert (clip.tracks[clip.masks == 1] > 0).all()


def test_each_test_clip_has_both_classes_and_the_set_is_balanced(drawn):
    assert all(clip.labels[0] == 0 and clip.labels.any() for clip in drawn.values())
    assert 0.35 <= np.concatenate([clip.labels for clip in drawn.values()]).mean() <= 0.55


def test_events_list_every_kind_and_the_abnormal_frames(drawn):
    found = events()
    assert {event.kind for event in found} == set(lane.KINDS)
    for name, clip in drawn.items():
        listed = np.zeros_like(clip.labels)
        for event in (event for event in found if event.clip == name):
            assert clip.masks[event.first][clip.tracks[event.first] == event.track].all()
            assert clip.labels[[event.first, event.last]].all()
            listed[event.first : event.last + 1] = 1
        assert (clip.labels <= listed).all()
        assert clip.labels.sum() >= 0.9 * listed.sum()  # the rest: hidden behind others


def test_normal_actors_are_in_sight_in_every_frame(drawn):
    for clip in drawn.values():
        assert ((clip.tracks > 0) & (clip.masks == 0)).any(axis=(1, 2)).all()


def test_flow_leads_to_the_same_object_in_the_next_frame(drawn):
    clip = drawn["Test001"]
    tracks, flow, levels = clip.tracks, clip.flow, clip.frames[..., 0].astype(float)
    t, y, x = np.nonzero(tracks[:-1])
    ahead = np.floor(np.stack([x, y], axis=1) + flow[t, y, x] + 0.5).astype(int)
    inside = ((ahead >= 0) & (ahead < [144, 96])).all(axis=1)
    t, y, x, (u, v) = t[inside], y[inside], x[inside], ahead[inside].T
    assert (tracks[t + 1, v, u] == tracks[t, y, x]).mean() > 0.85  # the rest is hidden, or half a pixel off
    followed = np.abs(levels[t + 1, v, u] - levels[t, y, x]).mean()
    assert followed < 0.4 * np.abs(levels[t + 1, y, x] - levels[t, y, x]).mean()
    assert not flow[tracks[:-1] == 0].any()


def test_flow_of_a_turning_part_is_its_rotation():
    """A bar turns by a right angle about its left end, which moves by (3, 2)."""
    bar = np.array([[20, 40], [40, 40], [40, 44], [20, 44]], float)
    turned = np.stack([23 - (bar[:, 1] - 40), 42 + (bar[:, 0] - 20)], axis=1)
    outline = np.stack([bar, turned])
    footage = two_frames(Part(outline, outline[:, :2], WHITE))
    x, y = 30.5, 42.5  # middle of the pixel in column 30 and row 42
    expected = [23 - (y - 40) - x, 42 + (x - 20) - y]
    np.testing.assert_allclose(footage.flow[0, 42, 30], expected, atol=1e-5)


def test_a_hole_shows_the_ground():
    outline, hole = np.stack([SQUARE] * 2), np.stack([(SQUARE - 25) * 0.6 + 25] * 2)
    footage = two_frames(Part(outline, outline[:, :2], WHITE, hole))
    assert footage.tracks[:, 25, 25].tolist() == [0, 0]
    assert footage.tracks[:, 21, 21].tolist() == [1, 1]
    assert footage.labels.tolist() == [1, 1]


def test_an_abnormal_object_too_small_to_see_makes_no_label():
    outline = np.stack([20 + 0.2 * (SQUARE - 20)] * 2)
    footage = two_frames(Part(outline, outline[:, :2], WHITE))
    assert 0 < (footage.tracks[0] > 0).sum() < MIN_VISIBLE
    assert not footage.labels.any()
    assert not footage.masks.any()


def test_the_scene_is_the_same_at_half_the_size():
    half = read_synthetic(SMALL)[0]
    full = read_synthetic(replace(SMALL, height=96, width=144))[0]
    assert (full.tracks()[:, ::2, ::2] == half.tracks()).mean() > 0.94
    speeds = [np.abs(stacked(clip, "flow")[clip.tracks()[:-1] > 0]).mean() for clip in (full, half)]
    assert 1.9 < speeds[0] / speeds[1] < 2.1


def test_colour_is_the_same_scene():
    gray, colour = (read_synthetic(replace(SMALL, colour=flag))[0] for flag in (False, True))
    levels = stacked(colour, "frames")
    assert levels.shape == (48, 48, 72, 3)
    np.testing.assert_array_equal(gray.tracks(), colour.tracks())
    luma = levels @ np.array([77, 150, 29]) / 256
    assert np.abs(luma - stacked(gray, "frames")[..., 0]).mean() < 3  # noise alone


def test_speed_alone_does_not_separate(drawn):
    """The yardstick of the largest patch of |flow| must stay poor, or the benchmark teaches nothing."""
    speeds = (torch.from_numpy(np.abs(clip.flow).sum(axis=-1)) for clip in drawn.values())
    scores = [patch_sums(speed, (24, 12)).amax(dim=(1, 2)).numpy() for speed in speeds]
    labels = [clip.labels[:-1] for clip in drawn.values()]
    assert roc_auc(np.concatenate(labels), np.concatenate(scores)) < 0.75


@pytest.mark.parametrize(("name", "value"), [("height", 16), ("frames_per_clip", 39), ("seed", -1)])
def test_settings_out_of_range_are_named(name: str, value: int):
    with pytest.raises(SourceError, match=rf"{name} of at least \d+, found {value}"):
        SceneSettings(**{name: value})
