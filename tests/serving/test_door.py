"""Who is let in: tokens, certificates, names, pages in a browser, too many; health and metrics."""

import asyncio
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from here import SPEC, Echo, Running, serving
from openpi_client.websocket_client_policy import WebsocketClientPolicy
from test_conversations import request, seen
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from steadyhand.errors import ConfigurationError, PredictorError, UsageError
from steadyhand.policy.named import described
from steadyhand.runtime.client import RemotePredictor
from steadyhand.serving.limits import Limits, largest_message
from steadyhand.serving.metrics import Metrics
from steadyhand.serving.running import with_certificate
from steadyhand.serving.server import PolicyServer
from steadyhand.spec import PolicySpec

TOKEN = "a-token-of-22-letters-"


@pytest.fixture(scope="module")
def guarded():
    with serving(token=TOKEN) as running:
        yield running


def fetched(here: Running, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{here.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_only_who_knows_the_token_is_let_in(guarded) -> None:
    client = WebsocketClientPolicy("127.0.0.1", guarded.port, api_key=TOKEN)
    assert client.infer(seen(1))["actions"].shape == (7, 2)
    assert RemotePredictor(guarded.url, token=TOKEN).predict([request(1, 1)]).shape == (1, 8, 2)
    for wrong in (None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "Bearer", "\xff" * 5):
        with pytest.raises(ConfigurationError) as told:
            RemotePredictor(guarded.url, token=wrong, timeout=1)
        assert TOKEN not in str(told.value)
    with pytest.raises(ConfigurationError, match=r"asks for a token.* STEADYHAND_TOKEN"):
        RemotePredictor(guarded.url)
    for headers in (
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", TOKEN), ("Authorization", TOKEN)],
    ):
        with pytest.raises(InvalidStatus, match="401"):
            connect(guarded.url, additional_headers=headers)


def test_a_token_is_compared_in_constant_time(guarded, monkeypatch) -> None:
    compared = []
    monkeypatch.setattr(
        "steadyhand.serving.server.hmac.compare_digest",
        lambda a, b: compared.append((a, b)) or False,
    )
    with pytest.raises(ConfigurationError):
        RemotePredictor(guarded.url, token=TOKEN)
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


STRANGE = (
    *("http://127.0.0.1:8000/arm", "ws://", "wss:///arm", "ws://:1", "ws://127.0.0.1:70000/arm"),
    *("ws://127.0.0.1:port/arm", "ws://[::1/arm", f"ws://{'a' * 64}.local/arm"),
)


@pytest.mark.parametrize("address", STRANGE)
def test_what_is_no_server_s_address_is_told_so(address) -> None:
    with pytest.raises(ConfigurationError, match=r"is no address of a server: ws://HOST:PORT"):
        described(address)


def test_health_and_readiness_are_told_to_everybody(guarded) -> None:
    assert fetched(guarded, "/healthz") == (200, "ok\n")
    assert fetched(guarded, "/readyz") == (200, "ready\n")
    assert fetched(guarded, "/") == (401, "The token is lacking or wrong.\n")
    guarded.server.ready = False
    try:
        assert fetched(guarded, "/readyz")[0] == 503
        assert fetched(guarded, "/healthz")[0] == 200
        with pytest.raises(PredictorError, match="are being loaded"):
            RemotePredictor(guarded.url, token=TOKEN, timeout=0.2)
    finally:
        guarded.server.ready = True


def test_pages_in_a_browser_and_one_too_many_are_turned_away() -> None:
    with serving(limits=Limits(connections=2)) as here:
        with pytest.raises(InvalidStatus, match="403"):
            connect(here.url, origin="http://elsewhere.example")
        both = [RemotePredictor(here.url) for _ in range(2)]
        with pytest.raises(PredictorError, match="too many connections"):
            RemotePredictor(here.url, timeout=0.2)
        both[0].close()
        RemotePredictor(here.url, timeout=5)


def made_certificate(folder: Path) -> Path:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words.split(), *names, *files], check=True, capture_output=True)
    return certificate


