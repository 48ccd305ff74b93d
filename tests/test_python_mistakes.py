"""Mistakes made in Python: each is answered in this project's words before anything moves."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import steadyhand as sh
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError, NotFiniteError, UsageError
from steadyhand.runtime import RecedingHorizon, run_loop
from steadyhand.runtime.loop.clock import SimulatedClock
from steadyhand.runtime.loop.patience import Patience
from steadyhand.training.checkpoint import Run
from steadyhand.training.train import train

NAN = float("nan")


def observation(keypoint: float = 0.0) -> dict:
    return {"keypoint": np.full((2, 2), keypoint, np.float32), "state": np.zeros(3, np.float32)}


def test_a_robot_is_not_driven_by_what_is_not_a_number(policy) -> None:
    sent: list = []
    seen = [observation(), observation(NAN), *[observation()] * 2, *[observation(NAN)] * 3]
    readings = iter(seen)
    robot = SimpleNamespace(observe=lambda: next(readings), act=sent.append)
    predictor, clock = sh.TorchPredictor(policy), SimulatedClock()
    controller, patience = RecedingHorizon(policy.spec), Patience(observations=2)
    with pytest.raises(NotFiniteError, match="'keypoint' is not a finite number"):
        run_loop(robot, predictor, controller, ticks=99, clock=clock, patience=patience)
    assert len(sent) == 6, "one reading, or two, are ridden out by what is planned already"
    assert np.isfinite(sent).all()
    controller = RecedingHorizon(policy.spec)
    controller.request(observation())
    with pytest.raises(NotFiniteError, match="answered with numbers that are not finite"):
        controller.accept(np.full(policy.spec.chunk_shape, NAN, np.float32))


def test_columns_that_the_policy_does_not_see_may_be_anything(policy) -> None:
    """Of `state` it sees the first two numbers."""
    seen = {**observation(), "state": np.array([0, 0, NAN], np.float32)}
    assert RecedingHorizon(policy.spec).request(seen) is not None
    seen["state"] = np.array([0, NAN, 0], np.float32)
    with pytest.raises(NotFiniteError, match=r"'state\[:2\]' is not a finite number"):
        RecedingHorizon(policy.spec).request(seen)


def test_an_observation_is_a_dict(policy) -> None:
    with pytest.raises(ConfigurationError, match=r'a dict of arrays by name, as \{"keypoint": …'):
        RecedingHorizon(policy.spec).request(np.zeros(3))  # type: ignore[arg-type]


def test_a_process_that_lacks_something() -> None:
    """In a process of its own, since the tests' type checker would be faster."""
    code = (
        "import steadyhand as sh, torch\n"
        "class Half:\n"
        "    train_steps = None\n"
        "    def path(self, t): return 1 - t, t\n"
        "sh.Sampler(torch.nn.Identity(), Half())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = done.stderr.splitlines()[-1]
    assert "ConfigurationError: Half is no process: it has no start, end, target, embedded" in said


def test_a_solver_whose_table_has_another_shape(policy) -> None:
    def narrow(process, times):
        return np.ones((len(times), 4))

    with pytest.raises(ConfigurationError, match=r"has shape \(3, 4\); 3 steps need \(3, 5\)"):
        sh.Sampler(policy.sampler.denoiser, sh.Flow(), narrow, 3)


def test_a_network_whose_answer_has_another_shape(policy, episodes, config) -> None:
    class Wide(nn.Linear):
        def forward(self, x, t, condition):
            return super().forward(torch.cat([x, x], dim=-1))

    wide = sh.Policy(
        policy.spec, policy.encoder, sh.Sampler(Wide(4, 4), sh.Flow()), policy.normaliser
    )
    with pytest.raises(
        ConfigurationError, match=r"answers with \(16, 8, 4\) where x is \(16, 8, 2\)"
    ):
        for _ in train(wide, episodes, config):
            pass


def test_a_network_that_answers_with_something_else(policy) -> None:
    class Two(nn.Module):
        def forward(self, x, t, condition):
            return x, x

    sampler = sh.Sampler(Two(), sh.Flow())
    with pytest.raises(ConfigurationError, match=r"answers with a tuple where x is \(1, 8, 2\)"):
        sampler(torch.zeros(1, 8, 2), torch.zeros(1, 1, 1))


def test_what_cannot_be_trained(policy, episodes, config) -> None:
    nothing = sh.Policy(
        policy.spec, policy.encoder, sh.Sampler(nn.Identity(), sh.Flow()), policy.normaliser
    )
    with pytest.raises(ConfigurationError, match="has nothing to train"):
        sh.train(nothing, episodes, config)
    with pytest.raises(ConfigurationError, match=r"Sequential is no sampler: it has no loss"):
        sh.Policy(policy.spec, policy.encoder, nn.Sequential(), policy.normaliser)
    with pytest.raises(ConfigurationError, match=r"observations is the text 'state'"):
        replace(config, observations="state")


def test_the_parts_of_a_loop_are_objects(policy) -> None:
    predictor, robot = sh.TorchPredictor(policy), SimpleNamespace(observe=None, act=None)
    controller = RecedingHorizon(policy.spec)
    with pytest.raises(ConfigurationError, match="The predictor is Policy, not an object with"):
        run_loop(robot, policy, controller, ticks=1)
    with pytest.raises(ConfigurationError, match="The controller is the class RecedingHorizon"):
        run_loop(robot, predictor, RecedingHorizon, ticks=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"pass predictor\.spec"):
        RecedingHorizon(predictor)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"needs a policy, not a str: load_policy"):
        sh.TorchPredictor("runs/first")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Name what is compared"):
        sh.compare([1, 2])  # type: ignore[arg-type]


