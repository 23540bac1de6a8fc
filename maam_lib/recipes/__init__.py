"""The recipes that come with the kit, and the plain YAML that recipes and settings are written in."""

from maam_lib.recipes.files import FOLLOWED, Followed, SettingError, laid_over, recipe_names, recipe_tree
from maam_lib.recipes.plain_yaml import PlainYamlError, parse
