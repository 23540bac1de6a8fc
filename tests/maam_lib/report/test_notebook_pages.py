import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from maam_lib.config import load_recipe
from maam_lib.evaluation.result import Cost, Result, Speed, Work
from maam_lib.figures.plots import score_curves
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import Claim, Finding, State, Verdict
from maam_lib.grid.numbers import Number
from maam_lib.notebook import RESULT_MIME
from maam_lib.pages import TEMPLATES
from maam_lib.report.build import variant_page
from maam_lib.report.collection import Collection
from maam_lib.report.first_page import write_first_pages
from maam_lib.report.how_made import write_how_made
from maam_lib.report.network_pictures import Picture
from maam_lib.report.notebook_pages import Chapter, as_html, chapter_page, index_page, readable_tables
from maam_lib.report.paper_pages import write_paper_pages
from maam_lib.report.site import Site
from maam_lib.video.detection_page import Listed, Moment, clock, drawn, lasting
from maam_lib.video.trust import Threshold, percent
from tests.results import made_up_result

MACHINE = ("processor", "gpu", "precision", "platform")
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


class Resources(HTMLParser):
    """Collects what a browser would fetch by itself, where links lead, and what is said of pictures."""

    def __init__(self, page: str):
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.scripts: set[str] = set()  # their types
        self.texts: list[str | None] = []  # alternative ones, of each picture
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.add(dict(attrs).get("type") or "text/javascript")
        if tag == "img":
            self.texts.append(dict(attrs).get("alt"))
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href"]
        else:
            self.fetched += [value for name, value in attrs if name in ("src", "href", "data", "srcset")]


def executed_notebook(**metadata: str) -> NotebookNode:
    picture = new_output("display_data", {"image/png": PICTURE})
    widget = new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "Slider"}
    )
    said = new_output("stream", name="stdout", text="0.5\n")
    cells = [
        new_markdown_cell("# Memory items\nA query reads $\\hat{z} = w^T M$. Next: [scores](05_pscd.ipynb#psi)."),
        new_code_cell("x = '$a$'", metadata=metadata, outputs=[picture, widget, said]),
        new_markdown_cell("$$L = \\sum_{i=1}^N -w_i \\log w_i$$\n\nThe paper is [here](https://example.org)."),
    ]
    notebook = new_notebook(cells=cells)
    model = {"model_name": "IntSliderModel", "model_module": "@jupyter-widgets/controls", "state": {}}
    state = {"state": {"a": model}, "version_major": 2, "version_minor": 0}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    return notebook


def summary(failure: str | None = None) -> dict:
    return {
        "recipe": "synthetic-mini",
        "kit_version": "0.1",
        "environment": {"git_revision": None, "python": "3.11", "packages": {}, "platform": "a <laptop>"},
        "notebooks": {"04_memory_items": {"seconds": 2.4, "failure": failure}},
        "results": {"04_memory_items": {"support": 0.123456, "note": "a < b"}, "05_pscd": {}},
        "paper": None,
        "player": None,
    }


def test_formulas_become_mathml():
    inline = as_html("the weight $w_i$ and $z$.")
    assert inline.count("<math") == 2
    assert 'display="inline"' in inline
    assert "<msub><mi>w</mi><mi>i</mi></msub>" in inline
    assert inline.startswith("<p>the weight <math")
    for block in ("so\n$$\na = b\n$$\nthen", "so\n\n$$\na = b\n$$", r"\begin{matrix}a & b\end{matrix}"):
        assert 'display="block"' in as_html(block)
        assert "$" not in as_html(block)
        assert "\\begin" not in as_html(block)


def test_a_formula_too_long_for_a_phone_may_be_broken():
    long = " + ".join(rf"\alpha_{n}" for n in range(20))
    assert as_html(f"$${long}$$ and ${long}$").count('<math class="long" ') == 2
    assert "long" not in as_html("$$a = b$$")


def test_formulas_of_tables_and_around_emphasis_are_whole():
    assert as_html("| a |\n|---|\n| $a_1 * b_1 * c$ |").count("<math") == 1
    assert "<em>" not in as_html("$a_1$ and $b_1 * c * d$")


