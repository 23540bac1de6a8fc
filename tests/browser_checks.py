"""What must hold of every page that people look at, asked of a page that is open in a real browser (Playwright).

Each check gives a list of what is wrong, empty where nothing is: `assert low_contrast(page) == []`.
"""

from typing import Any, NamedTuple

LEAST_CONTRAST = 4.5  # to 1, WCAG 2 level AA for text of any size
MOST_STOPS = 1500  # of the Tab key: a page with more has a trap
# Roles whose elements do something, or show something that only a name can tell.
NAMED_ROLES = {
    *("button", "link", "slider", "checkbox", "radio", "switch", "combobox", "listbox", "textbox", "searchbox"),
    *("spinbutton", "tab", "menuitem", "image", "img"),
}

_CONTRAST = """(least) => {
    const paper = document.createElement('canvas').getContext('2d', {willReadFrequently: true}), parsed = new Map();
    const colour = (text) => {  // of any CSS syntax -> [r, g, b, alpha]
        if (!parsed.has(text)) {
            paper.clearRect(0, 0, 1, 1); paper.fillStyle = text; paper.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = paper.getImageData(0, 0, 1, 1).data;
            parsed.set(text, [r, g, b, a / 255]);
        }
        return parsed.get(text);
    };
    const over = ([r, g, b, a], [R, G, B, A]) => {
        const alpha = a + A * (1 - a), mix = (x, X) => alpha ? (x * a + X * A * (1 - a)) / alpha : 0;
        return [mix(r, R), mix(g, G), mix(b, B), alpha];
    };
    const faded = ([r, g, b, a], opacity) => [r, g, b, a * opacity];
    const luminance = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => {
        const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'Canvas';
    const canvas = colour(getComputedStyle(probe).color);
    probe.remove();

    const shapes = (text, box) => {  // what an SVG has drawn before a text, under its middle
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        return [...text.ownerSVGElement.querySelectorAll('rect, circle, ellipse, path, polygon')].filter((shape) =>
            shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING && shape.getScreenCTM()
            && shape.isPointInFill(new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse()))).reverse();
    };
    const against = (element, text, box) => {  // colours of a text and of what is behind it, as they are seen
        let front = text, back = [0, 0, 0, 0];
        const under = (layer) => { front = over(front, layer); back = over(back, layer); };
        if (element.ownerSVGElement) for (const shape of shapes(element, box)) {
            const style = getComputedStyle(shape);
            if (style.fill !== 'none') under(faded(colour(style.fill), style.fillOpacity * style.opacity));
        }
        for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
            const style = getComputedStyle(at);
            if (!(at instanceof SVGElement)) under(colour(style.backgroundColor));
            front = faded(front, style.opacity); back = faded(back, style.opacity);
        }
        under(canvas);
        return [front, back];
    };
    const found = new Map(), two = (v) => Math.round(v).toString(16).padStart(2, '0');
    const hex = (rgb) => '#' + rgb.slice(0, 3).map(two).join('');
    const judge = (element, words, box, inColour) => {
        const style = getComputedStyle(element);
        if (!words.trim() || box.width < 2 || box.height < 2) return;  // 1 pixel: for screen readers only
        if (!element.checkVisibility({visibilityProperty: true, opacityProperty: true})) return;
        if (element.closest(':disabled, [aria-disabled=true]')) return;  // exempt
        const paint = inColour ?? (element instanceof SVGElement ? style.fill : style.color);
        const [front, back] = against(element, colour(paint), box), r = ratio(front, back);
        const short = words.trim().replace(/\\s+/g, ' ').slice(0, 60);
        const line = [short, hex(front), hex(back), Math.floor(r * 100) / 100];
        if (r < least) found.set(line.join(), line);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement, range = document.createRange();
        if (parent.closest('script, style, noscript, template, option, title, desc')) continue;
        range.selectNodeContents(walker.currentNode);
        judge(parent, walker.currentNode.textContent, range.getBoundingClientRect());
    }
    for (const box of document.querySelectorAll('input, select, textarea')) {
        if (['checkbox', 'radio', 'range', 'hidden', 'color', 'image', 'file'].includes(box.type)) continue;
        const chosen = box.selectedOptions ? [...box.selectedOptions].map((o) => o.label).join(' ') : box.value;
        const inColour = chosen ? undefined : getComputedStyle(box, '::placeholder').color;
        judge(box, chosen || box.placeholder || '', box.getBoundingClientRect(), inColour);
    }
    return [...found.values()];
}"""
_TOO_WIDE = """() => [...document.querySelectorAll('*')].filter((box) => {
    if (!box.checkVisibility() || box.closest('svg, figure, pre')) return false;
    const style = getComputedStyle(box), root = box === document.documentElement || box === document.body;
    if (box.matches('input, select, textarea') || box.clientWidth < 2) return false;
    const most = box.clientWidth + (style.textOverflow === 'ellipsis' ? 0 : 1);  // three dots come at once
    return (root || style.overflowX !== 'visible') && box.scrollWidth > most;
}).map((box) => `${box.tagName.toLowerCase()}${box.id && '#' + box.id} .${box.className}: ` +
    `${box.scrollWidth} pixels in ${box.clientWidth}`)"""
