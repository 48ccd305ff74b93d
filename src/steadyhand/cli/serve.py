"""`steadyhand serve RUN|EXPORT…`: policies for robots over the network, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from ipaddress import ip_address
from pathlib import Path

import tyro

from steadyhand.cli.options import Opened, Printed, flags, parse
from steadyhand.cli.screen import console, results, show
from steadyhand.errors import UsageError, library
from steadyhand.evaluation.acting import seconds_of
from steadyhand.policy.named import TOKEN
from steadyhand.serving.journal import to_stderr
from steadyhand.serving.limits import Limits
from steadyhand.serving.running import Place, Ready, run_server, with_certificate
from steadyhand.serving.served import sources
from steadyhand.values import whole

NEEDED = ("websockets", "msgpack", "prometheus_client")
LARGEST_PORT = 65535


@flags
class Options(Opened, Printed):
    """Serve policies over WebSocket: to robots with openpi's client, and to steadyhand run ws://…;
    Ctrl-C answers what was asked, and stops. SIGHUP loads every policy anew."""

    policies: tyro.conf.Positional[tuple[str, ...]]
    """Runs, checkpoints or exports; each is at ws://HOST:PORT/NAME, its folder's name unless it is
    given as NAME=PATH. The first is at ws://HOST:PORT, too."""
    host: str = "127.0.0.1"
    """The address that is listened on; 0.0.0.0 for all of this computer's."""
    port: int = 8000
    """0 takes one that is free."""
    token: str | None = None
    """What clients have to know. Whoever may list processes sees it here: --token-file, or
    STEADYHAND_TOKEN in the environment, tells nobody."""
    token_file: Path | None = None
    """A file that holds the token."""
    tls_cert: Path | None = None
    """The certificate that this server is told by, a PEM file; clients then come by wss://."""
    tls_key: Path | None = None
    """Its key, where that is not in the same file."""
    metrics_port: int | None = None
    """Where Prometheus is answered, at /metrics, without a token; nowhere by default."""
    batch_wait: str = "3ms"
    """How long a request waits for others to be answered together with it."""
    largest_batch: int = 64
    """Requests that are answered together, at most."""
    fixed_batch: bool = False
    """Fill every batch up to the largest: a chunk then has the same bits, whoever else asks."""
    watch: bool = False
    """Load a policy anew as soon as another one lies there, as while a run is being trained."""
    seed: int = 0
    """Fixes the noise of the first connection of openpi's client; each has its own."""
    log_json: bool = False
    """Write the log, on standard error, as one JSON object a line."""


def run(arguments: Sequence[str]) -> None:
    options = parse(Options, "serve", arguments)
    if not options.policies:
        raise UsageError("Name a run or an export: steadyhand serve RUN")
    for name, port in (("--port", options.port), ("--metrics-port", options.metrics_port)):
        if port is not None:
            whole(name, port, 0, LARGEST_PORT)
    whole("--seed", options.seed, 0, 2**62)
    for module in NEEDED:
        library(module)
    limits = Limits(
        batch_wait_s=seconds_of(options.batch_wait, "--batch-wait"),
        largest_batch=options.largest_batch,
        fixed_batch=options.fixed_batch,
    )
    opening = replace(options.opening, batch=limits.sizes[0])
    place = Place(
        host=options.host,
        port=options.port,
        metrics_port=options.metrics_port,
        token=_token(options),
        tls=with_certificate(options.tls_cert, options.tls_key),
    )
    served = sources(options.policies, opening, limits.sizes)
    opening.refuse_unused(*(source.path for source in served))
    _warn(place)
    handler = to_stderr(as_json=options.log_json)
    try:
        number = run_server(
            served,
            place,
            limits,
            ready=lambda ready: _tell(ready, options),
            watch=options.watch,
            seed=options.seed,
        )
    finally:
        handler.close()
    if number == signal.SIGINT:
        sys.exit(130)


def _token(options: Options) -> str | None:
    """What clients have to know; None where anybody may come. Raises `UsageError`."""
    if options.token is not None and options.token_file is not None:
        raise UsageError("The token is given twice: give --token or --token-file.")
    token = options.token
    if options.token_file is not None:
        token = options.token_file.read_text(errors="replace").strip()
    elif token is None:
        token = os.environ.get(TOKEN)
    if token is not None and not (token and token.isascii() and token.isprintable()):
        raise UsageError(
            "The token is empty, or has other than plain letters, digits and signs: "
            "python -c 'import secrets; print(secrets.token_urlsafe())' makes one."
        )
    return token


def _warn(place: Place) -> None:
    """Say where everybody who reaches this computer may use its policies, or listen."""
    try:
        here = ip_address(place.host).is_loopback
    except ValueError:
        here = place.host == "localhost"
    if here:
        return
    if place.token is None:
        show(
            console(),
            f"Everybody who reaches {place.host} may use these policies, and see what they are: "
            "give --token-file, or listen on 127.0.0.1.",
        )
    elif place.tls is None:
        show(
            console(),
            "Without --tls-cert, token and pictures can be read by whoever is on the way.",
        )


def _tell(ready: Ready, options: Options) -> None:
    if options.json:
        print(json.dumps(asdict(ready)), flush=True)
        return
    lines = [f"{ready.url}/{name}" for name in ready.policies]
    show(results(as_json=False), *(f"Serving {line}" for line in lines))
    sys.stdout.flush()
