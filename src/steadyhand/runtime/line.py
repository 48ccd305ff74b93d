"""One connection to a server of policies: messages out, answers in, each told by its number.

It breaks once and stays broken; who makes a new one is the predictor in `client.py`.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from steadyhand.errors import ConfigurationError, MessageError, PredictorError, library
from steadyhand.runtime.conversation import SUBPROTOCOL, Greeting, read_greeting
from steadyhand.runtime.wire import LARGEST_MESSAGE, pack, unpack

LONGEST_REASON = 500
"""Characters of a server's own words that are shown."""
DENIED = (401, 403, 404)
"""HTTP statuses that no waiting changes."""


class LineError(PredictorError):
    """The server is not reached, or has gone."""


class Line:
    """Connected once made. `trusted` is for wss:// alone.

    Raises `LineError` where nobody answers within `timeout` seconds, `ConfigurationError` where the
    server does not let us in, `MessageError` where it is none of ours.
    """

    def __init__(
        self, url: str, *, token: str | None, trusted: ssl.SSLContext | None, timeout: float
    ) -> None:
        exceptions = library("websockets.exceptions")
        client: Any = library("websockets.sync.client")
        self._gone: type[Exception] = exceptions.ConnectionClosed
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            self._socket: Any = client.connect(
                url,
                ssl=trusted,
                additional_headers=headers,
                subprotocols=[SUBPROTOCOL],
                compression=None,
                proxy=None,
                open_timeout=timeout,
                close_timeout=1,
                max_size=LARGEST_MESSAGE,
            )
        except exceptions.InvalidStatus as error:
            raise _turned_away(url, error.response) from error
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"{url} has a certificate that is not trusted here ({error.verify_message}). Name "
                "the file it is checked against: RemotePredictor(url, certificate=…), or "
                "SSL_CERT_FILE in the environment."
            ) from error
        except (exceptions.InvalidURI, ValueError) as error:  # a port of 70000, a name too long
            raise ConfigurationError(
                f"{url} is no address of a server: ws://HOST:PORT/POLICY."
            ) from error
        except (OSError, EOFError, exceptions.WebSocketException) as error:
            said = str(error) or type(error).__name__
            raise LineError(f"no server is reached ({said}). {_look(error, exceptions)}") from error
        self.broken = False
        self._why = "the server has gone"
        self._heard = time.monotonic()
        self._changed = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._awaited = set[int]()
        self.greeting = self._greeting(timeout)
        threading.Thread(target=self._listen, name="answers", daemon=True).start()

    def ask(
        self, messages: Mapping[int, Any], most: int, patience: float
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Send each under its number, at most so many at a time; answers as they come.

        Raises `LineError` where the line breaks, or nothing is heard for `patience` seconds.
        """
        left, waited = list(messages), set[int]()
        try:
            while left or waited:
                while left and len(waited) < most:
                    number = left.pop(0)
                    self._send(number, messages[number], patience)
                    waited.add(number)
                for number, answer in self._come(waited, patience):
                    waited.discard(number)
                    yield number, answer
        finally:
            with self._changed:
                self._awaited -= waited
                for number in waited:
                    self._answers.pop(number, None)

    def close(self) -> None:
        """Break the line."""
        self.broken = True
        self._socket.close()

    def _send(self, number: int, message: Any, patience: float) -> None:
        with self._changed:
            self._awaited.add(number)
        # What nobody takes waits without end, and whoever would close it waits for that.
        unread = threading.Timer(patience, self._cut)
        unread.daemon = True
        unread.start()
        try:
            self._socket.send(pack(message))
        except (self._gone, OSError) as error:
            self._break()
            raise LineError(self._why) from error
        finally:
            unread.cancel()

    def _cut(self) -> None:
        """Take the line down under whoever is sending."""
        self._why = "the server does not take what is sent to it"
        with suppress(OSError):
            self._socket.socket.shutdown(socket.SHUT_RDWR)

    def _come(self, waited: set[int], patience: float) -> list[tuple[int, dict[str, Any]]]:
        """Answers to those, at least one."""
        asked = time.monotonic()
        with self._changed:
            there = self._changed.wait_for(
                lambda: self.broken or not waited.isdisjoint(self._answers), patience
            )
            found = [(n, self._answers.pop(n)) for n in waited & self._answers.keys()]
            self._awaited -= {number for number, _ in found}
        if found:
            return found
        if there:
            raise LineError(self._why)
        if self._heard < asked:  # nothing at all has come: whoever was there is so no more
            self._break()
        raise LineError(f"no answer has come for {patience:.3g} s.")

    def _greeting(self, timeout: float) -> Greeting:
        try:
            first = self._socket.recv(timeout)
            if isinstance(first, bytes):
                return read_greeting(unpack(first))
        except (self._gone, TimeoutError, OSError) as error:
            self._socket.close()
            raise LineError("the server has gone before it said what it serves") from error
        except MessageError:
            self._socket.close()
            raise
        self._socket.close()
        raise MessageError("What answers there is no server of steadyhand's.")

    def _listen(self) -> None:
        """Take what comes until the line breaks; in a thread of its own."""
        try:
            while True:
                data = self._socket.recv()
                if isinstance(data, str):
                    self._why = f"the server says: {data[:LONGEST_REASON]}"
                    continue
                answer = unpack(data)
                with self._changed:
                    self._heard = time.monotonic()
                    if answer.get("id") in self._awaited:
                        self._answers[answer["id"]] = answer
                        self._changed.notify_all()
        except (self._gone, OSError):
            self._break()
        except Exception as error:  # whoever waits is told, whatever it was
            self._why = f"the server's answer cannot be read: {error}"
            self._break()

    def _break(self) -> None:
        with self._changed:
            self.broken = True
            self._changed.notify_all()
        threading.Thread(target=self._socket.close, daemon=True).start()  # it may have to wait


def _look(error: Exception, exceptions: Any) -> str:
    """What to look at where nobody was reached."""
    if isinstance(error, ssl.SSLError):
        return "A server without a certificate is at ws://…, not wss://…"
    if isinstance(error, exceptions.InvalidMessage):
        return "If it has a certificate, it is at wss://…"
    return "Look whether `steadyhand serve` runs there."


def _turned_away(url: str, response: Any) -> Exception:
    said = bytes(response.body or b"").decode(errors="replace").strip()[:LONGEST_REASON]
    if response.status_code == 401:
        return ConfigurationError(
            f"{url} asks for a token, and {said.lower() or 'refuses ours'} Give the server's own: "
            "token=…, or STEADYHAND_TOKEN in the environment of a command."
        )
    if response.status_code in DENIED:
        place = urlsplit(url).path
        return ConfigurationError(f"{url} does not let us in to {place or '/'}: {said}")
    return LineError(f"the server says: {said or response.status_code}")
