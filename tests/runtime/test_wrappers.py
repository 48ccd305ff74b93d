"""Wrappers refuse what is no answer, what is stale and what is out of the box; turns are slow."""

from contextlib import suppress

import numpy as np
import pytest

from steadyhand.actions import ActionPart
from steadyhand.errors import (
    ConfigurationError,
    NotFiniteError,
    PredictorError,
    StaleObservationError,
)
from steadyhand.runtime.robot import counted
from steadyhand.runtime.safety.turning import Turning
from steadyhand.runtime.safety.wrappers import Checked, Fresh, Workspace
from steadyhand.spec import Chunking, PolicySpec

SPEC = PolicySpec.select(
    {"state": (2,), "action": (2,)}, observations=["state"], chunking=Chunking(horizon=8)
)


class Arm:
    """Shows what it is given to show, and remembers what it is told."""

    def __init__(self, *shown) -> None:
        self.shown, self.told = list(shown), []

    def observe(self):
        return self.shown.pop(0)

    def act(self, action) -> None:
        self.told.append(action)


class Answering:
    spec = SPEC
    steps = 7

    def __init__(self, answer) -> None:
        self.answer = answer

    def predict(self, requests):
        return self.answer


GOOD = np.zeros((1, 8, 2), np.float32)


def test_sound_answers_go_through_and_the_rest_is_an_error() -> None:
    answering = Answering(GOOD)
    checked = Checked(answering)
    assert checked.predict([None]) is GOOD
    assert (checked.spec, checked.steps) == (SPEC, 7)
    bad = [GOOD[0], np.zeros((1, 7, 2)), np.zeros((2, 8, 2)), np.zeros((0, 8, 2)), None, "left"]
    bad += [[[1, 2], [3]], GOOD.astype(complex), GOOD.astype(object), np.zeros((1, 8, 3))]
    for answer in bad:
        answering.answer = answer
        with pytest.raises(PredictorError, match="The predictor answered"):
            checked.predict([None])
    for number in (np.nan, np.inf, -np.inf):
        answering.answer = GOOD.copy()
        answering.answer[0, 3, 1] = number
        with pytest.raises(NotFiniteError, match="not finite"):
            checked.predict([None])
    assert counted(checked) == {"answers": len(bad) + 3}
    with pytest.raises(ConfigurationError, match="The predictor is"):
        Checked(object())


def test_an_observation_that_was_seen_before_is_stale() -> None:
    stamps = [1.0, 1.1, 1.1, 0.9, 1.1, 1.2, np.nan, 1.3]
    fresh = Fresh(Arm(*({"timestamp": np.array(s)} for s in stamps)))
    seen = []
    for _ in stamps:
        with suppress(StaleObservationError):
            seen.append(float(fresh.observe()["timestamp"]))
    assert seen == [1.0, 1.1, 1.2, 1.3]
    assert fresh.counts == {"stale": 4}


def test_an_observation_that_is_too_old_is_stale() -> None:
    now = iter([10.0, 10.2, 10.3])
    arm = Arm(*({"camera": 9.9 + n, "joints": 10.0 + n} for n in (0, 0.1, 0.1001)))
    fresh = Fresh(arm, stamp=("camera", "joints"), older_than=0.15, clock=lambda: next(now))
    fresh.observe()
    with pytest.raises(StaleObservationError, match=r"'camera' is 0\.200 s ago, more than 0\.15 s"):
        fresh.observe()
    with pytest.raises(StaleObservationError):
        fresh.observe()
    made = Fresh(Arm({"head": {"at": 3.0}}), stamp=lambda seen: seen["head"]["at"])
    assert made.observe()
    with pytest.raises(ConfigurationError, match=r"no time stamp 'timestamp'.*which has joints"):
        Fresh(Arm({"joints": np.zeros(2)})).observe()


def test_the_tool_stays_in_its_box() -> None:
    arm = Arm()
    workspace = Workspace(arm, [0, 0, 0], [1, 1, 1])
    workspace.act(np.array([0.5, 0.2, 0.9, 7.0]))
    workspace.act(np.array([1.5, 0.3, -0.1, 8.0]))
    workspace.act(np.array([np.nan, 0.3, 0.1, 8.0]))
    workspace.act(np.zeros(3))
    slid = [1, 0.3, 0, 8]
    np.testing.assert_array_equal(arm.told, [[0.5, 0.2, 0.9, 7], slid, slid, slid])
    assert workspace.counts == {"outside": 1, "refused": 2}


def test_kinematics_say_where_the_way_leaves_the_box() -> None:
    def tip(joints):  # an arm of two links of one metre
        first, second = joints[0], joints[0] + joints[1]
        return [np.cos(first) + np.cos(second), np.sin(first) + np.sin(second), 0.0]

    arm = Arm()
    workspace = Workspace(arm, [-2, -1, -1], [2, 1.2, 1], place=tip)
    workspace.act(np.array([1.5, 0.1]))
    assert not arm.told  # outside, and nothing is known that is inside
    workspace.act(np.array([0.2, 0.1]))
    for _ in range(3):
        workspace.act(np.array([1.2, 0.1]))
    workspace.act(np.array([0.1, 0.1]))
    places = np.array([tip(told)[1] for told in arm.told])
    assert places.max() <= 1.2
    assert places[1] == pytest.approx(1.2, abs=1e-3)
    np.testing.assert_array_equal(arm.told[-1], [0.1, 0.1])
    assert workspace.counts == {"outside": 4, "refused": 0}
    workspace.act(np.array([0.1, np.inf]))
    begun = Workspace(arm, [-2, -1, -1], [2, 1.2, 1], place=tip, start=[0.0, 0.0])
    begun.act(np.array([1.5, 0.1]))
    assert tip(arm.told[-1])[1] == pytest.approx(1.2, abs=1e-3)
    Workspace(arm, [-2, -1, -1], [2, 1.2, 1], place=tip, start=[1.5, 0.0]).act(np.ones(2))
    assert tip(arm.told[-1])[1] < 1.2  # a start that is outside is none
    broken = Workspace(arm, [0, 0, 0], [1, 1, 1], place=lambda action: [np.nan] * 3)
    broken.act(np.zeros(3))
    assert broken.counts == {"outside": 1, "refused": 0}


