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
from steadyhand.policy.policy import Policy
from steadyhand.reports.page import page
from steadyhand.reports.plane import Plane
from steadyhand.runtime.predictor import chunk_noise
from steadyhand.tasks.fork import ARENA, GOAL, GOAL_RADIUS, ROBOT_RADIUS, Fork

SCORES = {
    "success": "reaches the goal",
    "collision": "collides",
    "left": "passes on the left",
    "right": "passes on the right",
}
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
    states, plane = episodes.read("state"), scene()
    paths = np.split(states, episodes.ends[:-1])
    for path in paths:
        plane.line(path, f"{way(path)} thin")
    return plane.svg(f"{len(paths)} demonstrations")


def trajectories_picture(evaluation: Evaluation, name: str) -> Markup:
    """Every episode of a policy, coloured by its way, with a cross where it collided."""
    plane = scene()
    for episode in evaluation.episodes:
        css = "bad" if episode.scores["collision"] else way(episode.states)
        plane.line(episode.states, f"{css} thin")
    for episode in evaluation.episodes:
        if episode.scores["collision"]:
            x, y = episode.states[-1]
            plane.cross(x, y, 0.03, "bad thick")
    return plane.svg(f"Trajectories of {name}")


def denoising_frames(policy: Policy) -> NDArray[np.float32]:
    """(S + 1, CHUNKS, H, 2): one observation, CHUNKS draws of noise, down to their chunks."""
    task = Fork()
    seen = task.make().reset(task.first_seed)
    steps = policy.spec.chunking.obs_steps
    observation = {key: np.tile(value, (CHUNKS, steps, 1)) for key, value in seen.items()}
    shape = policy.spec.chunk_shape
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


def scene(arena: tuple[float, float, float, float] = ARENA) -> Plane:
    """The goal and the blocks, with nobody there."""
    plane = Plane(arena)
    plane.disc(GOAL[0], GOAL[1], GOAL_RADIUS, "goal")
    for x_from, x_to, y_from, y_to in Fork().blocks:
        plane.rectangle(x_from, x_to, y_from, y_to, "block")
    plane.disc(0, 0, ROBOT_RADIUS / 3, "robot")
    return plane


def way(path: NDArray[np.floating]) -> str:
    """left or right: the side that a path is on where it is farthest from the middle."""
    return "left" if path[np.abs(path[:, 0]).argmax(), 0] < 0 else "right"
