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

from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.export import folder as writing
from steadyhand.export.folder import write_export
from steadyhand.export.observed import made_up_moments
from steadyhand.export.precision import OFFERED, require_offered
from steadyhand.export.verify import BOUNDS, differences, verify
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime.continuation import Guided
from steadyhand.runtime.exported import Graph, check_files, read_export

pytestmark = pytest.mark.xdist_group("exports")
SCRIPT = Path(__file__).parent / "exporting.py"
WHOLE = ["perceptron", "pictures", "unet"]


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
            chunks[..., 1] *= 1.01
            return chunks

    requests = made_up_moments(policy, 4)
    with pytest.raises(ConfigurationError, match=r"--bound 0\.01") as refused:
        verify(policy, Off(), requests, "random", BOUNDS["float32"])
    assert "4 chunks" in str(refused.value)
    assert verify(policy, Off(), requests, "random", 0.011).largest == pytest.approx(0.01, rel=0.01)


def test_differences_are_of_each_dimension_by_itself() -> None:
    wanted = np.array([[[500.0, 1.0]], [[-400.0, -0.5]]], np.float32)
    found = wanted + np.array([0, 0.1], np.float32)
    assert differences(wanted, found)[0] == pytest.approx(0.1, rel=1e-4)
    far = wanted.astype(np.float64) + 1e9
    assert differences(far, far + np.array([0, 0.075]))[0] == pytest.approx(0.1, rel=1e-4)
    assert differences(wanted, wanted * np.nan)[0] == float("inf")


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
