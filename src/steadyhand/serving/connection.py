"""One client of a policy, from the first word to the last: what it asks is answered, in its order
or by number, and nobody else waits for it.

Messages that are no messages end the conversation; a mistake in one request of our own client's
ends that request alone.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from steadyhand.errors import (
    ConfigurationError,
    MessageError,
    NotFiniteError,
    SteadyhandError,
    library,
)
from steadyhand.runtime.conversation import (
    SUBPROTOCOL,
    read_continuation,
    read_request,
    refused,
)
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.runtime.wire import pack, unpack
from steadyhand.serving.batching import Answered, Asked
from steadyhand.serving.journal import broke, event
from steadyhand.serving.limits import Limits
from steadyhand.serving.robot_words import Listener

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

    from steadyhand.serving.desk import Desk

MISTAKES = (MessageError, ConfigurationError, NotFiniteError)
"""What a client can mend, and is told in the library's own words."""
AT_ONCE = 1 << 18
"""Bytes of a message that is read in the event loop; a larger one is read beside it."""
GOING_AWAY, BROKEN = 1001, 1011
PLACE = re.compile(r"(?<![\w.])/[\w.~+-]+(/[\w.~+-]+)+/?")
"""A place on this computer, in a message for somebody on another."""


class Conversation:
    """A client's socket, and the desk of the policy that it came for. `seed` fixes its noise."""

    def __init__(
        self, socket: ServerConnection, desk: Desk, limits: Limits, *, seed: int, named: str
    ) -> None:
        self._socket, self._desk, self._limits = socket, desk, limits
        self._seed, self._named = seed, named
        self._closing = self._idle = False
        self._reading: asyncio.Task[Any] | None = None
        self._open: dict[int, Asked] = {}
        self._answering = set[asyncio.Task[None]]()
        self._room = asyncio.Semaphore(limits.outstanding)
        self._answered = 0
        self._closed = library("websockets.exceptions").ConnectionClosed

    async def hold(self) -> None:
        """Answer until the client goes, or until `end`."""
        desk, begun = self._desk, time.monotonic()
        own = self._socket.subprotocol == SUBPROTOCOL
        event("opened", client=self._named, policy=desk.name, own=own)
        with desk.present():
            try:
                await self._send(desk.welcome)
                self._reading = asyncio.current_task()
                await (self._answer_own() if own else self._answer_openpi())
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not self._closing or task is None:
                    raise
                task.uncancel()
            except self._closed:
                pass
            except MISTAKES as error:
                await self._refuse(error)
            except SteadyhandError as error:  # a policy that failed, which the log says already
                await self._break_off(str(error))
            except Exception as error:
                broke("connection-failed", error, client=self._named, policy=desk.name)
                await self._break_off("The server could not answer; its log says why.")
            finally:
                await self._leave()
        seconds = time.monotonic() - begun
        event("closed", client=self._named, answered=self._answered, seconds=seconds)

    def end(self) -> None:
        """Answer what was asked, and nothing more."""
        self._closing = True
        if self._idle and self._reading is not None:
            self._reading.cancel()

    def abort_where_unread(self) -> None:
        """End a conversation with somebody who does not read what is sent."""
        if self._socket.transport.get_write_buffer_size() > self._limits.unread_bytes:
            self._unread()

    async def _answer_openpi(self) -> None:
        """One observation after the other, as openpi's client sends them."""
        desk = self._desk
        listener = Listener(desk.spec, seed=self._seed)
        while (data := await self._next()) is not None:
            begun = time.perf_counter()
            observation = await self._read(data)
            observation = await desk.with_words_known(listener.named(observation))
            request = listener.request(observation)
            answered = await desk.ask(request).future
            milliseconds = 1000 * (time.perf_counter() - begun)
            timing = {"infer_ms": milliseconds, "queue_ms": 1000 * answered.queued_s}
            await self._send(
                pack(
                    {
                        "actions": answered.chunk[desk.spec.chunking.past_rows :],
                        "server_timing": timing,
                        "policy_timing": {"infer_ms": 1000 * answered.inference_s},
                    }
                )
            )
            self._done("answered")

    async def _answer_own(self) -> None:
        """Whatever is asked, each as soon as it can be."""
        while (data := await self._next()) is not None:
            message = await self._read(data)
            number = message.get("id")
            if type(number) is not int or not 0 <= number < 1 << 63 or number in self._open:
                raise MessageError("A request has an id of its own, a whole number.")
            await self._room.acquire()
            self._replace(message.get("replaces"))
            task = asyncio.create_task(self._answer(number, message))
            self._answering.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        self._room.release()

    async def _answer(self, number: int, message: Mapping[str, Any]) -> None:
        answer: dict[str, Any]
        try:
            answer = await self._answer_to(number, message)
        except asyncio.CancelledError:  # replaced, or nobody is there any more
            answer = {"replaced": True}
            self._done("replaced")
        except MISTAKES as error:
            answer = {"error": {**refused(error), "message": _without_places(str(error))}}
            self._done("refused")
        except SteadyhandError as error:
            answer = {"error": refused(error)}
            self._done("failed")
        except Exception as error:
            broke("request-failed", error, client=self._named)
            answer = {"error": {"kind": "predictor", "message": "The server could not answer."}}
            self._done("failed")
        finally:
            self._open.pop(number, None)
        try:
            await self._send(pack({"id": number, **answer}))
        except self._closed:
            return

    async def _answer_to(self, number: int, message: Mapping[str, Any]) -> dict[str, Any]:
        desk = self._desk
        if "continues" in message:
            how = read_continuation(message["continues"])
            if how is not None:
                await desk.continues(how)
            return {"continues": True}
        observation = message.get("observation")
        if isinstance(observation, dict):
            message = {**message, "observation": await desk.with_words_known(observation)}
        request: ChunkRequest = read_request(message, desk.spec)
        self._open[number] = asked = desk.ask(request)
        answered: Answered = await asked.future
        self._done("answered")
        return {
            "actions": answered.chunk,
            "server_timing": {"queue_ms": 1000 * answered.queued_s, "batch": answered.batch},
            "policy_timing": {"infer_ms": 1000 * answered.inference_s},
        }

    def _replace(self, given_up: Any) -> None:
        """Those requests are no longer waited for: a newer one takes their place."""
        for number in given_up if isinstance(given_up, list) else []:
            asked = self._open.get(number) if type(number) is int else None
            if asked is not None and self._desk.withdraw(asked):
                asked.future.cancel()

    async def _next(self) -> bytes | None:
        """The next message; None where there is to be no more. Raises `MessageError`."""
        if self._closing:
            return None
        parts: list[bytes] = []
        self._idle = True
        try:
            async for part in self._socket.recv_streaming(decode=None):
                if isinstance(part, str):
                    raise MessageError("Messages are binary, msgpack; this one is a text.")
                parts.append(part)
                if len(parts) > self._limits.fragments:
                    raise MessageError("The message comes in too many pieces.")
        finally:
            self._idle = False
        return b"".join(parts) if len(parts) != 1 else parts[0]

    async def _read(self, data: bytes) -> dict[str, Any]:
        return unpack(data) if len(data) <= AT_ONCE else await asyncio.to_thread(unpack, data)

    async def _send(self, message: bytes | str) -> None:
        """Send what is read in time; who does not read is cut off."""
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._socket.send(message)
        except TimeoutError:
            self._unread()

    def _unread(self) -> None:
        event("does-not-read", client=self._named)
        self._done("unread")
        self._socket.transport.abort()

    async def _refuse(self, error: SteadyhandError) -> None:
        self._done("refused")
        event("refused", client=self._named, kind=error.kind)  # the words may hold what was seen
        await self._break_off(_without_places(str(error)))

    async def _break_off(self, said: str) -> None:
        """Say why, and close, as openpi's server does."""
        try:
            await self._send(said)
            await self._socket.close(BROKEN)
        except self._closed:
            return

    async def _leave(self) -> None:
        """Wait for what is being answered, if anybody waits for it; then close."""
        gone = not self._closing
        for task in list(self._answering):
            if gone:
                task.cancel()
        if gone:
            for asked in self._open.values():
                self._desk.withdraw(asked)
        if self._answering:
            await asyncio.wait(set(self._answering))
        if self._closing:
            await self._socket.close(GOING_AWAY, "The server is stopped.")

    def _done(self, outcome: str) -> None:
        self._answered += outcome == "answered"
        self._desk.count(outcome)


def _without_places(said: str) -> str:
    return PLACE.sub("…", said)
