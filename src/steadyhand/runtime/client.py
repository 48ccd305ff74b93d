"""A policy on another computer, as a predictor: `steadyhand serve` there, and the whole of the
control loop here.

What the server is asked is all that a chunk depends on, so that it may be killed and begun anew
between two requests; nothing is remembered there.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, MessageError, PredictorError
from steadyhand.runtime.codec import encode
from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.conversation import Greeting, raised, request_message
from steadyhand.runtime.line import Line, LineError
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.spec import PolicySpec
from steadyhand.values import checked, positive

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Between two attempts to reach a server; each is twice the one before."""


class RemotePredictor:
    """Answers requests with a policy that `steadyhand serve` serves at `url`.

    `url` is ws://HOST:PORT/POLICY, or wss://… where the server has a certificate; `token` is what
    it asks for, and `certificate` a file with what its certificate is checked against, other than
    what this computer trusts anyway. After `timeout` seconds without any answer `predict` raises
    `PredictorError`; a server that is not there is looked for as long, again and again.

    Threads may share one. Raises `PredictorError` where the server is not reached and
    `ConfigurationError` where it does not let us in.
    """

    @checked
    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 5.0,
        certificate: Path | None = None,
    ) -> None:
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ConfigurationError("A token has plain letters, digits and signs alone.")
        self.url, self._token = url, token
        self._timeout = positive("timeout", timeout)
        self._trusted = _trusted(url, certificate)
        self._joining, self._line = threading.Lock(), None
        self._numbers = _Numbers()
        self._given_up: list[int] = []
        self._ways = set[Continuation]()
        self.greeting: Greeting = self._joined(time.monotonic() + self._timeout).greeting

    @property
    def spec(self) -> PolicySpec:
        return self.greeting.spec

    def predict(self, requests: Sequence[ChunkRequest]) -> NDArray[np.floating]:
        """Chunks (requests, horizon, action_size) in robot units, computed there.

        Raises what it raises there, and `PredictorError` where no answer comes.
        """
        if not requests:
            return np.zeros((0, *self.spec.chunk_shape), np.float32)
        given_up, self._given_up = self._given_up, []
        messages: dict[int, Any] = {}
        for request in requests:
            number = self._numbers.next()
            messages[number] = request_message(number, request, given_up)
            given_up = []
        answers = self._answers(messages)
        return np.stack([self._chunk(answers[number]) for number in messages])

    def continues(self, how: Continuation) -> None:
        """Raise `ConfigurationError` where chunks cannot go on from the last one so."""
        if how in self._ways:
            return
        number = self._numbers.next()
        answer = self._answers({number: {"id": number, "continues": encode(how)}})[number]
        if "error" in answer:
            raise raised(answer["error"])
        self._ways.add(how)

    def close(self) -> None:
        """Leave the server; asking again comes back."""
        with self._joining:
            if self._line is not None:
                self._line.close()

    def _answers(self, messages: dict[int, Any]) -> dict[int, dict[str, Any]]:
        """The answer to each, by number, however often the server has to be found again."""
        left, answers = dict(messages), dict[int, dict[str, Any]]()
        deadline, most = time.monotonic() + self._timeout, self.greeting.outstanding
        while left:
            try:
                line = self._joined(deadline)
                patience = max(deadline - time.monotonic(), 0.01)
                for number, answer in line.ask(left, most, patience):
                    answers[number] = answer
                    del left[number]
                    deadline = time.monotonic() + self._timeout
            except LineError as error:
                if time.monotonic() >= deadline:
                    self._given_up = list(left)
                    raise PredictorError(f"{self.url}: {error}") from error
        return answers

    def _joined(self, deadline: float) -> Line:
        """The line to the server, made anew where it is broken."""
        pause = FIRST_PAUSE_S
        with self._joining:
            while self._line is None or self._line.broken:
                left = deadline - time.monotonic()
                try:
                    line = Line(
                        self.url, token=self._token, trusted=self._trusted, timeout=max(left, 0.01)
                    )
                except LineError as error:
                    if time.monotonic() + pause >= deadline:
                        raise PredictorError(f"{self.url}: {error}") from error
                    time.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
                    continue
                self._check(line)
                self._line = line
            return self._line

    def _check(self, line: Line) -> None:
        """Raise `ConfigurationError` where another policy is served there than before."""
        before = getattr(self, "greeting", None)
        if before is not None and line.greeting.spec != before.spec:
            line.close()
            raise ConfigurationError(
                f"{self.url} serves a policy now that sees or does something else than the one "
                "that was there before. Begin anew."
            )

    def _chunk(self, answer: dict[str, Any]) -> NDArray[np.floating]:
        if "error" in answer:
            raise raised(answer["error"])
        if answer.get("replaced"):
            raise PredictorError("A newer request took the place of this one.")
        chunk: Any = answer.get("actions")
        kind = getattr(chunk, "dtype", None)
        if np.shape(chunk) != self.spec.chunk_shape or kind not in (np.float32, np.float64):
            raise MessageError(
                f"{self.url} answered with what is no chunk of shape {self.spec.chunk_shape}."
            )
        return np.array(chunk)


class _Numbers:
    """Whole numbers, each once, for whichever thread asks."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), 0

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last


def _trusted(url: str, certificate: Path | None) -> ssl.SSLContext | None:
    """What a server's certificate is checked against, where the address asks for one."""
    secure = url.startswith("wss://")
    if not re.match(r"wss?://[^/]", url):
        raise ConfigurationError(f"{url} is no address of a server: ws://HOST:PORT/POLICY.")
    if not secure:
        return None
    try:
        return ssl.create_default_context(cafile=certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{certificate} is no certificate: {error}") from error
