"""Limits: nothing outside of them leaves, what is inside goes through, and a step is no chatter."""

import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.robot import counted
from steadyhand.runtime.safety.axis import Axis
from steadyhand.runtime.safety.braking import brake, landing, peak, ramp, settled
from steadyhand.runtime.safety.limits import Limited

RATE = 50.0
ARM = {"low": -1.5, "high": 1.5, "velocity": 1.0, "acceleration": 5.0, "jerk": 50.0}


class Arm:
    """Remembers what it is told."""

    def __init__(self, joints=(0.0, 0.0)) -> None:
        self.joints, self.told = np.array(joints), []

    def observe(self):
        return {"joints": self.joints}

    def act(self, action) -> None:
        self.told.append(action)


def beyond(told, start, limits, rate=RATE) -> dict[str, float]:
    """By which share what was told is beyond each limit; places are beyond by a distance."""
    told = np.asarray(told, np.float64).reshape(len(told), -1)
    whole = np.concatenate([np.broadcast_to(start, (3, told.shape[1])), told])
    kinds = ("velocity", "acceleration", "jerk")
    rates = {
        kind: np.abs(np.diff(whole, order, axis=0)).max() * rate**order / limits[kind] - 1
        for order, kind in enumerate(kinds, 1)
        if limits.get(kind) is not None
    }
    low, high = limits.get("low", -np.inf), limits.get("high", np.inf)
    return {"low": (low - told).max(), "high": (told - high).max(), **rates}


