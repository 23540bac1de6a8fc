"""Every page that the kit writes is made of templates (Jinja2), which lie in the folder `templates` of their wing.

`pages/templates/page.html` holds the look that all share.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = Environment(
    loader=PackageLoader("maam_lib", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, **shown: object) -> str:
    """The HTML page that a template makes of what it shows; text in it is escaped.

    `template` is its path in `maam_lib`, as "report/templates/chapter.html".
    """
    return TEMPLATES.get_template(template).render(shown)
