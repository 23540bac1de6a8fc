"""A report made small enough to be kept with the kit: the same pages, their pictures as WebP of fewer pixels.

python docs/make_sample.py REPORT OUT    copies the pages of `maam reproduce`'s folder REPORT
"""

import argparse
import base64
import html
import io
import re
from pathlib import Path

from PIL import Image

from data_prep import __version__
from data_prep.files import folder_aside, write_text
from maam_lib import CLONE
from maam_lib.report import MARK

LIMIT = 14_000_000  # bytes, of the whole copy
WIDTH, QUALITY = 1000, 70  # of a picture: pixels at most; of WebP, up to 100
PAGES = (".html", ".json", ".csv", ".tex")
KEPT = ("paper",)  # folders of a report that hold pages; others are trainings
PROJECT = CLONE.resolve()
PICTURES = "README.md"
FRONT = """# What `make reproduce` makes

One run of `make reproduce` on the generated street, with its pictures made small. A code host shows the source of the
pages in this folder; in a clone, open `reports/sample/index.html` in a browser. Below is the largest picture of each
chapter. The street is generated, so nothing here is a result of the paper.

`play.html` is one file that needs nothing else: the test clips with sliders for every choice of the score, and a game
against the network. To publish this folder, copy it to any static host, GitHub Pages for one: it has no server side."""
_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
_SHOWN = re.compile(r'<img alt="([^"]+)"[^>]*? src="data:image/(webp|png);base64,([A-Za-z0-9+/=\s]+)"')
_TITLE = re.compile(r"<h1[^>]*>([^<]+)")


class SampleError(RuntimeError):
    """A report that cannot be copied small: says why."""


def keep_sample(report: Path, out: Path) -> int:
    """Copy a report's pages to `out`, in place of an earlier copy; returns the bytes of the pages.

    Raises SampleError for a folder without an index.html, for a report with a failed chapter, for a copy of more than
    LIMIT bytes, and where `out` holds anything but a copy; `out` is then as it was.
    """
    if not (report / "index.html").is_file():
        raise SampleError(f"{report}: no index.html; make a report first (maam reproduce)")
    if failed := sorted(path.name for path in report.glob("*.failed.html")):
        raise SampleError(f"{report}: {failed[0]} failed; fix it and run `maam reproduce` again")
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise SampleError(f"{out}: holds something else than a sample report; name another folder")
    with folder_aside(out, SampleError(f"{out}: another process is writing it; wait for it")) as aside:
        for path in sorted(report.rglob("*")):
            inside = path.relative_to(report)
            if path.suffix in PAGES and (len(inside.parts) == 1 or inside.parts[0] in KEPT):
                text = path.read_text(encoding="utf-8").replace(f"{PROJECT}/", "")  # where the kit lies is nobody's
                write_text(aside / inside, small_pictures(text) if path.suffix == ".html" else text)
        show_pictures(aside)
        size = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
        if size > LIMIT:
            raise SampleError(f"{report}: {size:,} bytes as a sample, expected {LIMIT:,} at most; its pictures grew")
        write_text(aside / MARK, f"made by maam {__version__}\n")
    return size


def small_pictures(page: str) -> str:
    """A page with each embedded PNG as WebP of at most WIDTH pixels, where that makes it smaller."""

    def smaller(match: re.Match[str]) -> str:
        reduced = base64.b64encode(_webp(base64.b64decode(match[1]))).decode("ascii")
        return f"data:image/webp;base64,{reduced}" if len(reduced) < len(match[1]) else match[0]

    return _PICTURE.sub(smaller, page)


def show_pictures(sample: Path) -> None:
    """Write README.md: what a code host, which shows the source of an HTML page, can show of a sample.

    That is the largest picture of each chapter, under the chapter's title, with the picture's text.
    """
    parts = [FRONT]
    for path in sorted(sample.glob("[0-9][0-9]_*.html")):
        page = path.read_text(encoding="utf-8")
        pictures, title = _SHOWN.findall(page), _TITLE.search(page)
        if pictures and title:
            alt, kind, data = max(pictures, key=lambda found: len(found[2]))
            shown = Path("pictures") / f"{path.stem}.{kind}"
            (sample / "pictures").mkdir(exist_ok=True)
            (sample / shown).write_bytes(base64.b64decode(data))
            text = html.unescape(alt)
            parts.append(f"## {html.unescape(title[1])}\n\n![{text}]({shown.as_posix()})\n\n{text}")
    write_text(sample / PICTURES, "\n\n".join(parts) + "\n")


def _webp(png: bytes) -> bytes:
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    flat.thumbnail((WIDTH, 10 * WIDTH), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    flat.save(small, format="WEBP", quality=QUALITY, method=6)
    return small.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    print(f"{asked.out}: {keep_sample(asked.report, asked.out):,} bytes")
