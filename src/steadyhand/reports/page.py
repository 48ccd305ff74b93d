"""One HTML page that needs nothing but itself: no scripts, no fonts, no internet to read it.

It follows the reader's light or dark setting, fits a phone and prints. What a template is given is
text, and escaped; pictures and other HTML come as `Markup`, from what makes them.
"""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from steadyhand.evaluation.metrics import Interval


def page(template: str, **values: Any) -> str:
    """The whole page: a template of this room, filled in."""
    return _templates().get_template(f"{template}.html").render(values)


def picture_style() -> str:
    """How pictures look on their own, as CSS: their colours in light and dark, their shapes."""
    return _templates().get_template("picture.css").render()


def prose(text: str) -> Markup:
    """Text as HTML in which `commands` look like what is typed, and flags are not broken."""
    typed = re.compile(r"`([^`]+)`|(?<![\w-])--[a-z][a-z-]*[a-z]")

    def as_code(found: re.Match[str]) -> str:
        whole = f'<code class="command">{found[1]}</code>'
        return whole if found[1] else f"<code>{found[0]}</code>"

    return Markup(typed.sub(as_code, str(escape(text))))


def percent(share: Interval) -> str:
    """A share and its 95 % interval as text that stays together: 97 % [91, 99]."""
    nbsp = "\N{NO-BREAK SPACE}"
    bounds = share.bounds(".0f", f"[{{}},{nbsp}{{}}]", scale=100)
    return f"{100 * share.mean:.0f}{nbsp}% {bounds}"


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("steadyhand.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters.update(prose=prose, percent=percent)
    return found
