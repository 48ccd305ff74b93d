"""The pictures of the documents: light and dark as their reader, and legible on a phone."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

PICTURES = sorted((Path(__file__).parents[1] / "docs" / "pictures").iterdir())
PHONE = 350


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_it_follows_the_readers_setting(file) -> None:
    text = file.read_text()
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    for name in ("--ink", "--card"):
        values = [re.findall(rf"{name}: (#\w+)", part)[-1] for part in (light, dark)]
        assert values[0] != values[1], "and by more than a name"
    outside = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    assert not re.search(r"#(000000|ffffff|1f6fb4|d9772b)", outside)
    for said in re.findall(r"var\(--(\w+)\)", text):
        assert f"--{said}:" in light
        assert f"--{said}:" in dark


@pytest.mark.parametrize("name", ["overview", "denoising", "mean"])
def test_what_is_written_under_panels_can_be_read(name) -> None:
    [file] = [file for file in PICTURES if file.stem == name]
    root = ElementTree.fromstring(file.read_text())
    _, _, width, height = map(float, root.get("viewBox", "").split())
    words = [element for element in root.iter() if element.tag.endswith("text")]
    assert words
    for word in words:
        [letters] = map(float, re.findall(r"font-size: (\d+)px", word.get("style", "")))
        assert letters * PHONE / width >= 9.9
        x, half = float(word.get("x", "nan")), 0.3 * letters * len(word.text or "")
        assert x - half > -letters
        assert x + half < width + letters
        assert letters < float(word.get("y", "nan")) < height