def test_a_box_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="three numbers to three larger ones"):
        Workspace(Arm(), [0, 0, 0], [1, 1, 0])
    with pytest.raises(ConfigurationError, match="place is"):
        Workspace(Arm(), [0, 0, 0], [1, 1, 1], place=(0, 1))
    with pytest.raises(ConfigurationError, match="place speaks of column 9"):
        Workspace(Arm(), [0, 0, 0], [1, 1, 1], place=(0, 1, 9)).act(np.zeros(3))


def quaternions(kind: str, told) -> np.ndarray:
    """Unit quaternions of what was told, by other formulas than the library's."""
    told = np.asarray(told)
    if kind.startswith("quaternion"):
        return told / np.linalg.norm(told, axis=1, keepdims=True)
    if kind == "rotation_vector":
        angle = np.linalg.norm(told, axis=1, keepdims=True)
        axis = told / np.maximum(angle, 1e-300)
        return np.concatenate([np.cos(angle / 2), np.sin(angle / 2) * axis], axis=1)
    x, y = told[:, :3], told[:, 3:]
    return np.stack([np.concatenate([x, y], 1)]).squeeze(0)


@pytest.mark.parametrize(
    ("kind", "width"),
    [("quaternion_xyzw", 4), ("quaternion_wxyz", 4), ("rotation_vector", 3), ("rotation_6d", 6)],
)
def test_rotations_turn_no_faster_than_they_may(kind, width) -> None:
    random, arm = np.random.default_rng(0), Arm()
    part = ActionPart(start=1, stop=1 + width, kind=kind)
    turning = Turning(arm, parts=[part], speed=2.0, rate_hz=50)
    for tick in range(300):
        action = random.normal(size=width + 2) * 10.0 ** random.integers(-6, 7)
        action[0] = tick
        if tick % 7 == 3:
            action[random.integers(width + 2)] = np.nan
        turning.act(action)
    told = np.array(arm.told)[:, 1 : 1 + width]
    if kind == "rotation_6d":  # the angle of RᵀR' by its trace
        x, y = told[:, :3], told[:, 3:]
        np.testing.assert_allclose((x * x).sum(1), 1, atol=1e-9)
        np.testing.assert_allclose((x * y).sum(1), 0, atol=1e-9)
        frames = np.stack([x, y, np.cross(x, y)], -1)
        cosine = ((frames[1:] * frames[:-1]).sum((1, 2)) - 1) / 2
    else:
        q = quaternions(kind, told)
        cosine = 2 * (q[1:] * q[:-1]).sum(1) ** 2 - 1
        assert np.abs(told).max() < 7
    if kind.startswith("quaternion"):
        np.testing.assert_allclose(np.linalg.norm(told, axis=1), 1, atol=1e-9)
        assert (told[1:] * told[:-1]).sum(1).min() > 0  # the sign does not jump
    speed = np.arccos(np.clip(cosine, -1, 1)) * 50
    assert speed.max() <= 2.0 + 1e-4
    assert np.median(speed) > 1.9
    assert turning.counts["turned"] > 150
    assert turning.counts["refused"] >= 43


def test_slow_turns_go_through_and_fast_ones_arrive() -> None:
    arm = Arm()
    part = ActionPart(start=0, stop=4, kind="quaternion_xyzw")
    turning = Turning(arm, parts=[part], speed=1.0, rate_hz=10)
    half = np.linspace(0, 0.4, 9)
    slow = np.stack([0 * half, 0 * half, np.sin(half), np.cos(half)], axis=1)
    for number, action in enumerate(slow):
        turning.act(-action if number % 2 else action)
    np.testing.assert_array_equal(arm.told, slow)
    for _ in range(24):
        turning.act(np.array([0, 0, 2.0, 0]))  # half a turn, and not of length one
    np.testing.assert_allclose(arm.told[-1], [0, 0, 1, 0], atol=1e-12)
    turned = 2 * np.arctan2(np.array(arm.told)[8:, 2], np.array(arm.told)[8:, 3])
    np.testing.assert_allclose(np.diff(turned)[:7], 0.1)
    turning.act(np.zeros(4))
    np.testing.assert_array_equal(arm.told[-1], arm.told[-2])
    assert turning.counts == {"turned": 23, "refused": 1}  # from 0.8 to half a turn


def test_the_first_turn_is_limited_from_where_the_robot_is() -> None:
    here = np.array([0.0, 0, 0, 1])
    arm = Arm({"pose": np.append(np.zeros(3), here)})
    part = ActionPart(start=3, stop=7, kind="quaternion_xyzw")
    turning = Turning(arm, parts=[part], speed=1.0, rate_hz=10, start="pose[3:7]")
    turning.observe()
    turning.act(np.array([1, 2, 3, 1, 0, 0, 0.0]))
    np.testing.assert_allclose(arm.told[0], [1, 2, 3, np.sin(0.05), 0, 0, np.cos(0.05)])
    with pytest.raises(ConfigurationError, match="No part of the action is a rotation"):
        Turning(arm, parts=[ActionPart(start=0, stop=3)], speed=1, rate_hz=10)
    with pytest.raises(ConfigurationError, match="its parts speak of column 6"):
        Turning(arm, parts=[part], speed=1, rate_hz=10).act(np.zeros(4))
