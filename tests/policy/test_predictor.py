"""The torch engine: in another precision, and compiled."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from steadyhand.errors import ConfigurationError
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.runtime import ChunkRequest
from steadyhand.training.train import build_policy


@pytest.fixture
def policy(config, episodes):
    """One whose answers depend on what it sees."""
    made = build_policy(config, episodes)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return made


@pytest.fixture
def request_(episodes) -> ChunkRequest:
    return ChunkRequest(observation={k: episodes.read(k, 3, 5) for k in ("keypoint", "state")})


def test_bfloat16_answers_nearly_the_same_in_float32(policy, request_) -> None:
    full = TorchPredictor(policy).predict([request_])
    half = TorchPredictor(policy, precision="bfloat16").predict([request_])
    assert half.dtype == full.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.02 * np.ptp(full)
    with pytest.raises(ConfigurationError, match="no precision 'float16'"):
        TorchPredictor(policy, precision="float16")  # type: ignore[arg-type]


COMPILED = """
from functools import partial

import numpy as np, torch
import steadyhand as sh
from steadyhand.runtime import ChunkRequest

torch.set_num_threads(1)
torch.compile = partial(torch.compile, backend="aot_eager")  # all but the compiler of C++
policy = sh.load_policy({path!r})
seen = {{"keypoint": np.ones((2, 2, 2), np.float32), "state": np.ones((2, 3), np.float32)}}
asked = [ChunkRequest(observation=seen, seed=seed) for seed in range(3)]
plain, fast = sh.TorchPredictor(policy, batch=2), sh.TorchPredictor(policy, batch=2, compile=True)
one, other = plain.predict(asked), fast.predict(asked)
answer = type(fast.engine._answer).__name__
print(answer, np.abs(one - other).max() < 1e-3 * np.ptp(one))
"""


@pytest.mark.slow
def test_compiled_it_answers_the_same(policy, tmp_path) -> None:
    """In its own process: checking shapes at run time cannot be compiled."""
    from steadyhand.policy.storage import save_policy

    save_policy(tmp_path / "p", policy)
    command = [sys.executable, "-c", COMPILED.format(path=str(tmp_path / "p"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "OptimizedModule True\n", done.stderr[-3000:]
