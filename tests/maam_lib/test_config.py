import json
import re
from pathlib import Path

import pytest

from maam_lib.config import Recipe, SettingError, TrainingSettings, load_recipe, recipe_names
from maam_lib.grid.results import REFERENCE
from maam_lib.recipes import FOLLOWED
from tests.conftest import PROJECT

SECTIONS = ["data", "model", "loss", "training", "scoring"]
KNOBS = [
    (f"{section}.{key}", info)
    for section in SECTIONS
    for key, info in Recipe.model_fields[section].annotation.model_fields.items()
]
FREE_TEXT = {"data.dataset", "data.flow"}  # names of things outside the recipe
YES_OR_NO = {"model.use_memory", "training.augment"}


def written(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def allowed(schema: dict) -> bool:
    """Whether a JSON schema says what is allowed: bounds on both ends where they make sense, or choices."""
    bounds = {"enum", "const", "minimum", "exclusiveMinimum"}
    parts = [*schema.get("anyOf", []), *schema.get("prefixItems", []), schema.get("items") or {}]
    return bool(bounds & schema.keys()) or any(allowed(part) for part in parts)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_kit_loads(name: str):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.about, "each says what it is for"
    dataset = re.sub(r"-(half|laptop|mini|released)$", "", name)
    assert dataset in (recipe.data.dataset, "camera")


@pytest.mark.parametrize(("key", "info"), KNOBS, ids=[key for key, _ in KNOBS])
def test_every_knob_says_what_it_is_where_it_comes_from_and_what_is_allowed(key: str, info):
    assert len(info.description) > 10
    assert info.json_schema_extra["origin"] in {"paper", "released code", "ours"}
    if key not in FREE_TEXT | YES_OR_NO:
        section, _, name = key.partition(".")
        schema = Recipe.model_fields[section].annotation.model_json_schema()["properties"][name]
        assert allowed(schema), f"{key} has neither bounds nor choices"


def test_every_switch_to_the_released_form_leads_to_its_number_in_the_docs():
    text = (PROJECT / "docs" / "differences.md").read_text(encoding="utf-8")
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)}
    assert numbers == set(range(1, 29))
    led = {key: info.json_schema_extra["differs"] for key, info in KNOBS}
    assert {number for number in led.values() if number is not None} <= numbers
    switches = {key for key, info in KNOBS if "released" in str(info.annotation)}
    assert switches == {"model.similarity", "loss.sparse_form", "loss.latent_form", "training.adam_form"}
    assert [key for key in switches if led[key] is None] == []


def test_every_number_of_a_difference_in_the_code_is_in_the_docs():
    """Docstrings say "item 9" or "items 15 and 16"; the docs have 1 to 28."""
    cited = {}
    for path in [*PROJECT.glob("maam_lib/**/*.py"), *PROJECT.glob("data_prep/**/*.py")]:
        for numbers in re.findall(r"\bitems? (\d+(?:(?:, | and | to )\d+)*)", path.read_text(encoding="utf-8")):
            cited |= {int(number): path.name for number in re.findall(r"\d+", numbers)}
    assert {number: where for number, where in cited.items() if not 1 <= number <= 28} == {}
    assert set(cited) >= {1, 2, 7, 8, 9, 10, 11, 14, 15, 16, 19, 20, 21, 24, 26, 28}


def released(name: str) -> Recipe:
    return load_recipe(f"{name}-released")


def test_the_released_recipes_are_what_was_trained():
    """Frames, channels, batch, items, learning rate and scoring of the three released graphs and test settings."""
    expected = {
        "ped2": ((240, 360), 1, 15, 500, 2e-5, 1, (30, 20), (8, 5), 10 / 11),
        "avenue": ((180, 320), 3, 15, 2000, 5e-4, 2, (85, 40), (5, 5), 100 / 101),
        "shanghaitech": ((180, 320), 3, 30, 2000, 1e-5, 1, (20, 28), (8, 5), 1 / 11),
    }
    for name, values in expected.items():
        recipe = released(name)
        data, scoring = recipe.data, recipe.scoring
        found = (
            (data.height, data.width),
            data.channels,
            recipe.training.batch_size,
            recipe.model.num_items,
            recipe.training.learning_rate,
            data.drop_last,
            scoring.patch,
            scoring.stride,
            scoring.psi,
        )
        assert found == values, name


