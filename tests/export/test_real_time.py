"""An exported policy does real-time chunking where there is no torch, as the policy itself does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
EXPORT = """
import json, sys
import torch
from drive import driven
from written_out import policy
from steadyhand.export.folder import write_export
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.predictor import TorchPredictor

torch.set_num_threads(1)
# Its layers are squares of weights, which are used both ways.
made = policy(horizon=8, denoiser=MLPConfig(width=64, blocks=1, expansion=1))
write_export(made, sys.argv[1])
sys.stdout.write(json.dumps(driven(TorchPredictor(made))))
"""


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=HERE)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("export") / "made"
    return folder, np.array(json.loads(run("-c", EXPORT, str(folder))))


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_what_the_robot_is_told_is_what_the_policy_says(exported, engine) -> None:
    folder, wanted = exported
    found = np.array(json.loads(run("drive.py", str(folder), engine)))
    assert found.shape == wanted.shape == (24, 2)
    assert len(np.unique(wanted.round(4), axis=0)) > 20, "it moves"
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
