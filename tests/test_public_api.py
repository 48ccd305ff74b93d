"""The public API is this list, and no longer than 25 names."""

import subprocess
import sys

import pytest

import steadyhand

NAMES = [
    "Chunking",
    "DDPM",
    "Episodes",
    "Flow",
    "MLPConfig",
    "Policy",
    "PolicyConfig",
    "PolicySpec",
    "Regression",
    "Sampler",
    "SamplerConfig",
    "SteadyhandError",
    "TorchPredictor",
    "TrainConfig",
    "build_policy",
    "compare",
    "evaluate",
    "export_policy",
    "load_exported",
    "load_policy",
    "open_episodes",
    "recipe",
    "record_episodes",
    "save_policy",
    "train",
]


def test_the_list() -> None:
    assert steadyhand.__all__ == NAMES
    assert len(NAMES) <= 25
    assert set(NAMES) <= set(dir(steadyhand))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_there_and_documented(name) -> None:
    assert getattr(steadyhand, name).__doc__


def test_a_name_that_was_among_them_is_still_found() -> None:
    from steadyhand.nets.choices import UNetConfig

    assert steadyhand.UNetConfig is UNetConfig  # type: ignore[attr-defined]


def test_an_unknown_name_is_answered_with_the_list() -> None:
    with pytest.raises(AttributeError, match="steadyhand has no 'Diffusion'; it has: Chunking"):
        _ = steadyhand.Diffusion


def test_importing_costs_nothing() -> None:
    code = "import sys, steadyhand; print(sorted({'torch', 'numpy', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
