"""Going on from the last chunk, as a graph: the numbers of the policy itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "written_out.py"


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the script found of each case that is asked for here, made in one process."""
    chosen = [item for item in request.session.items if item.path == Path(__file__)]
    names = {item.callspec.params["name"] for item in chosen}  # pyright: ignore
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *sorted(names)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["perceptron", "unet", "transformer", "dit"])
def test_a_guided_chunk_is_that_of_the_policy_gradient_and_all(found, name) -> None:
    one = found[name]
    assert one["batch"] is None, "any number of chunks at once"
    assert max(one["apart"]) < 1e-4, one
    assert one["anew"] > 1e-2, "it is pulled"
    assert one["identity"] > 1e-2, "along the gradient of the network"


@pytest.mark.parametrize("name", ["perceptron", "unet", "transformer", "dit"])
def test_weights_are_in_a_guided_graph_once(found, name) -> None:
    assert found[name]["weights"] <= 1.02 * found[name]["parameters"], found[name]


@pytest.mark.parametrize("name", ["prefixed", "inpainted", "warm start"])
def test_other_ways_to_go_on_are_those_of_the_policy(found, name) -> None:
    one = found[name]
    assert one["batch"] is None
    assert max(one["apart"]) < 1e-5, one
    assert one["anew"] > 1e-2


@pytest.mark.parametrize("name", ["own"])
def test_a_network_that_looks_at_how_many_there_are_is_exported_for_one(found, name) -> None:
    assert found[name]["batch"] == 1
    assert max(found[name]["apart"]) < 1e-4


@pytest.mark.parametrize("name", ["refused"])
def test_a_network_whose_gradient_is_no_graph_is_named_with_what_goes_instead(found, name) -> None:
    error = found[name]["raised"]
    assert "Own" in error
    assert "Inpainted() and WarmStart() take none" in error
