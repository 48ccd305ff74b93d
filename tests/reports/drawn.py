"""What is drawn in a page: its pictures, their words and their lines, as a reader meets them."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np

PHONE = 390 - 2 * 19.2  # less the page's own edges
WIDEST_LETTER = 0.62
"""Of its height, on average over words, in the fonts that systems have."""


def drawings(text: str) -> Iterator[ElementTree.Element]:
    """All pictures of a page that have words in them."""
    for found in re.findall(r"<svg .*?</svg>", text, re.S):
        root = ElementTree.fromstring(found)
        if words(root):
            yield root


def words(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.tag.endswith("text")]


def lines_of(root: ElementTree.Element, colour: str) -> list[np.ndarray]:
    """The points of each line in a colour of the page's."""
    paths = [
        e.get("d", "") for e in root.iter() if f"stroke: var(--{colour})" in e.get("style", "")
    ]
    points = [re.findall(r"([-\d.]+) ([-\d.]+)", path) for path in paths if path]
    return [np.array(line, float) for line in points]


def require_legible(root: ElementTree.Element) -> None:
    """Letters of twelve pixels and more on a phone, and every one of them inside the picture."""
    _, _, width, height = map(float, root.get("viewBox", "").split())
    for word in words(root):
        css = word.get("style", "")
        [size] = map(float, re.findall(r"font-size: ([0-9.]+)px", css))
        assert size * PHONE / width >= 12
        assert word.get("transform") is None, "none is turned"
        long = WIDEST_LETTER * size * len(word.text or "")
        x, y = float(word.get("x", "nan")), float(word.get("y", "nan"))
        start = x - long if "end" in css else x - long / 2 if "middle" in css else x
        assert start >= 0, word.text
        assert start + long <= width, word.text
        assert size <= y <= height, word.text