@pytest.mark.parametrize(
    ("text", "as_it_is"),
    [
        ("a single US$ stays", "US$"),
        ("write `$x$` or ``$x$``", "<code>$x$</code> or <code>$x$</code>"),
        ("```\nprint('$x$', '$y$')\n```", "'$x$', '$y$'"),
        ("an escaped \\$x\\$ stays", "$x$"),
    ],
)
def test_code_and_escaped_dollars_stay_as_they_are(text: str, as_it_is: str):
    assert as_it_is in as_html(text)
    assert "<math" not in as_html(text)


def test_formulas_beside_code_are_still_found():
    text = as_html("`$a$` is $b$, which is shown.")
    assert text.startswith("<p><code>$a$</code> is <math")
    assert text.strip().endswith("</math>, which is shown.</p>")


def test_a_notebook_page_needs_no_net():
    page = chapter_page(Chapter("04", executed_notebook(), 0))
    found = Resources(page)
    assert found.fetched == [f"data:image/png;base64,{PICTURE}"]
    assert found.scripts == set(), "a widget is dead without its kernel, and its script would need jQuery"
    assert not re.search(r"@import|url\(\s*['\"]?https?:", page)


def test_a_notebook_page_shows_text_formulas_and_outputs():
    page = chapter_page(Chapter("04", executed_notebook(), 0))
    assert "<title>Memory items</title>" in page
    assert page.count("<math ") == 2
    assert "0.5" in page
    assert PICTURE in page
    assert "$a$" in page, "code keeps its dollars"


def cell_page(source: str, *outputs: NotebookNode, **metadata: object) -> str:
    """The page's body, of one code cell."""
    cell = new_code_cell(source, metadata=metadata, outputs=list(outputs))
    return chapter_page(Chapter("04", new_notebook(cells=[cell]), 0)).split("<body>")[1]


def test_a_source_that_is_folded_in_the_notebook_is_folded_in_the_page():
    hidden = {"jupyter": {"source_hidden": True}}
    said = new_output("stream", name="stdout", text="beside\n")
    folded = r"(?s)<details><summary>{}</summary>.*secret.*</details>.*beside"
    assert re.search(folded.format("A solution"), cell_page("secret", said, tags=["exercise"], **hidden))
    assert re.search(folded.format("The code"), cell_page("secret", said, **hidden))
    assert re.search(folded.format("Parameters of this page"), cell_page("secret", said, tags=["injected-parameters"]))
    assert "<details>" not in cell_page("shown", said)


def test_of_an_answer_only_the_folded_text_is_shown():
    table = "| a |\n|---|\n| 1 |"
    text = f"<details><summary>What came out, and why</summary>\n\nIt is **0.93**: $x^2$.\n\n{table}\n\n</details>"
    output = new_output("display_data", {"text/markdown": text, "text/plain": "Markdown"})
    page = cell_page("secret", output, tags=["answer"], jupyter={"source_hidden": True})
    assert "secret" not in page
    inside = re.search(r"(?s)<details><summary>What came out, and why</summary>(.*)</details>", page)[1]
    assert "<strong>0.93</strong>" in inside
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in inside
    assert '<td class="number">1</td>' in inside


def test_the_marks_of_what_students_write_are_not_shown():
    page = cell_page("def f(x):\n    ### BEGIN SOLUTION: return ...\n    return 2\n    ### END SOLUTION\n")
    assert "SOLUTION" not in page
    assert "2" in page


def test_recorded_numbers_are_not_shown():
    data = {RESULT_MIME: {"name": "memory.share", "value": 0.123}, "text/plain": ""}
    page = cell_page("x", new_output("display_data", data))
    assert "output_area" not in page
    assert "memory.share" not in page


TABLE = pd.DataFrame(
    {
        "AUC": ["0.803 ± 0.004", "not measured"],
        "gain": ["-0.163 [-0.2, +0.1]", "+0.218"],
        "best": ["0.966 (speed)", "-"],
    },
    index=pd.MultiIndex.from_product([["ped2"], ["laptop", "mini"]], names=["data", "size"]),
).assign(what=["speed", "1 cell"], count=[5, 12_000])


