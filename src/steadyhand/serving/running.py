"""A server from its first moment to its last: listen, load, serve, reload, stop when told to.

SIGTERM and Ctrl-C stop it once all that was asked is answered, a second one at once; SIGHUP loads
every policy anew.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from steadyhand.errors import UsageError
from steadyhand.policy.named import described
from steadyhand.runtime.conversation import Greeting
from steadyhand.runtime.own_file import own_name
from steadyhand.serving.desk import Desk
from steadyhand.serving.journal import event
from steadyhand.serving.limits import Limits, largest_message
from steadyhand.serving.metrics import Metrics
from steadyhand.serving.reloading import Reloading
from steadyhand.serving.served import Source
from steadyhand.serving.server import PolicyServer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server is, and who may come in."""

    host: str = "127.0.0.1"
    port: int = 8000
    metrics_port: int | None = None
    """Where Prometheus asks; nowhere by default."""
    token: str | None = None
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What is told once robots may come."""

    url: str
    policies: tuple[str, ...]
    metrics: str | None


def with_certificate(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What makes a server that can be told apart from another, and read by nobody between; None
    without a certificate. Raises `UsageError` for what is none."""
    if certificate is None:
        if key is not None:
            raise UsageError("--tls-key belongs to a certificate: give --tls-cert, too.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"{certificate} is no certificate with its key ({error}). Both are PEM files; the key "
            "may be in the same one."
        ) from error
    return context


def run_server(
    sources: Sequence[Source],
    place: Place,
    limits: Limits,
    *,
    ready: Callable[[Ready], object],
    watch: bool = False,
    seed: int = 0,
) -> int:
    """Serve until a signal says no more; that signal. `ready` is told where, once all is loaded.

    With `watch` a policy is loaded anew as soon as another one lies where it was. Raises what
    opening a policy raises, and `UsageError` where the address cannot be had.
    """
    return asyncio.run(_run(sources, place, limits, ready, watch, seed))


async def _run(
    sources: Sequence[Source],
    place: Place,
    limits: Limits,
    ready: Callable[[Ready], object],
    watch: bool,
    seed: int,
) -> int:
    stamps = {source.name: source.stamp() for source in sources}
    greetings = [_greeting(source, limits) for source in sources]
    metrics = Metrics()
    server = PolicyServer(
        limits=limits,
        metrics=metrics,
        largest_message=max(largest_message(greeting.spec) for greeting in greetings),
        token=place.token,
        seed=seed,
    )
    with _stopping() as stopping:
        try:
            port = await server.listen(place.host, place.port, place.tls)
            counted = await _listen_for_metrics(server, place)
            desks: dict[str, Desk] = {}
            for source, greeting in zip(sources, greetings, strict=True):
                event("loading", policy=source.name)
                predictors = await stopping.unless_stopped(source.predictors)
                if predictors is None:
                    return stopping.signal
                desks[source.name] = Desk(greeting, predictors, metrics, wait_s=limits.batch_wait_s)
            server.open(desks)
            url = f"{'ws' if place.tls is None else 'wss'}://{_host(place.host)}:{port}"
            event("ready", url=url, policies=" ".join(desks))
            ready(Ready(url=url, policies=tuple(desks), metrics=counted))
            reloading = Reloading(sources, desks, metrics, stamps)
            with reloading.on_hangup(), reloading.looking(watch):
                await stopping.asked.wait()
            event("stopping", signal=signal.Signals(stopping.signal).name)
        finally:
            await server.stop()
    event("stopped")
    return stopping.signal


async def _listen_for_metrics(server: PolicyServer, place: Place) -> str | None:
    if place.metrics_port is None:
        return None
    port = await server.listen_for_metrics(place.host, place.metrics_port)
    return f"http://{_host(place.host)}:{port}/metrics"


class _Stopping:
    """Whether somebody has asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.asked, self.signal = asyncio.Event(), 0
        self._task = asyncio.current_task()

    def ask(self, number: int) -> None:
        if self.signal and self._task is not None:
            self._task.cancel()  # asked twice: at once
        self.signal = number
        self.asked.set()

    async def unless_stopped(self, function: Callable[[], T]) -> T | None:
        """What it returns, computed beside the event loop; None where it is stopped meanwhile."""
        computing = asyncio.ensure_future(asyncio.to_thread(function))
        asked = asyncio.ensure_future(self.asked.wait())
        await asyncio.wait({computing, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not computing.done():
            return None
        asked.cancel()
        return computing.result()


@contextmanager
def _stopping() -> Iterator[_Stopping]:
    """While this lasts, SIGTERM and Ctrl-C only ask to stop."""
    loop, stopping = asyncio.get_running_loop(), _Stopping()
    numbers = (signal.SIGINT, signal.SIGTERM)
    with suppress(NotImplementedError):  # where the system has no such signals, Ctrl-C ends at once
        for number in numbers:
            loop.add_signal_handler(number, stopping.ask, int(number))
    try:
        yield stopping
    finally:
        with suppress(NotImplementedError):
            for number in numbers:
                loop.remove_signal_handler(number)


def _greeting(source: Source, limits: Limits) -> Greeting:
    spec, provenance = described(source.path)
    task = provenance.task
    return Greeting(
        policy=source.name,
        spec=spec,
        task=None if task is None or own_name(task) else task,
        step=provenance.step,
        seed=provenance.seed,
        outstanding=limits.outstanding,
    )


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
