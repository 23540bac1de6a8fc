"""The page of `maam detect`, opened from disk in a real Chromium: its video plays, and curve and events lead to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maam_lib.video import browser_video
from maam_lib.video.browser_video import FORMS, for_browsers
from maam_lib.video.detection import detect
from maam_lib.video.trouble import Footage, Frame
from tests.browser_checks import by_tab, focus_unseen, low_contrast, nameless, too_wide
from tests.maam_lib.video.test_detection import DETECTOR, bright

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
RATE, LENGTH = 10, 300
ALARMS = ((60, 80), (200, 230))  # bright frames, which are alarms: 6 to 7.9 s and 20 to 22.9 s
MOVED = "() => !video.seeking && video.readyState >= 2 && Math.abs(video.currentTime - {}) < 0.06"
PLAYHEAD = "() => Number(document.getElementById('playhead').getAttribute('x1'))"


def scored(out: Path) -> Path:
    """A scored video of half a minute that is bright twice."""
    lit = [200 if any(first <= t < after for first, after in ALARMS) else 16 for t in range(LENGTH)]
    frames = (Frame(t, t / RATE, np.full((48, 64, 3), lit[t] + t % 2, np.uint8), 0.0) for t in range(LENGTH))
    detector = type(DETECTOR)(**(vars(DETECTOR) | {"threshold": 30.0}))
    detect(detector, bright, Footage("made.avi", False, RATE, LENGTH, (48, 64), [], frames), out)
    return out


def brightness(page: Any) -> float:
    """Of the picture that the video shows, above its middle, where no controls are; scripts may not read files."""
    shown = cv2.imdecode(np.frombuffer(page.locator("#video").screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    height, width = shown.shape
    return float(shown[height // 4 : height // 3, width // 4 : -width // 4].mean())


@pytest.fixture
def said(window: Any) -> Iterator[list[str]]:
    """What the console and failed scripts say; a test ends well only where that is nothing."""
    lines: list[str] = []
    window.on("console", lambda message: lines.append(message.text))
    window.on("pageerror", lambda error: lines.append(str(error)))
    yield lines
    assert not lines


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.container)
def test_events_curve_and_keys_lead_to_moments_of_the_video(
    form: browser_video.Form, tmp_path: Path, window: Any, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_video, "FORMS", (form,))
    out, page = scored(tmp_path / "out"), window
    assert for_browsers(out).name == form.file
    page.goto((out / "index.html").as_uri())
    page.wait_for_function("video.readyState >= 2")
    assert page.evaluate("video.duration") == pytest.approx((LENGTH - 1) / RATE, abs=0.15)
    assert brightness(page) < 60

    page.get_by_role("button", name="0:20.0").first.click()  # the second alarm
    page.wait_for_function(MOVED.format(20))
    assert brightness(page) > 110, "the very frame at which it begins"
    span = (LENGTH - 2) / RATE  # the last frame has no score
    assert page.evaluate(PLAYHEAD) == pytest.approx(1000 * 20 / span, abs=3)
    assert page.locator("#says").inner_text().startswith("0:20.0: score 0.")

    curve = page.locator("#curve")
    box = curve.bounding_box()
    curve.click(position={"x": box["width"] * 7 / span, "y": 20})
    page.wait_for_function(MOVED.format(7))
    assert brightness(page) > 110

    curve.focus()
    for key, second in (("Home", 0), ("ArrowRight", 1), ("PageUp", 11), ("ArrowLeft", 10), ("End", span)):
        curve.press(key)
        page.wait_for_function(MOVED.format(second))
    assert curve.get_attribute("aria-valuenow") == f"{span:.1f}"

    event = page.get_by_role("button", name="0:06.0").first
    event.focus()
    event.press("Enter")
    page.wait_for_function(MOVED.format(6))
    before = page.evaluate(PLAYHEAD)
    page.evaluate("void video.play()")
    page.wait_for_function("video.currentTime > 6.5")
    page.wait_for_function(f"() => ({PLAYHEAD})() > {before + 10}")


def test_without_a_playable_video_it_says_why_and_the_curve_still_answers(tmp_path: Path, window: Any) -> None:
    window.goto((scored(tmp_path / "out") / "index.html").as_uri())
    window.get_by_text("maam playable DIR").wait_for()
    assert window.locator("#video").is_hidden()
    window.get_by_role("button", name="0:20.0").first.click()
    assert window.locator("#says").inner_text().startswith("0:20.0: score 0.")


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a scored video whose video browsers play."""
    out = scored(tmp_path_factory.mktemp("once") / "out")
    for_browsers(out)
    return out / "index.html"


@pytest.mark.parametrize("width", [1400, 900, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_width_and_its_words_can_be_read(
    width: int, scheme: str, scored_once: Path, window: Any, said: list[str]
) -> None:
    window.set_viewport_size({"width": width, "height": 900})
    window.emulate_media(color_scheme=scheme)
    window.goto(scored_once.as_uri())
    window.locator("summary").click()
    window.wait_for_function("video.readyState >= 2")
    assert too_wide(window) == []
    assert low_contrast(window) == []
    assert window.evaluate(BROKEN) == [], "a moment or a length is one word"
    assert window.evaluate("video.videoWidth") == 320


def test_curve_and_video_are_seen_together_and_controls_hide_no_picture(scored_once: Path, window: Any) -> None:
    """So that a click on the curve shows what it leads to."""
    for width, height in ((1400, 900), (900, 800), (390, 844)):
        window.set_viewport_size({"width": width, "height": height})
        window.goto(scored_once.as_uri())
        window.wait_for_function("video.readyState >= 2")
        curve, video = (window.locator(name).bounding_box() for name in ("#curve", "#video"))
        picture = video["width"] * window.evaluate("video.videoHeight / video.videoWidth")
        assert video["y"] + picture - curve["y"] < height, "at once in the window"
        assert video["height"] - picture >= 60, "room for the controls"


def test_every_control_has_a_name_and_is_reached_by_tab(scored_once: Path, window: Any) -> None:
    window.goto(scored_once.as_uri())
    window.wait_for_function("video.readyState >= 2")
    assert nameless(window) == []
    assert focus_unseen(window) == []
    reached = by_tab(window)
    assert {"curve", "0:06.0", "0:20.0", "Settings: synthetic-mini"} <= set(reached)
    assert sum("frame " in name for name in reached) == window.locator(".moments button").count() > 3


def test_the_space_bar_on_the_curve_plays_and_stops(scored_once: Path, window: Any, said: list[str]) -> None:
    window.goto(scored_once.as_uri())
    window.wait_for_function("video.readyState >= 2")
    window.locator("#curve").press(" ")
    window.wait_for_function("!video.paused && video.currentTime > 0.3")
    window.locator("#curve").press(" ")
    window.wait_for_function("video.paused")
    assert window.evaluate("scrollY") == 0, "and the page does not move"


def test_on_paper_it_is_complete(scored_once: Path, window: Any) -> None:
    """The settings, folded on the screen, and the pictures are printed; what only a screen can do is not."""
    window.goto(scored_once.as_uri())
    window.emulate_media(media="print")
    assert window.locator("dl.facts").evaluate("(list) => list.checkVisibility({contentVisibilityAuto: true})")
    assert window.locator("#video").is_hidden()
    assert window.locator(".moments img").first.is_visible()
    assert low_contrast(window) == []


BROKEN = """() => [...document.querySelectorAll('.time, td.number')].filter((word) => {
    const range = document.createRange();
    range.selectNodeContents(word);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.bottom))).size > 1;
}).map((word) => word.textContent)"""  # numbers on two lines