@pytest.mark.parametrize("name", ["ped2", "avenue", "shanghaitech"])
def test_the_released_recipes_take_every_released_form(name: str):
    recipe = released(name)
    assert (recipe.model.similarity, recipe.model.shrink_threshold, recipe.model.norm_momentum) == (
        "released",
        None,
        0.01,
    )
    assert (recipe.loss.sparse_form, recipe.loss.latent_form) == ("released", "released")
    assert recipe.loss.margin == 0.1
    assert (recipe.training.adam_form, recipe.scoring.padding) == ("released", "same")
    paper = load_recipe(name)
    assert (paper.model.similarity, paper.loss.sparse_form, paper.training.adam_form) == ("cosine", "paper", "paper")
    assert (paper.model.num_items, paper.training.learning_rate) == (
        recipe.model.num_items,
        recipe.training.learning_rate,
    )


def test_the_paper_s_values_are_the_defaults():
    recipe = Recipe(name="plain")
    loss = recipe.loss
    assert (loss.motion_weight, loss.sparse_weight, loss.latent_weight, loss.margin) == (2, 3e-4, 1e-3, 0.1)
    assert (loss.sparse_form, loss.latent_form, recipe.model.similarity) == ("paper", "paper", "cosine")
    assert (recipe.model.num_items, recipe.model.temperature, recipe.model.shrink_threshold) == (500, 1, None)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("model.num_itms=3", ["unknown setting model.num_itms", "num_items", "temperature"]),
        ("modl.num_items=3", ["unknown setting modl.num_items", "no section 'modl'", "model", "scoring"]),
        ("name.x=3", ["no section 'name'"]),
        ("model.num_items=many", ["model.num_items = 'many'", "valid integer"]),
        ("model.num_items=1.5", ["model.num_items = 1.5", "valid integer"]),
        ("model.num_items=0", ["model.num_items = 0", "greater than or equal to 1"]),
        ("model.num_items=", ["model.num_items = None", "valid integer"]),
        ("model.similarity=dot", ["model.similarity = 'dot'", "'cosine' or 'released'"]),
        ("data.channels=2", ["data.channels = 2", "1 or 3"]),
        ("model.dropout=1", ["model.dropout = 1", "less than 1"]),
        ("training.learning_rate=0", ["training.learning_rate = 0", "greater than 0"]),
        ("scoring.psi=1.5", ["scoring.psi = 1.5", "less than or equal to 1"]),
        ("scoring.patch=[3]", ["scoring.patch", "[3]", "required"]),
        ("scoring.patch=[0, 4]", ["scoring.patch.0 = 0", "greater than 0"]),
        ("loss.motion_weight=.nan", ["loss.motion_weight = nan"]),
        ("model.num_items", ["'model.num_items'", "section.key=value"]),
        ("num_items=3", ["'num_items=3'", "section.key=value"]),
    ],
)
def test_a_wrong_override_names_key_value_and_what_is_allowed(override: str, parts: list[str]):
    with pytest.raises(SettingError) as error:
        load_recipe("synthetic-mini", override)
    assert [part for part in parts if part not in str(error.value)] == []


def test_the_defaults_are_the_papers_target_and_no_augmentation():
    recipe = Recipe(name="plain")
    found = (recipe.loss.motion_target, recipe.loss.motion_form, recipe.training.augment)
    assert found == ("flow", "pixels", False)


@pytest.mark.parametrize(("patch", "wrong"), [("[97, 12]", "97x12"), ("[24, 145]", "24x145")])
def test_patches_that_are_compared_must_fit_into_the_frame(patch: str, wrong: str):
    """Frames are 96x144. What is scored may hang over the border; what the loss compares may not."""
    assert load_recipe("synthetic-mini", f"scoring.patch={patch}").loss.motion_form == "pixels"
    expected = (
        f"scoring.patch = {wrong} does not fit into frames of 96x144; set a smaller scoring.patch, or loss.motion_form"
    )
    with pytest.raises(SettingError, match=expected):
        load_recipe("synthetic-mini", "loss.motion_form=patches", f"scoring.patch={patch}")
    load_recipe("synthetic-mini", "loss.motion_form=patches", "scoring.patch=[96, 144]")


def test_a_recipe_that_follows_its_data_learns_from_them_whether_patches_fit():
    settings = ("loss.motion_form=patches", "data.height=48", "data.width=64")
    recipe = load_recipe("camera", *settings)
    assert recipe.data.follow
    assert recipe.with_settings("scoring.patch=[40, 20]", "data.follow=[]").loss.motion_form == "patches"
    with pytest.raises(SettingError, match="50x20 does not fit into frames of 48x64"):
        recipe.with_settings("scoring.patch=[50, 20]", "data.follow=[]")


def test_an_override_that_is_not_yaml_is_named():
    with pytest.raises(SettingError, match=re.escape("scoring.patch=[3")):
        load_recipe("synthetic-mini", "scoring.patch=[3")


