"""Templates are whole, escape what they show, and fetch nothing."""

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import maam_lib
from maam_lib.pages import TEMPLATES, page

FILES = sorted(Path(maam_lib.__file__).parent.glob("*/templates/*"))
WITH_SCRIPT = {"app.html", "detection.html", "player.html"}  # of the kit's own, in the page itself
MADE_AS_HTML = {"notebook", "code_colours", "differences"}  # by nbconvert and Pygments, of files of the kit


def test_every_template_is_whole():
    assert len(FILES) > 8
    for file in FILES:
        TEMPLATES.get_template("/".join(file.parts[-3:]))  # raises where it is not


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_template_fetches_nothing_and_runs_nothing_unknown(file: Path):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script [^>]*src|<link|@import|url\(|\bon\w+=", text)
    assert ("<script" in text) == (file.name in WITH_SCRIPT)
    assert set(re.findall(r"(\w+) \| safe", text)) <= MADE_AS_HTML
    assert "autoescape" not in text


def test_what_is_missing_is_an_error_and_no_gap():
    with pytest.raises(UndefinedError, match="notebook"):
        page("report/templates/chapter.html", title="a", code_colours="")
    shown = page("report/templates/chapter.html", title="a < b", code_colours="", notebook="")
    assert "<title>a &lt; b</title>" in shown
