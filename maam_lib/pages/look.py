"""The look of every page that the kit writes: one file, nothing fetched, no scripts."""

import html

STYLE = """
:root { color-scheme: light; --ink: #1c2733; --soft: #5d6b7a; --line: #dde3ea; --accent: #0b6e8f; --paper: #fff; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
       max-width: 66rem; padding: 1.5rem; }
h1, h2, h3 { line-height: 1.25; } h1 { margin-top: .3rem; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.2rem; }
a { color: var(--accent); } nav, footer { color: var(--soft); font-size: .9rem; }
img { max-width: 100%; height: auto; } pre { overflow-x: auto; margin: 0; }
code, pre { font: 13.5px/1.45 ui-monospace, monospace; }
.jp-InputArea pre, .input pre, div.highlight { background: #f5f7f9; padding: .5rem .7rem; border-radius: 6px; }
.output, .jp-OutputArea { margin: .4rem 0 1.1rem; } .output_stderr pre { color: #8a4b00; }
.prompt, .jp-InputPrompt, .jp-OutputPrompt, .anchor-link { display: none; }
table { border-collapse: collapse; margin: .6rem 0; display: block; overflow-x: auto; font-size: .88rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: left; }
.dataframe th, .dataframe td, [id^=T_] th, [id^=T_] td { text-align: right; }
.dataframe th:first-child, [id^=T_] th:first-child, [id^=T_] td:first-child { text-align: left; }
caption { text-align: left; color: var(--soft); padding: .3rem .5rem; } .failed { color: #a3181e; font-weight: 600; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
.gallery a { border: 1px solid var(--line); border-radius: 8px; padding: .6rem; text-decoration: none; }
@media print { body { max-width: none; padding: 0; } pre { white-space: pre-wrap; }
               table { display: table; font-size: .68rem; } tr, img { break-inside: avoid; }
               h1, h2, h3, caption { break-after: avoid; } }
"""


def page(title: str, body: str, footer: str, more_style: str = "") -> str:
    """A whole HTML page: body is HTML, title and footer are plain text."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{more_style}{STYLE}</style></head>
<body>{body}
<footer><p>{html.escape(footer)}</p></footer>
</body></html>
"""