def strange(kind: int, random, ticks: int, low: float, high: float) -> np.ndarray:
    """Commands that nobody should give, most of them beyond every limit."""
    width, time = high - low, np.arange(ticks)
    walk = np.cumsum(random.normal(size=ticks)) * 10 ** random.uniform(-4, -1)
    return [
        random.uniform(low - width / 2, high + width / 2, ticks),
        np.repeat(random.uniform(low - 1, high + 1, ticks // 20 + 1), 20)[:ticks],
        low + width * (0.5 + 0.7 * np.sin(time * 10 ** random.uniform(-3, 0))),
        low + width * (0.5 + walk),
        random.choice([low, high], ticks),
        np.clip(low + width * walk, low, high),
        random.choice([1e300, -1e300, low, high, np.nan, low + width / 3], ticks),
    ][kind]


@pytest.mark.parametrize("seed", range(3))
def test_a_number_never_leaves_its_limits(seed) -> None:
    """Limits in any proportion, also boxes too narrow for what the acceleration could do."""
    random = np.random.default_rng(seed)
    for trial in range(100):
        low, width = random.normal() * 10 ** random.uniform(-2, 1), 10 ** random.uniform(-2, 1)
        jerk = width * 10 ** random.uniform(-5, 0.5)
        acceleration = jerk * 10 ** random.uniform(-0.5, 2)
        limits = {"low": low, "high": low + width, "jerk": jerk, "acceleration": acceleration}
        limits["velocity"] = acceleration * 10 ** random.uniform(-0.5, 2)
        axis, start = Axis(**limits), low + width * random.random()
        axis.begin(start)
        commands = strange(trial % 7, random, 150, low, low + width)
        told = [axis.next(None if np.isnan(x) else float(x)) for x in commands]
        over = beyond(told, start, limits, rate=1.0)
        assert max(over.pop("low"), over.pop("high")) <= 0, limits
        rounding = 1e-14 * max(abs(low), abs(low + width)) / jerk
        assert max(over.values()) <= 1e-9 + rounding, (limits, over)


def test_where_braking_ends_is_where_it_ends() -> None:
    """The closed forms against braking itself, tick by tick."""
    random = np.random.default_rng(0)
    for _ in range(1000):
        d = 10 ** random.uniform(-6, 0)
        most = d * 10 ** random.uniform(-0.5, 1.5)
        begin = a = float(random.choice([random.uniform(-most, most), 0, most, -most]))
        first = v = float(most * random.normal() * 10 ** random.uniform(-2, 1))
        if random.random() < 0.2:
            first = v = -np.sign(a) * ramp(abs(a), d)
        assert settled(v, a, d) == pytest.approx(v + np.sign(a) * ramp(abs(a), d))
        place = top = ticks = 0.0
        while abs(v) > 1e-12 or abs(a) > 1e-12:
            a, before = brake(v, a, d, most), a
            assert abs(a - before) <= d * (1 + 1e-9)
            assert abs(a) <= most * (1 + 1e-9)
            v += a
            place, ticks = place + v, ticks + 1
            top = max(top, place)
            assert ticks < 10_000
        close = 1e-9 * (abs(place) + abs(first) * ticks + most)
        assert abs(landing(first, begin, d, most, most) - place) < close
        assert abs(peak(first, begin, d, most) - top) < close


def test_what_is_within_the_limits_goes_through_to_the_last_bit() -> None:
    """Also the fastest there is: what was limited once passes a second time as it is."""
    random = np.random.default_rng(0)
    steps = np.repeat(random.uniform(-2, 2, (20, 2)), 20, axis=0)
    time = np.arange(400)[:, None] / RATE
    begun = np.clip(time / 3, 0, 1)
    slow = (
        begun**3 * (10 - 15 * begun + 6 * begun**2) * 0.4 * np.sin(2 * np.pi * time * [0.1, 0.25])
    )
    for commands in (steps, slow):
        first, second = Arm(), Arm()
        for arm, told in ((first, commands), (second, first.told)):
            limited = Limited(arm, rate_hz=RATE, start="joints", **ARM)
            for action in told:
                limited.act(action)
        np.testing.assert_array_equal(first.told, second.told)
        assert limited.counts == {"limited": 0, "refused": 0}
    np.testing.assert_array_equal(first.told, slow)


@pytest.mark.parametrize("size", [2.9, 0.5, 0.02, 0.002])
def test_a_step_is_reached_soon_and_is_not_passed(size) -> None:
    arm = Arm([-1.45])
    limited = Limited(arm, rate_hz=RATE, start="joints", **ARM)
    for _ in range(250):
        limited.act(np.array([-1.45 + size]))
    told = np.array(arm.told)[:, 0]
    assert told.max() == told[-1] == -1.45 + size
    assert np.diff(told).min() > -1e-11
    jerks = np.diff(np.concatenate([[-1.45] * 3, told]), 3)
    signs = np.sign(jerks[np.abs(jerks) > 1e-6 * 50 / RATE**3])
    assert np.count_nonzero(np.diff(signs)) <= 3  # up, down, up: nothing goes to and fro
    # The time that the limits allow at best, in continuous time, and a few ticks.
    v, a, j = 1.0, 5.0, 50.0
    a = min(a, np.sqrt(v * j), (size * j * j / 2) ** (1 / 3))
    v = min(v, -a * a / j / 2 + np.sqrt((a * a / j / 2) ** 2 + a * size))
    best = size / v + v / a + a / j
    assert np.count_nonzero(told < told[-1]) <= best * RATE + 4


def test_a_moving_command_is_caught_up_with() -> None:
    """After a jump, what goes on at a pace of its own is followed again exactly."""
    time = np.arange(100) / RATE
    arm = Arm([0.0, 0.0])
    limited = Limited(arm, rate_hz=RATE, start="joints", **ARM)
    commands = np.stack([0.2 + 0.4 * time, 0.2 + 0.3 * np.sin(2 * time)], axis=1)
    for action in commands:
        limited.act(action)
    different = np.flatnonzero((np.array(arm.told) != commands).any(1))
    assert 5 < len(different) < 50
    assert different[-1] == len(different) - 1
    assert counted(limited)["limited"] == len(different)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_action_outside_the_limits_leaves(dtype) -> None:
    """Seven joints and a gripper, with what is no action among the actions."""
    random = np.random.default_rng(1)
    arm = Arm(np.zeros(8))
    limited = Limited(arm, rate_hz=RATE, columns=range(7), start="joints", dtype=dtype, **ARM)
    limited.observe()
    sound = 0
    for tick in range(1500):
        action = random.uniform(-3, 3, 8) * 10.0 ** random.integers(-3, 2)
        bad = [action, action[:5], None, "left", action[None], action * 1j, [action, [1]]]
        number = int(random.integers(7)) if tick % 5 == 0 and tick else 0
        if tick % 7 == 0 and tick:
            action[random.integers(8)] = random.choice([np.nan, np.inf, -np.inf])
        sound += number == 0 and bool(np.isfinite(action).all())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            limited.act(bad[number])
    assert len(arm.told) == 1500
    told = np.array(arm.told)
    assert told.dtype == dtype
    over = beyond(told[:, :7], 0.0, ARM)
    assert max(over.pop("low"), over.pop("high")) <= 0
    assert max(over.values()) <= 1e-9
    assert np.isfinite(told).all()
    assert limited.counts["refused"] == 1500 - sound
    assert limited.changed[7] == 0
    assert limited.changed[:7].min() > 0


def test_limits_hold_for_what_is_rounded() -> None:
    """At 500 Hz the last place of float32 is no small part of a jerk."""
    random, arm = np.random.default_rng(2), Arm([0.0])
    limits = {"low": -2.9, "high": 2.9, "velocity": 1.0, "acceleration": 5.0, "jerk": 400.0}
    limited = Limited(arm, rate_hz=500, start="joints", dtype="float32", **limits)
    for x in np.repeat(random.uniform(-4, 4, 40), 50):
        limited.act(np.array([x]))
    over = beyond(arm.told, 0.0, limits, rate=500)
    assert max(over.pop("low"), over.pop("high")) <= 0
    assert over["jerk"] > -0.4
    assert max(over.values()) <= 0


def test_what_is_no_action_brakes_and_is_counted() -> None:
    arm = Arm([0.0])
    limited = Limited(arm, rate_hz=RATE, **ARM)
    limited.act(np.array([np.nan]))
    assert not arm.told  # nothing leaves before the first that can be followed
    for x in np.linspace(0, 1.2, 61):
        limited.act(np.array([x]))
    for _ in range(40):
        limited.act(np.array([np.nan]))
    told = np.array(arm.told)[:, 0]
    assert limited.counts["refused"] == 41
    assert told[-1] == told[-10] > told[60]
    assert max(beyond(told[:, None], 0.0, ARM).values()) <= 1e-9


def test_the_first_move_is_limited_from_where_the_robot_is() -> None:
    arm = Arm([0.5, -0.5])
    limited = Limited(arm, rate_hz=RATE, start="joints", **ARM)
    limited.act(np.array([1.0, 1.0]))
    np.testing.assert_allclose(arm.told[0], [0.5 + 50 / RATE**3, -0.5 + 50 / RATE**3])
    limited.stop()  # moved by hand
    arm.joints = np.array([1.0, 1.0])
    limited.observe()
    limited.act(np.array([1.0, 1.0]))
    np.testing.assert_array_equal(arm.told[1], [1.0, 1.0])
    arm = Arm()
    unknown = Limited(arm, rate_hz=RATE, **ARM)
    unknown.act(np.array([0.3, 7.0]))
    np.testing.assert_array_equal(arm.told[0], [0.3, 1.5])


def test_what_has_no_limit_goes_through() -> None:
    arm = Arm(np.zeros(3))
    limited = Limited(arm, rate_hz=10, low=[-1, None, None], velocity=[None, 2.0, None])
    for action in ([0, 0, 0], [9, 9, 9], [-9, 9, -1e30]):
        limited.act(np.array(action, np.float64))
    np.testing.assert_allclose(arm.told[1:], [[9, 0.2, 9], [-1, 0.4, -1e30]])
    assert limited.changed.tolist() == [1, 2, 0]


def test_a_wrapper_is_a_robot_and_passes_on_the_rest() -> None:
    stops = []
    arm = SimpleNamespace(
        observe=dict, act=print, hold=lambda last: last, stop=lambda: stops.append(1)
    )
    limited = Limited(Limited(arm, rate_hz=10, high=1.0), rate_hz=10, low=0.0)
    assert limited.hold(3) == 3
    limited.act(np.array([-1.0]))
    assert counted(limited) == {"limited": 1, "refused": 0}
    limited.stop()
    assert stops == [1]
    assert not hasattr(limited, "anything")
    Limited(Arm(), rate_hz=10, low=0.0).stop()  # a robot need not know how


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"low": 1, "high": -1}, "low is 1 and high -1; low must be below high"),
        ({"velocity": -1}, "velocity is -1; it must be above 0"),
        ({"velocity": [1, "fast"]}, "it must be above 0, one for all or one each"),
        ({"low": [0, 0], "velocity": [1, 1, 1]}, "Limits are for 2 and for 3 numbers"),
        ({"jerk": 1, "dtype": "float32"}, "give both, or leave dtype"),
        ({"low": -1, "high": 1, "jerk": 1e-8}, "Give a lower rate_hz, or larger limits"),
        ({"low": 0, "dtype": "int8"}, "it must be float32 or float64"),
    ],
)
def test_limits_that_cannot_be_are_refused(given, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Limited(Arm(), rate_hz=1000, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"velocity": [1, 1, 1]}, "limits for 3 numbers, and the action has 2"),
        ({"velocity": 1, "columns": [5]}, "The action has 2 numbers and no column 5"),
        ({"velocity": [1, 9], "columns": [1, -1]}, "A column is named twice in"),
        ({"velocity": 1, "start": [1.0]}, "start is .*; it must be 2 finite numbers"),
        ({"low": 0.5, "high": 1, "start": "joints"}, "starts at 0, and its limits are 0.5…1"),
    ],
)
def test_limits_that_do_not_fit_the_action_are_told_before_it_moves(given, said) -> None:
    arm = Arm()
    with pytest.raises(ConfigurationError, match=said):
        Limited(arm, rate_hz=10, **given).act(np.zeros(2))
    assert not arm.told


def test_seven_joints_take_a_fraction_of_a_millisecond() -> None:
    random = np.random.default_rng(0)
    limited = Limited(Arm(np.zeros(7)), rate_hz=RATE, start="joints", **ARM)
    actions = np.repeat(random.uniform(-2, 2, (20, 7)), 20, axis=0)
    begun = time.process_time()
    for action in actions:
        limited.act(action)
    assert (time.process_time() - begun) / len(actions) < 0.001  # some 0.15 ms where it is quiet
