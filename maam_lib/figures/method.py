"""The method in one picture, with the part that a chapter is about lit (ours; Fig. 2 and 3 of the paper)."""

from IPython.display import HTML

from maam_lib import in_clone

PARTS = ("network", "memory", "training", "scores")


def method(part: str | None = None) -> HTML:
    """The picture of docs/method.svg, whole or with one of its PARTS lit and the rest pale.

    Raises ValueError for a part that it does not have, RuntimeError where the kit is installed without its docs.
    """
    if part is not None and part not in PARTS:
        raise ValueError(f"the picture of the method has no part {part!r}; it has {', '.join(PARTS)}")
    picture = in_clone("docs", "method.svg").read_text(encoding="utf-8")
    return HTML(picture.replace("<svg ", f'<svg data-lit="{part}" ', 1) if part else picture)
