"""How many robots one server keeps, and what batching is worth.

`python benchmarks/serving.py [MINUTES]`: 64 clients that speak as openpi's ask ten times a second,
of a server in a process of its own; then as often as they can, answered together and one by one.
"""

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

import steadyhand as sh
from steadyhand.data import Episodes
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import UNetConfig
from steadyhand.policy.storage import save_policy
from steadyhand.runtime.wire import pack, unpack
from steadyhand.training.train import build_policy

CLIENTS, RATE_HZ, JOINTS = 64, 10.0, 7
SATURATED_SECONDS = 20.0


def policies(folder: Path) -> list[str]:
    """Two untrained policies for seven joints: a small perceptron and a small U-Net."""
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(400, JOINTS)).astype(np.float32) for name in "sa"}
    episodes = Episodes({"joints": arrays["s"], "action": arrays["a"]}, np.array([400]), RATE_HZ)
    euler = SamplerConfig(solver="euler", steps=5)
    for name, denoiser in (
        ("small", sh.MLPConfig(width=128, blocks=2)),
        ("unet", UNetConfig()),
    ):
        config = sh.TrainConfig(
            observations=("joints",),
            policy=sh.PolicyConfig(denoiser=denoiser, process=Flow(), sampler=euler),
            device="cpu",
        )
        save_policy(folder / name, build_policy(config, episodes))
    return [str(folder / name) for name in ("small", "unet")]


@contextmanager
def server(folders: list[str], *words: str) -> Iterator[tuple[str, int]]:
    """(its address, its process) while this lasts."""
    command = [sys.executable, "-m", "steadyhand", "serve", *folders, "--port", "0", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [*command, "--device", "cpu", *words],
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], process.pid
        process.send_signal(signal.SIGTERM)


class Robots:
    """Clients that ask `unet` or `small`, each at its rate or as often as it can."""

    def __init__(self, url: str, *, rate_hz: float | None, seconds: float) -> None:
        self.url, self.rate_hz, self.seconds = url, rate_hz, seconds
        self.latencies: list[float] = []
        self.sent = self.late = 0

    async def ask(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        observation = {"joints": random.normal(size=JOINTS).astype(np.float32)}
        async with connect(self.url, compression=None, max_size=None, proxy=None) as socket:
            await socket.recv()
            period = 0.0 if self.rate_hz is None else 1 / self.rate_hz
            due = time.perf_counter() + random.uniform(0, period)
            end = time.perf_counter() + self.seconds
            while due < end:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                begun = time.perf_counter()
                self.sent += 1
                await socket.send(pack(observation))
                answer = unpack(await socket.recv(decode=False))
                assert answer["actions"].shape == (16, JOINTS)
                taken = time.perf_counter() - begun
                self.latencies.append(taken)
                self.late += taken > (period or np.inf)
                due = max(due + period, begun) if period else time.perf_counter()

    async def all(self) -> None:
        await asyncio.gather(*(self.ask(seed) for seed in range(CLIENTS)))


def megabytes(process: int) -> float:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def watched(robots: Robots, process: int) -> list[float]:
    """Memory of the server, a tenth of the time apart, while the robots ask."""
    asking = asyncio.ensure_future(robots.all())
    found = list[float]()
    while not asking.done():
        await asyncio.wait({asking}, timeout=robots.seconds / 10)
        found.append(megabytes(process))
    asking.result()
    return found


def steady(folders: list[str], minutes: float) -> None:
    """Every client at its rate."""
    with server(folders) as (url, process):
        robots = Robots(f"{url}/small", rate_hz=RATE_HZ, seconds=60 * minutes)
        begun = megabytes(process)
        memory = asyncio.run(watched(robots, process))
    shares = np.percentile(1000 * np.array(robots.latencies), [50, 95, 99, 99.9, 100])
    lost = robots.sent - len(robots.latencies)
    print(
        f"{CLIENTS} clients at {RATE_HZ:g} Hz for {minutes:g} min: {robots.sent} requests, "
        f"{lost} lost, {robots.late} later than the next was due"
    )
    print("latency ms, 50 / 95 / 99 / 99.9 / 100 %: " + " / ".join(f"{s:.1f}" for s in shares))
    print(
        f"memory MB: {begun:.0f} before, {memory[0]:.0f} after a tenth, {memory[-1]:.0f} in the end"
    )


def saturated(folders: list[str]) -> None:
    """As often as they can, by both ways to answer."""
    rates: dict[str, float] = {}
    for name, words in (("together", ()), ("one by one", ("--largest-batch", "1"))):
        with server(folders, *words) as (url, _):
            robots = Robots(f"{url}/unet", rate_hz=None, seconds=SATURATED_SECONDS)
            begun = time.perf_counter()
            asyncio.run(robots.all())
            rates[name] = len(robots.latencies) / (time.perf_counter() - begun)
        print(f"{CLIENTS} clients as often as they can, {name}: {rates[name]:.0f} chunks a second")
    print(f"together is {rates['together'] / rates['one by one']:.1f} times as many")


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{platform.processor() or platform.machine()}, load before {load}")
    with tempfile.TemporaryDirectory() as folder:
        folders = policies(Path(folder))
        saturated(folders)
        steady(folders, minutes)
    print(f"load after {', '.join(f'{each:.1f}' for each in os.getloadavg())}")


if __name__ == "__main__":
    main()
