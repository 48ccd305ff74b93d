"""A server in a thread of this process, and a policy that answers with what it was shown."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.runtime.conversation import Greeting
from steadyhand.serving.desk import Desk
from steadyhand.serving.limits import Limits, largest_message
from steadyhand.serving.metrics import Metrics
from steadyhand.serving.server import PolicyServer
from steadyhand.spec import Chunking, PolicySpec

SPEC = PolicySpec.select(
    {"observation.state": (3,), "action": (2,)},
    observations=["observation.state"],
    chunking=Chunking(obs_steps=2, horizon=8, execute=4, past_rows=1),
)


@dataclass
class Echo:
    """Row r of its chunk has what was seen before and now, 100 a seed, a number, and r / 10."""

    spec: PolicySpec = SPEC
    asked: list[int] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """While it is closed nothing is answered."""
    working: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def predict(self, requests):
        self.working.set()
        self.gate.wait(10)
        self.asked.append(len(requests))
        for request in requests:
            if request.observation["observation.state"][-1, 0] == 13:
                raise RuntimeError("secret of /srv/policies/first")
            if request.observation["observation.state"][-1, 0] == 14:
                raise ConfigurationError("'/srv/policies/first' has no 14.")
        return np.stack([self.chunk(request) for request in requests])

    def chunk(self, request) -> np.ndarray:
        seen = request.observation["observation.state"][:, 0]
        rows = np.arange(self.spec.chunking.horizon)[:, None] / 10
        return (seen + 100 * request.seed + request.number + rows).astype(np.float32)

    def continues(self, how) -> None:
        if type(how).__name__ != "Guided":
            raise ConfigurationError("not so")


def desk(
    metrics: Metrics, predictors: Mapping[int, Any], name: str = "first", wait_s=0.003
) -> Desk:
    spec = next(iter(predictors.values())).spec
    greeting = Greeting(policy=name, spec=spec, task="fork", step=7, seed=3, outstanding=8)
    return Desk(greeting, predictors, metrics, wait_s=wait_s)


@dataclass
class Running:
    port: int
    desks: dict[str, Desk]
    metrics: Metrics
    server: PolicyServer
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)

    def counted(self, outcome: str, policy: str = "first") -> float:
        return self.metrics.requests.labels(policy, outcome)._value.get()


def together(here: Running, policy: Echo, asks: Sequence[Callable[[], object]]) -> None:
    """All of these at once: the first one is in work before the others are asked, and they wait
    until all are there."""
    policy.gate.clear()
    policy.working.clear()
    threads = [threading.Thread(target=ask, daemon=True) for ask in asks]
    threads[0].start()
    assert policy.working.wait(10)
    for thread in threads[1:]:
        thread.start()
    for _ in range(1000):
        if here.desks["first"].waiting == len(asks) - 1:
            break
        time.sleep(0.01)
    policy.gate.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


@contextmanager
def serving(
    predictors: Mapping[int, Any] | None = None,
    *,
    limits: Limits | None = None,
    port: int = 0,
    wait_s: float = 0.003,
    others: Mapping[str, Any] | None = None,
    tls=None,
    **settings: Any,
) -> Iterator[Running]:
    """A server of `first`, and of `others` by name, while this lasts."""
    there, started = list[Any](), threading.Event()
    limits = Limits(outstanding=8) if limits is None else limits

    async def run() -> None:
        metrics = Metrics()
        served = predictors or {size: Echo() for size in (1, 4, 16, 64)}
        desks = {"first": desk(metrics, served, wait_s=wait_s)}
        for name, other in (others or {}).items():
            desks[name] = desk(metrics, {1: other}, name)
        largest = max(largest_message(each.spec) for each in desks.values())
        server = PolicyServer(limits=limits, metrics=metrics, largest_message=largest, **settings)
        try:
            found = await server.listen("127.0.0.1", port, tls)
        except UsageError as error:
            there.append(error)
            started.set()
            return
        server.open(desks)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        there.append(Running(found, desks, metrics, server, loop, stop))
        started.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(10)
    if isinstance(there[0], UsageError):
        raise there[0]
    try:
        yield there[0]
    finally:
        there[0].end()
        thread.join(10)
    assert not thread.is_alive()