_LOOK = """(element) => { const s = getComputedStyle(element), around = element.parentElement
        && getComputedStyle(element.parentElement);
    const outline = s.outlineStyle === 'none' || s.outlineWidth === '0px' ? '' : s.outline;
    const own = [outline, s.boxShadow, s.borderColor, s.backgroundColor, s.textDecoration];
    return [...own, around?.outline, around?.boxShadow].join('|');
}"""
_FROM_THE_START = """() => {
    window.stops = []; window.scrollTo(0, 0);
    document.body.tabIndex = -1; document.body.focus(); document.body.blur(); document.body.removeAttribute('tabindex');
}"""
_STOP = f"""() => {{
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    if (!at || at === document.body || at === document.documentElement) return null;
    window.stops ??= [];
    if (window.stops.some((stop) => stop.at === at)) return null;
    const box = at.getBoundingClientRect(), style = getComputedStyle(at);
    window.stops.push({{at, focused: ({_LOOK})(at)}});
    return box.width > 1 && box.height > 1;
}}"""
_UNSEEN = f"""() => {{
    document.activeElement?.blur();
    const said = (at) => (at.getAttribute('aria-label') || at.textContent).trim().slice(0, 40);
    return window.stops.filter(({{at, focused}}) => at.isConnected && ({_LOOK})(at) === focused)
        .map(({{at}}) => `${{at.tagName.toLowerCase()}} ${{at.id || at.className}} ${{said(at)}}`);
}}"""


class LowContrast(NamedTuple):
    """A text that is hard to read: its first words, its colour and that behind it as they are seen, and their ratio."""

    text: str
    colour: str
    background: str
    ratio: float


def low_contrast(page: Any, least: float = LEAST_CONTRAST) -> list[LowContrast]:
    """All visible text, that in boxes to fill in too, whose WCAG contrast with what is behind it is below `least`.

    Transparency is followed through all ancestors; behind the text of an SVG also the shapes drawn before it. Pictures
    and gradients as a background are not looked at; disabled controls are exempt, as in WCAG.
    """
    return [LowContrast(*line) for line in page.evaluate(_CONTRAST, least)]


def too_wide(page: Any) -> list[str]:
    """Boxes, the page itself among them, whose content is cut off or scrolls to the side; figures and code may."""
    return page.evaluate(_TOO_WIDE)


def nameless(page: Any) -> list[str]:
    """Controls and pictures that a screen reader cannot name, as the browser's own accessibility tree has them."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    roles = [(node.get("role", {}).get("value"), node) for node in nodes if not node["ignored"]]
    return [role for role, node in roles if role in NAMED_ROLES and not node.get("name", {}).get("value", "").strip()]


def focus_unseen(page: Any) -> list[str]:
    """Press Tab through the whole page; the controls on which a reader does not see that they have the focus."""
    page.evaluate(_FROM_THE_START)
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if page.evaluate(_STOP) is None:
            return page.evaluate(_UNSEEN)
    raise AssertionError(f"more than {MOST_STOPS} stops of the Tab key")


def by_tab(page: Any) -> list[str]:
    """What `focus_unseen` came through, in order: id, name or text of every control that Tab reaches."""
    named = "(s) => s.at.id || s.at.getAttribute('aria-label') || s.at.textContent.trim() || s.at.tagName.toLowerCase()"
    return page.evaluate(f"() => window.stops.map({named})")
