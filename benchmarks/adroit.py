"""Adroit's door: each method trained on all, ten and five of the 25 human demonstrations.

    python benchmarks/adroit.py --out adroit --methods flow regression --demonstrations 25 10 5

A row that is in the folder is not done again. Fewer demonstrations are part of more, drawn once;
none is held out. Minutes are those of the processor.
"""

import argparse
import json
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import steadyhand as sh
from steadyhand.data import Episodes, open_episodes
from steadyhand.policy.device import on_threads
from steadyhand.recipes import recipe
from steadyhand.training.train import build_policy, train

DATA = Path(__file__).parents[2] / "shared" / "data" / "adroit_door.hdf5"
METHODS = ["flow", "ddpm", "regression", "gaussian"]
SCORES = ("success", "opened", "angle")


def some(episodes: Episodes, count: int) -> Episodes:
    """So many of them: the first of one order for all."""
    order = np.random.default_rng(0).permutation(len(episodes))
    return episodes.subset(np.sort(order[:count]))


def row(method: str, count: int, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """One policy, trained where it is not there yet, and tried where it was not yet."""
    config = replace(
        recipe("adroit", method=method),
        **({"steps": asked.steps} if asked.steps else {}),
        seed=seed,
        validation_share=0.0,
        device="cpu",
        threads=1,
    )
    run = asked.out / f"{method}-{count}-{seed}-{config.steps}"
    file = run.with_suffix(".json")
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    if not found:
        episodes = some(open_episodes(DATA), count)
        policy, begun = build_policy(config, episodes), time.process_time()
        for _ in train(policy, episodes, config, out=run, resume=run.exists()):
            pass
        found = {"minutes": (time.process_time() - begun) / 60, "tried": {}}
        file.write_text(json.dumps(found))
    for start in asked.starts:
        if start not in found["tried"]:
            task = f"adroit/door:start={start}" if start != "rest" else "adroit/door"
            tried = sh.evaluate(sh.load_policy(run), task, episodes=asked.episodes)
            found["tried"][start] = {name: str(tried.scores[name]) for name in SCORES}
            file.write_text(json.dumps(found))
    return found


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--out", type=Path, default=Path("adroit"))
    words.add_argument("--methods", nargs="+", default=METHODS)
    words.add_argument("--demonstrations", nargs="+", type=int, default=[25, 10, 5])
    words.add_argument("--seeds", nargs="+", type=int, default=[0])
    words.add_argument("--steps", type=int, help="the recipe's own unless given")
    words.add_argument("--episodes", type=int, default=100)
    words.add_argument("--starts", nargs="+", default=["rest"], help="rest, human")
    asked = words.parse_args()
    if not DATA.exists():
        print(f"skipped: the demonstrations are not at {DATA}")
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    print("| demonstrations | method | seed | start | success | opened | angle | training |")
    print("|---|---|---|---|---|---|---|---|")
    with on_threads(1):
        for count, method, seed in product(asked.demonstrations, asked.methods, asked.seeds):
            found = row(method, count, seed, asked)
            for start in asked.starts:
                scores = " | ".join(found["tried"][start][name] for name in SCORES)
                minutes = f"{found['minutes']:.1f} min"
                print(
                    f"| {count} | {method} | {seed} | {start} | {scores} | {minutes} |", flush=True
                )


if __name__ == "__main__":
    main()
