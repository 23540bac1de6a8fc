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


@pytest.mark.parametrize("width", [1400, 900, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_width_and_its_words_can_be_read(
    width: int, scheme: str, tmp_path: Path, window: Any, said: list[str]
) -> None:
    for_browsers(scored(tmp_path / "out"))
    window.set_viewport_size({"width": width, "height": 900})
    window.emulate_media(color_scheme=scheme)
    window.goto((tmp_path / "out" / "index.html").as_uri())
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    assert window.evaluate(LEAST_CONTRAST) >= 4.5


LEAST_CONTRAST = """() => {
    const luminance = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number).map((v) => v / 255)
        .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const paper = luminance(getComputedStyle(document.body).backgroundColor);
    const written = [...document.querySelectorAll('body *')].filter((e) => e.innerText && !e.closest('video'));
    return Math.min(...written.map((e) => {
        const pair = [luminance(getComputedStyle(e).color), paper].sort((a, b) => b - a);
        return (pair[0] + 0.05) / (pair[1] + 0.05);
    }));
}"""  # of any text to the page's own background, as the WCAG define it