@pytest.mark.parametrize("html", [TABLE.to_html(), TABLE.style.to_html(), TABLE.reset_index().style.hide().to_html()])
def test_columns_of_numbers_are_told_apart_and_no_number_is_broken(html: str):
    shown = readable_tables(html)
    assert not re.search(r"<style|border=|style=", shown)
    cells = re.findall(r"<t([hd])([^>]*)>([^<]*)</t", shown)
    numbers = [text.strip() for _, attributes, text in cells if re.search(r'class="[^"]*\bnumber"', attributes)]
    assert sorted(filter(None, numbers)) == sorted(
        ["AUC", "gain", "count", "0.803\xa0±\xa00.004", "not measured", "-0.163 [-0.2, +0.1]", "+0.218", "5", "12000"]
    )


def test_a_table_without_rows_or_of_text_stays():
    assert "number" not in readable_tables(TABLE.iloc[:0].to_html())
    assert "number" not in readable_tables(TABLE[["what", "best"]].to_html())


def test_in_a_table_too_wide_for_a_phone_each_cell_has_the_heading_of_its_column():
    columns = pd.MultiIndex.from_product([["AUC", "equal error rate"], ["measured here", "in the paper"]])
    wide = pd.DataFrame([["0.803 ± 0.004 [0.700, 0.900]"] * 4] * 2, index=["all", "b"], columns=columns)
    shown = readable_tables(wide.rename_axis("row").to_html())
    assert '<table class="dataframe stacked">' in shown
    heads = [f"{what} {where}" for what in ("AUC", "equal error rate") for where in ("measured here", "in the paper")]
    assert re.findall(r'<td [^>]*data-head="([^"]*)"', shown) == heads * 2
    assert readable_tables(shown) == shown
    narrow = pd.DataFrame({"a": [1]}).to_html()
    assert "stacked" not in readable_tables(narrow)
    assert "data-head" not in readable_tables(narrow)


def test_pages_follow_the_readers_screen_and_open_folds_in_print():
    page = chapter_page(Chapter("04", executed_notebook(), 0))
    assert page.count("prefers-color-scheme: dark") == 2, "the page's own colours and those of code"
    assert re.search(r"@media print {[^@]*details::details-content { content-visibility: visible; }", page)


def test_links_to_notebooks_become_links_to_pages():
    links = Resources(chapter_page(Chapter("04", executed_notebook(), 0))).links
    assert "05_pscd.html#psi" in links
    assert "index.html" in links
    assert "https://example.org" in links
    assert not [link for link in links if "ipynb" in link]


def test_pictures_carry_the_text_of_the_cell_that_draws_them(caplog: pytest.LogCaptureFixture):
    chapter = Chapter("04", executed_notebook(alt='a "curve" that rises, <b>'), 0)
    for page in (chapter_page(chapter), index_page(summary() | {"notebooks": {}}, [chapter])):
        assert Resources(page).texts == ['a "curve" that rises, <b>']
    assert "Alternative text is missing" not in caplog.text


def test_a_page_does_not_change_its_notebook():
    notebook = executed_notebook()
    chapter_page(Chapter("04", notebook, 0))
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in executed_notebook().cells]


def test_a_notebook_without_a_heading_takes_the_given_title():
    page = chapter_page(Chapter("a < b", new_notebook(cells=[new_markdown_cell("text")]), 0))
    assert "<title>a &lt; b</title>" in page


def test_the_index_shows_chapters_pictures_and_numbers_without_a_net():
    page = index_page(summary(), [Chapter("04_memory_items", executed_notebook(), 2.4)])
    found = Resources(page)
    assert [url for url in found.fetched if not url.startswith("data:")] == []
    assert not found.scripts
    assert {"04_memory_items.html", "results.json"} <= set(found.links)
    assert PICTURE in page
    assert "<strong>Memory items</strong> (2&nbsp;s)" in page
    assert '<td>support</td><td class="number">0.123</td>' in page
    assert "a &lt; b" in page
    assert "a &lt;laptop&gt;" in page
    assert "05_pscd" not in page, "a chapter without numbers has no table"


