"""The picture of the method: a picture by itself, and one part of it lit."""

from xml.etree import ElementTree

import pytest

from maam_lib.figures.method import PARTS, method

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_whole_and_needs_nothing_else() -> None:
    root = ElementTree.fromstring(method().data)
    assert "data-lit" not in root.attrib
    assert len(root.get("aria-label", "")) > 100
    pictures = [image.get("href", "") for image in root.iter(f"{SVG}image")]
    assert len(pictures) == 10
    assert all(href.startswith("data:image/png;base64,") for href in pictures)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_lit_that_the_picture_has(part: str) -> None:
    root = ElementTree.fromstring(method(part).data)
    assert root.get("data-lit") == part
    assert [group for group in root.iter(f"{SVG}g") if part in group.get("class", "").split()]
    style = root.find(f"{SVG}style")
    assert style is not None
    assert f'[data-lit="{part}"] .part:not(.{part}) > :not(text) {{ opacity: 0.28; }}' in (style.text or ""), (
        "words stay"
    )


def test_a_part_that_it_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="no part 'encoder'; it has network, memory, training, scores"):
        method("encoder")
