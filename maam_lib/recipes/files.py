"""Recipe files: settings that differ from the defaults, or from those of the recipe that a file `extends`."""

from pathlib import Path
from typing import Any, Literal, get_args

from data_prep.files import UnreadableError, read_text
from maam_lib.recipes import plain_yaml

FOLDER = Path(__file__).parent
DEEPEST = 10  # recipe files that extend one another
Followed = Literal[  # settings that prepared data can decide, see `training.fit_recipe`
    "data.height", "data.width", "data.channels", "data.flow", "scoring.patch", "training.epochs"
]
FOLLOWED: tuple[Followed, ...] = get_args(Followed)


class SettingError(ValueError):
    """A recipe or a setting that cannot be used: names the key, the value, and what is allowed."""


def recipe_names() -> list[str]:
    """Names of the recipes that come with the kit."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def recipe_tree(name: str | Path, below: tuple[str, ...] = ()) -> dict[str, Any]:
    """Settings of a recipe file laid over those of the recipe that it extends; `below` are the files that extend it."""
    name = str(name)
    is_file = name.endswith((".yaml", ".yml"))
    source = Path(name) if is_file else FOLDER / f"{name}.yaml"
    if not (source.exists() if is_file else name in recipe_names()):
        raise SettingError(f"no recipe {name!r:.200}; the kit has {', '.join(recipe_names())}, or give a .yaml file")
    try:
        tree = plain_yaml.parse(read_text(source, plain_yaml.MOST_CHARACTERS))
    except plain_yaml.PlainYamlError as error:
        raise SettingError(f"{source}: not readable as YAML: {error}") from error
    except (UnreadableError, FileNotFoundError) as error:
        raise SettingError(str(error)) from error
    if not isinstance(tree, dict):
        raise SettingError(f"{source}: expected settings like `model: {{num_items: 100}}`, found {tree!r:.80}")
    tree.setdefault("name", source.name.removesuffix(".yaml").removesuffix(".yml"))
    parent = tree.pop("extends", None)
    if not parent:
        return laid_over({}, tree)
    if name in below or len(below) == DEEPEST:
        raise SettingError(f"{source}: extends itself through {', '.join(below)}")
    if is_file and str(parent).endswith((".yaml", ".yml")):
        parent = source.parent / str(parent)  # as seen from the file that names it
    return laid_over(recipe_tree(str(parent), (*below, name)), tree)


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, section by section; what `above` states is no longer taken from the data.

    `data.follow: true` becomes the names of all settings that data can decide, except those stated beside it.
    """
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if both else value
    if isinstance(merged.get("data"), dict) and "follow" in merged["data"]:
        stated = {f"{section}.{key}" for section, part in above.items() if isinstance(part, dict) for key in part}
        merged["data"] = merged["data"] | {"follow": _still_followed(merged["data"]["follow"], stated)}
    return merged


def _still_followed(follow: Any, stated: set[str]) -> Any:
    if follow is True:
        return [name for name in FOLLOWED if name not in stated]
    if "data.follow" in stated or not isinstance(follow, list):  # names that are stated are taken as they are
        return follow
    return [name for name in follow if name not in stated]
