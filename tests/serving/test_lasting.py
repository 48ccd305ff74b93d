"""A server that is left on: it is stopped, killed, begun anew and given other policies, and clients
come and go, die in the middle, or do not read.
"""

import asyncio
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from alone import begun
from here import SPEC, Echo, serving
from openpi_client.websocket_client_policy import WebsocketClientPolicy
from test_conversations import STATE, request, seen
from test_hostile_messages import HELLO, frame
from websockets.exceptions import ConnectionClosedOK

from steadyhand.errors import CheckpointError, ConfigurationError, PredictorError
from steadyhand.runtime import Asynchronous, run_loop
from steadyhand.runtime.client import RemotePredictor
from steadyhand.runtime.wire import pack
from steadyhand.serving.batching import Batcher
from steadyhand.serving.limits import Limits
from steadyhand.serving.reloading import Reloading


def test_what_was_asked_is_answered_when_the_server_is_stopped() -> None:
    policy = Echo()
    with serving({1: policy}) as here:
        idle = WebsocketClientPolicy("127.0.0.1", here.port)
        robot = WebsocketClientPolicy("127.0.0.1", here.port)
        remote = RemotePredictor(here.url, timeout=3)
        policy.gate.clear()
        found = {}
        threads = [
            threading.Thread(target=lambda: found.update(robot=robot.infer(seen(1)))),
            threading.Thread(target=lambda: found.update(own=remote.predict([request(1, 2)])[0])),
        ]
        for thread in threads:
            thread.start()
        assert policy.working.wait(5)
        time.sleep(0.1)
        here.end()
        time.sleep(0.1)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", here.port)).recv(1)
        policy.gate.set()
        for thread in threads:
            thread.join(5)
        assert found["robot"]["actions"].shape == (7, 2)
        np.testing.assert_array_equal(found["own"], Echo().chunk(request(1, 2)))
        for client in (idle, robot):
            with pytest.raises(ConnectionClosedOK) as closed:
                client.infer(seen(1))
            assert closed.value.rcvd.code == 1001


def test_a_server_that_has_gone_is_said_and_found_again() -> None:
    with serving() as here:
        remote = RemotePredictor(here.url, timeout=0.3)
        remote.predict([request(1, 1)])
    begun_at = time.monotonic()
    with pytest.raises(PredictorError, match=r"no server is reached .* `steadyhand serve` runs"):
        remote.predict([request(1, 1)])
    assert 0.1 < time.monotonic() - begun_at < 2
    with serving(port=here.port):
        np.testing.assert_array_equal(
            remote.predict([request(1, 2)])[0], Echo().chunk(request(1, 2))
        )
    other = replace(SPEC, rate_hz=99.0)
    with (
        serving({1: Echo(other)}, port=here.port),
        pytest.raises(ConfigurationError, match="something else than the one that was there"),
    ):
        remote.predict([request(1, 2)])


@dataclass
class Arm:
    """Kills the server at one tick and begins it anew at another."""

    port: int
    servers: list = field(default_factory=list)
    told: list = field(default_factory=list)
    stopped: bool = False

    def observe(self):
        tick = len(self.told)
        if tick == 20 and len(self.servers) == 1:
            self.servers[0].kill()  # -9
            self.servers[0].wait()
        if tick == 60 and len(self.servers) == 1:
            self.servers.append(begun(self.port))
        return {STATE: np.array([float(tick), 0, 0], np.float32)}  # each tick another

    def act(self, action) -> None:
        self.told.append(action)

    def stop(self) -> None:
        self.stopped = True


def test_the_loop_holds_while_a_killed_server_is_begun_anew_and_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    server = begun(port)
    assert server.stdout is not None
    assert int(server.stdout.readline()) == port
    arm = Arm(port, [server])
    try:
        remote = RemotePredictor(f"ws://127.0.0.1:{port}", timeout=3)
        controller = Asynchronous(remote.spec, seed=0)
        report = run_loop(
            arm,
            remote,
            controller,
            ticks=400,
            rate_hz=50,
            late="hold",
            stop=lambda: len(arm.servers) == 2 and len(set(map(tuple, arm.told[-30:]))) > 20,
        )
    finally:
        for each in arm.servers:
            each.kill()
            each.wait()
    assert arm.stopped
    assert report.stopped_by == "stop"  # it moved again
    assert len(set(map(tuple, arm.told[45:60]))) == 1  # and had held meanwhile
    assert report.repeated > 15


