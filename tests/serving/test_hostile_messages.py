"""Whatever is sent, a server answers everybody else, keeps its memory and tells nothing of itself.

STEADYHAND_MESSAGES says how many; the whole number is for once in a while.
"""

import logging
import os
import random
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from here import Echo, serving
from test_conversations import STATE, request

from steadyhand.runtime.client import RemotePredictor
from steadyhand.runtime.conversation import SUBPROTOCOL
from steadyhand.runtime.wire import pack
from steadyhand.serving.journal import LOG
from steadyhand.serving.limits import Limits

MANY = int(os.environ.get("STEADYHAND_MESSAGES", "600"))
INSIDE = (b"Traceback", b"steadyhand/", b".py", b"site-packages", b"0x7f", b"/tmp", b"secret")
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
HELLO = b"GET /first HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + KEY


def frame(payload: bytes, opcode: int = 0x2, *, end: bool = True, length: int | None = None):
    """A client's frame, masked by nothing; `length` is what it declares."""
    length = len(payload) if length is None else length
    first = bytes([(0x80 if end else 0) | opcode])
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 1 << 16:
        size = bytes([0x80 | 126]) + struct.pack(">H", length)
    else:
        size = bytes([0x80 | 127]) + struct.pack(">Q", length)
    return first + size + bytes(4) + payload


def array(draw: random.Random) -> dict:
    return {
        b"__ndarray__": draw.choice([True, 0, "yes"]),
        b"data": draw.choice([bytes(12), b"", b"\xff" * 12, "text", None, 7]),
        b"dtype": draw.choice(["<f4", ">f8", "|O", "|V12", "<U3", "<c8", "O", "f4,f4", 1, None]),
        b"shape": draw.choice(
            [[3], [-1], [2**40], [2**62, 4], [], [0], [1] * 40, "3", None, [1.5]]
        ),
    }


def value(draw: random.Random, deep: int = 0):
    kind = draw.randrange(9)
    if kind == 0 or deep > 6:
        return draw.choice([0, -1, 2**63, 1e308, float("nan"), float("inf"), True, None])
    if kind == 1:
        return draw.choice(["", "x" * 3000, "__import__('os')", "../../etc/passwd", "\x00\x1b[2J"])
    if kind == 2:
        return [value(draw, deep + 1) for _ in range(draw.randrange(4))]
    if kind == 3:
        return {draw.choice(["a", "__class__", b"__ndarray__"]): value(draw, deep + 1)}
    if kind == 4:
        return {
            b"__npgeneric__": True,
            b"data": value(draw, 9),
            b"dtype": draw.choice(["<i2", "O"]),
        }
    if kind == 5:
        return msgpack.ExtType(draw.randrange(128), b"cos\nsystem\n(S'true'\ntR.")
    return array(draw)


def message(draw: random.Random) -> bytes:
    """A message that should not be: nearly right, or nothing of the kind."""
    kind = draw.randrange(8)
    if kind == 0:
        return draw.randbytes(draw.randrange(200))
    if kind == 1:
        return b"\x80\x04\x95" + draw.randbytes(50)  # as a pickle begins
    whole = pack({STATE: np.zeros(3, np.float32)})
    if kind == 2:
        return whole[: draw.randrange(len(whole))]
    if kind == 3:
        place = draw.randrange(len(whole))
        return whole[:place] + draw.randbytes(1) + whole[place + 1 :]
    if kind == 4:
        return draw.choice([b"\x91", b"\x81\xa1a", b"\xdc\x04\x00"]) * draw.randrange(1, 3000)
    if kind == 5:
        own = {"id": value(draw, 5), "observation": {STATE: value(draw)}, "seed": value(draw, 5)}
        own |= {"previous": value(draw), "committed": value(draw, 5), "number": value(draw, 5)}
        own |= {"continuation": value(draw), "replaces": value(draw)}
        return msgpack.packb({**own, "id": draw.choice([1, own["id"]])}, default=str)
    return msgpack.packb({draw.choice([STATE, "prompt", "task"]): value(draw)}, default=str)


