"""The checks of `tests/browser_checks.py` find what they are for, and nothing else."""

from typing import Any

import pytest

from tests.browser_checks import LowContrast, by_tab, focus_unseen, low_contrast, nameless, too_wide

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p style='color: #767676'>just enough</p>", []),
        ("<p style='color: #777'>too little</p>", [LowContrast("too little", "#777777", "#ffffff", 4.47)]),
        ("<p style='color: #777'><b style='color: #000'>inner</b></p>", []),
        (
            "<div style='background: #000'><p>dark on dark</p></div>",
            [LowContrast("dark on dark", "#000000", "#000000", 1.0)],
        ),
        ("<p style='opacity: .4'>faint</p>", [LowContrast("faint", "#999999", "#ffffff", 2.84)]),
        ("<p style='color: rgb(0 0 0 / 40%)'>clear</p>", [LowContrast("clear", "#999999", "#ffffff", 2.84)]),
        ("<p style='color: oklch(1 0 0)'>any syntax</p>", [LowContrast("any syntax", "#ffffff", "#ffffff", 1.0)]),
        ("<input style='color: #aaa' value='typed'>", [LowContrast("typed", "#aaaaaa", "#ffffff", 2.32)]),
        (
            "<select style='color: #aaa; background: #fff'><option>chosen</select>",
            [LowContrast("chosen", "#aaaaaa", "#ffffff", 2.32)],
        ),
        ("<button disabled>asleep</button><p hidden style='color: #fff'>away</p>", []),
        ("<svg><text y='20' fill='#fff'>lost</text></svg>", [LowContrast("lost", "#ffffff", "#ffffff", 1.0)]),
        ("<svg><rect width='99' height='99'/><text y='20' fill='#fff'>on a shape</text></svg>", []),
    ],
)
def test_low_contrast(body: str, expected: list[LowContrast], window: Any) -> None:
    window.set_content(body)
    assert low_contrast(window) == expected


def test_low_contrast_on_a_dark_canvas(window: Any) -> None:
    window.emulate_media(color_scheme="dark")
    window.set_content("<style>:root { color-scheme: light dark }</style><p>white</p><p style='color: #555'>grey</p>")
    assert [line.text for line in low_contrast(window)] == ["grey"]


def test_too_wide(window: Any) -> None:
    window.set_content(
        "<div id='cut' style='width: 50px; overflow: hidden'><p style='width: 90px'>long</p></div><p>short</p>"
    )
    assert too_wide(window) == ["div#cut .: 90 pixels in 50"]


def test_nameless(window: Any) -> None:
    window.set_content(
        "<input type='range'><label>named <input type='range'></label><img src='data:,'><a href='/'>on</a>"
    )
    assert sorted(nameless(window)) == ["image", "slider"]


def test_focus_unseen(window: Any) -> None:
    window.set_content("<button>seen</button><button id='bare' style='outline: none'>not</button><div>no stop</div>")
    assert focus_unseen(window) == ["button bare not"]
    assert by_tab(window) == ["seen", "bare"]
