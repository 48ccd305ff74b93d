"""What cannot fit into memory is refused before memory is filled."""

from dataclasses import replace

import pytest

import steadyhand as sh
from steadyhand.errors import ConfigurationError
from steadyhand.training import room


@pytest.fixture
def small(monkeypatch) -> None:
    """As if the machine had a tenth of a gigabyte."""
    monkeypatch.setattr(room, "memory", lambda: 10**8)


def test_the_memory_of_this_machine_is_known() -> None:
    assert 10**8 < room.memory() < 10**14


def test_a_network_is_not_built_to_its_end(small, config, episodes) -> None:
    deep = replace(config.policy, denoiser=sh.MLPConfig(width=64, blocks=900))
    with pytest.raises(ConfigurationError, match=r"more than the 0\.1 GB of memory"):
        sh.build_policy(replace(config, policy=deep), episodes)
    shallow = replace(config.policy, denoiser=sh.MLPConfig(width=64, blocks=2))
    assert sh.build_policy(replace(config, policy=shallow), episodes) is not None


@pytest.mark.parametrize("field", ["batch_size", "noises"])
def test_a_batch_that_cannot_fit(small, policy, episodes, config, field) -> None:
    large = replace(config, **{field: 2_000_000})
    with pytest.raises(ConfigurationError, match=r"A batch of .* takes .* GB at least, and there"):
        sh.train(policy, episodes, large)
    assert next(sh.train(policy, episodes, config)).step == 1


def test_a_batch_that_no_machine_holds(policy, episodes, config) -> None:
    with pytest.raises(ConfigurationError, match="Take a smaller --batch-size or fewer --noises"):
        sh.train(policy, episodes, replace(config, batch_size=10**12))