def attack(draw: random.Random) -> tuple[bytes, bytes]:
    """What stands before the connection is a WebSocket, and what is sent over it."""
    kind, own = draw.randrange(20), f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n".encode()
    hello = HELLO + (own if draw.random() < 0.4 else b"") + b"\r\n"
    if kind == 0:
        return draw.choice([b"", draw.randbytes(300), b"GET /" + b"a" * 20_000, hello[:-30]]), b""
    if kind == 1:
        return hello, frame(b"ab", length=draw.choice([2**20, 2**31, 2**62]))
    if kind == 2:
        return hello, frame(bytes(200_000))
    if kind == 3 and draw.random() < 0.1:  # takes both a moment
        return hello, frame(b"a", 0x2, end=False) + frame(b"", 0x0, end=False) * 3000
    if kind == 4:
        return hello, frame(b"text", 0x1) + frame(b"\xff\xfe", 0x1)
    if kind == 5:
        return hello, draw.choice([frame(b"x", 0x7), frame(b"x" * 200, 0x9), draw.randbytes(90)])
    if kind == 6:
        return hello, frame(b"ping", 0x9) * draw.randrange(1, 2000)
    if kind == 7:
        sent = frame(message(draw))
        return hello, sent[: draw.randrange(len(sent))]
    return hello, b"".join(frame(message(draw)) for _ in range(draw.randrange(1, 4)))


def memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def attacked(port: int, draw: random.Random) -> int:
    """One attack; how many messages it had. Nothing of the inside comes back."""
    hello, sent = attack(draw)
    come = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        try:
            line.sendall(hello)
            if hello.endswith(b"\r\n\r\n"):
                come += line.recv(65536)
            line.sendall(sent)
            if draw.random() < 0.7:
                line.shutdown(socket.SHUT_WR)
                while part := line.recv(65536):
                    come += part
        except OSError:
            pass  # cut off
    assert not any(word in come for word in INSIDE), come[-600:]
    return max(1, sent.count(b"\x82"))


class Broken(logging.Handler):
    """Keeps what is nobody's mistake but ours, and nothing else: a log of this grows."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(getattr(record, "fields", record.getMessage()))


@pytest.fixture
def broken(monkeypatch):
    handler = Broken()
    monkeypatch.setattr(LOG, "propagate", False)
    monkeypatch.setattr(LOG, "handlers", [handler])
    loop, before = logging.getLogger("asyncio"), logging.getLogger("asyncio").level
    loop.setLevel(logging.ERROR)
    loop.addHandler(handler)
    yield handler.found
    loop.removeHandler(handler)
    loop.setLevel(before)


def test_hostile_messages_harm_nobody(broken, record_property) -> None:
    draw, policy = random.Random(16), Echo()
    limits = Limits(send_s=0.2, alive_s=5)
    with serving({1: policy, 16: policy}, limits=limits) as here:
        over, slowest, wrong, answered = threading.Event(), [0.0], [], [0]
        remote = RemotePredictor(here.url)

        def goes_on() -> None:
            number = 0
            while not over.is_set():
                number += 1
                one, begun = request(number % 7, 1, seed=number), time.perf_counter()
                if not np.array_equal(remote.predict([one])[0], Echo().chunk(one)):
                    wrong.append(number)
                slowest[0] = max(slowest[0], time.perf_counter() - begun)
                answered[0] += 1
                time.sleep(0.002)

        other = threading.Thread(target=goes_on, daemon=True)
        other.start()
        sent, before, attacks = 0, 0.0, 0
        while sent < MANY:
            sent += attacked(here.port, draw)
            attacks += 1
            if attacks == 100:
                before = memory()
        over.set()
        other.join(10)
        for _ in range(100):
            if len(here.server._talking) == 1:
                break
            time.sleep(0.05)
        assert len(here.server._talking) == 1  # who behaves
        assert not wrong
        assert answered[0] > 10
        assert slowest[0] < 5  # one interpreter for all of them, on cores that others use
        assert threading.active_count() < 30
    assert not broken, broken[:3]
    grown = memory() - before if before else 0.0
    assert grown < 20
    record_property("grown_mb", round(grown, 1))
    record_property("messages", sent)
    record_property("attacks", attacks)
    record_property("others_waited_ms", round(1000 * slowest[0]))
