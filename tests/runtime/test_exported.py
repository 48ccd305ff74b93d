"""Exports behind the predictor: what graphs are given and asked, in every engine that needs none
of torch."""

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import handmade
import numpy as np
import pytest

import steadyhand as sh
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.runtime import ChunkRequest, chunk_noise
from steadyhand.runtime.continuation import Guided, Inpainted

ENGINES = ["onnx", "openvino"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return handmade.write(tmp_path_factory.mktemp("exports") / "known")


@pytest.fixture(scope="module", params=ENGINES)
def predictor(request, folder):
    return sh.load_exported(folder, engine=request.param)


def requests(count: int, origin: float = 3.0) -> list[ChunkRequest]:
    random = np.random.default_rng(0)
    return [
        ChunkRequest(
            observation={
                "state": random.normal(size=(2, 3)),
                "place": origin + random.normal(size=(2, 2)),
                "picture": random.integers(200, size=(2, 8, 8, 3), dtype=np.uint8),
            },
            seed=3,
            number=number,
        )
        for number in range(count)
    ]


def wanted(request: ChunkRequest, origin: float = 3.0) -> np.ndarray:
    seen = request.observation
    noise = chunk_noise(3, request.number, (1, 4, 2))[0]
    return 2 * noise + seen["state"][1, :2] + (seen["place"][1] - origin) + seen["picture"].max()


def test_chunks_are_what_the_graph_computes_from_what_was_seen(predictor) -> None:
    asked = requests(3)
    found = predictor.predict(asked)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [wanted(one) for one in asked], rtol=0, atol=2e-5)
    again = predictor.predict(asked[::-1])[::-1]
    np.testing.assert_array_equal(found, again)


def test_numbers_far_from_zero_go_in_as_they_are_or_are_refused(tmp_path) -> None:
    folder = handmade.write(tmp_path / "far", far=True)
    asked = requests(2, 1e9)
    found = sh.load_exported(folder).predict(asked)
    np.testing.assert_allclose(found, [wanted(one, 1e9) for one in asked], rtol=0, atol=2e-5)
    with pytest.raises(ConfigurationError, match=r"no float64, and 'place' .*--engine onnx"):
        sh.load_exported(folder, engine="openvino")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chunk_is_the_same_in_a_batch_and_what_goes_on_has_its_own_graph(folder, engine) -> None:
    predictor = sh.load_exported(folder, engine=engine, batch=4)
    going = [
        replace(one, previous=np.full((3, 2), 7.0), committed=1, continuation=Inpainted())
        for one in requests(3)
    ]
    found = predictor.predict([*requests(5), *going])
    np.testing.assert_allclose(found[:5], [wanted(one) for one in requests(5)], rtol=0, atol=2e-5)
    weights = np.array([1, 0.2, 0.1, 0])[:, None]
    added = found[5:] - [wanted(one) for one in requests(3)]
    assert (np.abs(added[:, 0] - 7 * weights[0]) < 2e-5).all()
    assert (np.abs(added[:, 3]) < 2e-5).all()
    assert (added[:, 1] > added[:, 2]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_files_may_be_links_as_a_hub_keeps_them(folder, engine, tmp_path) -> None:
    here, there = tmp_path / "snapshots" / "first", tmp_path / "blobs"
    here.mkdir(parents=True)
    shutil.copytree(folder, there)
    for path in there.iterdir():
        (here / path.name).symlink_to(f"../../blobs/{path.name}")
    linked, plain = (sh.load_exported(place, engine=engine) for place in (here, folder))
    np.testing.assert_array_equal(linked.predict(requests(2)), plain.predict(requests(2)))


def test_threads_that_share_a_predictor_get_their_own_answers(predictor) -> None:
    asked = requests(8)
    alone = [predictor.predict([one]) for one in asked]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda one: predictor.predict([one]), asked * 10))
    for place, answer in enumerate(found):
        np.testing.assert_array_equal(answer, alone[place % 8])


def test_threads_compute_one_after_the_other(predictor, monkeypatch) -> None:
    inside, most = list[int](), list[int]()

    def watched(run):
        def call(arrays):
            inside.append(1)
            most.append(len(inside))
            time.sleep(1e-3)
            answer = run(arrays)
            inside.pop()
            return answer

        return call

    predictor.predict(requests(1))
    ready = {key: watched(run) for key, run in predictor.engine._ready.items()}
    monkeypatch.setattr(predictor.engine, "_ready", ready)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: predictor.predict([one]), requests(16)))
    assert (len(most), max(most)) == (16, 1)


def test_it_says_which_ways_to_go_on_it_has(predictor) -> None:
    predictor.continues(Inpainted())
    with pytest.raises(ConfigurationError, match=r"It has Inpainted\(\)\. .*--continuation guided"):
        predictor.continues(Guided())


def test_what_is_not_there_is_answered_with_what_is(folder, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no provider 'CUDA'. .*CPUExecutionP"):
        sh.load_exported(folder, provider="CUDA")
    sh.load_exported(folder, provider="cpu", threads=2)
    with pytest.raises(ConfigurationError, match=r"no device of OpenVINO 'TPU'. .*Available: CPU"):
        sh.load_exported(folder, engine="openvino", provider="TPU")
    with pytest.raises(ConfigurationError, match=r"which aoti does not run. .*--to aoti"):
        sh.load_exported(folder, engine="aoti", trust_code=True)
    with pytest.raises(ConfigurationError, match=r"no engine 'tensorrt'.* aoti, onnx, openvino"):
        sh.load_exported(folder, engine="tensorrt")
    with pytest.raises(ConfigurationError, match="threads is 0"):
        sh.load_exported(folder, threads=0)
    with pytest.raises(CheckpointError, match="holds no export: there is no export"):
        sh.load_exported(tmp_path)
    half = handmade.write(tmp_path / "half", precision="bfloat16")
    with pytest.raises(ConfigurationError, match=r"no bfloat16 .*--engine openvino"):
        sh.load_exported(half)
    code = handmade.write(tmp_path / "code", engine="aoti")
    with pytest.raises(ConfigurationError, match=r"is machine code.*--trust-code"):
        sh.load_exported(code)


def test_files_that_are_not_those_of_the_card_are_refused(tmp_path) -> None:
    folder = handmade.write(tmp_path / "export")
    content = bytearray((folder / "weights.bin").read_bytes())
    content[3] ^= 1
    (folder / "weights.bin").write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum differs"):
        sh.load_exported(folder)


SIGNALS = """
import signal, sys
import steadyhand as sh
loaded = [sh.load_exported(sys.argv[1], engine="openvino") for _ in range(3)]
heard = []
signal.signal(signal.SIGINT, lambda *given: heard.append(given))
signal.raise_signal(signal.SIGINT)
while loaded:
    loaded.pop(0)
    signal.raise_signal(signal.SIGINT)
print(len(heard))
"""


def test_a_signal_is_heard_while_models_live_and_after(folder) -> None:
    """Whichever of them goes first: each registers a stack for signals, and then the earlier."""
    done = subprocess.run([sys.executable, "-c", SIGNALS, folder], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
