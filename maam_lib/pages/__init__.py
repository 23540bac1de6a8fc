"""The look of every page that the kit writes, and the templates (Jinja2) that it is made of.

They lie in the folder `templates` of their wing; `pages/templates/page.html` holds the look that all share.
"""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = Environment(
    loader=PackageLoader("maam_lib", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, **shown: object) -> str:
    """The HTML page that a template (its path in `maam_lib`) makes of what it shows; text in it is escaped."""
    return TEMPLATES.get_template(template).render(shown)


def source_of(template: str) -> str:
    """A template as it is written, for those who fill it in another way."""
    return (Path(__file__).parents[1] / template).read_text(encoding="utf-8")