def test_a_run_goes_on_as_it_was_begun(policy, episodes, config, tmp_path) -> None:
    for _ in train(policy, episodes, config, out=tmp_path / "run"):
        pass
    other = replace(config, steps=50, learning_rate=1e-2)
    with pytest.raises(UsageError, match="was begun with another steps, learning_rate, and"):
        train(policy, episodes, other, out=tmp_path / "run", resume=True)
    minutes = replace(config, minutes=1.0)
    assert not list(train(policy, episodes, minutes, out=tmp_path / "run", resume=True))


def test_actions_relative_to_too_little(policy) -> None:
    recorded = {"joints": (6,), "wide": (9,), "action": (7,)}

    def select(name):
        return sh.PolicySpec.select(recorded, observations=[name], action_relative_to=name)

    with pytest.raises(ConfigurationError, match="Record all they are relative to as one feature"):
        select("joints")
    with pytest.raises(ConfigurationError, match=r"--action-relative-to wide\[0:7\]"):
        select("wide")


def test_what_is_evaluated_must_predict_and_where_must_be_a_task(policy) -> None:
    with pytest.raises(ConfigurationError, match=r"Load one first: load_policy"):
        sh.evaluate("runs/first", "fork")  # type: ignore[arg-type]
    with pytest.raises(
        ConfigurationError,
        match="not an object with rate_hz, max_steps, first_seed, initial_states, make",
    ):
        sh.evaluate(policy, SimpleNamespace(name="mine", make=None))  # type: ignore[arg-type]


def test_arguments_in_the_other_order(policy, episodes, config) -> None:
    with pytest.raises(ConfigurationError, match=r"The order is build_policy\(config, episodes\)"):
        sh.build_policy(episodes, config)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"train\(policy, episodes, config\)"):
        sh.train(policy, config, episodes)  # type: ignore[arg-type]


def test_a_run_is_loaded_as_its_last_checkpoint(policy, episodes, config, tmp_path) -> None:
    for _ in train(policy, episodes, config, out=tmp_path / "run"):
        pass
    loaded = sh.load_policy(tmp_path / "run")
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, policy.state_dict()[name], rtol=0, atol=0)
    assert Run(tmp_path / "run").steps_saved()[-1] == config.steps
    with pytest.raises(CheckpointError, match="holds no policy"):
        sh.load_policy(tmp_path)


def test_another_sampler_reaches_a_users_own_network(policy, tmp_path) -> None:
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x, t, condition):
            return self.scale * x

    def parts(spec):
        return policy.encoder, sh.Sampler(Mine(), sh.Flow(), steps=10)

    sh.save_policy(tmp_path / "mine", sh.Policy(policy.spec, *parts(None), policy.normaliser))
    few = sh.load_policy(tmp_path / "mine", parts=parts, sampler=SamplerConfig(steps=3))
    assert few.sampler.steps == 3

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.denoiser = Mine()

    with pytest.raises(ConfigurationError, match="A Head takes no SamplerConfig"):
        sh.load_policy(
            tmp_path / "mine",
            parts=lambda spec: (policy.encoder, Head()),
            sampler=SamplerConfig(steps=3),
        )
