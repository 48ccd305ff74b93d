"""The server: one port for every policy by its name, for health and for readiness; who may come in,
and how all is stopped.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from steadyhand.errors import ConfigurationError, UsageError, library, unknown
from steadyhand.runtime.conversation import SUBPROTOCOL
from steadyhand.serving.connection import Conversation
from steadyhand.serving.desk import Desk
from steadyhand.serving.journal import LOG, event
from steadyhand.serving.limits import Limits
from steadyhand.serving.metrics import Metrics

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

LOOK_S = 0.5
"""How often the server looks for clients that do not read."""
SCHEMES = ("Api-Key ", "Bearer ")
"""What stands before a token: openpi's client says the first, most others the second."""
LARGEST_QUESTION = 4
"""Messages of one client that are read before the first is looked at."""


class PolicyServer:
    """Policies by name on one port. `token` is asked of everybody, where it is given.

    Ready once `open` was called. `largest_message` bounds what one message may have.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        metrics: Metrics,
        largest_message: int,
        token: str | None = None,
        seed: int = 0,
    ) -> None:
        self.desks: dict[str, Desk] = {}
        self.ready = False
        self._limits, self._metrics, self._token = limits, metrics, token
        self._largest_message = largest_message
        self._seeds = itertools.count(seed)
        self._talking = set[Conversation]()
        self._servers: list[Server] = []
        self._watch: asyncio.Task[None] | None = None
        self._secure = False

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin to listen; the port. Until `open` everybody is told to come again.

        Raises `UsageError` where that address cannot be had.
        """
        self._secure = tls is not None
        self._watch = asyncio.create_task(self._look_after())
        return await self._serve(host, port, self._let_in, ssl=tls, max_size=self._largest_message)

    async def listen_for_metrics(self, host: str, port: int) -> int:
        """Begin to tell Prometheus, on a port of its own; the port. Raises as `listen`."""
        return await self._serve(host, port, self._counted, flag="--metrics-port", max_size=1024)

    def open(self, desks: Mapping[str, Desk]) -> None:
        """Let clients in, to these policies by name; the first is at `/`, too."""
        self.desks, self.ready = dict(desks), True

    async def stop(self) -> None:
        """Let nobody in any more, answer what was asked, and close."""
        self.ready = False
        for server in self._servers:
            server.close(close_connections=False)
        for conversation in self._talking:
            conversation.end()
        for _ in range(int(self._limits.grace_s / 0.05)):
            if not self._talking:
                break
            await asyncio.sleep(0.05)
        if self._watch is not None:
            self._watch.cancel()
        for server in self._servers:
            for connection in list(server.connections):
                connection.transport.abort()
            await server.wait_closed()
        for desk in self.desks.values():
            desk.close()

    async def _serve(
        self, host: str, port: int, let_in: Any, *, flag: str = "--port", **settings: Any
    ) -> int:
        if not host:  # of a variable that was never set, say: all addresses would be listened on
            raise UsageError("--host is empty. For all addresses of this computer: --host 0.0.0.0")
        # What strangers send before they are let in is not worth a traceback in the log each.
        quiet = logging.getLogger(f"{LOG.name}.websockets")
        quiet.setLevel(logging.CRITICAL + 1)
        try:
            server = await library("websockets.asyncio.server").serve(
                self._talk,
                host,
                port,
                process_request=let_in,
                subprotocols=[SUBPROTOCOL],
                select_subprotocol=_subprotocol,
                compression=None,
                open_timeout=self._limits.alive_s,
                ping_interval=self._limits.alive_s,
                ping_timeout=self._limits.alive_s,
                close_timeout=min(2.0, self._limits.send_s),
                max_queue=LARGEST_QUESTION,
                server_header=None,
                logger=quiet,
                **settings,
            )
        except (OSError, OverflowError, UnicodeError) as error:
            raise UsageError(
                f"{host}:{port} cannot be listened on ({error}). Choose another --host or {flag}; "
                f"{flag} 0 takes one that is free."
            ) from error
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _talk(self, socket: ServerConnection) -> None:
        desk = self._desk(socket.request.path if socket.request else "/")
        seed = next(self._seeds)
        conversation = Conversation(
            socket, desk, self._limits, seed=seed, named=_address(socket.remote_address)
        )
        self._talking.add(conversation)
        try:
            await conversation.hold()
        finally:
            self._talking.discard(conversation)

    def _let_in(self, connection: ServerConnection, request: Request) -> Response | None:
        """What is answered instead of a WebSocket, None where it is one that may come in."""
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return connection.respond(HTTPStatus.OK, "ok\n")
        if path == "/readyz":
            status = HTTPStatus.OK if self.ready else HTTPStatus.SERVICE_UNAVAILABLE
            return connection.respond(status, "ready\n" if self.ready else "not ready\n")
        refused = self._refused(request, path)
        if refused is None:
            return None
        status, said = refused
        self._metrics.turned_away.labels(str(status.value)).inc()
        peer = _address(connection.remote_address)
        event("turned-away", client=peer, status=status.value, path=path)
        response = connection.respond(status, said + "\n")
        if status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _refused(self, request: Request, path: str) -> tuple[HTTPStatus, str] | None:
        if not self._knows(request.headers.get_all("Authorization")):
            return HTTPStatus.UNAUTHORIZED, "The token is lacking or wrong."
        if request.headers.get("Origin") is not None:
            # A page that somebody looks at could otherwise use a server on their own computer.
            return HTTPStatus.FORBIDDEN, "Pages in a browser are not answered."
        if not self.ready:
            return HTTPStatus.SERVICE_UNAVAILABLE, "The policies are being loaded; come again."
        if len(self._talking) >= self._limits.connections:
            return HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections; come again."
        try:
            self._desk(path)
        except ConfigurationError as error:
            return HTTPStatus.NOT_FOUND, str(error)
        return None

    def _knows(self, given: list[str]) -> bool:
        """Whether whoever asks has the token, compared in a time that does not tell how nearly."""
        if self._token is None:
            return True
        if len(given) != 1:
            return False
        said = given[0]
        for scheme in SCHEMES:
            said = said[len(scheme) :] if said.startswith(scheme) else said
        return hmac.compare_digest(said.encode(errors="surrogateescape"), self._token.encode())

    def _desk(self, path: str) -> Desk:
        """The policy that an address names. Raises `ConfigurationError`."""
        name = path.partition("?")[0].strip("/")
        if not name:
            return next(iter(self.desks.values()))
        if name not in self.desks:
            raise ConfigurationError(unknown("policy", name[:100], self.desks))
        return self.desks[name]

    def _counted(self, connection: ServerConnection, request: Request) -> Response:
        if request.path.partition("?")[0] != "/metrics":
            return connection.respond(HTTPStatus.NOT_FOUND, "See /metrics.\n")
        response = connection.respond(HTTPStatus.OK, self._metrics.text().decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = self._metrics.content_type
        return response

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for conversation in list(self._talking):
                conversation.abort_where_unread()


def _subprotocol(connection: Any, offered: Any) -> Any:
    """Our own client's words where it asks for them; openpi's for all who ask for nothing known."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def _address(peer: Any) -> str:
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) > 1 else str(peer)
