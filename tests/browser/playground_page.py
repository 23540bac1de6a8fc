"""What a user does on the playground, in JupyterLab or Voila: looks at numbers and pictures, moves, clicks, trains."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCREENSHOTS = Path(__file__).parent / "screenshots"
PATIENCE = 120_000  # milliseconds: the machine may be busy


class PlaygroundPage:
    """One open page."""

    def __init__(self, page: Any, screenshots: Path, name: str) -> None:
        self.page, self.screenshots, self.name = page, screenshots, name

    def says(self, text: str) -> Any:
        """Wait for a line of a panel that begins with a pattern; gives its place."""
        line = self.page.locator(".widget-html div").filter(has_text=re.compile(rf"^\s*(?:{text})")).last
        line.wait_for()
        return line

    def number(self, name: str) -> Any:
        """Where the value stands that is under a name."""
        return self.page.locator(".widget-html:visible span", has_text=name).locator("b").first

    def picture(self, place: int) -> Any:
        """One of the pictures that are shown."""
        return self.page.locator("img.widget-image:visible").nth(place)

    def press(self, slider: str, key: str, times: int = 1) -> None:
        """Move a slider with the keyboard."""
        handle = self.page.locator(".widget-hslider:visible", has_text=slider).locator(".noUi-handle").first
        handle.scroll_into_view_if_needed()
        handle.focus()
        for _ in range(times):
            handle.press(key)

    def changes(self, look: Any, act: Callable[[], None]) -> None:
        """Act, and wait for a number or a picture to become another."""
        from playwright.sync_api import expect

        number, source = look.text_content(), look.get_attribute("src")
        act()
        if source is None:
            expect(look).not_to_have_text(number, timeout=PATIENCE)
        else:
            expect(look).not_to_have_attribute("src", source, timeout=PATIENCE)

    def is_checked(self, switch: str, place: int) -> bool:
        """Whether one of the switches of a name is on."""
        return self.page.locator(".widget-checkbox", has_text=switch).nth(place).locator("input").is_checked()

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
