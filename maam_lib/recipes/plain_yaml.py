"""YAML of plain values, as recipes and settings are written: small, without references, every key once (ours).

It reads what PyYAML's safe loader reads, but for what misleads or grows without bound. Refused: aliases (a few hundred
bytes of them expand to gigabytes), tags, a key that stands twice, more than DEEPEST levels. Otherwise than there, 1e-3
is a number, and 010, 12:30 and 2024-01-31 are text: no octal, no base 60, no dates.
"""

import re
from typing import Any, ClassVar

import yaml

MOST_CHARACTERS = 100_000
DEEPEST = 10  # levels; a recipe has three
_NUMBERS = {
    "int": r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)",
    "float": r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9_]*)\.[0-9]*|(?:0|[1-9][0-9_]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
_TAGS = (*_NUMBERS, "null", "bool", "str", "seq", "map")


class PlainYamlError(ValueError):
    """Text that is not plain YAML: what is wrong, and in which line."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {
        first: [(tag, form) for tag, form in forms if tag.rpartition(":")[2] in ("null", "bool")]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _TAGS
    }
    level = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._refuse("references (*name) are not allowed; write the value out", self.peek_event())
        self.level += 1
        if self.level > DEEPEST:
            self._refuse(f"more than {DEEPEST} levels deep", self.peek_event())
        node = super().compose_node(parent, index)
        self.level -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse("a key must be a word", key)
            if key.value in seen:
                self._refuse(f"the key {key.value!r} occurs twice", key)
            seen.add(key.value)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    def _refuse(self, problem: str, at: yaml.Event | yaml.Node) -> None:
        raise yaml.constructor.ConstructorError(None, None, problem, at.start_mark)


class _Dumper(yaml.SafeDumper):
    """Quotes what this reader, too, would take for something else than text."""


for _tag, _form in _NUMBERS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$"), list("-+.0123456789"))


def written(value: Any, *, in_one_line: bool = False) -> str:
    """Plain values as the YAML text that `parse` reads back, keys in their order."""
    width = 1000 if in_one_line else None
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=in_one_line, width=width)


def parse(text: str) -> Any:
    """The value of a YAML text: mappings with text as keys, lists, text, numbers, true and false, null.

    Raises PlainYamlError.
    """
    if len(text) > MOST_CHARACTERS:
        raise PlainYamlError(f"{len(text):,} characters, expected {MOST_CHARACTERS:,} at most")
    try:
        value = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise PlainYamlError(f"{error.problem or error.context}{line}") from error
    except (yaml.YAMLError, ValueError) as error:  # a character that is none; a number of thousands of digits
        raise PlainYamlError(" ".join(str(error).split())) from error
    return value
