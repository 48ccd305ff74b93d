"""Meta-World: eight tasks one by one, all in one policy, in words, three ways to act, one camera.

    python benchmarks/arms.py OUT [single many forms camera]

What is in OUT is kept: stopped, it goes on. Each part prints rows for BENCHMARKS.md. On two cores
all of it takes about three hours; for what is told in words the extra `text` is needed.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

TASKS = (
    "reach", "push", "pick-place", "door-open", "drawer-close", "peg-insert-side", "assembly",
    "basketball",
)  # fmt: skip
PARAPHRASES = {
    "reach": ("bring the hand to the target", "go with the gripper to where the goal is"),
    "push": ("shove the puck to the target", "slide the puck over to where the goal is"),
    "pick-place": ("lift the puck and carry it to the target", "grasp the puck and take it there"),
    "door-open": ("pull the door open", "make the door stand open"),
    "drawer-close": ("shut the drawer", "push the drawer in"),
    "peg-insert-side": ("insert the peg sideways", "stick the peg into the opening at the side"),
    "assembly": ("place the ring on the peg", "take the nut and slip it over the pin"),
    "basketball": ("throw the ball through the hoop", "drop the basketball in the hoop"),
}
"""In words that no demonstration has."""
TOLD = 10
"""Episodes with each: words are taken for one of the tasks, whose own row says the rest."""
METHODS = ("flow", "regression")
EPISODES = 50
NOISE = 0.0
"""Of what is executed; 0.3 made peg-insert-side no better (0.98 for 0.96), and basketball worse."""
STEPS = 4_000
STATE = ("state[:18]", "state[36:39]")
FORMS = ("assembly", "pick-place", "basketball")
"""In which actions are absolute, deltas and relative."""
SEEN = "door-open"
"""Where the object is told by a camera alone."""


def main(out: Path, parts: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, part in {"single": single, "many": many, "forms": forms, "camera": camera}.items():
        if name in parts:
            part(out)


def steadyhand(*words: Any) -> dict[str, Any]:
    """The answer of one command."""
    command = [sys.executable, "-m", "steadyhand.cli.main", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def kept(file: Path, *words: Any) -> dict[str, Any]:
    """The same, of the first time that it was asked."""
    if not file.exists():
        file.write_text(json.dumps(steadyhand(*words)))
    return json.loads(file.read_text())


def demonstrations(out: Path, task: str, settings: str = "", noise: float = NOISE) -> Path:
    """Fifty episodes of success, seeds 0 and on."""
    name = f"{task}{settings.replace(':', '-').replace('=', '-').replace(',', '-')}"
    path = out / "demonstrations" / f"{name}.npz"
    if not path.exists():
        of = ("--task", f"metaworld/{task}-v3{settings}", "--episodes", EPISODES)
        steadyhand("record", *of, "--noise", noise, "--only-successful", "--out", path)
    return path


def trained(runs: dict[Path, tuple[Any, ...]], recipe: str = "metaworld") -> None:
    """Train what is not trained yet, two at a time; what was begun goes on."""

    def one(run: Path, words: tuple[Any, ...]) -> None:
        done = run / "trained.json"
        if not done.exists():
            more = ("--resume",) if (run / "config.json").exists() else ()
            found = steadyhand("train", recipe, *words, "--threads", 1, "--out", run, *more)
            done.write_text(json.dumps(found))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, runs, runs.values()))


def shown(found: dict[str, Any]) -> str:
    return f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def single(out: Path) -> None:
    """Each task by itself, flow and regression on the same demonstrations and initial states."""
    print(f"| task | {' | '.join(METHODS)} | minutes |\n|---|{'---|' * len(METHODS)}---|")
    for task in TASKS:
        data = demonstrations(out, task)
        of = ("--task", f"metaworld/{task}-v3", "--data", data, "--methods", ",".join(METHODS))
        how = ("--steps", STEPS, "--episodes", EPISODES, "--out", out / f"single-{task}")
        rows = kept(out / f"single-{task}.json", "benchmark", *of, *how)["rows"]
        found = [shown(row["success"]) for row in rows]
        minutes = max(row["train_minutes"] for row in rows)
        print(f"| {task} | {' | '.join(found)} | {minutes:.1f} |", flush=True)


def many(out: Path) -> None:
    """One policy of all, told which by a vector it learned, or by what words mean."""
    names = "metaworld/" + "+".join(f"{task}-v3" for task in TASKS)
    for task in TASKS:
        demonstrations(out, task)
    folder = out / "together"
    folder.mkdir(exist_ok=True)
    for task in TASKS:
        link = folder / f"{task}.npz"
        if not link.exists():
            link.symlink_to(demonstrations(out, task).resolve())
    of = ("--task", names, "--data", folder, "--observations", *STATE, "task")
    how = ("--steps", 3 * STEPS)
    encodings = {"learned": (), "words": ("--encoder.tasks.source", "minilm")}
    print("| task | learned | words | other words |\n|---|---|---|---|")
    found = {}
    trained({out / f"many-{name}": (*of, *how, *more) for name, more in encodings.items()})
    for name in encodings:
        run = out / f"many-{name}"
        found[name] = kept(out / f"many-{name}.json", "evaluate", run, "--episodes", EPISODES)
    for task in TASKS:
        name = f"metaworld/{task}-v3"
        own = [shown(found[each]["tasks"][name]["success"]) for each in encodings]
        for number, words in enumerate(PARAPHRASES[task]):
            of = ("--task", name, "--instruction", words, "--episodes", TOLD)
            told = kept(out / f"told-{task}-{number}.json", "evaluate", out / "many-words", *of)
            own.append(f"{told['success']['mean']:.2f}")
        print(f"| {task} | {own[0]} | {own[1]} | {', '.join(own[2:])} |", flush=True)
    print(f"| all | {shown(found['learned']['success'])} | {shown(found['words']['success'])} | |")


def forms(out: Path) -> None:
    """The same demonstrations with actions as places, as steps, and as ways from the last place.

    Places are `control=position`. All see the same, what they were told last with it; paired on
    initial states.
    """
    parts = {
        "absolute": (),
        "delta": ("--action-parts", "0:3=delta:last_action[0:3]"),
        "relative": ("--action-parts", "0:3=relative:last_action[0:3]"),
    }
    for task in FORMS:
        name = f"metaworld/{task}-v3:control=position"
        data = demonstrations(out, task, ":control=position", NOISE / 100)
        of = ("--task", name, "--data", data, "--steps", 3 * STEPS // 4)
        seen = ("--observations", *STATE, "last_action[0:3]")
        runs = {out / f"forms-{task}-{form}": (*of, *seen, *more) for form, more in parts.items()}
        trained(runs)
        found = kept(out / f"forms-{task}.json", "compare", *runs, "--episodes", 2 * EPISODES)
        for run, row in zip(parts, found["rows"], strict=True):
            print(f"| {task} | {run} | {shown(row['success'])} |", flush=True)
        for one in found["differences"]:
            print(f"  {Path(one['a']).name} - {Path(one['b']).name}: {shown(one)} p {one['p']}")


def camera(out: Path) -> None:
    """From the hand's own numbers and a picture; then with the picture of another episode."""
    import steadyhand as sh
    from steadyhand.tasks import make_task

    settings = ":view=64,camera=corner3"
    name = f"metaworld/{SEEN}-v3{settings}"
    data = demonstrations(out, SEEN, settings)
    run = out / "camera"
    trained({run: ("--task", name, "--data", data)}, "metaworld_image")
    policy = sh.load_policy(run)
    for said, task in {"its own": make_task(name), "another's": Swapped(make_task(name))}.items():
        found = sh.evaluate(policy, task, episodes=EPISODES)
        print(f"| {SEEN} | {said} | {found.success} |", flush=True)


class Swapped:
    """A task whose worlds show the picture that another episode began with."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.task, name)

    def make(self) -> Any:
        world, other = self.task.make(), self.task.make()
        reset, step = world.reset, world.step

        def begin(seed: int) -> Any:
            world.shown = np.array(other.reset(seed + 1_000)["img"])
            return {**reset(seed), "img": world.shown}

        def go_on(action: Any) -> Any:
            seen, over = step(action)
            return {**seen, "img": world.shown}, over

        world.reset, world.step = begin, go_on
        return world


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["single", "many", "forms", "camera"])
