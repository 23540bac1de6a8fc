"""The official archives, from their own pages: resumed after a break, checked by checksum, never redistributed.

<folder>/<archive>.part      what has come so far; the next call goes on from its end
<folder>/<archive>           only once its SHA-256 is the expected one
"""

from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from data_prep.clip import SourceError
from data_prep.files import file_sha256, in_turn

BLOCK = 1 << 16  # bytes; at most so many are lost when a connection stalls


class DownloadError(SourceError):
    """An archive could not be fetched or is another one: one line that says what came, what is kept and what to do."""


@dataclass(frozen=True)
class Publication:
    """Where a dataset is published, and what its authors ask for."""

    page: str
    citation: str
    archives: dict[str, str]  # address -> sha256; none: to be fetched by hand
    by_hand: str = ""


_UCSD = Publication(
    page="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
    citation="Mahadevan, Li, Bhalodia, Vasconcelos: Anomaly Detection in Crowded Scenes. CVPR 2010",
    archives={
        "http://www.svcl.ucsd.edu/projects/anomaly/UCSD_Anomaly_Dataset.tar.gz": (
            "2329af326951f5097fdd114c50e853957d3e569493a49d22fc082a9fd791915b"
        )
    },
)
_CUHK = "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal"
PUBLICATIONS = {
    "ped1": _UCSD,
    "ped2": _UCSD,
    "avenue": Publication(
        page=f"{_CUHK}/dataset.html",
        citation="Lu, Shi, Jia: Abnormal Event Detection at 150 FPS in MATLAB. ICCV 2013",
        archives={
            f"{_CUHK}/Avenue_Dataset.zip": "fc9cb8432a11ca79c18aa180c72524011411b69d3b0ff27c8816e41c0de61531",
            f"{_CUHK}/ground_truth_demo.zip": "60fec1728ec8f73a58aad3aeb5729d70a805a47e0b8eb4bf91ab67ef06386d77",
        },
    ),
    "shanghaitech": Publication(
        page="https://svip-lab.github.io/dataset/campus_dataset.html",
        citation="Liu, Luo, Lian, Gao: Future Frame Prediction for Anomaly Detection - A New Baseline. CVPR 2018",
        archives={},
        by_hand="""\
By hand: its first server is gone and the mirrors change, so there is no fixed address and no known checksum.
  1. Take a link from the page above, or from github.com/StevenLiuWen/ano_pred_cvpr2018.
  2. Unpack it, so that one folder holds
       training/videos/*.avi                 330 videos
       testing/frames/<clip>/*.jpg           107 folders
       testing/test_frame_mask/<clip>.npy    107 files
       testing/test_pixel_mask/<clip>.npy    107 files
  3. maam prepare shanghaitech --source THAT_FOLDER: it checks the number of frames of every clip.""",
    ),
}


def terms(dataset: str) -> str:
    """What to know before a dataset is used: its page, its terms, its paper, and the steps where it is by hand (ours).

    Raises DownloadError for an unknown dataset.
    """
    publication = _publication(dataset)
    lines = [
        f"{dataset}: published by its authors at {publication.page}",
        "Terms: theirs, not this kit's; we know of no open licence. For research; read the page before any other use,",
        "do not redistribute the files: they show people who were not asked.",
        f"Cite: {publication.citation}",
    ]
    return "\n".join([*lines, publication.by_hand] if publication.by_hand else lines)


def download(dataset: str, folder: Path, *, timeout: float = 60.0, progress: bool = True) -> list[Path]:
    """Fetch the official archives of a dataset into `folder`; returns their paths (ours).

    An archive that is there with the right SHA-256 is not fetched again; one with another is left alone. A broken
    download is taken up where it ended, for as long as each attempt brings more; then by the next call. timeout:
    seconds without a byte after which a connection counts as broken. progress: a bar on stderr, in a terminal only.

    Raises DownloadError: unknown dataset, one to be fetched by hand, no answer or no such file, broken off (what came
    is kept), another checksum (nothing is kept under the archive's name).
    """
    publication = _publication(dataset)
    if not publication.archives:
        raise DownloadError(
            f"{dataset} must be downloaded by hand, with the steps that `maam download {dataset}` prints"
        )
    return [
        _fetch(url, sha256, Path(folder), publication.page, timeout, progress)
        for url, sha256 in publication.archives.items()
    ]


def _publication(dataset: str) -> Publication:
    if dataset not in PUBLICATIONS:
        raise DownloadError(f"nothing to download for {dataset!r}; there are {', '.join(PUBLICATIONS)}")
    return PUBLICATIONS[dataset]


def _fetch(url: str, sha256: str, folder: Path, page: str, timeout: float, progress: bool) -> Path:
    path = folder / url.rpartition("/")[2]
    if path.exists() and (found := file_sha256(path)) != sha256:
        raise DownloadError(
            f"{path}: already exists, with sha256 {found}, expected {sha256}; move it away to download the official one"
        )
    if path.exists():
        return path
    with in_turn(path, "downloaded"):
        if not path.exists():
            part = path.with_name(f"{path.name}.part")
            _fetch_part(url, part, page, timeout, progress)
            if (found := file_sha256(part)) != sha256:
                part.unlink()
                raise DownloadError(
                    f"{url}: the downloaded file has sha256 {found}, expected {sha256}; nothing was kept. Was it "
                    f"damaged on the way, or replaced by its authors? Try again, or see {page}"
                )
            part.replace(path)
    return path


def _fetch_part(url: str, part: Path, page: str, timeout: float, progress: bool) -> None:
    """The whole file into `part`: goes on from its end, for as long as more comes."""
    reached = _size(part)
    while True:
        try:
            return _go_on(url, part, timeout, progress)
        except HTTPError as error:
            raise DownloadError(f"{url}: HTTP {error.code} {error.reason}; has it moved? See {page}") from error
        except (OSError, HTTPException) as error:
            if _size(part) <= reached:
                kept = f"; they are kept in {part}: run the same command again to continue"
                raise DownloadError(
                    f"{url}: the connection broke after {_size(part)} bytes ({error}){kept if _size(part) else ''}"
                ) from error
            reached = _size(part)


def _go_on(url: str, part: Path, timeout: float, progress: bool) -> None:
    """One connection: appends to `part`, or starts it anew where the server cannot go on. ConnectionError if cut."""
    start = _size(part)
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urlopen(request, timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code == 416 and start:  # nothing after the end: it was whole
                return
            raise
    with answer:
        if answer.status != 206:  # the whole file, not its rest
            start = 0
        total = None if answer.length is None else start + answer.length
        look = {"unit": "B", "unit_scale": True, "desc": part.stem, "disable": None if progress else True}
        with part.open("ab" if start else "wb") as file, tqdm(total=total, initial=start, **look) as bar:
            while block := answer.read(BLOCK):
                bar.update(file.write(block))
    if total not in (None, _size(part)):
        raise ConnectionError(f"the server closed the connection; {total} bytes were announced")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
