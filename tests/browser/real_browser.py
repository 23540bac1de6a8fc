"""A real Chromium for the browser tests, and what they leave: screenshots to look at."""

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.playground_page import PATIENCE, SCREENSHOTS

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
WINDOW = {"width": 1360, "height": 1000}


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A headless Chromium; skips where there is none, or no playwright to drive it.

    No longer than a module: while it is open, playwright's event loop runs in this thread, and no other can.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found[0], args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: object, request: pytest.FixtureRequest) -> Iterator[object]:
    """An empty page; what it shows at the end is kept as a screenshot named after the test."""
    SCREENSHOTS.mkdir(exist_ok=True)
    context = chromium.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}-end.png")
    context.close()
