"""What can diffusion do that regression cannot? The pictures and the report of `steadyhand demo`.

On `fork`, with the same network, data, training and initial states for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes
from steadyhand.evaluation.denoising import denoising
from steadyhand.evaluation.evaluate import Evaluation
from steadyhand.evaluation.metrics import Interval
from steadyhand.evaluation.picture import Plane
from steadyhand.evaluation.report import figure, page, section, share_bar, table
from steadyhand.policy.policy import Policy
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


def report(demo: Demo, *, machine: str, folder: str) -> str:
    """The page, complete in itself: what `folder` holds, with times measured on `machine`."""
    return page(
        "Two ways round an obstacle",
        f'<p class="lead">{escape(summary(demo))}</p>',
        "<p>Two policies learned from the same demonstrations to say, from where the robot is, "
        "where it should go next. Both answer with a <em>chunk</em>, the next 16 positions, of "
        "which the robot drives 8 before it asks again. <em>Regression</em> is the plain way to "
        "learn this: find the answer with the least error. A <em>diffusion policy</em> starts from "
        "noise instead and turns it into an answer, step by step, as image generators do.</p>",
        _outcomes(demo),
        _demonstrations(demo),
        _trajectories(demo),
        _denoising(demo),
        _times(demo, machine),
        _next(folder),
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


def _outcomes(demo: Demo) -> str:
    rows = [
        [label, *(share_bar(found.scores[name]) for found in demo.evaluations.values())]
        for name, label in SCORES.items()
    ]
    first = next(iter(demo.evaluations.values()))
    return section(
        "How often",
        table(["", *demo.evaluations], rows),
        f'<p class="soft">Shares of {first.success.n} episodes; in brackets, and as the thin line, '
        "the range in which the true share lies with 95 % confidence (Wilson's interval). Both "
        f"policies begin each episode at the same place: {escape(first.initial_states)}.</p>",
    )


def demonstrations_picture(episodes: Episodes, *, style: str = "") -> str:
    """Every demonstration, coloured by its way."""
    states, plane = episodes.read("state"), scene()
    paths = np.split(states, episodes.ends[:-1])
    for path in paths:
        plane.line(path, f"{way(path)} thin")
    return plane.svg(f"{len(paths)} demonstrations", style=style)


def trajectories_picture(evaluation: Evaluation, name: str, *, style: str = "") -> str:
    """Every episode of a policy, coloured by its way, with a cross where it collided."""
    plane = scene()
    for episode in evaluation.episodes:
        css = "bad" if episode.scores["collision"] else way(episode.states)
        plane.line(episode.states, f"{css} thin")
    for episode in evaluation.episodes:
        if episode.scores["collision"]:
            x, y = episode.states[-1]
            plane.cross(x, y, 0.03, "bad thick")
    return plane.svg(f"Trajectories of {name}", style=style)


def _demonstrations(demo: Demo) -> str:
    episodes = demo.demonstrations
    return section(
        "What was demonstrated",
        "<p>A scripted driver steers a disc from the bottom to the green goal. Left and right are "
        "equally good, and it takes each equally often, never twice in quite the same way. It "
        "turns to its side at once: after that, both ways lead around the obstacle. Their mean "
        "leads into it.</p>",
        '<div class="narrow">',
        figure(
            demonstrations_picture(episodes),
            f"{len(episodes)} demonstrations, {episodes.steps} steps at {episodes.rate_hz:g} Hz.",
        ),
        "</div>",
    )


def _trajectories(demo: Demo) -> str:
    figures = [
        figure(
            trajectories_picture(found, name),
            f"{len(found.episodes)} episodes of {name}; a cross is a collision.",
        )
        for name, found in demo.evaluations.items()
    ]
    return section(
        "What the policies do",
        "<p>The answer with the least squared error is the mean of what was demonstrated. Where "
        "two answers are right, their mean may be wrong: regression drives at the obstacle, and "
        "when it is there, it is too late to turn. Diffusion draws one of the demonstrated "
        "answers, left or right, and then keeps to it.</p>",
        '<div class="grid">',
        *figures,
        "</div>",
    )


def denoising_frames(policy: Policy) -> NDArray[np.float32]:
    """(S + 1, CHUNKS, H, 2): one observation, CHUNKS draws of noise, down to their chunks."""
    task = Fork()
    seen = task.make().reset(task.first_seed)
    steps = policy.spec.chunking.obs_steps
    observation = {key: np.tile(value, (CHUNKS, steps, 1)) for key, value in seen.items()}
    shape = policy.spec.chunk_shape
    noise = np.stack([chunk_noise(task.first_seed, draw, shape) for draw in range(CHUNKS)])
    return denoising(policy, observation, noise)


def denoising_strip(frames: NDArray[np.float32], pictures: int = 6) -> list[tuple[str, str]]:
    """(picture, caption) of some of the frames, the first and the last among them.

    Half of the chunks are drawn, so that the noise can be looked through.
    """
    last = len(frames) - 1
    chosen = np.unique(np.round(np.linspace(0, last, pictures)).astype(int))
    strip = []
    for step in chosen:
        plane = scene(AROUND)
        for chunk in range(1, frames.shape[1] // 2):
            plane.line(frames[step, chunk], f"{way(frames[-1, chunk])} thin")
        plane.line(frames[step, 0], f"{way(frames[-1, 0])} thick")
        said = "noise" if step == 0 else f"after {step} of {last} steps"
        strip.append((plane.svg(f"Chunks: {said}"), said))
    return strip


def denoising_loop(frames: NDArray[np.float32]) -> str:
    """The same as one picture that moves."""
    plane = scene(AROUND)
    for chunk in range(1, frames.shape[1]):
        css = f"{way(frames[-1, chunk])} thin"
        plane.moving_line(list(frames[:, chunk]), css, seconds=5)
    plane.moving_line(list(frames[:, 0]), f"{way(frames[-1, 0])} thick", seconds=5)
    return plane.svg("Noise turning into chunks")


def _denoising(demo: Demo) -> str:
    frames = denoising_frames(demo.policies["diffusion"])
    mean = denoising_frames(demo.policies["regression"])[-1, 0]
    plane = scene(AROUND)
    plane.line(mean, "bad thick")
    steps, horizon = len(frames) - 1, frames.shape[2]
    return section(
        "How a plan comes out of noise",
        f"<p>A chunk is {horizon} future positions, joined here by a line. It begins as noise; in "
        f"each of {steps} steps the network says which clean chunk it sees in it, and some of the "
        "noise gives way to that. The side is decided early; most of the noise goes in the last "
        "steps. All of these chunks belong to the same start and differ in their noise alone: it "
        "decides which way a chunk goes. One is drawn thick, to be followed by eye.</p>",
        '<div class="strip">',
        *(figure(picture, caption) for picture, caption in denoising_strip(frames)),
        "</div>",
        '<div class="grid" style="margin-top:1rem">',
        figure(denoising_loop(frames), f"{CHUNKS} chunks, moving."),
        figure(
            plane.svg("The chunk of regression"),
            "Regression has no noise to decide with: its one chunk from the same start.",
        ),
        "</div>",
    )


def _times(demo: Demo, machine: str) -> str:
    rows = [[escape(part), f"{seconds:.1f} s"] for part, seconds in demo.seconds.items()]
    rows += [
        [f"one chunk of {name}", f"{found.chunk_ms['median']:.1f} ms"]
        for name, found in demo.evaluations.items()
    ]
    return section(
        "How long it took", table(["", ""], rows), f'<p class="soft">{escape(machine)}</p>'
    )


def _next(folder: str) -> str:
    policy = escape(quote(f"{folder}/diffusion"))
    return section(
        "Your turn",
        "<p>How few denoising steps are enough? How few demonstrations? What does it look like? "
        "(After <code>make demo</code>, first type <code>source .venv/bin/activate</code>.)</p>"
        f"<pre>steadyhand evaluate {policy} --episodes 100 --steps 1\n"
        "steadyhand train fork --demonstrations 5 --out runs/five\n"
        "steadyhand evaluate runs/five --episodes 100 --video 3</pre>",
        "<p>With your own demonstrations, put them into one .npz file: an array a feature with "
        "time first, <code>action</code> among them, and <code>episode_ends</code>, the "
        "cumulative number of steps after each episode. Then:</p><pre>"
        "steadyhand inspect mine.npz\n"
        "steadyhand train state --data mine.npz --observations state --minutes 10 --out runs/mine"
        "</pre>",
    )


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
