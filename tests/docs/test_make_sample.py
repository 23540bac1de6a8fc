"""A report small enough to be kept: the same pages, smaller pictures, nothing half-written."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.files.writing import write_text
from docs import make_sample as sample
from docs.make_sample import SampleError, keep_sample, small_pictures
from maam_lib.report.build import MARK
from tests.conftest import PROJECT


def picture(width: int = 1600, height: int = 400) -> str:
    """A noisy PNG as it stands in a page."""
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    write_text(folder / "index.html", f'<p>Numbers</p><img src="{picture()}" alt="noise"><a href="paper/index.html">')
    write_text(folder / "paper" / "index.html", "<p>claims</p>")
    write_text(folder / "results.json", "{}")
    write_text(folder / "04_memory_items.ipynb", "{}")
    write_text(folder / "run" / "metrics.json", "{}")
    return folder


def test_pages_are_kept_and_trainings_are_not(report: Path, tmp_path: Path):
    size = keep_sample(report, tmp_path / "sample")
    kept = sorted(path.relative_to(tmp_path / "sample") for path in (tmp_path / "sample").rglob("*") if path.is_file())
    assert kept == [*map(Path, ("README.md", "index.html", MARK, "paper/index.html", "results.json"))]
    assert size == sum((tmp_path / "sample" / path).stat().st_size for path in kept if path.name != MARK)
    assert size < (report / "index.html").stat().st_size / 3
    assert (report / "run" / "metrics.json").is_file(), "the report is as it was"


def test_paths_of_this_machine_are_not_kept(report: Path, tmp_path: Path):
    write_text(report / "03_train.html", f"<pre>root = '{sample.PROJECT}/data'</pre>")
    keep_sample(report, tmp_path / "sample")
    assert (tmp_path / "sample" / "03_train.html").read_text() == "<pre>root = 'data'</pre>"


def test_pictures_become_smaller_and_stay_what_they_are():
    page = small_pictures(f'<img src="{picture()}" alt="noise">')
    data = page.split("base64,")[1].split('"')[0]
    made = Image.open(io.BytesIO(base64.b64decode(data)))
    assert made.format == "WEBP"
    assert made.size == (1000, 250)
    assert 'alt="noise"' in page


def test_a_picture_that_would_not_shrink_is_left():
    data = io.BytesIO()
    Image.new("1", (1, 1)).save(data, format="PNG")
    page = f'<img src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}">'
    made = small_pictures(page)
    assert len(made) <= len(page)


def test_what_stood_there_is_replaced_only_by_a_whole_sample(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "sample"
    write_text(out / "old.html", "old")
    with pytest.raises(SampleError, match="holds something else than a sample report"):
        keep_sample(report, out)
    write_text(out / MARK, "an earlier sample")
    with pytest.raises(SampleError, match=r"no index\.html"):
        keep_sample(tmp_path, out)
    monkeypatch.setattr(sample, "LIMIT", 100)
    with pytest.raises(SampleError, match="100 at most"):
        keep_sample(report, out)
    write_text(report / "05_pscd.failed.html", "no")
    with pytest.raises(SampleError, match=r"05_pscd\.failed\.html failed"):
        keep_sample(report, out)
    assert sorted(path.name for path in out.iterdir()) == [MARK, "old.html"]
    (report / "05_pscd.failed.html").unlink()
    monkeypatch.undo()
    keep_sample(report, out)
    assert not (out / "old.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "sample"]


def test_the_kept_sample_is_whole_and_small():
    kept = PROJECT / "reports" / "sample"
    names = {path.name for path in kept.glob("*.html")}
    assert "index.html" in names
    assert len(names) == 13, "eleven chapters, the first page and the page that plays"
    assert (kept / "paper" / "index.html").is_file()
    assert sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) <= sample.LIMIT


def test_a_code_host_shows_the_largest_picture_of_each_chapter(report: Path, tmp_path: Path):
    pictures = (
        f'<img alt="small" src="{picture(60, 20)}"> <img alt="A street &amp; a cart." class="wide" src="{picture()}">'
    )
    write_text(report / "03_train.html", f'<h1 id="x">Training: it&#39;s normal<a>¶</a></h1>{pictures}')
    write_text(report / "04_memory_items.html", "<h1>No picture</h1>")
    keep_sample(report, tmp_path / "sample")
    text = (tmp_path / "sample" / "README.md").read_text(encoding="utf-8")
    assert "## Training: it's normal\n\n![A street & a cart.](pictures/03_train.webp)\n" in text
    assert "No picture" not in text
    with Image.open(tmp_path / "sample" / "pictures" / "03_train.webp") as shown:
        assert shown.size == (1000, 250)