def test_a_server_without_a_certificate_is_said_to_be_at_ws(guarded) -> None:
    with pytest.raises(PredictorError, match=r"without a certificate is at ws://…"):
        RemotePredictor(guarded.url.replace("ws://", "wss://"), token=TOKEN, timeout=0.3)


def test_a_certificate_is_shown_and_checked(tmp_path) -> None:
    certificate = made_certificate(tmp_path)
    context = with_certificate(certificate, tmp_path / "key.pem")
    with serving(tls=context) as here:
        url = here.url.replace("ws://", "wss://")
        remote = RemotePredictor(url, certificate=certificate)
        np.testing.assert_array_equal(
            remote.predict([request(1, 2)])[0], Echo().chunk(request(1, 2))
        )
        with pytest.raises(ConfigurationError, match=r"not trusted here .*certificate=…"):
            RemotePredictor(url)
        with pytest.raises(PredictorError, match=r"no server is reached .* is at wss://…"):
            RemotePredictor(here.url, timeout=0.3)
        with connect(url, ssl=ssl.create_default_context(cafile=certificate)) as socket:
            assert isinstance(socket.recv(), bytes)
    with pytest.raises(UsageError, match="no certificate with its key"):
        with_certificate(tmp_path / "key.pem", None)
    with pytest.raises(UsageError, match="give --tls-cert"):
        with_certificate(None, tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match="no certificate"):
        RemotePredictor(url, certificate=tmp_path / "key.pem")


def test_what_is_counted_is_told_to_prometheus() -> None:
    import asyncio

    with serving() as here:
        client = WebsocketClientPolicy("127.0.0.1", here.port)
        for number in range(5):
            client.infer(seen(number))
        with pytest.raises(RuntimeError):
            client.infer({"nothing": 1})
        with pytest.raises(InvalidStatus):
            connect(f"{here.url}/nobody")
        listening = here.server.listen_for_metrics("127.0.0.1", 0)
        port = asyncio.run_coroutine_threadsafe(listening, here.loop).result(5)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            told = answer.read().decode()
        for line in (
            'steadyhand_requests_total{outcome="answered",policy="first"} 5.0',
            'steadyhand_requests_total{outcome="refused",policy="first"} 1.0',
            'steadyhand_batch_size_count{policy="first"} 5.0',
            'steadyhand_queue_seconds_count{policy="first"} 5.0',
            'steadyhand_inference_seconds_bucket{le="+Inf",policy="first"} 5.0',
            'steadyhand_connections{policy="first"} 0.0',
            'steadyhand_turned_away_total{status="404"} 1.0',
        ):
            assert line in told
        assert fetched(here, "/metrics")[0] == 404  # not where robots come in


def test_a_port_that_is_taken_is_said() -> None:
    with (
        serving() as here,
        pytest.raises(UsageError, match=r"cannot be listened on .*--port 0"),
        serving(port=here.port),
    ):
        pass


@pytest.mark.parametrize("host", ["", "a" * 64 + ".local", "300.1.1.1"])
def test_a_host_that_is_none_is_said(host) -> None:
    async def listened() -> None:
        server = PolicyServer(limits=Limits(), metrics=Metrics(), largest_message=1)
        with pytest.raises(UsageError, match=r"--host is empty|another --host or --metrics-port"):
            await server.listen_for_metrics(host, 0)

    asyncio.run(listened())


def test_the_largest_message_has_room_for_the_largest_observation() -> None:
    spec = PolicySpec.select(
        {"camera": (96, 96, 3), "state": (4,), "action": (4,)}, observations=["camera", "state"]
    )
    one = 2 * (96 * 96 * 3 + 4 * 8)
    assert one < largest_message(spec) < one + (1 << 17)


def test_a_message_that_is_too_large_is_not_taken_in() -> None:
    with serving() as here, connect(here.url, compression=None) as socket:
        socket.recv()
        socket.send(bytes(largest_message(SPEC) + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv()
        assert closed.value.rcvd.code == 1009


def test_metadata_is_plain_enough_for_anybody(guarded) -> None:
    client = WebsocketClientPolicy("127.0.0.1", guarded.port, api_key=TOKEN)
    told = client.get_server_metadata()
    assert json.loads(told["steadyhand"])["policy"] == told["policy"] == "first"
