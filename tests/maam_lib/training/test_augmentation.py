"""Augmented frames are frames that the camera could have seen, and their flow is the flow of these."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from data_prep.flow import estimate_flow
from data_prep.scenes.synthetic import read_synthetic
from maam_lib.data import PreparedDataset, to_model_input
from maam_lib.training import loop as training
from maam_lib.training.augmentation import BRIGHTNESS, CONTRAST, SHIFT, Augmenter, change_light, mirror, shift
from maam_lib.training.loop import fit
from tests.conftest import SMALL_SCENE, tiny_recipe


def random_batch(frames: int = 8, height: int = 20, width: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    size = (height, width)
    return torch.rand(frames, 3, *size, generator=generator) * 2 - 1, torch.randn(frames, 2, *size, generator=generator)


# Each change by hand


def test_a_mirrored_walker_goes_the_other_way() -> None:
    frames = torch.tensor([[0.1, 0.2, 0.3]]).expand(2, 1, 1, 3)
    flow = torch.tensor([[[5.0, 0.0, 0.0]], [[7.0, 0.0, 1.0]]]).expand(2, 2, 1, 3)  # dx 5 and dy 7 at the left
    seen, moved = mirror(frames, flow, torch.tensor([True, False]))
    torch.testing.assert_close(seen[0], torch.tensor([[[0.3, 0.2, 0.1]]]))
    torch.testing.assert_close(moved[0], torch.tensor([[[0.0, 0.0, -5.0]], [[1.0, 0.0, 7.0]]]))
    assert torch.equal(seen[1], frames[1])
    assert torch.equal(moved[1], flow[1])


def test_a_shift_moves_each_map_by_its_own_and_the_border_fills_the_gap() -> None:
    maps = torch.arange(12.0).view(1, 1, 3, 4).expand(3, 1, 3, 4)
    moved = shift(maps, [1, 0, 0], [0, -2, 0])[:, 0]
    torch.testing.assert_close(moved[0], torch.tensor([[0.0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]))
    torch.testing.assert_close(moved[1], torch.tensor([[2.0, 3, 3, 3], [6, 7, 7, 7], [10, 11, 11, 11]]))
    torch.testing.assert_close(moved[2], maps[2, 0])


def test_light_is_contrast_around_middle_gray_and_then_brightness_cut_at_black_and_white() -> None:
    frames = torch.tensor([-0.9, 0.0, 0.4, 0.9]).view(1, 1, 1, 4).expand(2, 1, 1, 4)
    found = change_light(frames, torch.tensor([1.25, 0.8]), torch.tensor([0.1, -0.1]))
    torch.testing.assert_close(found[:, 0, 0], torch.tensor([[-1.0, 0.1, 0.6, 1.0], [-0.82, -0.1, 0.22, 0.62]]))


# All of them


def undone(frames: torch.Tensor, flow: torch.Tensor, at: int, found: torch.Tensor) -> list[tuple[int, int, bool]]:
    """Every (down, right, mirrored) that makes the flow of frame `at` into the found one."""
    down, right = round(SHIFT * flow.shape[2]), round(SHIFT * flow.shape[3])
    ways = []
    for mirrored in (False, True):
        _, turned = mirror(frames[at : at + 1], flow[at : at + 1], torch.tensor([mirrored]))
        ways += [
            (y, x, mirrored)
            for y in range(-down, down + 1)
            for x in range(-right, right + 1)
            if torch.equal(shift(turned, [y], [x])[0], found)
        ]
    return ways


def test_frames_and_flow_are_mirrored_and_shifted_together_and_light_changes_frames_alone() -> None:
    frames, flow = random_batch()
    augmenter = Augmenter(np.random.default_rng(0), len(frames))
    seen, moved = augmenter(frames, flow)
    assert (seen.shape, moved.shape) == (frames.shape, flow.shape)
    assert seen.min() >= -1
    assert seen.max() <= 1
    ways = [undone(frames, flow, at, moved[at]) for at in range(len(frames))]
    assert [len(way) for way in ways] == [1] * len(frames), "the flow is one of the mirrored and shifted ones"
    for at, [(y, x, mirrored)] in enumerate(ways):
        turned, _ = mirror(frames[at : at + 1], flow[at : at + 1], torch.tensor([mirrored]))
        before, after = shift(turned, [y], [x])[0].flatten(), seen[at].flatten()
        inside = (after.abs() < 1).nonzero()[:, 0]
        slope, added = np.polyfit(before[inside].double(), after[inside].double(), 1)
        torch.testing.assert_close(after, (before * slope + added).clamp(-1, 1), rtol=0, atol=1e-5)
        assert CONTRAST[0] - 1e-5 <= slope <= CONTRAST[1] + 1e-5
        assert abs(added) <= BRIGHTNESS + 1e-5
    assert len({way for [way] in ways}) > 4, "each frame has its own"
    assert {mirrored for [(_, _, mirrored)] in ways} == {False, True}


def test_the_next_batch_is_changed_otherwise_and_the_same_draws_change_alike() -> None:
    frames, flow = random_batch()
    one, again = (Augmenter(np.random.default_rng(5), len(frames)) for _ in range(2))
    first, second = one(frames, flow), one(frames, flow)
    assert not torch.equal(first[1], second[1])
    assert all(torch.equal(a, b) for a, b in zip(first, again(frames, flow), strict=True))


@pytest.mark.parametrize("devices", [2, 4])
def test_what_is_done_to_a_frame_does_not_depend_on_the_number_of_devices(devices: int) -> None:
    frames, flow = random_batch()
    alone = Augmenter(np.random.default_rng(7), len(frames))
    shares = [Augmenter(np.random.default_rng(7), len(frames), rank, devices) for rank in range(devices)]
    for _ in range(2):  # batches
        expected = alone(frames, flow)
        for rank, of_device in enumerate(shares):
            found = of_device(frames[rank::devices], flow[rank::devices])
            assert all(torch.equal(a, b[rank::devices]) for a, b in zip(found, expected, strict=True))


# Against an estimator of flow: is the changed flow that of the changed frames?


def assert_dis_agrees(first: np.ndarray, second: np.ndarray) -> None:
    """DIS on the mirrored frames (H, W, C) finds the mirrored flow, to a fifth of the speed of the fastest tenth."""
    flow = estimate_flow("dis", first, second).astype(np.float32)
    flipped = estimate_flow("dis", *(np.ascontiguousarray(frame[:, ::-1]) for frame in (first, second)))
    frames, flows = to_model_input(torch.from_numpy(first)[None], torch.from_numpy(flow)[None], first.shape[2])
    _, [turned] = mirror(frames, flows, torch.tensor([True]))
    found = torch.from_numpy(flipped).permute(2, 0, 1).float()
    as_it_was = turned * torch.tensor([-1.0, 1.0])[:, None, None]  # mirrored, but dx not negated
    moving = turned.norm(dim=0) >= turned.norm(dim=0).quantile(0.9)
    speed, error, without = (x.norm(dim=0)[moving].mean() for x in (turned, found - turned, found - as_it_was))
    assert error < speed / 5
    assert without > speed


def test_dis_on_mirrored_frames_of_the_scene_finds_the_mirrored_flow() -> None:
    [clip, *_] = read_synthetic(SMALL_SCENE)
    frames = list(clip.frames())
    assert_dis_agrees(frames[20], frames[21])


@pytest.mark.data
def test_dis_on_mirrored_frames_of_a_real_video_finds_the_mirrored_flow(real_data: Path) -> None:
    video = cv2.VideoCapture(str(real_data / "avenue_sample" / "Avenue Dataset" / "testing_videos" / "21.avi"))
    first, second = (np.ascontiguousarray(video.read()[1][..., ::-1]) for _ in range(2))
    assert_dis_agrees(first, second)


# In a training


AUGMENTED = ("training.augment=true", "training.epochs=2")


def test_an_augmented_training_resumes_to_the_last_bit(scene: PreparedDataset, tmp_path: Path) -> None:
    recipe = tiny_recipe(*AUGMENTED, "loss.motion_target=speed", "loss.motion_form=patches")
    whole = fit(recipe, scene, tmp_path / "whole")
    fit(recipe, scene, tmp_path / "halves", on_epoch=lambda row: row["epoch"] == 1)
    halves = fit(recipe, scene, tmp_path / "halves", resume=True)
    for epoch in (1, 2):
        ours, theirs = (load_file(run.weights_file(epoch)) for run in (halves, whole))
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
    plain = fit(recipe.with_settings("training.augment=false", "training.epochs=1"), scene, tmp_path / "plain")
    assert not torch.equal(*(load_file(run.weights_file(1))["items"] for run in (plain, whole)))


def test_without_the_setting_nothing_is_augmented(
    scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("augmented")

    monkeypatch.setattr(training, "Augmenter", refuse)
    fit(tiny_recipe("training.epochs=1"), scene, tmp_path / "run")
    with pytest.raises(AssertionError, match="augmented"):
        fit(tiny_recipe(*AUGMENTED), scene, tmp_path / "augmented")
