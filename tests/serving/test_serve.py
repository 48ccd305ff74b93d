"""`steadyhand serve`: policies by name from the command line, with the bits they have here."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from here import serving
from openpi_client.websocket_client_policy import WebsocketClientPolicy

from steadyhand.cli.main import main
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.policy.named import Opening, described
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.runtime.card import Provenance
from steadyhand.runtime.client import RemotePredictor
from steadyhand.runtime.continuation import Guided, Inpainted, Prefixed
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.predictor import ChunkRequest
from steadyhand.serving.served import sources

sys.path.append(str(Path(__file__).parents[1] / "runtime"))
import handmade


@pytest.fixture
def folder(policy, tmp_path):
    save_policy(tmp_path / "reach", policy, Provenance(task="fork", seed=5, step=40))
    return tmp_path / "reach"


def request(spec, seed: int, **more) -> ChunkRequest:
    drawn = np.random.default_rng(seed)
    seen = {
        f.key: drawn.normal(size=(spec.chunking.obs_steps, *f.recorded_shape)).astype(
            np.uint8 if f.kind == "image" else np.float32
        )
        for f in spec.observations
    }
    return ChunkRequest(observation=seen, seed=seed, number=seed + 1, **more)


def test_another_policy_in_the_same_place_is_noticed(folder, policy) -> None:
    (source,) = sources([f"a={folder}"], Opening(), (1,))
    before = source.stamp()
    assert before == source.stamp() != ()
    save_policy(folder, policy, overwrite=True)
    copied = source.stamp()
    assert copied not in (before, ())
    (folder / "policy.safetensors").touch()  # it comes after its card, and the card fits it now
    assert source.stamp() not in (copied, ())
    folder.rename(folder.with_name("elsewhere"))
    assert source.stamp() == ()


@pytest.mark.parametrize("size", [1, 4])
def test_a_remote_chunk_has_the_bits_of_a_local_one(folder, size) -> None:
    (source,) = sources([str(folder)], Opening(device="cpu"), (size,))
    local = TorchPredictor(load_policy(folder), batch=size)
    rest = np.full((5, local.spec.action_size), 0.5)
    more = {"previous": rest, "committed": 2}
    with serving(source.predictors()) as here:
        remote = RemotePredictor(here.url)
        for seed in range(6):
            for on in ({}, {**more, "continuation": Guided(beta=2.0)}, more):
                one = request(local.spec, seed, **on)
                found, wanted = remote.predict([one]), local.predict([one])
                assert found.dtype == wanted.dtype
                np.testing.assert_array_equal(found, wanted)
        many = [request(local.spec, seed) for seed in range(7)]
        if size == 1:
            np.testing.assert_array_equal(remote.predict(many), local.predict(many))
        with pytest.raises(ConfigurationError, match="The server says"):
            remote.continues(Prefixed())


def test_the_command_serves_until_it_is_told_to_stop(folder, policy, tmp_path, capsys) -> None:
    token = tmp_path / "token"
    token.write_text("abc-123\n")
    words = [sys.executable, "-m", "steadyhand", "serve", f"a={folder}", f"b={folder}"]
    words += ["--port", "0", "--metrics-port", "0", "--json", "--log-json", "--device", "cpu"]
    words += ["--token-file", str(token)]
    log = (tmp_path / "log").open("w")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True) as server:
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline())
            assert set(ready) == {"url", "policies", "metrics"}
            assert ready["policies"] == ["a", "b"]
            url = f"{ready['url']}/b"
            remote = RemotePredictor(url, token="abc-123")
            one = request(policy.spec, 3)
            wanted = TorchPredictor(policy).predict([one])
            np.testing.assert_array_equal(remote.predict([one]), wanted)
            port = int(ready["url"].rpartition(":")[2])
            robot = WebsocketClientPolicy("127.0.0.1", port, api_key="abc-123")
            seen = {key: values[-1] for key, values in one.observation.items()}
            assert robot.infer(seen)["actions"].shape == policy.spec.chunk_shape
            os.environ["STEADYHAND_TOKEN"] = "abc-123"
            try:
                spec, provenance = described(url)
                assert (spec, provenance.task, provenance.step) == (policy.spec, "fork", 40)
                with pytest.raises(ConfigurationError, match="decided where it is served"):
                    Opening(steps=3).predictor(url)
                assert main(["inspect", url, "--json"]) == 0
                assert '"policy": "b"' in capsys.readouterr().out
                chunk = Opening().predictor(url).predict([one])
                np.testing.assert_array_equal(chunk, wanted)
            finally:
                del os.environ["STEADYHAND_TOKEN"]
            server.send_signal(signal.SIGHUP)
            for _ in range(100):
                with urllib.request.urlopen(ready["metrics"]) as answer:
                    told = answer.read().decode()
                if 'steadyhand_reloads_total{outcome="done",policy="b"} 1.0' in told:
                    break
                time.sleep(0.1)
            else:
                raise AssertionError(told)
            np.testing.assert_array_equal(remote.predict([one]), wanted)
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
            assert server.stdout.read() == ""
        finally:
            server.kill()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    happened = [line["event"] for line in lines]
    assert happened[:3] == ["loading", "loading", "ready"]
    assert happened.count("reloaded") == 2
    assert happened[-1] == "stopped"
    assert "abc-123" not in (tmp_path / "log").read_text()


WITHOUT_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "safetensors", "jaxtyping"):
            raise ImportError(f"there is no {name} here")

sys.meta_path.insert(0, Blocked())
from steadyhand.cli.main import main

sys.exit(main(["serve", "export", "--port", "0", "--json", "--largest-batch", "4"]))
"""


def test_an_export_is_served_without_torch(tmp_path) -> None:
    handmade.write(tmp_path / "export")
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            remote = RemotePredictor(json.loads(server.stdout.readline())["url"])
            local = load_exported(tmp_path / "export")
            many = [request(handmade.SPEC, seed) for seed in range(3)]
            np.testing.assert_array_equal(remote.predict(many), local.predict(many))
            rest = {"previous": np.ones((3, 2)), "continuation": Inpainted()}
            many = [replace(one, **rest) for one in many]  # a graph of one chunk at a time
            np.testing.assert_array_equal(remote.predict(many), local.predict(many))
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 130
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["ws://somewhere/x"], "a run or an export is served"),
        (["with space=x"], "cannot be part of an address"),
        (["metrics=x"], "cannot be part of an address"),
        (["a=x", "a=y"], "Two policies are called 'a'"),
    ],
)
def test_names_that_cannot_be_are_refused(named, said) -> None:
    with pytest.raises(UsageError, match=said):
        sources(named, Opening(), (1,))
