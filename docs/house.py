"""Draws the house: its rooms, each of which may import only from those below it.

The layers are those that `make check` enforces (pyproject.toml), the words are the rooms' own.
"""

import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

from steadyhand.reports.page import picture_style

ROOT = Path(__file__).parents[1]
WIDTH, GAP, LINE = 360, 6, 13
"""Pixels, so that it is read on a phone."""


def layers() -> list[list[str]]:
    """The rooms from the roof to the cellar; those that stand side by side in one list."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rows = contracts["contracts"][0]["layers"]
    found = [[room.strip("( )") for room in row.split("|")] for row in rows]
    there = [[room for room in row if _source(room).exists()] for row in found]
    return [row for row in there if row]


def _source(room: str) -> Path:
    place = ROOT / "src" / "steadyhand" / room
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def said(room: str) -> str:
    """What a room is for, in its own words."""
    words = ast.get_docstring(ast.parse(_source(room).read_text())) or ""
    return words.partition("\n\n")[0].replace("`", "")


def house() -> str:
    """The picture, as SVG."""
    parts, y = [], GAP
    for row in layers():
        width = (WIDTH - GAP * (len(row) + 1)) / len(row)
        words = [textwrap.wrap(said(room), int((width - 12) / 5.8)) for room in row]
        height = 22 + LINE * max(map(len, words)) + GAP
        for number, (room, lines) in enumerate(zip(row, words, strict=True)):
            x = GAP + number * (width + GAP)
            box = f'x="{x:g}" y="{y}" width="{width:g}" height="{height}" rx="4"'
            parts.append(f'<rect {box} style="fill: var(--card); stroke: var(--line)"/>')
            parts.append(f'<text x="{x + 6:g}" y="{y + 17}" class="room">{room}</text>')
            parts += [
                f'<text x="{x + 6:g}" y="{y + 31 + LINE * at}" class="words">{escape(line)}</text>'
                for at, line in enumerate(lines)
            ]
        y += height + GAP
    style = ".room { font-size: 14px; font-weight: bold; } "
    style += ".words { font-size: 10.5px; fill: var(--soft) !important; }"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        'aria-label="The rooms of the house, from the command line down to errors">'
        f"<style>{picture_style()}{style}</style>{''.join(parts)}</svg>\n"
    )
