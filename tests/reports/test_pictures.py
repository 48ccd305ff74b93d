"""What the reports show is what happened: the steps of denoising, and shapes in their places."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from steadyhand.evaluation.denoising import denoising
from steadyhand.evaluation.metrics import rate
from steadyhand.reports.page import _templates, percent
from steadyhand.reports.plane import Plane
from steadyhand.training.train import build_policy

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("relative", [None, "state[:2]"])
def test_denoising_goes_from_the_noise_to_the_chunk(relative, config, episodes) -> None:
    policy = build_policy(replace(config, action_relative_to=relative), episodes)
    for parameter in policy.parameters():
        parameter.data.normal_(std=0.1)
    seen = {key: np.stack([episodes.read(key, 3, 5)] * 4) for key in ("keypoint", "state")}
    noise = np.random.default_rng(0).standard_normal((4, 8, 2)).astype(np.float32)
    frames = denoising(policy, seen, noise)
    assert frames.shape == (4, 4, 8, 2), "three steps are four frames"
    tensors = {key: torch.from_numpy(value) for key, value in seen.items()}
    with torch.no_grad():
        chunk = policy(tensors, torch.from_numpy(noise))
    np.testing.assert_allclose(frames[-1], chunk.numpy(), rtol=1e-6)
    start = policy.normaliser.inverse("action", torch.from_numpy(noise)).numpy()
    if relative is not None:
        start = start + seen["state"][:, -1:, :2]
    np.testing.assert_allclose(frames[0], start, rtol=1e-5, atol=1e-5)


def test_shapes_are_where_they_belong() -> None:
    plane = Plane((-1, 1, 0, 3))
    plane.rectangle(-0.5, 0.5, 1, 2, "block")
    plane.disc(0, 3, 0.1, "goal")
    plane.line(np.array([[-1.0, 0.0], [1.0, 3.0]]), "left")
    plane.cross(0, 0, 0.2, "bad")
    plane.moving_line([np.zeros((2, 2)), np.ones((2, 2))], "right", seconds=4)
    root = ElementTree.fromstring(plane.svg("A <scene>"))
    assert root.get("viewBox") == "0 0 2000 3000"
    assert root.get("aria-label") == "A <scene>"
    rectangle = root.find(f"{SVG}rect")
    assert rectangle is not None
    got = [float(rectangle.get(key, "")) for key in ("x", "y", "width", "height")]
    assert got == [500, 1000, 1000, 1000]
    disc = root.find(f"{SVG}circle")
    assert disc is not None
    assert (disc.get("cx"), disc.get("cy"), disc.get("r")) == ("1000", "0", "100")
    still, moving = root.findall(f"{SVG}polyline")
    assert still.get("points") == "0,3000 2000,0"
    assert moving.get("points") == "2000,2000 2000,2000"
    animate = moving.find(f"{SVG}animate")
    assert animate is not None
    values = animate.get("values", "").split(";")
    assert values == ["1000,3000 1000,3000", "2000,2000 2000,2000", "2000,2000 2000,2000"]
    assert animate.get("keyTimes") == "0.000;0.700;1.000"


def test_shares_are_told_with_their_interval() -> None:
    share, alone = rate([True] * 9 + [False]), rate([True])
    assert percent(share).replace("\xa0", " ") == "90 % [60, 98]"
    bar = parts().share_bar(share)
    assert 'style="width:90.0%"' in bar
    assert percent(share) in bar
    assert "<b" in bar
    assert "<b" not in parts().share_bar(alone), "of one episode there is no interval"


def parts() -> Any:
    """The macros that pages share."""
    return _templates().get_template("parts.html").module
