"""Latency in an evaluation: what it does to results, what is told of it, what is refused."""

from functools import partial

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation.acting import Acting, seconds_of
from steadyhand.evaluation.attempt import say_what_is_late
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.evaluation.latency import Latency
from steadyhand.runtime import RecedingHorizon
from steadyhand.runtime.continuation import Inpainted
from steadyhand.runtime.controllers import Asynchronous, RealTime
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.tasks import Fork


class Onward:
    """A predictor that goes on from where the robot is, a little further each row."""

    spec = PolicySpec.select(
        {"state": (2,), "action": (2,)},
        observations=["state"],
        chunking=Chunking(obs_steps=2, horizon=16, execute=8),
    )

    def predict(self, requests):
        now = np.stack([request.observation["state"][-1] for request in requests])
        return (now[:, None] + 0.01 * np.arange(1, 17)[None, :, None]).astype(np.float32)


LATE = Latency(seconds=0.2, jitter=0.1, drop=0.1)


def test_the_same_latency_whatever_is_beside_an_episode_and_wherever_it_is_stepped() -> None:
    found = [
        evaluate(Onward(), Fork(), episodes=6, controller=Asynchronous, latency=LATE, **how)
        for how in ({"parallel": 1}, {"parallel": 6}, {"processes": 2})
    ]
    for other in found[1:]:
        for a, b in zip(found[0].episodes, other.episodes, strict=True):
            np.testing.assert_array_equal(a.actions, b.actions)
            np.testing.assert_array_equal(a.seen, b.seen)
            assert a.lost == b.lost
    assert found[0].waiting.lost > 0
    plain = evaluate(Onward(), Fork(), episodes=6, controller=Asynchronous)
    assert plain.waiting.lost == 0 == plain.waiting.held
    assert plain.waiting.reaction_ms < found[0].waiting.reaction_ms


def test_what_waiting_costs_is_told() -> None:
    late = Latency(seconds=0.3)
    waits = evaluate(Onward(), Fork(), episodes=2, controller=RecedingHorizon, latency=late)
    goes_on = evaluate(Onward(), Fork(), episodes=2, controller=Asynchronous, latency=late)
    assert waits.waiting.held == pytest.approx(12 / 50.5, abs=1e-3)
    assert goes_on.waiting.held == 0
    said = waits.as_json()
    assert said["waiting"].keys() == {"held", "reaction_ms", "lost"}
    assert (said["boundary_jump"], said["step"]) == (
        waits.smoothness.boundary_jump,
        waits.smoothness.inner_step,
    )


def test_a_world_says_how_its_robot_holds() -> None:
    """Where actions are steps, the same again would go on."""

    class Steps:
        """A robot that is told how far to go."""

        def reset(self, seed):
            self.place = np.zeros(2)
            return {"state": self.place.copy()}

        def step(self, action):
            self.place = self.place + action
            return {"state": self.place.copy()}, False

        def hold(self, told):
            return 0 * told

        def scores(self):
            return {"far": float(self.place[0])}

        def state(self):
            return self.place.tolist()

        def render(self): ...

    class Task:
        name, rate_hz, max_steps, first_seed, initial_states = "steps", 10.0, 22, 0, "one"

        def make(self):
            return Steps()

    class Ones(Onward):
        def predict(self, requests):
            return np.ones((len(requests), 16, 2), np.float32)

    found = evaluate(Ones(), Task(), episodes=1, latency=Latency(seconds=0.3))
    assert found.far.mean == 16, "8, 3 ticks of nothing, 8, 3 of nothing"


def test_a_predictor_that_cannot_go_on_is_refused_before_anything_is_played() -> None:
    with pytest.raises(ConfigurationError, match=r"Onward has no continues\(how\)"):
        evaluate(Onward(), Fork(), episodes=2, controller=partial(RealTime, by=Inpainted()))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"delay": 3}, "receding expects no delay"),
        ({"controller": "blend", "by": "guided"}, "said of the controller real_time, not of blend"),
        ({"controller": "recedin"}, "recedin"),
        ({"controller": "blend", "delay": -1}, "delay"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Acting(**settings)


def test_times_are_read_as_people_write_them() -> None:
    for text, seconds in {"200ms": 0.2, "0.2s": 0.2, "0": 0.0, "1 s": 1.0, "50 ms": 0.05}.items():
        assert seconds_of(text, "--latency") == pytest.approx(seconds)
    for text in ("", "fast", "150", "0.2", "-1ms", "1e9", "2m", "200 msec"):
        with pytest.raises(ConfigurationError, match="as 200ms or"):
            seconds_of(text, "--latency")


def test_a_file_is_named_by_all_that_acted() -> None:
    assert Acting().said == ""
    late = Latency(seconds=0.2, jitter=0.05, drop=0.01)
    acting = Acting(controller="real_time", delay=2, by="guided", latency=late)
    assert acting.said == "-real_time-delay2-guided-200ms-jitter50ms-drop0.01"
    controller = acting.make(Onward.spec, execute=4, seed=1)
    assert controller.plan.chunking.execute == 4
    assert controller.continuation is not None


@pytest.mark.parametrize(
    ("prefix", "settings", "told"),
    [
        (4, {}, True),
        (4, {"by": "prefixed"}, True),
        (4, {"by": "guided"}, False),
        (0, {}, False),
        (5, {}, False),
        (4, {"controller": "blend"}, False),
    ],
)
def test_answers_that_take_longer_than_was_trained_for_are_told(prefix, settings, told) -> None:
    late, said = Latency(seconds=0.25), []
    acting = Acting(**{"controller": "real_time", "latency": late, **settings})
    say_what_is_late(prefix, acting, 20.0, said.append)
    assert bool(said) == told
    assert not told or "--chunking.prefix 5" in said[0]
