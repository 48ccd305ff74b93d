"""Machine code of a policy: the numbers of the policy itself."""

import shutil
import subprocess
import sys

import pytest
import torch
from torch import nn

from steadyhand.errors import ConfigurationError
from steadyhand.export import aoti
from steadyhand.export.aoti import compile_package

SCRIPT = """
import sys
import numpy as np
import torch
from written_out import MLP, apart, policy
import steadyhand as sh
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.export.aoti import _Rounded
from steadyhand.export.folder import write_export
from steadyhand.export.graph import Flat
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime import ChunkRequest

torch.set_num_threads(1)
made = policy(denoiser=MLP, process=DDPM(), sampler=SamplerConfig(solver="ddpm", steps=2))
write_export(made, sys.argv[1], engine="aoti")
try:
    sh.load_exported(sys.argv[1])
except ConfigurationError as error:
    assert "trust_code" in str(error), error
else:
    raise AssertionError("machine code is run for nobody who did not say so")
exported, original = sh.load_exported(sys.argv[1], trust_code=True), TorchPredictor(made)
for number in range(3):
    state = np.random.default_rng(number).normal(2, 3, (2, 2)).astype(np.float32)
    asked = [ChunkRequest(observation={"state": state}, seed=0, number=number)]
    wanted, found = (torch.from_numpy(one.predict(asked)) for one in (original, exported))
    assert apart(wanted, found) < 1e-5, apart(wanted, found)

flat = Flat(made)
given = [torch.randn_like(part) for part in flat.example(1)]
with torch.no_grad():
    wanted, rounded = flat(*given), _Rounded(flat, "cpu")(*given)
assert rounded.dtype == torch.float32
assert 1e-5 < apart(wanted, rounded) < 0.1, "rounded, and little"
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler is here")
def test_a_package_answers_as_the_policy(tmp_path) -> None:
    where = str(__file__).rsplit("/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "made")],
        capture_output=True,
        text=True,
        cwd=where,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr, "quiet"


def test_without_a_compiler_it_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(aoti.shutil, "which", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"none is here .*Install one.*--to onnx"):
        compile_package(nn.Identity(), [torch.zeros(1)], tmp_path / "chunk.pt2")
    assert not list(tmp_path.iterdir())


def test_a_precision_it_has_not_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"'int8'.*bfloat16, float32"):
        compile_package(nn.Identity(), [torch.zeros(1)], tmp_path / "chunk.pt2", "int8")
