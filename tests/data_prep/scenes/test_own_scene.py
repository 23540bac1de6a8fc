"""A folder of prepared datasets may have test clips of its own, drawn from a seed; the training clips stay the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.clip import SourceError
from data_prep.layout import read_manifest
from data_prep.prepare import prepare
from data_prep.scenes import own_test_seed, scene_hash, scene_settings, synthetic, write_own_scene
from data_prep.scenes.synthetic import OWN_SCENE, SceneSettings, read_synthetic
from data_prep.sources import PreparationError

SMALL = SceneSettings(height=32, width=32, train_clips=1, test_clips=1, frames_per_clip=40)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(synthetic, "SceneSettings", lambda: SMALL)
    return tmp_path / "data"


def prepared(root: Path) -> tuple[str, dict[str, np.ndarray]]:
    folder = prepare("synthetic", None, root, workers=1, progress=False)
    clips = {path.parent.parent.name: np.load(path) for path in sorted(folder.glob("*/*/frames.npy"))}
    return read_manifest(folder).source.name, clips


def test_only_the_test_clips_differ(root: Path, tmp_path: Path) -> None:
    write_own_scene(root, 1234567)
    write_own_scene(tmp_path / "other", 1234568)
    (standard_name, standard), (name, own), (_, other) = map(
        prepared, (tmp_path / "standard", root, tmp_path / "other")
    )
    assert (standard_name, name) == ("generated scene", "generated scene, test clips of seed 1234567")
    assert np.array_equal(own["train"], standard["train"])
    assert not np.array_equal(own["test"], standard["test"])
    assert not np.array_equal(own["test"], other["test"])


def test_the_seed_of_the_standard_test_clips_draws_them() -> None:
    *_, standard = read_synthetic(SMALL)
    *_, same = read_synthetic(replace(SMALL, test_seed=SMALL.seed))
    assert np.array_equal(list(standard.frames()), list(same.frames()))


def test_the_hash_tells_seeds_apart_and_without_one_stays_what_it_was(root: Path) -> None:
    hashes = {scene_hash(replace(SMALL, test_seed=seed)) for seed in (None, 0, 7, 8)}
    assert len(hashes) == 4
    assert scene_settings("synthetic", root) == SMALL
    write_own_scene(root, 8)
    assert own_test_seed(root) == scene_settings("synthetic", root).test_seed == 8
    assert scene_settings("synthetic").test_seed is None


def test_a_finished_scene_of_another_seed_is_not_taken_for_this_one(root: Path) -> None:
    prepared(root)
    write_own_scene(root, 8)
    with pytest.raises(PreparationError, match=r"holds the generated scene of another seed; delete the folder"):
        prepare("synthetic", None, root, workers=1)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"test_seed": -1}', '{"test_seed": "x"}', '{"test_seed": 1e99}'])
def test_a_damaged_seed_is_named(content: str, root: Path) -> None:
    root.mkdir()
    (root / OWN_SCENE).write_text(content)
    with pytest.raises(SourceError, match=r'scene\.json.*expected \{"test_seed": 1234567\}, or no such file'):
        prepare("synthetic", None, root, workers=1)
