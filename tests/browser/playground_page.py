"""What a user does on the playground, in JupyterLab or Voila: looks at numbers and pictures, moves, clicks, trains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 120_000  # milliseconds: the machine may be busy
POLL = 100  # milliseconds between two looks


class PlaygroundPage:
    """One open page with all its widgets there."""

    def __init__(self, page: Any, screenshots: Path, name: str) -> None:
        self.page, self.screenshots, self.name = page, screenshots, name
        self.until(lambda: page.get_by_role("button", name="start training").count() > 0, "the last widget is there")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds on the page; fails saying what did not come."""
        for _ in range(PATIENCE // POLL):
            if holds():
                return
            self.page.wait_for_timeout(POLL)
        raise AssertionError(f"did not come: {what}")

    def number(self, name: str) -> str:
        """The value that stands under a name."""
        found = self.page.locator(".widget-html span", has_text=name).locator("b").first
        return found.text_content()

    def picture(self, place: int) -> str:
        """The address of one of the pictures that are shown, which changes with what it shows."""
        return self.page.locator("img.widget-image:visible").nth(place).get_attribute("src")

    def press(self, slider: str, key: str, times: int = 1) -> None:
        """Move a slider with the keyboard."""
        handle = self.page.locator(".widget-hslider", has_text=slider).locator(".noUi-handle").first
        handle.scroll_into_view_if_needed()
        handle.focus()
        for _ in range(times):
            handle.press(key)

    def changes(self, look: Callable[[], str], act: Callable[[], None]) -> tuple[str, str]:
        """What stood before and after an act; waits for it to differ."""
        before = look()
        act()
        self.until(lambda: look() != before, f"a change of {before[:40]!r}")
        return before, look()

    def is_checked(self, switch: str, place: int) -> bool:
        """Whether one of the switches of a name is on."""
        return self.page.locator(".widget-checkbox", has_text=switch).nth(place).locator("input").is_checked()

    def status(self) -> str:
        """What the training panel says of its training."""
        texts = self.page.locator(".widget-html div").all_text_contents()
        words = ("nothing started", "training:", "trained;", "done:", "stopped:", "failed:")
        return next((text for text in texts if text.startswith(words)), "")

    def fill(self, tab: str, setting: str, value: str) -> None:
        """Type a setting into the panel."""
        self.page.get_by_role("tab", name=tab, exact=True).click()
        line = self.page.locator(".widget-hbox", has=self.page.locator(f".widget-label:text-is('{setting}')")).last
        box = line.locator("input[type=number]").first
        box.fill(value)
        box.press("Tab")

    def keep(self, what: str) -> None:
        """A screenshot of the window as it stands."""
        self.page.screenshot(path=self.screenshots / f"{self.name}-{what}.png")
