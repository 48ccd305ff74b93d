"""Makes the pictures and the reference of this documentation: `make docs`.

The pictures of `fork` come from the policies of a demo (runs/demo), all others from formulas. Those
of studies are taken from their reports: `python docs/make.py --studies runs/studies`.
"""

import ast
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from house import house
from matplotlib.figure import Figure
from torch import Tensor, nn

import steadyhand as sh
from steadyhand.data import open_episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.methods.choices import Consistency
from steadyhand.policy.config import build_sampler
from steadyhand.policy.storage import load_policy
from steadyhand.recipes.methods import METHODS
from steadyhand.reports.charts import COLOURS, drawing, svg
from steadyhand.reports.demo import (
    Demo,
    demonstrations_picture,
    denoising_frames,
    denoising_strip,
    trajectories_picture,
)
from steadyhand.reports.page import picture_style
from steadyhand.reports.paths import scene
from steadyhand.reports.plane import UNITS
from steadyhand.runtime.folders import find_policy
from steadyhand.studies.distributions import generate, learn, mixture, sliced_wasserstein

HERE = Path(__file__).parent
PICTURES, STUDIES = HERE / "pictures", HERE / "studies"
WIDTH = 480
"""Pixels of a plot: letters of twelve are of ten on a phone."""
LEFT, RIGHT, THIRD, SOFT, BAND = (
    COLOURS[name] for name in ("left", "right", "third", "soft", "band")
)


def load_demo(path: Path) -> Demo:
    """What `steadyhand demo` left in a folder, tried again."""
    if not (path / "report.html").exists():
        sys.exit(
            f"The pictures show what the demo found, and {path} has none: run make demo first."
        )
    policies = {name: load_policy(find_policy(path / name)) for name in ("regression", "diffusion")}
    evaluations = {
        name: evaluate(policy, "fork", episodes=100) for name, policy in policies.items()
    }
    return Demo(open_episodes(path / "demonstrations.npz"), policies, evaluations, {})


def side_by_side(panels: Sequence[tuple[str, str]], size: tuple[float, float]) -> str:
    """Panels of (picture, title under it), three in a row; `size` is a panel's, in metres."""
    width, height = round(UNITS * size[0]), round(UNITS * size[1])
    gap = width // 16
    across = min(len(panels), 3) * (width + gap) - gap
    letters = round(across / 35)  # ten pixels on a phone
    words = [textwrap.wrap(title, int((width + gap) / (0.6 * letters))) for _, title in panels]
    below = round(1.3 * letters * max(map(len, words)) + gap)
    parts = []
    for number, ((picture, _), lines) in enumerate(zip(panels, words, strict=True)):
        x, y = number % 3 * (width + gap), number // 3 * (height + below)
        place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
        placed = str(picture).replace("<svg ", f"<svg {place} ", 1)
        parts.append(f'<rect class="back" {place} rx="40"/>{placed}')
        for line, word in enumerate(lines, 1):
            parts.append(
                f'<text x="{x + width / 2}" y="{y + height + round(1.3 * line * letters)}" '
                f'style="text-anchor: middle; font-size: {letters}px">{word}</text>'
            )
    style = picture_style()
    whole = f"0 0 {across} {-(-len(panels) // 3) * (height + below)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{whole}"><style>{style}</style>'
        f"{''.join(parts)}</svg>\n"
    )


def overview(demo: Demo) -> str:
    """Demonstrations, regression, diffusion."""
    panels = [(demonstrations_picture(demo.demonstrations), "200 demonstrations")]
    for name, found in demo.evaluations.items():
        title = f"{name}: {100 * found.success.mean:.0f} of {found.success.n} arrive"
        panels.append((trajectories_picture(found, name), title))
    return side_by_side(panels, (1.0, 1.2))


def strip(demo: Demo) -> str:
    """One chunk, and some others, from noise to plan."""
    frames = denoising_frames(demo.policies["diffusion"])
    return side_by_side(denoising_strip(frames), (1.6, 1.8))


def mean_of_ways(demo: Demo) -> str:
    """One chunk a way, and their mean."""
    episodes = demo.demonstrations
    chunks = np.stack([episodes.read("action", s, s + 16) for s in episodes.starts])
    left = chunks[:, 10, 0] < 0
    plane = scene()
    for way, css in ((left, "left"), (~left, "right")):
        plane.line(chunks[way].mean(0), f"{css} thick")
    plane.line(chunks.mean(0), "bad thick")
    return side_by_side([(plane.svg("Two ways and their mean"), "their mean")], (1.0, 1.2))


