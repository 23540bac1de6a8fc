from typing import Any

import pytest

from maam_lib.config import Recipe, Section, SettingError, differences, load_recipe, recipe_names, settings_of
from maam_lib.playground.settings_form import form_fields, set_word, set_words

EVERY = {field.key: field for fields in form_fields().values() for field in fields}


def test_every_setting_is_in_the_form() -> None:
    sections = {name: value for name, value in Recipe(name="x") if isinstance(value, Section)}
    assert set(EVERY) == {f"{name}.{key}" for name, section in sections.items() for key in type(section).model_fields}
    assert all(field.help and field.origin for field in EVERY.values())


@pytest.mark.parametrize(
    ("key", "kind", "allowed"),
    [
        ("model.num_items", "whole", "from 1 to 100,000 items"),
        ("model.similarity", "choice", "cosine or released"),
        ("data.channels", "choice", "1 or 3"),
        ("model.use_memory", "switch", ""),
        ("model.shrink_threshold", "number", "from 0 less than 1 or none"),
        ("training.learning_rate", "number", "more than 0 to 1"),
        ("scoring.patch", "pair", "pixels"),
        ("scoring.stride", "pair", "pixels or none"),
        ("data.dataset", "text", ""),
        ("data.follow", "choices", "data.height, data.width, data.channels, data.flow, scoring.patch, training.epochs"),
    ],
)
def test_kind_and_bounds_are_those_of_config(key: str, kind: str, allowed: str) -> None:
    assert (EVERY[key].kind, EVERY[key].allowed) == (kind, allowed)


@pytest.mark.parametrize("field", EVERY.values(), ids=lambda field: field.key)
def test_bounds_of_the_form_are_where_config_refuses(field: Any) -> None:
    recipe = Recipe(name="x")
    for name, bound in field.schema.items():
        if name not in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
            continue
        is_open, beyond = name.startswith("exclusive"), 1 if name.lower().endswith("maximum") else -1
        step = 1 if field.kind == "whole" else 1e-6
        inside = bound - beyond * step if is_open else bound
        whole = int if field.kind == "whole" else float
        changed = recipe.with_settings(set_word(field.key, whole(inside)))
        assert settings_of(changed)[field.key] == pytest.approx(inside)
        with pytest.raises(SettingError):
            recipe.with_settings(set_word(field.key, whole(inside + beyond * step)))


@pytest.mark.parametrize("name", recipe_names())
def test_what_stands_in_the_form_makes_the_recipe_again(name: str) -> None:
    recipe = load_recipe(name)
    assert set_words(name, settings_of(recipe)) == []


def test_words_name_only_what_differs_and_do_it() -> None:
    values = {
        "model.num_items": 7,
        "scoring.stride": [3, 4],
        "training.epochs": 2,
        "data.dataset": "on",
        "training.learning_rate": 2e-5,
        "scoring.psi": None,
    }
    words = set_words("synthetic-mini", values)
    changed = load_recipe("synthetic-mini", *words)
    assert settings_of(changed) | values == settings_of(changed)
    assert len(words) == len(differences(load_recipe("synthetic-mini"), changed))
    assert "scoring.psi" not in " ".join(words)


def test_a_value_out_of_bounds_is_named() -> None:
    with pytest.raises(SettingError, match=r"model\.temperature = 0\.0: input should be greater than 0"):
        set_words("synthetic-mini", {"model.temperature": 0.0})
