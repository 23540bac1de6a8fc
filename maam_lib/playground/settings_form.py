"""The settings of a recipe as fields of a form: kind, bounds, choices and help, read from `config` itself."""

from dataclasses import dataclass
from typing import Any

from maam_lib.config import SECTIONS, load_recipe, settings_of
from maam_lib.recipes import plain_yaml

_KINDS = {"boolean": "switch", "integer": "whole", "number": "number", "string": "text", "array": "pair"}
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "more than", "maximum": "to", "exclusiveMaximum": "less than"}


@dataclass(frozen=True)
class SettingField:
    """One hyperparameter as a form shows it."""

    key: str  # "model.num_items"
    kind: str  # "choice", "choices" of which several can be chosen, or one of _KINDS
    schema: dict[str, Any]  # JSON schema of its value
    optional: bool  # whether it may be left to a rule: none
    help: str
    unit: str
    origin: str

    @property
    def choices(self) -> list[Any]:
        """What can be chosen, where something can."""
        return self.schema.get("items", self.schema).get("enum", [])

    @property
    def allowed(self) -> str:
        """What may be set, in words: `from 1 to 100,000 items`."""
        if self.choices:
            return (" or " if self.kind == "choice" else ", ").join(map(str, self.choices))
        bounds = [f"{words} {self.schema[name]:,.10g}" for name, words in _BOUNDS.items() if name in self.schema]
        return " ".join([*bounds, *([self.unit] if self.unit else []), *(["or none"] if self.optional else [])])


def form_fields() -> dict[str, list[SettingField]]:
    """Every section of a recipe with its fields, in the order of `config`."""
    return {
        section: [_field(f"{section}.{name}", of) for name, of in settings.model_json_schema()["properties"].items()]
        for section, settings in SECTIONS.items()
    }


def set_word(key: str, value: Any) -> str:
    """A setting as the command line takes it: `model.num_items=100`."""
    written = plain_yaml.written(value, in_one_line=True)
    return f"{key}={written.strip().removesuffix('...').strip()}"  # YAML closes a bare scalar with dots


def set_words(name: str, values: dict[str, Any]) -> list[str]:
    """The words after `--set` that turn a named recipe into these values; raises SettingError for one not allowed."""
    recipe = load_recipe(name)
    stated = settings_of(recipe)
    words = [set_word(key, value) for key, value in values.items() if value != stated[key]]
    recipe.with_settings(*words)
    return words


def _field(key: str, schema: dict[str, Any]) -> SettingField:
    """A field from the JSON schema of its setting, which allows null where the setting may be left to a rule."""
    parts = schema.get("anyOf", [schema])
    [value] = [part for part in parts if part.get("type") != "null"]
    kind = "choice" if "enum" in value else "choices" if "items" in value else _KINDS[value["type"]]
    return SettingField(key, kind, value, len(parts) > 1, schema["description"], schema["unit"], schema["origin"])