@pytest.mark.parametrize("key", ["motion_weight", "sparse_weight", "latent_weight"])
def test_infinite_weights_are_refused(key: str):
    with pytest.raises(SettingError, match=key):
        load_recipe("synthetic-mini", f"loss.{key}=.inf")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("model: {num_itms: 3}", ["unknown setting model.num_itms", "num_items"]),
        ("modle: {num_items: 3}", ["unknown setting modle", "model"]),
        ("model: 3", ["model = 3"]),
        ("model: [unclosed", ["not readable as YAML", "mine.yaml"]),
        ("- a list", ["expected settings like", "mine.yaml", "a list"]),
        ("", ["expected settings like", "None"]),
        ("extends: ped3", ["no recipe 'ped3'", "ped2-mini"]),
        ("model: {num_items: 0, dropout: 2}", ["model.num_items = 0", "model.dropout = 2"]),
    ],
)
def test_a_wrong_recipe_file_is_named(tmp_path: Path, text: str, parts: list[str]):
    with pytest.raises(SettingError) as error:
        load_recipe(written(tmp_path, text))
    assert [part for part in parts if part not in str(error.value)] == []


@pytest.mark.parametrize("name", ["ped3", "missing.yaml", ""])
def test_an_unknown_recipe_is_told_which_there_are(name: str):
    with pytest.raises(SettingError) as error:
        load_recipe(name)
    assert f"no recipe {name!r}" in str(error.value)
    assert all(known in str(error.value) for known in recipe_names())


def test_overrides_are_applied_in_order_and_leave_the_rest():
    plain = load_recipe("synthetic-mini")
    recipe = load_recipe(
        "synthetic-mini", "model.num_items=7", "model.num_items=9", "scoring.patch=[8, 6]", "scoring.psi=0.5"
    )
    assert (recipe.model.num_items, recipe.scoring.patch, recipe.scoring.psi) == (9, (8, 6), 0.5)
    assert (recipe.data, recipe.loss, recipe.training) == (plain.data, plain.loss, plain.training)


def test_a_recipe_that_extends_another_says_only_what_differs(tmp_path: Path):
    parent = load_recipe("ped2-mini")
    path = written(tmp_path, "extends: ped2-mini\nabout: longer\ntraining: {epochs: 6}\n")
    recipe = load_recipe(path)
    assert (recipe.name, recipe.about, recipe.training.epochs) == ("mine", "longer", 6)
    assert recipe.training.learning_rate == parent.training.learning_rate
    assert (recipe.data, recipe.model, recipe.scoring) == (parent.data, parent.model, parent.scoring)


def test_a_recipe_can_extend_a_file_that_extends_a_recipe(tmp_path: Path):
    below = written(tmp_path, "extends: synthetic-mini\nmodel: {num_items: 5}\n", "below.yaml")
    recipe = load_recipe(written(tmp_path, f"extends: {below}\nmodel: {{dropout: 0}}\n"))
    assert (recipe.model.num_items, recipe.model.dropout, recipe.model.base_channels) == (5, 0, 8)


def test_a_file_that_is_extended_lies_beside_the_one_that_extends_it(tmp_path: Path):
    written(tmp_path, "extends: synthetic-mini\nmodel: {num_items: 5}\n", "below.yaml")
    assert load_recipe(written(tmp_path, "extends: below.yaml\n")).model.num_items == 5


@pytest.mark.parametrize("other", ["mine.yaml", "./mine.yaml", "sub/../mine.yaml"])
def test_a_recipe_that_extends_itself_is_named(tmp_path: Path, other: str):
    (tmp_path / "sub").mkdir()
    with pytest.raises(SettingError, match=r"mine\.yaml: extends itself through"):
        load_recipe(written(tmp_path, f"extends: {other}\n"))


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_to_yaml_and_back_is_the_same(tmp_path: Path, name: str):
    recipe = load_recipe(name, "model.shrink_threshold=0.004", "loss.sparse_weight=1.0e-7")
    again = load_recipe(written(tmp_path, recipe.to_yaml()))
    assert again == recipe
    assert again.hash() == recipe.hash()


@pytest.mark.parametrize("key", [key for key, _ in KNOBS if key != "training.keep_epochs"])
def test_the_hash_changes_with_every_setting_that_can_change_a_result(key: str):
    recipe = load_recipe("synthetic-mini", "model.shrink_threshold=0.1", "scoring.psi=1")
    section, _, name = key.partition(".")
    value = getattr(getattr(recipe, section), name)
    other = {
        "channels": 3,
        "similarity": "released",
        "motion_target": "speed",
        "motion_form": "patches",
        "sparse_form": "released",
        "latent_form": "attract",
        "precision": "bfloat16",
        "adam_form": "released",
        "branches": "appearance",
        "padding": "valid",
        "patch": [9, 9],
        "stride": [9, 9],
        "follow": ["training.epochs"],
    }
    if name in other:
        changed = other[name]
    elif isinstance(value, bool):
        changed = not value
    elif isinstance(value, int):
        changed = value + 1
    else:
        changed = f"{value}x" if isinstance(value, str) else value / 2
    assert recipe.with_settings(f"{key}={changed}").hash() != recipe.hash()


