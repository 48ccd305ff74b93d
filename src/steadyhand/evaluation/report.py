"""One HTML page that needs nothing but itself: no scripts, no fonts, no internet to read it.

It follows the reader's light or dark setting, fits a phone and prints.
"""

import re
from collections.abc import Sequence
from html import escape

from steadyhand.evaluation.metrics import Interval

LIGHT = """--ink: #1d2126; --card: #f6f7f8; --block: #4a4f58; --goal: #8cc78f; --left: #1f6fb4;
  --right: #d9772b; --third: #2f8540; --bad: #c0392b;"""
DARK = """--ink: #e6e8ea; --card: #1d2126; --block: #7b828c; --goal: #3f7d46; --left: #6ab0ea;
  --right: #f0a060; --third: #7fcf8b; --bad: #ff7566;"""
SHAPES = """
.block { fill: var(--block); } .goal { fill: var(--goal); } .robot { fill: var(--ink); }
polyline, path { fill: none; stroke-linecap: round; stroke-linejoin: round; }
.left { stroke: var(--left); } .right { stroke: var(--right); } .bad { stroke: var(--bad); }
.thin { stroke-width: 4; opacity: .45; } .thick { stroke-width: 12; }
.one { stroke: var(--left); stroke-width: 1.6; } .two { stroke: var(--right); stroke-width: 1.6; }
.three { stroke: var(--third); stroke-width: 1.6; }
.shown { stroke: var(--ink); stroke-width: 1.6; }
.faint { opacity: .35; } .range { opacity: .65; } .thick-line { stroke-width: 2.5; }
.axis { stroke: var(--ink); stroke-width: .5; opacity: .25; }
text { fill: var(--ink); font: 12px system-ui, sans-serif; } .end { text-anchor: end; }
.middle { text-anchor: middle; } .dot { fill: var(--card); stroke-width: 2; }
.tick { opacity: .7; }
"""
"""How the classes of pictures look, in the page and on their own."""

STYLE = (
    ":root { color-scheme: light dark; --page: #fff; --soft: #646b74; --line: #d9dce0; "
    + LIGHT
    + " }\n@media (prefers-color-scheme: dark) { :root { --page: #15181c; --soft: #9aa2ab; "
    "--line: #343a41; "
    + DARK
    + """ } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.2rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
p, ul { max-width: 44rem; }
.lead { font-size: 1.1rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }
.strip { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.narrow { max-width: 22rem; } .half { max-width: 34rem; }
.sheet { display: block; width: 100%; border-radius: .3rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; font-size: .9rem; }
.legend svg { display: inline-block; width: 2rem; background: none; vertical-align: middle; }
figure { margin: 0; min-width: 0; }
svg { display: block; width: 100%; background: var(--card); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
th, td { overflow-wrap: break-word; }
.scroll { overflow-x: auto; }
pre { background: var(--card); border-radius: .5rem; padding: .8rem; font-size: .9rem;
  white-space: pre-wrap; }
p code { white-space: nowrap; } td code { white-space: nowrap; }
@media (max-width: 40rem) {
  .wide tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .wide th { display: none; }
  .wide td { display: flex; gap: 1rem; justify-content: space-between; padding: .1rem 0;
    border: 0; overflow-wrap: anywhere; }
  .wide td:first-child { font-weight: bold; }
  .wide td::before { content: attr(data-label); color: var(--soft); font-weight: normal;
    flex: none; max-width: 50%; }
  .wide td:first-child::before { display: none; }
}
.bar { position: relative; height: .6rem; min-width: 5rem; background: var(--card);
  border-radius: .3rem; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--left); border-radius: .3rem; }
.bar b { position: absolute; top: 35%; height: 30%; background: var(--ink); opacity: .75; }
"""
    + SHAPES
)


def page(title: str, *sections: str) -> str:
    """The whole page. Sections are HTML; the title is text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """A heading over parts that are HTML."""
    return f"<section><h2>{escape(heading)}</h2>\n" + "\n".join(parts) + "</section>"


def figure(picture: str, caption: str) -> str:
    """A picture (SVG) with a line of text under it."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells of `rows` are HTML.

    One of more than three columns becomes a list on a narrow screen, each cell with its heading.
    """
    words = [escape(cell) for cell in header]
    head = "".join(f"<th>{word}</th>" for word in words)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-label="{w}">{cell}</td>' for w, cell in zip(words, row, strict=True))
        + "</tr>\n"
        for row in rows
    )
    wide = ' class="wide"' if len(words) > 3 else ""
    return f'<div class="scroll"><table{wide}><tr>{head}</tr>\n{body}</table></div>'


def prose(text: str) -> str:
    """Text as HTML in which flags, which somebody is to type, are not broken over lines."""
    return re.sub(r"(?<![\w-])--[a-z][a-z-]*[a-z]", r"<code>\g<0></code>", escape(text))


def percent(share: Interval) -> str:
    """A share and its 95 % interval as text that stays together: 97 % [91, 99]."""
    nbsp = "\N{NO-BREAK SPACE}"
    bounds = share.bounds(".0f", f"[{{}},{nbsp}{{}}]", scale=100)
    return f"{100 * share.mean:.0f}{nbsp}% {bounds}"


def share_bar(share: Interval) -> str:
    """A share as a bar, its interval as a thin line on it, and both as text."""
    line = ""
    if share.known:
        left, width = 100 * share.low, 100 * (share.high - share.low)
        line = f'<b style="left:{left:.1f}%;width:{width:.1f}%"></b>'
    return (
        f'<div class="bar"><i style="width:{100 * share.mean:.1f}%"></i>{line}</div>'
        f"{percent(share)}"
    )
