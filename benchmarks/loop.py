"""How well the loop keeps 50 Hz beside a busy core, with a policy that takes 60 ms a chunk.

`python benchmarks/loop.py [MINUTES] [torch|python] [urgent]`: the policy is a U-Net, computed again
and again until its time is over, or small numpy calls, between which Python never rests.
"""

import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import steadyhand as sh
from steadyhand.data import Episodes
from steadyhand.nets.choices import UNetConfig
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime import ChunkRequest, Predictor, run_loop
from steadyhand.runtime.controllers import Asynchronous
from steadyhand.runtime.loop.clock import SystemClock
from steadyhand.runtime.loop.report import LoopReport
from steadyhand.runtime.safety.limits import Limited
from steadyhand.spec import PolicySpec
from steadyhand.training.train import build_policy

RATE_HZ, CHUNK_SECONDS, JOINTS, LIMIT = 50.0, 0.06, 7, 1.5
SPEED, PUSH = 1.0, 20.0
"""Limits of each joint, rad/s and rad/s²."""


class Arm:
    """Seven joints that are where they were told to be; what is told is held to the limits."""

    def __init__(self) -> None:
        self.joints = np.zeros(JOINTS, np.float32)
        self.beyond = self.told = 0

    def observe(self) -> dict[str, NDArray[Any]]:
        return {"joints": self.joints}

    def act(self, action: NDArray[Any]) -> None:
        step = np.abs(action - self.joints).max()
        self.beyond += bool(np.abs(action).max() > LIMIT or step > SPEED / RATE_HZ * 1.001)
        self.joints, self.told = action.astype(np.float32), self.told + 1


class Wild:
    """Chunks that ask for more than the limits allow, after 60 ms of computing."""

    def __init__(self, inner: Predictor | None, spec: PolicySpec) -> None:
        self.inner, self.spec = inner, spec
        self.random = np.random.default_rng(0)

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        until, small = time.perf_counter() + CHUNK_SECONDS, np.ones(8)
        while time.perf_counter() < until:
            if self.inner is None:
                small = small * 1.0000001
            else:
                self.inner.predict(requests)
        now = requests[0].observation["joints"][-1]
        way = np.cumsum(self.random.normal(0, 0.03, self.spec.chunk_shape), axis=0)
        return (now + way).astype(np.float32)[None]


def policy() -> sh.Policy:
    """An untrained U-Net for seven joints."""
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(400, JOINTS)).astype(np.float32) for name in "sa"}
    episodes = Episodes({"joints": arrays["s"], "action": arrays["a"]}, np.array([400]), RATE_HZ)
    config = sh.TrainConfig(
        observations=("joints",),
        chunking=sh.Chunking(obs_steps=2, horizon=16, execute=8),
        policy=sh.PolicyConfig(denoiser=UNetConfig(widths=(32, 64))),
        device="cpu",
    )
    return build_policy(config, episodes)


def busy() -> None:
    while True:
        pass


def megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measured(minutes: float, kind: str, urgent: bool) -> tuple[LoopReport, Arm, list[float]]:
    """The report of a loop beside a process that takes a core for itself."""
    torch.set_num_threads(1)
    made = policy()
    inner = TorchPredictor(made) if kind == "torch" else None
    arm, memory = Arm(), list[float]()
    robot = Limited(
        arm,
        rate_hz=RATE_HZ,
        low=-LIMIT,
        high=LIMIT,
        velocity=SPEED,
        acceleration=PUSH,
        start="joints",
    )
    beside = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
    beside.start()
    time.sleep(2)
    try:
        report = run_loop(
            robot,
            Wild(inner, made.spec),
            Asynchronous(made.spec, execute=8, delay=4),
            ticks=round(minutes * 60 * RATE_HZ),
            clock=SystemClock(),
            watch=lambda report: memory.append(megabytes()),
            urgent=urgent,
        )
    finally:
        beside.kill()
    return report, arm, memory


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    urgent = "urgent" in sys.argv[2:]
    for kind in [word for word in sys.argv[2:] if word != "urgent"] or ["torch", "python"]:
        report, arm, memory = measured(minutes, kind, urgent)
        begun, ended = memory[min(10, len(memory) // 2)], memory[-1]
        how = "urgent" if urgent else "not urgent"
        print(
            f"\n{kind}, {how}: {minutes:g} minutes at {RATE_HZ:g} Hz, a chunk in 60 ms, a busy core"
        )
        print(report.in_words())
        for name in ("jitter_ms", "interval_ms", "work_ms", "latency_ms"):
            found = getattr(report, name)
            shares = [f"{p:g} %: {found.percentile(p):.3g}" for p in (50, 95, 99, 99.9)]
            print(f"  {name:12}{', '.join(shares)}, most {found.max():.3g}")
        print(f"  beyond the limits: {arm.beyond} of {arm.told} actions")
        print(f"  memory: {begun:.1f} MB after 10 s, {ended:.1f} MB in the end")


if __name__ == "__main__":
    main()
