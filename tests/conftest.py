"""Shared by all tests: shapes are checked at run time, torch keeps to one thread."""

import shutil
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from jaxtyping import install_import_hook

# Only where tensors flow; elsewhere a type checker is enough.
install_import_hook(
    ["steadyhand.nets", "steadyhand.diffusion.sampler", "steadyhand.policy.policy"],
    "beartype.beartype",
)

import torch  # noqa: E402

from steadyhand.data import Episodes  # noqa: E402
from steadyhand.diffusion.flow import Flow  # noqa: E402
from steadyhand.diffusion.sampling import SamplerConfig  # noqa: E402
from steadyhand.nets.choices import MLPConfig  # noqa: E402
from steadyhand.policy.config import PolicyConfig  # noqa: E402
from steadyhand.spec import Chunking  # noqa: E402
from steadyhand.training.config import TrainConfig  # noqa: E402
from steadyhand.training.train import build_policy  # noqa: E402

torch.set_num_threads(1)

DEMONSTRATIONS = Path(__file__).parents[2] / "shared" / "data"


SPREAD = {"test_planted_faults.py": 10}
"""Files whose tests share little, and into how many parts they fall."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What runs in one of several processes: a file, whose tests share what they make.

    By `--dist loadfile`, in the order in which they are found: the shorter ones are last.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return f"{file} {crc32(nodeid.encode()) % SPREAD.get(Path(file).name, 1)}"

    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory):
    """Frame stores of the tests go where they are removed again, not into the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("STEADYHAND_CACHE", str(folder))
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pusht_path() -> Path:
    """The published Push-T demonstrations."""
    path = DEMONSTRATIONS / "pusht" / "pusht_cchi_v7_replay.zarr"
    if not path.exists():
        pytest.skip(f"the Push-T demonstrations are not at {path}")
    return path


@pytest.fixture(scope="session")
def episodes() -> Episodes:
    """Six short made-up episodes of a point that moves: state (3), keypoint (2, 2), action (2)."""
    random = np.random.default_rng(0)
    lengths = np.array([30, 20, 25, 22, 40, 18])
    total = int(lengths.sum())
    state = np.cumsum(random.normal(size=(total, 3)), axis=0).astype(np.float32)
    arrays = {
        "state": state,
        "keypoint": random.normal(size=(total, 2, 2)).astype(np.float32),
        "action": (10 * state[:, :2] + 3).astype(np.float32),
    }
    return Episodes(arrays, np.cumsum(lengths), rate_hz=20.0)


@pytest.fixture
def config() -> TrainConfig:
    """A run of a tiny network that takes a second."""
    return TrainConfig(
        observations=("keypoint", "state[:2]"),
        chunking=Chunking(obs_steps=2, horizon=8, execute=4),
        policy=PolicyConfig(
            denoiser=MLPConfig(width=16, blocks=1),
            process=Flow(),
            sampler=SamplerConfig(solver="euler", steps=3),
        ),
        steps=40,
        batch_size=16,
        checkpoint_every=10,
        precision="float32",
        device="cpu",
        validation_share=0.2,
    )


@pytest.fixture
def policy(config: TrainConfig, episodes: Episodes):
    """An untrained tiny policy that does not answer with zeros."""
    made = build_policy(config, episodes)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    return made
