"""What an expert's demonstrations are kept in: never in less than they need."""

import numpy as np
import pytest

from steadyhand.tasks import record_episodes


class World:
    def __init__(self, offset: float) -> None:
        self.offset = offset

    def reset(self, seed: int):
        self.place, self.random = np.zeros(2), np.random.default_rng(seed)
        return self.seen()

    def seen(self):
        picture = np.full((8, 8, 3), 7, np.uint8)
        return {"place": self.place + self.offset, "camera": picture, "height": np.array([0.1])}

    def step(self, action):
        self.place = action - self.offset
        return self.seen(), False

    def scores(self):
        return {"success": True}


class Wander:
    """Walks about, some metres from `offset`, by its own coordinates."""

    name, rate_hz, max_steps, first_seed, initial_states = "wander", 10.0, 20, 0, "at rest"

    def __init__(self, offset: float) -> None:
        self.offset = offset

    def make(self) -> World:
        return World(self.offset)

    def expert(self, seed: int):
        random = np.random.default_rng(seed)

        class Walker:
            def act(self, observation):
                return observation["place"] + random.normal(size=2)

        return Walker()


@pytest.mark.parametrize(("offset", "kind"), [(0.0, np.float32), (4_649_776.2, np.float64)])
def test_numbers_are_kept_as_exactly_as_they_move(offset, kind) -> None:
    found = record_episodes(Wander(offset), 2)
    for key in ("place", "action"):
        assert found.arrays[key].dtype == kind
    near = record_episodes(Wander(0.0), 2)
    np.testing.assert_allclose(found.read("action") - offset, near.read("action"), atol=1e-5)
    assert found.arrays["camera"].dtype == np.uint8
    assert found.arrays["height"].dtype == np.float32