def test_recipes_of_earlier_kits_are_read_and_keep_their_hash(tmp_path: Path):
    """They say `precision: auto`, which was the default."""
    recipe = load_recipe("ped2-laptop")
    path = written(tmp_path, recipe.to_yaml().replace("precision: float32", "precision: auto"), "old.yaml")
    assert "precision: auto" in path.read_text()
    old = load_recipe(path)
    assert (old.training.precision, old.hash()) == ("float32", recipe.hash())
    assert load_recipe("ped2-laptop", "training.precision=auto").hash() == recipe.hash()
    with pytest.raises(SettingError, match=r"training\.precision = 'half': .*'float32' or 'bfloat16'"):
        load_recipe("ped2-laptop", "training.precision=half")


# A recipe that follows its data


def test_a_recipe_that_follows_takes_all_that_it_does_not_state(tmp_path: Path):
    assert load_recipe("camera").data.follow == FOLLOWED
    path = written(tmp_path, "extends: ped2-mini\ndata: {follow: true, channels: 3}\ntraining: {seed: 4}\n")
    assert set(FOLLOWED) - set(load_recipe(path).data.follow) == {"data.channels"}
    above = written(tmp_path, "extends: mine.yaml\nscoring: {patch: [8, 6]}\n", "above.yaml")
    assert set(FOLLOWED) - set(load_recipe(above).data.follow) == {"data.channels", "scoring.patch"}
    given = load_recipe(above, "training.epochs=3", "model.num_items=9")
    assert given.data.follow == ("data.height", "data.width", "data.flow")


@pytest.mark.parametrize(
    "settings", [("data.follow=true", "training.epochs=3"), ("training.epochs=3", "data.follow=true")]
)
def test_any_recipe_can_be_told_to_follow_but_for_what_is_told_beside_it(settings: tuple[str, ...]):
    assert set(FOLLOWED) - set(load_recipe("ped2", *settings).data.follow) == {"training.epochs"}
    assert load_recipe("camera", "data.follow=false").data.follow == ()
    assert load_recipe("camera", "data.follow=[training.epochs]").data.follow == ("training.epochs",)


def test_what_cannot_be_followed_is_named():
    with pytest.raises(SettingError, match=r"data\.follow\.0 = 'model\.dropout': input should be 'data\.height'"):
        load_recipe("ped2", "data.follow=[model.dropout]")
    with pytest.raises(SettingError, match=r"data\.follow = 'all'"):
        load_recipe("ped2", "data.follow=all")


def test_runs_of_earlier_kits_follow_nothing(tmp_path: Path):
    text = load_recipe("ped2-laptop").to_yaml()
    assert "follow: []" in text
    old = load_recipe(written(tmp_path, text.replace("follow: []", "follow: false").replace("  keep_epochs: 20\n", "")))
    assert old.data.follow == ()
    assert old.hash() == load_recipe("ped2-laptop").hash()


@pytest.mark.parametrize("name", ["ped2-laptop", "ped2-mini", "synthetic-laptop", "synthetic-mini"])
def test_the_kept_results_are_of_the_recipes_as_they_are(name: str):
    [path] = REFERENCE.glob(f"{name}/paper/seed0.json")
    assert json.loads(path.read_text())["recipe_hash"] == load_recipe(name).hash()


def test_the_hash_does_not_change_with_name_description_or_the_weights_that_stay_on_disk():
    recipe = load_recipe("synthetic-mini")
    assert recipe.with_settings("training.keep_epochs=3").hash() == recipe.hash()
    assert Recipe(name="plain", training=TrainingSettings(keep_epochs=3)).hash() == Recipe(name="plain").hash()
    assert recipe.model_copy(update={"name": "other", "about": "other"}).hash() == recipe.hash()
    assert re.fullmatch("[0-9a-f]{12}", recipe.hash())


@pytest.mark.parametrize(("branches", "psi"), [("appearance", 1), ("motion", 0)])
def test_one_trained_branch_is_scored_alone(branches: str, psi: int):
    with pytest.raises(
        SettingError, match=rf"^recipe ped2: loss\.branches = {branches} .* set scoring\.psi={psi} as well$"
    ):
        load_recipe("ped2", f"loss.branches={branches}")
    assert load_recipe("ped2", f"loss.branches={branches}", f"scoring.psi={psi}").scoring.psi == psi