def histogram(demo: Demo) -> Figure:
    """Where the robot is asked to be a second after the start: three answers."""
    episodes = demo.demonstrations
    shown = np.array([episodes.read("action", s + 10, s + 11)[0, 0] for s in episodes.starts])
    start = sh.record_episodes("fork", 1000, first_seed=200_000)
    seen = {"state": torch.from_numpy(np.repeat(start.read("state")[start.starts][:, None], 2, 1))}
    noise = torch.randn(1000, 16, 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answers = {name: p(seen, noise)[:, 10, 0].numpy() for name, p in demo.policies.items()}
    titles = {"demonstrated": shown, **answers}
    with drawing(WIDTH, 150) as figure:
        for axis, (title, values) in zip(_panels(figure, 3), titles.items(), strict=True):
            axis.axvspan(-0.12, 0.12, color=BAND, lw=0)
            axis.hist(values, bins=np.linspace(-0.3, 0.3, 61), color=LEFT, density=True)
            axis.set(title=title, yticks=[], xlabel="x of action 11 (m)")
    return figure


def schedules(_: Demo) -> Figure:
    """How much of the signal's variance is left on the way to noise."""
    times = np.arange(100.0)
    literal = np.cumprod(1 - np.linspace(1e-4, 0.02, 100))
    flow = sh.Flow().path(times / 99)[0] ** 2
    cosine = sh.DDPM(schedule="squared_cosine").path(times)[0] ** 2
    scaled = sh.DDPM(schedule="linear").path(times)[0] ** 2
    with drawing(WIDTH, 280) as figure:
        [axis] = _panels(figure, 1)
        for name, kept, colour in (
            ("squared cosine", cosine, LEFT),
            ("linear, scaled to 100 steps", scaled, THIRD),
            ("flow", flow, SOFT),
            ("linear 1e-4…0.02, taken literally", literal, RIGHT),
        ):
            axis.plot(times / 99, kept, color=colour, label=name)
        axis.text(1, literal[-1] - 0.03, "36 % is left", color=RIGHT, ha="right", va="top")
        axis.set(xlabel="time: clean to noise", ylabel="signal kept, alpha²")
        figure.legend(frameon=False, loc="outside upper left", ncols=2)
    return figure


class TwoWays(nn.Module):
    """The perfect network for one number that is -1 or 1, equally often."""

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        time = (t / 100).view(-1, 1, 1)
        return torch.tanh((1 - time) * x / time**2)


def paths(_: Demo) -> Figure:
    """Forty draws of noise on their way to one of two answers, in many steps and in five."""
    noise = torch.randn(40, 1, 1, generator=torch.Generator().manual_seed(1))
    with drawing(WIDTH, 190) as figure:
        for axis, steps in zip(_panels(figure, 2), (100, 5), strict=True):
            sampler = sh.Sampler(TwoWays(), sh.Flow(prediction="sample"), steps=steps)
            passed = sampler.path(noise, torch.zeros(40, 1, 1))
            lines = torch.stack(list(passed))[:, :, 0, 0].numpy()
            for line in lines.T:
                colour = LEFT if line[-1] < 0 else RIGHT
                axis.plot(np.linspace(0, 1, steps + 1), line, lw=0.8, color=colour)
            axis.set(title=f"{steps} steps", xlabel="noise → action")
    return figure


def chunk_as_image(demo: Demo) -> Figure:
    """One chunk as a picture of two rows and sixteen columns, at six moments."""
    frames = denoising_frames(demo.policies["diffusion"])[:, 0]
    chosen = np.round(np.linspace(0, len(frames) - 1, 6)).astype(int)
    with drawing(WIDTH, 150) as figure:
        for number, (axis, step) in enumerate(zip(_panels(figure, 3, 2), chosen, strict=True)):
            axis.imshow(
                (frames[step] - (0, 0.5)).T, cmap="gray", vmin=-0.6, vmax=0.6, aspect="auto"
            )
            axis.grid(visible=False)
            axis.set(xticks=[], title="noise" if step == 0 else f"step {step}")
            axis.set_yticks([0, 1], ["", ""] if number % 3 else ["x", "y"])
    return figure


def methods(_: Demo) -> Figure:
    """What each method draws after it has learned three spots in the plane."""
    pairs = [[mixture(1000, np.random.default_rng([s, n])) for s in (1, 2)] for n in range(30)]
    between = np.mean([sliced_wasserstein(a, b) for a, b in pairs])
    drawn = {"truth": [pair[0] for pair in pairs]}
    trained: dict[str, Any] = {}
    bounded = SamplerConfig(clip=2.0)
    for name, method in METHODS.items():
        teacher = trained.get("flow") if isinstance(method, Consistency) else None
        trained[name] = learn(method, mixture, sampler=bounded, teacher=teacher)
    flow, in_one = METHODS["flow"], SamplerConfig(steps=1, clip=2.0)
    once = build_sampler(in_one, flow, trained["flow"].denoiser, (1, 2))
    for name, module in {**trained, "flow, one call": once}.items():
        drawn[name] = [generate(module, (1, 2), 1000, seed=n) for n in range(len(pairs))]
    rows = -(-len(drawn) // 4)
    with drawing(WIDTH, 130 * rows) as figure:
        axes = _panels(figure, 4, rows)
        for axis, (name, chunks) in zip(axes, drawn.items(), strict=False):
            # What is drawn as dots keeps its colour: dark pages brighten it.
            colour = "#7a8088" if name == "truth" else "#1f6fb4"
            axis.plot(*chunks[0][:, 0].T, ".", color=colour, ms=1.5, alpha=0.5, rasterized=True)
            far = np.mean(list(map(sliced_wasserstein, chunks, (b for _, b in pairs)))) / between
            axis.set_title(name if name == "truth" else f"{name}: {far:.1f}")
            axis.set(xlim=(-1.1, 1.1), ylim=(-1.0, 1.1), xticks=[], yticks=[], aspect="equal")
        for axis in axes[len(drawn) :]:
            axis.axis("off")
    return figure


def _panels(figure: Figure, across: int, rows: int = 1) -> list[Any]:
    """Plots side by side with common axes, in a figure that leaves room for what is written."""
    figure.set_layout_engine("constrained")
    found = figure.subplots(rows, across, sharex=True, sharey=True, squeeze=False)
    return list(found.flat)


DRAWN: dict[str, Callable[[Demo], str]] = {
    "overview": overview,
    "denoising": strip,
    "mean": mean_of_ways,
}
PLOTTED: dict[str, Callable[[Demo], Figure]] = {
    "histogram": histogram,
    "schedules": schedules,
    "paths": paths,
    "chunk_as_image": chunk_as_image,
    "methods": methods,
}


def reference() -> str:
    """Every public name with its signature, docstring, fields and methods, as Markdown."""
    parts = [
        "# Reference",
        "Made from the docstrings by `make docs`. Everything here is `steadyhand.NAME`, and is "
        "loaded when it is first used. Shapes: B batch, T_o observation steps, H horizon, A "
        "numbers in an action, N tokens, D features, S denoising steps.",
    ]
    for name in sh.__all__:
        found: Any = getattr(sh, name)
        parts += [f"## {name}", _signature(name, found), inspect.getdoc(found) or ""]
        if not inspect.isclass(found):
            continue
        if fields := _fields(found):
            parts.append("\n".join(f"- `{field}`: {said}" for field, said in fields.items()))
        ours = [kind for kind in found.__mro__ if kind.__module__.startswith("steadyhand")]
        for member, value in itertools.chain.from_iterable(vars(kind).items() for kind in ours):
            said = inspect.getdoc(value)
            if member.startswith("_") or not said:
                continue
            if isinstance(value, property):
                parts += [f"`{name}.{member}`: {said}"]
            elif isinstance(value, classmethod) or inspect.isfunction(value):
                parts += [_signature(f"{name}.{member}", getattr(found, member)), said]
    return "\n\n".join(parts) + "\n"


def _fields(found: type) -> dict[str, str]:
    """The fields of a dataclass that are explained, with their explanations."""
    body = ast.parse(inspect.getsource(found)).body[0].body  # type: ignore[attr-defined]
    said = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            said[ast.unparse(field.target)] = inspect.cleandoc(ast.literal_eval(after.value))
    return said


def _signature(name: str, found: Any) -> str:
    if inspect.isclass(found) and issubclass(found, Exception):
        return f"```\n{name}\n```"
    given = inspect.signature(found).parameters.values()
    plain = [p.replace(annotation=p.empty) for p in given if p.name != "self"]
    text = re.sub(r"<function ([\w.<>]+) at \w+>", r"\1", str(inspect.Signature(plain)))
    text = text.replace("<lambda>", "…")
    return f"```\n{name}{text}\n```"


def take_studies(folder: Path) -> None:
    """The pictures of reports that lie in `folder`, one a question: the first of each."""
    for report in sorted(folder.glob("*/report.json")):
        question = report.parent.name.partition("-")[0]
        STUDIES.mkdir(exist_ok=True)
        picture = (report.parent / "picture-1.svg").read_bytes()
        (STUDIES / f"{question}.svg").write_bytes(picture)


def main() -> None:
    if "--studies" in sys.argv:
        take_studies(Path(sys.argv[-1]))
        return
    (HERE / "reference.md").write_text(reference())
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "house.svg").write_text(house())
    if "--reference" in sys.argv:
        return
    demo = load_demo(HERE.parent / "runs" / "demo")
    for name, draw in DRAWN.items():
        (PICTURES / f"{name}.svg").write_text(draw(demo))
    for name, plot in PLOTTED.items():
        drawn = svg(plot(demo), inspect.getdoc(plot) or name, style=picture_style())
        (PICTURES / f"{name}.svg").write_text(drawn)


if __name__ == "__main__":
    main()
