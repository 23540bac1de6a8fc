"""The generated scenes, which stand in where no download is possible."""

from data_prep.scenes.card import scene_card
from data_prep.scenes.footage import write_scene_footage
from data_prep.scenes.synthetic import (
    SceneSettings,
    dataset_name,
    dataset_names,
    events,
    own_test_seed,
    read_synthetic,
    scene_hash,
    scene_settings,
    scene_title,
    write_own_scene,
)