def test_the_index_leads_to_the_papers_tables_where_they_are_made():
    chapters = [Chapter("04_memory_items", executed_notebook(), 2.4)]
    assert "paper/index.html" in Resources(index_page(summary() | {"paper": "paper/index.html"}, chapters)).links
    assert "tables, figures and claims" not in index_page(summary(), chapters)


def test_the_index_leads_to_the_page_that_plays_where_it_is_made():
    chapters = [Chapter("04_memory_items", executed_notebook(), 2.4)]
    assert "play.html" in Resources(index_page(summary() | {"player": "play.html"}, chapters)).links
    assert "Play: " not in index_page(summary(), chapters)


def test_the_index_says_which_chapter_failed():
    chapters = [Chapter("04_memory_items", executed_notebook(), 2.4, "cell 3: 1 < 2")]
    assert "04_memory_items.failed.html" in Resources(index_page(summary("cell 3: 1 < 2"), chapters)).links
    assert '<p class="failed">cell 3: 1 &lt; 2</p>' in index_page(summary("cell 3: 1 < 2"), chapters)


# Text from files is text

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


def assert_harmless(page: str) -> None:
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert not [url for url in Resources(page).fetched + Resources(page).links if "alert" in url and ":" in url]
    assert "&lt;img src=x" in page


def test_hostile_text_in_the_index_is_text():
    hostile = {
        "recipe": HOSTILE,
        "kit_version": HOSTILE,
        "paper": None,
        "player": None,
        "results": {HOSTILE: {HOSTILE: HOSTILE}},
        "environment": dict.fromkeys(("git_revision", "python", "platform"), HOSTILE) | {"packages": {}},
        "notebooks": {"a": {"seconds": 1.0, "failure": HOSTILE}},
    }
    heading = new_notebook(cells=[new_markdown_cell(f"# {HOSTILE}\n"), *executed_notebook().cells[1:]])
    page = index_page(hostile, [Chapter(HOSTILE, heading, 1.0, HOSTILE)])
    assert_harmless(page)
    assert page.count("&lt;img src=x") >= 8


def test_hostile_text_in_a_card_is_text(tmp_path: Path):
    claim = Claim("name", HOSTILE, HOSTILE, HOSTILE, HOSTILE, lambda grid: None, paper=HOSTILE)
    judged = Verdict(claim, {HOSTILE: Finding(State.OPEN, HOSTILE, (HOSTILE,))}, State.OPEN, HOSTILE)
    write_first_pages(Site(tmp_path, Collection([], {}, [], {}), tmp_path), [judged])
    assert_harmless((tmp_path / "index.html").read_text(encoding="utf-8"))
    page = (tmp_path / "claims.html").read_text(encoding="utf-8")
    assert_harmless(page)
    assert page.count("&lt;img src=x") >= 8


def test_hostile_text_in_tables_and_pictures_is_text(tmp_path: Path):
    hostile = load_recipe("ped2").model_copy(update={"name": HOSTILE})
    results = {HOSTILE: [made_up_result(recipe_hash="a")]}
    site = Site(tmp_path, Collection([GridResults(hostile, results, [])], {}, [], {}), tmp_path)
    table = pd.DataFrame({HOSTILE: [HOSTILE, Number((0.5,), note=HOSTILE, hashes=("a",))]})
    parts = TEMPLATES.get_template("report/templates/parts.html").module
    shown = parts.table(site.table("t", table, HOSTILE))
    assert 'href="runs/&lt;img src=x' in shown
    assert_harmless(shown)
    assert_harmless(parts.figure(Picture(Figure(), HOSTILE)))
    assert_harmless(parts.absent(HOSTILE))
    assert_harmless(parts.with_code(f"`{HOSTILE}`"))


