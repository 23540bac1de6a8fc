"""Downloads from a server on loopback that breaks off, stalls, cannot go on, sends another file or none."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_prep.download import BLOCK, PUBLICATIONS, DownloadError, Publication, download, terms

CONTENT = bytes(range(256)) * (5 * BLOCK // 256)  # five blocks
NAME = "Fake_Dataset.tar.gz"


class Server(ThreadingHTTPServer):
    """Serves CONTENT under any path, in the way that `behaviour` says; notes what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = "serves"
        self.ranges: list[str | None] = []
        self.released = threading.Event()  # what a stalling answer waits for

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{NAME}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted, behaviour = self.headers["Range"], self.server.behaviour
        self.server.ranges.append(wanted)
        if behaviour == "has nothing":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and behaviour != "knows no ranges" else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Encoding", "x-gzip")  # as some servers say of .tar.gz; it is not to be unpacked
        self.end_headers()
        if behaviour != "serves":
            body = b"" if behaviour == "stalls" and start else body[: 2 * BLOCK]
        self.wfile.write(body)
        self.wfile.flush()
        if behaviour == "stalls":
            self.server.released.wait()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server, with its archive as the one of the dataset "fake"."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake = Publication("http://page", "Somebody 2020", {running.url: hashlib.sha256(CONTENT).hexdigest()})
        monkeypatch.setitem(PUBLICATIONS, "fake", fake)
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def fetch(folder: Path, timeout: float = 30.0) -> list[Path]:
    return download("fake", folder, timeout=timeout, progress=False)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def test_archive_arrives_whole_and_is_not_fetched_twice(server: Server, tmp_path: Path) -> None:
    [path] = fetch(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / NAME
    assert path.read_bytes() == CONTENT
    assert fetch(path.parent) == [path]
    assert server.ranges == [None]
    assert left_in(path.parent) == [NAME]


def test_what_breaks_off_is_taken_up_where_it_ended(server: Server, tmp_path: Path) -> None:
    server.behaviour = "breaks off"
    [path] = fetch(tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={2 * BLOCK}-", f"bytes={4 * BLOCK}-"]
    assert left_in(tmp_path) == [NAME]


def test_the_next_call_goes_on_from_what_came(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[: 3 * BLOCK])
    [path] = fetch(tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [f"bytes={3 * BLOCK}-"]


def test_a_part_that_was_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    [path] = fetch(tmp_path)
    assert path.read_bytes() == CONTENT
    assert left_in(tmp_path) == [NAME]


def test_a_server_that_stalls_is_given_up_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    server.behaviour = "stalls"
    with pytest.raises(
        DownloadError, match=rf"the connection broke after {2 * BLOCK} bytes \(timed out\); .* run the same command"
    ):
        fetch(tmp_path, timeout=0.2)
    assert server.ranges == [None, f"bytes={2 * BLOCK}-"]
    assert left_in(tmp_path) == [f"{NAME}.part"]
    server.behaviour = "serves"
    assert fetch(tmp_path)[0].read_bytes() == CONTENT


def test_a_server_without_ranges_is_read_from_the_beginning(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:BLOCK])
    server.behaviour = "knows no ranges"  # and breaks off: each attempt brings the same two blocks
    with pytest.raises(DownloadError, match=f"the connection broke after {2 * BLOCK} bytes"):
        fetch(tmp_path)
    assert len(server.ranges) == 2
    server.behaviour = "serves"
    assert fetch(tmp_path)[0].read_bytes() == CONTENT


def test_another_file_is_not_kept(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hashlib.sha256(b"the official one").hexdigest()
    monkeypatch.setitem(PUBLICATIONS, "fake", Publication("http://page", "", {server.url: expected}))
    found = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(DownloadError, match=f"has sha256 {found}, expected {expected}; nothing was kept") as caught:
        fetch(tmp_path)
    assert left_in(tmp_path) == []
    assert "see http://page" in str(caught.value)


def test_a_file_of_the_user_under_the_name_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(DownloadError, match=rf"{NAME}: already exists, with sha256 \w+, expected \w+; move it away"):
        fetch(tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"
    assert server.ranges == []


def test_nothing_there_and_no_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour = "has nothing"
    with pytest.raises(DownloadError, match=rf"{NAME}: HTTP 404 Not Found; has it moved\? See http://page"):
        fetch(tmp_path)
    monkeypatch.setitem(PUBLICATIONS, "fake", Publication("", "", {"http://127.0.0.1:9/x.zip": "0" * 64}))
    with pytest.raises(DownloadError, match=r"x\.zip: the connection broke after 0 bytes \(.*refused.*\)$"):
        fetch(tmp_path)
    assert left_in(tmp_path) == []


def test_terms_are_told_for_every_dataset() -> None:
    for dataset, publication in PUBLICATIONS.items():
        said = terms(dataset)
        assert publication.page in said
        assert f"Cite: {publication.citation}" in said
        assert all(len(sha256) == 64 for sha256 in publication.archives.values())
    assert "training/videos/*.avi" in terms("shanghaitech")


def test_what_cannot_be_downloaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="shanghaitech must be downloaded by hand"):
        download("shanghaitech", tmp_path / "to")
    with pytest.raises(DownloadError, match="nothing to download for 'synthetic'; there are ped1, ped2, avenue"):
        terms("synthetic")
    assert left_in(tmp_path) == []
