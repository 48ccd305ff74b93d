"""Whole policies as folders: engines give the policy's chunks, and what is written is whole."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from exported import NUMBERS, small_policy

from steadyhand.actions import parse_parts
from steadyhand.data import statistics_of
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.export import folder as writing
from steadyhand.export.folder import write_export
from steadyhand.export.observed import made_up_moments
from steadyhand.export.precision import OFFERED, require_offered
from steadyhand.export.verify import BOUNDS, differences, units, verify
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime.continuation import Guided
from steadyhand.runtime.exported import Graph, check_files, read_export
from steadyhand.spec import Chunking, PolicySpec

SCRIPT = Path(__file__).parent / "exporting.py"
WHOLE = ["perceptron", "pictures", "sight", "unet"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("exports")
    done = subprocess.run([sys.executable, SCRIPT, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out, json.loads(done.stdout)


@pytest.mark.parametrize(
    "which", [*(f"{name} {e}" for name in WHOLE for e in ("onnx", "openvino")), "far onnx"]
)
def test_an_engine_gives_the_chunks_of_the_policy(made, which) -> None:
    """With cameras that are resized, relative actions, noise in every step, numbers in float64."""
    one = made[1]["apart"][which]
    assert max(one["alone"], one["three"]) < 1e-5, one
    assert one["spread"] > 1, "chunks differ from each other"


@pytest.mark.parametrize(
    ("which", "least"),
    [("float16 onnx", 1e-5), ("int8 onnx", 1e-3), ("int8 openvino", 1e-3)],
)
def test_coarser_weights_are_a_little_off_and_take_less(made, which, least) -> None:
    out, found = made
    precision, engine = which.split()
    assert least < found["apart"][which]["alone"] < BOUNDS[precision] / 4
    size = (out / f"{engine}-{precision}" / "weights.bin").stat().st_size
    assert size < 0.75 * (out / "perceptron" / "weights.bin").stat().st_size


def test_bfloat16_is_computed_by_openvino(made) -> None:
    assert 1e-4 < made[1]["apart"]["bfloat16 openvino"]["alone"] < BOUNDS["bfloat16"]


def test_products_of_whole_numbers_are_computed_one_chunk_at_a_time(made) -> None:
    """They are rounded in the range of all that is multiplied: others would change a chunk."""
    (graph,) = read_export(made[0] / "onnx-int8").graphs
    assert graph.batch == 1


@pytest.mark.parametrize("name", [*WHOLE, "far", "onnx-int8", "openvino-int8"])
def test_a_graph_has_standard_operators_and_one_file_beside_it(made, name) -> None:
    folder = made[0] / name
    check_files(folder, read_export(folder))
    model = onnx.load(folder / "chunk.onnx", load_external_data=False)
    assert [(one.domain, one.version <= 20) for one in model.opset_import] == [("", True)]
    assert model.ir_version <= 10
    assert not model.functions
    assert {node.domain for node in model.graph.node} == {""}
    beside = {
        e.value for i in model.graph.initializer for e in i.external_data if e.key == "location"
    }
    assert beside <= {"weights.bin"}
    assert model.graph.input[0].name == "seen_0"
    assert [value.name for value in model.graph.output] == ["actions"]


def test_a_graph_does_not_tell_where_it_was_made(made) -> None:
    graph = (made[0] / "pictures" / "chunk.onnx").read_bytes()
    assert not re.search(rb"\.py|site-packages|/home|/root", graph)


def test_the_command_compares_with_held_out_demonstrations_and_pairs_success(made) -> None:
    found = made[1]["command"]["first"]
    assert found["exit"] == 0
    assert 0 < found["difference"]["typical"] <= found["difference"]["largest"] * 10 < 1e-3
    assert found["observations"] == "1 demonstration that it was not trained on"
    assert found["success"]["episodes"] == 2
    card = read_export(found["path"])
    assert card.verification is not None
    assert card.verification.success is not None
    assert (card.solver, card.steps, card.provenance.task) == ("euler", 2, "fork")
    assert card.provenance.data == "demos.npz", "and not where it lay"
    again = made[1]["command"]["again"]
    assert again["exit"] == 2
    assert "--overwrite" in again["error"]["message"]


def test_an_operation_that_onnx_has_not_is_named(made) -> None:
    assert "linalg_eigh" in made[1]["refused"]
    assert "--to aoti" in made[1]["refused"]


def test_another_answer_is_refused_and_so_much_can_be_let_pass() -> None:
    policy = small_policy(*NUMBERS)

    class Off:
        spec = policy.spec

        def predict(self, requests):
            chunks = TorchPredictor(policy).predict(requests)
            chunks[..., 1] += 0.01 * units(policy)[1]
            return chunks

    requests = made_up_moments(policy, 4)
    with pytest.raises(ConfigurationError, match="4 chunks") as refused:
        verify(policy, Off(), requests, "random", BOUNDS["float32"])
    enough = float(str(refused.value).rpartition("--bound ")[2])
    assert 0.001 < enough <= 0.011
    found = verify(policy, Off(), requests, "random", enough)
    assert 0.9 * enough < found.largest <= enough


def test_differences_are_of_each_dimension_by_itself() -> None:
    wanted = np.array([[[500.0, 1.0]], [[480.0, -0.5]]], np.float32)
    unit, off = np.array([20.0, 2.0]), np.array([0, 0.1])
    far_apart = np.array([[[500.0, 1.0]], [[480.0, -99.0]]], np.float32)
    assert differences(far_apart, far_apart + off, unit)[0] == pytest.approx(0.002, rel=1e-3)
    assert differences(wanted, wanted + off, unit)[0] == pytest.approx(0.05, rel=1e-4)
    assert differences(wanted, wanted + off[::-1], unit)[0] == pytest.approx(0.005, rel=1e-3)
    far = wanted.astype(np.float64) + 1e9
    assert differences(far, far + off, unit)[0] == pytest.approx(0.05, rel=1e-4)
    assert differences(wanted, wanted * np.nan, unit)[0] == float("inf")


@pytest.mark.parametrize(
    ("relative", "parts", "half", "wanted"),
    [
        (None, (), [20, 2, 0, 0.5], [20, 2, 20, 0.5]),
        ("state", (), [3, 1, 0, 0.5], [3, 1, 3, 0.5]),
        ("state", ("0:2=delta", "2:4=absolute"), [3, 1, 20, 0.5], [24, 8, 20, 0.5]),
        (None, ("0=absolute", "1:4=rotation_vector"), [20, *[0.1] * 6], [20, 1, 1, 1]),
    ],
)
def test_a_dimension_is_as_large_as_it_goes(relative, parts, half, wanted) -> None:
    """And one that never moves as the one that moves most."""
    spec = PolicySpec.select(
        {"state": (4,), "action": (4,)},
        observations=["state"],
        chunking=Chunking(horizon=8, execute=4),
        action_relative_to=relative,
        action_parts=parse_parts(parts),
    )
    actions = 500 + np.array(half) * np.array([[-1.0], [0.0], [1.0]])
    seen = np.random.default_rng(0).normal(size=(9, 4))
    statistics = {"state": statistics_of(seen), spec.network_action.name: statistics_of(actions)}
    policy = PolicyConfig(denoiser=MLPConfig(width=16, blocks=1)).build(spec, statistics)
    np.testing.assert_allclose(units(policy), wanted)


def stub(policy, target: Path, *_: Any) -> list[Graph]:
    (target / "chunk.onnx").write_bytes(b"graph")
    return [Graph(file="chunk.onnx")]


def test_what_fails_leaves_nothing_and_an_earlier_export_as_it_was(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(writing, "_graphs", stub)
    policy, out = small_policy(*NUMBERS), tmp_path / "export"

    def failing(folder: Path, export: Any) -> Any:
        raise ConfigurationError("too far away")

    with pytest.raises(ConfigurationError, match="too far"):
        write_export(policy, out, check=failing)
    assert not [*tmp_path.iterdir()]
    first = write_export(policy, out)
    with pytest.raises(CheckpointError, match="--overwrite"):
        write_export(policy, out, precision="int8")
    with pytest.raises(ConfigurationError, match="too far"):
        write_export(policy, out, overwrite=True, check=failing)
    assert read_export(out) == first
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert write_export(policy, out, precision="int8", overwrite=True).precision == "int8"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"holds more than an export, .*: notes.txt. Move"):
        write_export(policy, out, overwrite=True)


def test_what_an_engine_has_not_is_told_with_those_that_have_it() -> None:
    with pytest.raises(ConfigurationError, match="--to openvino or --to aoti"):
        require_offered("onnx", "bfloat16")
    with pytest.raises(ConfigurationError, match="float32, bfloat16"):
        require_offered("aoti", "int8")
    with pytest.raises(ConfigurationError, match="leave --continuation out"):
        write_export(small_policy(*NUMBERS), "nowhere", engine="aoti", continuations=[Guided()])
    for engine, offered in OFFERED.items():
        for precision in offered:
            require_offered(engine, precision)