def test_who_does_not_read_or_dies_in_the_middle_harms_nobody() -> None:
    limits = Limits(send_s=0.3, unread_bytes=1 << 16, alive_s=0.5)
    long = replace(SPEC, chunking=replace(SPEC.chunking, horizon=8000))
    with serving({1: Echo(long)}, limits=limits) as here:
        whole = frame(pack(seen(1)))
        lines = []
        for sent in (whole * 200, whole[:20], whole, frame(b"", 0x9) * 5000):
            line = socket.create_connection(("127.0.0.1", here.port))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall(HELLO + b"\r\n")
            line.setblocking(False)
            with suppress(BlockingIOError):
                line.send(sent)
            lines.append(line)
        dying = socket.create_connection(("127.0.0.1", here.port))
        dying.sendall(HELLO + b"\r\n" + whole[:-3])
        linger = np.array([1, 0], np.int32).tobytes()
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        dying.close()  # at once, without a word
        remote, slowest = RemotePredictor(here.url), 0.0
        for number in range(30):
            asked = time.monotonic()
            one = request(number % 5, 2)
            np.testing.assert_array_equal(remote.predict([one])[0], Echo(long).chunk(one))
            slowest = max(slowest, time.monotonic() - asked)
        assert slowest < 1
        for _ in range(100):
            if len(here.server._talking) <= 1:
                break
            time.sleep(0.1)
        assert len(here.server._talking) <= 1  # the others are cut off
        assert here.counted("unread") >= 1
        for line in lines:
            line.close()


@dataclass(frozen=True)
class Somewhere:
    """A source whose policies are made here."""

    found: dict
    name: str = "first"

    def predictors(self):
        if isinstance(self.found["policy"], Exception):
            raise self.found["policy"]
        return {1: self.found["policy"]}

    def stamp(self):
        return (id(self.found["policy"]),)


class Twice(Echo):
    def chunk(self, request):
        return 2 * super().chunk(request)


def test_a_policy_for_smaller_batches_may_come_when_a_batch_was_just_made_up(monkeypatch) -> None:
    taken = Batcher._taken

    def exchanged(self, *given):
        found = taken(self, *given)
        self.predictors = {1: Echo()}
        return found

    with serving({4: Echo()}) as here:
        monkeypatch.setattr(Batcher, "_taken", exchanged)
        remote = RemotePredictor(here.url)
        for number in range(2):
            asked = [request(number, 1), request(number, 2)]
            wanted = [Echo().chunk(one) for one in asked]
            np.testing.assert_array_equal(remote.predict(asked), wanted)


def test_a_server_that_takes_nothing_is_given_up_in_time() -> None:
    with serving() as here:
        remote = RemotePredictor(here.url, timeout=0.3)
        remote.predict([request(1, 1)])
        for server in here.server._servers:
            for connection in server.connections:
                here.loop.call_soon_threadsafe(connection.transport.pause_reading)
        much, said = request(1, 1, previous=np.zeros((1 << 21, 1))), list[PredictorError]()

        def ask() -> None:
            try:
                remote.predict([much])
            except PredictorError as error:
                said.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(5)
        assert "the server does not take what is sent to it" in str(said)


def test_a_policy_is_exchanged_and_nobody_is_disconnected(monkeypatch) -> None:
    found = {"policy": Echo()}
    source = Somewhere(found)
    monkeypatch.setattr(
        "steadyhand.serving.served.described", lambda path: (found["policy"].spec, None)
    )
    monkeypatch.setattr(Somewhere, "path", "/srv/first", raising=False)
    with serving({1: Echo()}) as here:
        robot = WebsocketClientPolicy("127.0.0.1", here.port)
        remote = RemotePredictor(here.url)
        line = remote._line
        one = request(3, 4)
        before = remote.predict([one])[0]
        first = robot.infer(seen(2))["actions"]

        async def reload() -> None:
            await Reloading([source], here.desks, here.metrics, {"first": ()}).all()

        def reloaded() -> None:
            asyncio.run_coroutine_threadsafe(reload(), here.loop).result(5)

        found["policy"] = Twice()
        reloaded()
        np.testing.assert_array_equal(remote.predict([one])[0], 2 * before)
        np.testing.assert_allclose(robot.infer(seen(2))["actions"], 2 * (first + 1), rtol=1e-6)
        for kept in (Echo(replace(SPEC, rate_hz=50.0)), CheckpointError("damaged")):
            found["policy"] = kept
            if isinstance(kept, Exception):
                kept.spec = SPEC
            reloaded()
            np.testing.assert_array_equal(remote.predict([one])[0], 2 * before)
        found["policy"] = Echo()
        monkeypatch.setattr("steadyhand.serving.reloading.LOOK_S", 0.01)

        async def look() -> None:
            stamps = {"first": (0,)}
            with Reloading([source], here.desks, here.metrics, stamps).looking(True):
                await asyncio.sleep(0.2)

        asyncio.run_coroutine_threadsafe(look(), here.loop).result(5)
        np.testing.assert_array_equal(remote.predict([one])[0], before)
        assert remote._line is line
        outcomes = {
            o: here.metrics.reloads.labels("first", o)._value.get() for o in ("done", "refused")
        }
        assert outcomes == {"done": 2, "refused": 2}
