"""What can diffusion do that regression cannot? The pictures and the page of `steadyhand demo`.

On `fork`, with the same network, data, training and initial states for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.evaluation.denoising import denoising
from steadyhand.evaluation.evaluate import Evaluation
from steadyhand.evaluation.metrics import Interval
from steadyhand.evaluation.smoothness import SEAMS
from steadyhand.policy.policy import Policy
from steadyhand.reports.page import page
from steadyhand.reports.paths import paths_picture, scene, way
from steadyhand.runtime.predictor import chunk_noise
from steadyhand.tasks import Fork

SCORES = {
    "success": "reaches the goal",
    "collision": "collides",
    "left": "passes on the left",
    "right": "passes on the right",
}
SEAM = "jumps at seams"
AROUND = (-0.8, 0.8, -0.4, 1.4)
"""Wide enough for noise: it knows no obstacle."""
CHUNKS = 16
"""Drawn from as much noise, so that both ways are seen."""


@dataclass(frozen=True)
class Demo:
    """What the demo found. Both mappings go from "regression" and "diffusion"."""

    demonstrations: Episodes
    policies: Mapping[str, Policy]
    evaluations: Mapping[str, Evaluation]
    seconds: Mapping[str, float]
    """How long each part took."""


def demo_page(demo: Demo, *, machine: str, folder: str) -> str:
    """The page, complete in itself: what `folder` holds, with times measured on `machine`."""
    frames = denoising_frames(demo.policies["diffusion"])
    plane = scene(AROUND)
    plane.line(denoising_frames(demo.policies["regression"])[-1, 0], "bad thick")
    chunk_ms = {f"one chunk of {n}": f.chunk_ms["median"] for n, f in demo.evaluations.items()}
    return page(
        "demo",
        title="Two ways round an obstacle",
        summary=summary(demo),
        evaluations=demo.evaluations,
        first=next(iter(demo.evaluations.values())),
        scores=SCORES,
        seam=SEAM,
        seams=SEAMS,
        episodes=demo.demonstrations,
        demonstrated=demonstrations_picture(demo.demonstrations),
        driven={name: trajectories_picture(f, name) for name, f in demo.evaluations.items()},
        steps=len(frames) - 1,
        horizon=frames.shape[2],
        strip=denoising_strip(frames),
        chunks=CHUNKS,
        loop=denoising_loop(frames),
        mean=plane.svg("The chunk of regression"),
        times=[
            *((part, f"{seconds:.1f} s") for part, seconds in demo.seconds.items()),
            *((part, f"{ms:.1f} ms") for part, ms in chunk_ms.items()),
        ],
        machine=machine,
        policy=quote(f"{folder}/diffusion"),
    )


def summary(demo: Demo) -> str:
    """What came out, in one paragraph of text."""
    diffusion, regression = demo.evaluations["diffusion"], demo.evaluations["regression"]
    return (
        f"Of {diffusion.success.n} episodes, the diffusion policy reached the goal in "
        f"{_share(diffusion.success)}, passing on the left in {_share(diffusion.left)} and on the "
        f"right in {_share(diffusion.right)}. Regression with the same network, data, training and "
        f"starts reached it in {_share(regression.success)} and drove into a wall in "
        f"{_share(regression.collision)}."
    )


def _share(found: Interval) -> str:
    return f"{100 * found.mean:.0f}\N{NO-BREAK SPACE}%"


def demonstrations_picture(episodes: Episodes) -> Markup:
    """Every demonstration, coloured by its way."""
    paths = np.split(episodes.read("state"), episodes.ends[:-1])
    ways, title = [way(path) for path in paths], f"{len(paths)} demonstrations"
    return paths_picture(paths, ways, [False] * len(paths), title, Fork())


def trajectories_picture(evaluation: Evaluation, name: str) -> Markup:
    """Every episode of a policy, coloured by its way, with a cross where it collided."""
    paths = [episode.states for episode in evaluation.episodes]
    collided = [bool(episode.scores["collision"]) for episode in evaluation.episodes]
    css = ["bad" if bad else way(path) for path, bad in zip(paths, collided, strict=True)]
    return paths_picture(paths, css, collided, f"Trajectories of {name}", Fork())


def denoising_frames(policy: Policy) -> NDArray[np.float32]:
    """(S + 1, CHUNKS, H, 2): one observation, CHUNKS draws of noise, down to their chunks."""
    task = Fork()
    seen = task.make().reset(task.first_seed)
    steps = policy.spec.chunking.obs_steps
    observation = {key: np.tile(value, (CHUNKS, steps, 1)) for key, value in seen.items()}
    shape = policy.spec.noise_shape
    noise = np.stack([chunk_noise(task.first_seed, draw, shape) for draw in range(CHUNKS)])
    return denoising(policy, observation, noise)


def denoising_strip(frames: NDArray[np.float32], pictures: int = 6) -> list[tuple[Markup, str]]:
    """(picture, caption) of some of the frames, the first and the last among them.

    Half of the chunks are drawn, so that the noise can be looked through.
    """
    last = len(frames) - 1
    strip = []
    for step in np.unique(np.round(np.linspace(0, last, pictures)).astype(int)):
        plane = scene(AROUND)
        for chunk in range(1, frames.shape[1] // 2):
            plane.line(frames[step, chunk], f"{way(frames[-1, chunk])} thin")
        plane.line(frames[step, 0], f"{way(frames[-1, 0])} thick")
        said = "noise" if step == 0 else f"after {step} of {last} steps"
        strip.append((plane.svg(f"Chunks: {said}"), said))
    return strip


def denoising_loop(frames: NDArray[np.float32]) -> Markup:
    """The same as one picture that moves."""
    plane = scene(AROUND)
    for chunk in reversed(range(frames.shape[1])):  # the thick one over the others
        css = f"{way(frames[-1, chunk])} {'thin' if chunk else 'thick'}"
        plane.moving_line(list(frames[:, chunk]), css, seconds=5)
    return plane.svg("Noise turning into chunks")
