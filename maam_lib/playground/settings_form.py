"""The settings of a recipe as fields of a form: kind, bounds, choices and help, read from `config` itself."""

from dataclasses import dataclass
from typing import Any, Literal

from maam_lib.config import SECTIONS, load_recipe, settings_of
from maam_lib.recipes import plain_yaml

Kind = Literal["choice", "choices", "switch", "whole", "number", "pair", "text"]
_KINDS: dict[str, Kind] = {"boolean": "switch", "integer": "whole", "number": "number", "string": "text"}


@dataclass(frozen=True)
class SettingField:
    """One hyperparameter as a form shows it."""

    key: str  # "model.num_items"
    kind: Kind
    optional: bool  # whether it may be left to a rule: none
    choices: tuple[Any, ...]  # of which one, or of kind "choices" several
    lowest: float | None  # inclusive, unless `open_below`
    highest: float | None
    open_below: bool
    open_above: bool
    help: str
    unit: str
    origin: str

    @property
    def name(self) -> str:
        """The key without its section."""
        return self.key.partition(".")[2]

    @property
    def allowed(self) -> str:
        """What may be set, in words: `1 to 100000 items`."""
        if self.kind == "choice":
            return " or ".join(map(str, self.choices))
        if self.kind == "choices":
            return ", ".join(self.choices)
        parts = []
        if self.lowest is not None:
            parts.append(f"{'more than' if self.open_below else 'from'} {_number(self.lowest)}")
        if self.highest is not None:
            parts.append(f"{'less than' if self.open_above else 'to'} {_number(self.highest)}")
        return " ".join([*parts, *([self.unit] if self.unit else []), *(["or none"] if self.optional else [])])


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
    """A field from the JSON schema of its setting."""
    parts = schema.get("anyOf", [schema])  # with null where the setting may be left to a rule
    [plain] = [part for part in parts if part.get("type") != "null"]
    names = plain.get("items", {}).get("enum", ())
    listed: Kind = "choices" if names else "pair"
    return SettingField(
        key=key,
        kind="choice" if "enum" in plain else listed if plain["type"] == "array" else _KINDS[plain["type"]],
        optional=len(parts) > 1,
        choices=tuple(plain.get("enum", names)),
        lowest=plain.get("minimum", plain.get("exclusiveMinimum")),
        highest=plain.get("maximum", plain.get("exclusiveMaximum")),
        open_below="exclusiveMinimum" in plain,
        open_above="exclusiveMaximum" in plain,
        help=schema["description"],
        unit=schema["unit"],
        origin=schema["origin"],
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"
