"""The recipes that come with the kit, and the plain YAML that recipes and settings are written in."""

from maam_lib.recipes.plain_yaml import PlainYamlError, parse
