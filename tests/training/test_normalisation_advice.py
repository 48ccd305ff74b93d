"""What is advised of numbers far off is followed, and compared in the robot's own numbers."""

from dataclasses import replace

import numpy as np
import pytest

from steadyhand.data import Episodes, Problem, inspect_episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.evaluation.held_out import HeldOut
from steadyhand.methods.regression import Regression
from steadyhand.spec import Chunking
from steadyhand.training.train import build_policy, train

ENDS = np.arange(100, 2001, 100)


def demonstrations(seed: int) -> Episodes:
    """The action is half of what is seen, in the first column; the second rests."""
    random = np.random.default_rng(seed)
    state = random.uniform(-1, 1, (2000, 2)).astype(np.float32)
    action = np.c_[state[:, 0] / 2, 1e-3 * random.normal(size=2000)].astype(np.float32)
    return Episodes({"state": state, "action": action}, ENDS)


def with_glitch() -> Episodes:
    data = demonstrations(0)
    action = np.array(data.arrays["action"])
    action[777, 0] = 500.0
    return replace(data, arrays={**data.arrays, "action": action})


def with_moves(seed: int) -> Episodes:
    """The second column is told to move, seldom, by what is seen in the second."""
    data = demonstrations(seed)
    state, action = (np.array(data.arrays[key]) for key in ("state", "action"))
    action[:, 1] += np.sign(state[:, 1]) * (np.abs(state[:, 1]) > 0.99)
    return replace(data, arrays={"state": state, "action": action})


def far_off(data: Episodes, **options: str) -> list[Problem]:
    kinds = ("outliers", "seldom")
    return [found for found in inspect_episodes(data, **options) if found.kind in kinds]


def error(config, data: Episodes, other: Episodes, normalisation: str) -> np.ndarray:
    """Mean absolute error on other data, of each column."""
    config = replace(
        config,
        observations=("state",),
        chunking=Chunking(obs_steps=1, horizon=1, execute=1),
        validation_share=0.0,
        steps=500,
        batch_size=64,
        learning_rate=3e-3,
        checkpoint_every=500,
        policy=replace(
            config.policy,
            process=Regression(),
            sampler=SamplerConfig(steps=1),
            normalisation=normalisation,
        ),
    )
    policy = build_policy(config, data)
    for _ in train(policy, data, config):
        pass
    judged = HeldOut(policy, other)
    steps = judged.usable()
    return np.abs(judged.predict(steps, 1)[0] - judged.done(steps)).mean((0, 1))


def test_an_accident_squeezes_the_rest_unless_the_advice_is_followed(config) -> None:
    data = with_glitch()
    (problem,) = far_off(data)
    assert (problem.kind, problem.episode) == ("outliers", 7)
    assert "--normalisation quantile, which cuts them off" in problem.message
    ways, clean = ("min_max", "quantile"), demonstrations(1)
    squeezed, followed = (error(config, data, clean, way)[0] for way in ways)
    assert followed < 0.02
    assert followed < squeezed / 3
    (problem,) = far_off(data, normalisation="quantile")
    assert "If they are meant, take --normalisation min_max" in problem.message


def test_seldom_moves_are_no_accidents(config) -> None:
    """Quantiles are not advised for them; and where they are used, they do no harm."""
    data, other = with_moves(0), with_moves(1)
    (problem,) = far_off(data)
    assert problem.kind == "seldom"
    assert "quantile" not in problem.message
    plain, quantile = (error(config, data, other, way) for way in ("min_max", "quantile"))
    assert quantile[0] == pytest.approx(plain[0], abs=0.02)
    assert (quantile < 1.5 * plain + 0.01).all()
