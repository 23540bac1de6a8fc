"""The report's HTML: verdict cards, tables with links to what each number was made of, figures, a page per variant."""

import base64
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from maam_lib.grid import ABSENT, Deviation, Number, State, Verdict, result_table
from maam_lib.pages import page

FOOTER = (
    "Made by `maam report` of the MAAM-Net kit from result files. The generated scene is never a result of the paper."
)
NEAR, FAR = 0.01, 0.05  # deviations in AUC, or in EER / 100, up to which a number is as printed, or near it
MACHINE = ("processor", "gpu", "precision", "platform")  # what a result tells of the machine that trained it
STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-left: 6px solid var(--soft); border-radius: 8px; padding: .6rem 1rem;
        break-inside: avoid; }
.card h3 { margin: .2rem 0 .4rem; font-size: 1.02rem; } .card p { margin: .3rem 0; font-size: .9rem; }
.card dl { margin: .4rem 0; font-size: .86rem; } .card dt { color: var(--soft); } .card dd { margin: 0 0 .35rem .8rem; }
.holds { border-left-color: #0072B2; } .does-not-hold { border-left-color: #D55E00; }
.state { font-weight: 700; } .holds .state { color: #00598c; } .does-not-hold .state { color: #a84600; }
.as-printed { color: #00598c; font-weight: 600; } .near { color: #6b5900; } .far { color: #a84600; font-weight: 600; }
.absent { color: var(--soft); font-style: italic; } .quoted td { color: var(--soft); }
.sums { display: flex; flex-wrap: wrap; gap: .6rem 1.6rem; padding: 0; list-style: none; }
.contents { columns: 15rem; padding-left: 1.1rem; }
figure { margin: 1rem 0; break-inside: avoid; } figcaption { color: var(--soft); font-size: .9rem; }
table.results td, table.results th { text-align: left; vertical-align: top; }
"""


def site_page(title: str, body: str) -> str:
    """One page of the report."""
    return page(title, body, FOOTER, STYLE)


def card(verdict: Verdict, page_of: Callable[[str, str], str | None], number_page: Callable[[int], str]) -> str:
    """A claim: what is said, the rule, the evidence of every recipe, the verdict, and what would decide it."""
    claim = verdict.claim
    found = [
        f"<li><strong>{html.escape(recipe)}</strong>: {html.escape(finding.evidence)} "
        f"({_linked(finding.state, [page_of(recipe, variant) for variant in finding.variants])})</li>"
        for recipe, finding in verdict.findings.items()
    ]
    facts = {
        "Rule, fixed in advance": html.escape(claim.rule),
        "The paper's numbers": html.escape(claim.paper),
        "Measured here": f"<ul>{''.join(found)}</ul>" if found else f'<span class="absent">{ABSENT}</span>',
        "What would decide it": _with_code(claim.decide) if verdict.state is State.OPEN else "",
        "The code against the paper": ", ".join(f'<a href="{number_page(n)}">no. {n}</a>' for n in claim.differences),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items() if text)
    because = f" ({html.escape(verdict.because)})" if verdict.because else ""
    kind = verdict.state.replace(" ", "-")
    return (
        f'<section class="card {kind}" id="claim-{html.escape(claim.name)}"><h3>{html.escape(claim.text)}</h3>'
        f'<p>{html.escape(claim.place)}</p><p><span class="state">{verdict.state}</span>{because}</p>'
        f"<dl>{listed}</dl></section>"
    )


def table_html(table: pd.DataFrame, caption: str, link: Callable[[Number], str | None]) -> str:
    """A table of text: numbers linked to their results, deviations coloured, the paper's quoted rows in gray."""
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in table.columns)
    rows = []
    for row in table.to_dict("records"):
        quoted = ' class="quoted"' if str(row.get("origin", "")).startswith("quoted") else ""
        rows.append(f"<tr{quoted}>{''.join(f'<td>{_cell(value, link)}</td>' for value in row.values())}</tr>")
    return (
        f'<table class="results"><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def figure_html(figure: Figure, caption: str, alt: str) -> str:
    """A figure inside the page, with its caption and its alternative text."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    data = base64.b64encode(image.getvalue()).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(alt)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def absent_html(what: str, remedy: str) -> str:
    """What is not there, why, and the command that makes it."""
    return f'<p><span class="absent">{html.escape(what)}</span> <code>{html.escape(remedy)}</code></p>'


def variant_page(recipe: str, what: str, results: Sequence[Mapping[str, Any]], files: Sequence[str]) -> str:
    """All that was measured of one variant of a recipe, seed by seed, with settings and machine."""
    parts = [f'<nav><a href="../../index.html">The report</a></nav><h1>{html.escape(recipe)}: {html.escape(what)}</h1>']
    for result, file in zip(results, files, strict=True):
        machine = result.get("machine", {})
        facts = {
            "file": f'<a href="{html.escape(file)}">{html.escape(file)}</a>',
            "settings": f"hash {result['recipe_hash']}, epoch {result.get('epoch', '?')}",
            "data": f"{result['data']['name']}, {result['data'].get('scored_frames', '?')} scored frames",
            "protocol": "; ".join(f"{k.replace('_', ' ')}: {v}" for k, v in result.get("protocol", {}).items()),
            "machine": ", ".join(str(machine[k]) for k in MACHINE if machine.get(k)),
            "training": f"{machine['training_seconds']:.0f} s" if machine.get("training_seconds") else "time not kept",
        }
        rows = {name: text if name == "file" else html.escape(text) for name, text in facts.items()}
        listed = "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows.items())
        numbers = result_table(dict(result)).map(lambda v: "" if pd.isna(v) else f"{v:.3f}")
        measured = table_html(numbers.rename_axis("row").reset_index(), "all that was measured", _no_link)
        parts.append(f"<h2>seed {int(result['seed'])}</h2><table>{listed}</table>{measured}")
        if memory := result.get("memory"):
            parts.append(f"<p>Memory: {html.escape(json.dumps(memory))}</p>")
    return site_page(f"{recipe}: {what}", "".join(parts))


def _no_link(number: Number) -> None:
    """Numbers of a variant's own page lead nowhere."""


def _cell(value: Any, link: Callable[[Number], str | None]) -> str:
    text = html.escape(str(value))
    if value == ABSENT:
        return f'<span class="absent">{text}</span>'
    if isinstance(value, Deviation) and value != "–":
        kind = "as-printed" if value.distance <= NEAR else "near" if value.distance <= FAR else "far"
        return f'<span class="{kind}">{text}</span>'
    if isinstance(value, Number) and (target := link(value)):
        return f'<a href="{html.escape(target)}">{text}</a>'
    return text


def _with_code(text: str) -> str:
    """Text with `commands` in a type of their own."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _linked(text: str, targets: Sequence[str | None]) -> str:
    target = next((t for t in targets if t), None)
    return f'<a href="{html.escape(target)}">{html.escape(text)}</a>' if target else html.escape(text)
