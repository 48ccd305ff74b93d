"""`make bench`: what exports compute and how fast they are, beside the policies they were made of.

    python benchmarks/exports.py            every denoiser, process and solver, then the speed
    python benchmarks/exports.py --all      with every choice that any of them offers: an hour
    python benchmarks/exports.py --speed    the speed alone

Times depend on the machine and on what else it does; the ratios are what to quote.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import torch

from steadyhand.data import statistics_of
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.export.folder import described, write_export
from steadyhand.export.observed import made_up_moments
from steadyhand.export.onnx_file import fix_batch, write_models
from steadyhand.export.precision import rounded_weights
from steadyhand.nets.choices import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.policy import config as policy_config
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.recipes import recipe
from steadyhand.runtime import Predictor
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.exported import Graph, write_export_card
from steadyhand.spec import Chunking, PolicySpec

TESTS = Path(__file__).parents[1] / "tests"
ENGINES = ["onnx", "openvino"]
BOUND = 1e-4
ROUNDS = 40
KINDS = ("onnx float32", "onnx int8", "openvino float32", "openvino bfloat16", "openvino int8")


def check_grid(every: bool) -> int:
    """How many ways failed, each told."""
    failed = 0
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    kinds = [kind.__name__ for kind in policy_config.DenoiserConfig.__args__]
    for kind in (*kinds, "pictures"):
        command = [sys.executable, TESTS / "export" / "agreeing.py", kind]
        done = subprocess.run(
            [*command, *(["--all"] if every else [])],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        off = [one for one in found if "wrong" in one or max(one[e] for e in ENGINES) > BOUND]
        largest = {e: max((one[e] for one in found if e in one), default=0) for e in ENGINES}
        said = ", ".join(f"{engine} {value:.1e}" for engine, value in largest.items())
        print(f"{kind}: {len(found)} exported, {len(off)} failed; the largest difference: {said}")
        for one in off:
            print(f"  {one}")
        if done.returncode:
            print(done.stderr[-2000:])
        failed += len(off) + (done.returncode != 0)
    return failed


def drawn(
    config: Any, observed: dict[str, tuple[int, ...]], image_size: tuple[int, ...] = ()
) -> Policy:
    """The policy of a configuration for made-up numbers: how fast it is does not depend on them."""
    spec = PolicySpec.select(
        {**observed, "action": (2,)},
        observations=tuple(observed),
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
        image_size=image_size,
    )
    random = np.random.default_rng(0)
    found = {
        f.name: statistics_of(random.uniform(0, 512, (64, *f.shape)))
        for f in (*spec.observations, spec.action)
        if f.kind == "state"
    }
    return config.build(spec, found).eval()


def timed() -> dict[str, Callable[[], Policy]]:
    """The policies whose speed is told: ten network calls each."""
    ten = SamplerConfig(steps=10)
    state = replace(recipe("pusht_state").policy, sampler=ten)
    seen = {"keypoint": (9, 2), "position": (2,)}
    paper = replace(
        recipe("pusht_state_paper").policy, sampler=SamplerConfig(solver="ddim", steps=10)
    )
    image = replace(recipe("pusht_image").policy, sampler=ten)
    cameras = {"front": (96, 96, 3), "position": (2,)}
    large = {"front": (240, 320, 3), "wrist": (240, 320, 3), "position": (2,)}
    made: dict[str, Callable[[], Policy]] = {
        "perceptron": lambda: drawn(replace(state, denoiser=MLPConfig()), seen),
        "small U-Net": lambda: drawn(replace(state, denoiser=UNetConfig()), seen),
        "paper's U-Net": lambda: drawn(paper, seen),
        "transformer": lambda: drawn(replace(state, denoiser=TransformerConfig()), seen),
        "DiT": lambda: drawn(replace(state, denoiser=DiTConfig()), seen),
        "pictures 96×96": lambda: drawn(image, cameras),
        "2 cameras 240×320 → 96": lambda: drawn(image, large, (96,)),
    }
    return made


def speed(share: float, only: list[str]) -> None:
    """A table: milliseconds of a chunk at batch 1 on one thread, all in turns."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("\n| policy | parameters | torch | " + " | ".join(KINDS) + " |")
    print("|---" * (3 + len(KINDS)) + "|")
    for name, make in timed().items():
        if only and name not in only:
            continue
        policy = make()
        with tempfile.TemporaryDirectory() as place:
            candidates = {"torch": TorchPredictor(policy), **exported(policy, Path(place))}
            spent = in_turns(policy, candidates)
        found = {name: float(np.quantile(times, share)) for name, times in spent.items()}
        millions = sum(p.numel() for p in policy.parameters()) / 1e6
        cells = [f"{found[kind]:.2f} ({found['torch'] / found[kind]:.1f}×)" for kind in KINDS]
        row = f"| {name} | {millions:.1f} M | {found['torch']:.1f} | {' | '.join(cells)} |"
        print(row, flush=True)


def exported(policy: Policy, place: Path) -> dict[str, Predictor]:
    """The policy by each engine in each precision, traced once for all."""
    whole = place / "float32"
    card = write_export(policy, whole, continuations=[])
    made: dict[str, Predictor] = {}
    for kind in KINDS:
        engine, precision = kind.split()
        folder = place / kind.replace(" ", "-")
        folder.mkdir()
        model = onnx_ir.load(whole / "chunk.onnx")
        batch = None
        if rounded_weights(model, precision, engine):  # type: ignore[arg-type]
            batch = 1
            fix_batch(model, batch)
        write_models(folder, {"chunk.onnx": model})
        graph = Graph(file="chunk.onnx", batch=batch)
        found = described(policy, folder, [graph], engine, precision, card.provenance)  # type: ignore[arg-type]
        write_export_card(folder, found)
        made[kind] = load_exported(folder)
    return made


def in_turns(policy: Policy, candidates: dict[str, Predictor]) -> dict[str, list[float]]:
    """Milliseconds of each chunk of each, in turns."""
    requests = made_up_moments(policy, 8)
    spent: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(ROUNDS + 3):
        for name, predictor in candidates.items():
            begun = time.perf_counter()
            predictor.predict([requests[number % 8]])
            if number >= 3:
                spent[name].append(1000 * (time.perf_counter() - begun))
    return spent


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--all", action="store_true")
    words.add_argument("--speed", action="store_true", help="the speed alone")
    words.add_argument("--only", nargs="+", default=[], help="policies whose speed is told")
    words.add_argument("--share", type=float, default=0.5, help="0.5 tells medians")
    asked = words.parse_args()
    failed = 0 if asked.speed else check_grid(asked.all)
    speed(asked.share, asked.only)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