def hostile_result() -> Result:
    """A result with hostile text wherever its form allows any: nowhere in hashes, numbers and names of rows."""
    return made_up_result(
        data={"name": HOSTILE, "content_hash": "c"},
        protocol={"auc": HOSTILE, "complete": True, HOSTILE: HOSTILE},
        machine=dict.fromkeys(MACHINE, HOSTILE),
        memory={"items": 1, "support_items": 1, HOSTILE: HOSTILE},
    )


def test_hostile_text_in_a_result_is_text():
    page = variant_page(HOSTILE, HOSTILE, HOSTILE, [hostile_result()], [HOSTILE])
    assert_harmless(page)
    assert page.count("&lt;img src=x") >= 15


def test_hostile_text_in_a_report_is_text(tmp_path: Path):
    """Names of recipes cannot hold any, but for a grid made by hand."""
    hostile = load_recipe("ped2").model_copy(update={"name": "a<img src=x onerror=alert(1)>", "about": HOSTILE})
    cost = Cost(
        device=HOSTILE,
        threads=1,
        parameters=1,
        flow_estimator=HOSTILE,
        multiply_adds=Work(network=2, memory=1),
        frames_per_second=Speed(network=1, with_pscd=1, end_to_end=1),
    )
    found = Collection([GridResults(hostile, {"paper": [hostile_result()]}, [])], {hostile.name: cost}, [HOSTILE], {})
    site = Site(tmp_path, found, tmp_path)
    write_first_pages(site, [])
    write_paper_pages(site)
    write_how_made(site)
    for name in ("learning", "table2", "table4", "protocol", "notes"):
        assert_harmless((tmp_path / f"{name}.html").read_text(encoding="utf-8"))


def test_hostile_text_in_the_page_of_a_video_is_text():
    event = {"kind": HOSTILE, "start": "0", "end": "1", "lasts": HOSTILE, "peak": HOSTILE, "note": HOSTILE}
    plain = {"ended": True, "alarms": 1, "highest": Moment(1.0, 0, 0.0, b""), "moments": [], "videos": ["a.mp4"]}
    plain |= {"clock": clock, "lasting": lasting, "percent": percent, "of_speed": True, "shape": 1.5, "shortest": 0.2}
    shown = {"name": HOSTILE, "recipe": HOSTILE, "facts": {HOSTILE: HOSTILE}, "notes": [HOSTILE]}
    events = Listed([event], 0, 1.0, [event], event, event, event, {"alarm": [(0, 5)], "trouble": []})
    template = TEMPLATES.get_template("video/templates/detection.html")
    for of_training in (True, False):
        of_threshold = Threshold(HOSTILE, of_training, HOSTILE, 100, HOSTILE, HOSTILE, 1.0, HOSTILE, True, True)
        curve = drawn([1.0], [0.0], 1.0, 0.5)
        page = template.render(**shown, **plain, curve=curve, events=events, threshold=of_threshold)
        assert_harmless(page)
        assert page.count("<script") == 2, "the curve's numbers, and what draws the playhead"


def test_the_caption_of_a_table_is_text_in_latex(tmp_path: Path):
    Site(tmp_path, Collection([], {}, [], {}), tmp_path).table("t", pd.DataFrame({"a": ["b"]}), "my_mini: 95 % & more")
    assert r"\caption{my\_mini: 95 \% \& more}" in (tmp_path / "tables" / "t.tex").read_text(encoding="utf-8")


def test_names_of_clips_with_dollars_are_drawn():
    table = pd.DataFrame({"frame": [0, 1], "label": [0, 1], "fused": [0.0, 1.0]})
    score_curves({"$\\frac$ and $x": table}).canvas.draw()


def test_a_number_and_its_spread_stay_on_one_line_in_the_report(tmp_path: Path):
    table = pd.DataFrame({"AUC": [Number((0.8, 0.81)), "0.9 ± 0.1"]})
    site = Site(tmp_path, Collection([], {}, [], {}), tmp_path)
    shown = TEMPLATES.get_template("report/templates/parts.html").module.table(site.table("t", table, "caption"))
    assert re.findall(r'<td[^>]*><span class="whole">(.+)</span></td>', shown) == [
        "0.805\xa0±\xa00.005",
        "0.9\xa0±\xa00.1",
    ]
