"""Addresses of streams as they may be shown: never with a password, wherever a camera's maker put it."""

import re

HARMLESS = {"camera", "channel", "fps", "height", "profile", "quality", "resolution", "stream", "subtype", "width"}
HIDDEN = "***"


def without_secrets(text: str) -> str:
    """An address without what it may be opened with (ours); other text stays as it is.

    Left out: all before the last `@` of user and password, which may hold `@`, `/`, `:` or `?` themselves. Hidden: the
    value of each `name=value` in path or query whose name is not in HARMLESS, and words of the query without a name.
    """
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    place, asked, query = _parted(rest)
    parts = place[place.rfind("@") + 1 :].split("/")
    return f"{scheme}{mark}{'/'.join(_hidden(part) if '=' in part else part for part in parts)}{asked}{_hidden(query)}"


def _parted(rest: str) -> tuple[str, str, str]:
    """Host and path, "?", and the query, if there is one: a "?" may also be part of a password."""
    for found in re.finditer(r"\?", rest):
        place, query = rest[: found.start()], rest[found.end() :]
        has_host = "@" in place or re.fullmatch(r"(\[[\w:.%]+\]|[\w.-]+)(:\d+)?", place.partition("/")[0])
        if "@" not in query or (has_host and "=" in query.partition("@")[0]):
            return place, "?", query
    return rest, "", ""


def _hidden(query: str) -> str:
    shown = []
    for part in re.split("[&;]", query):
        name, mark, value = part.partition("=")
        harmless = name.lower() in HARMLESS and "=" not in value and len(value) <= 12 if mark else not name
        shown.append(part if harmless else f"{name}={HIDDEN}" if mark else HIDDEN)
    return "&".join(shown)
