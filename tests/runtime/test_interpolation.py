"""Between two actions of a plan: within their range, as each part is meant, without a jerk."""

import numpy as np
import pytest

from steadyhand.actions import ActionPart
from steadyhand.runtime.loop.interpolation import Waypoints, between
from steadyhand.runtime.loop.schedule import Schedule

NUMBERS = (ActionPart(start=0, stop=2, form="absolute"),)
HAND = (
    ActionPart(start=0, stop=1, form="absolute"),
    ActionPart(start=1, stop=5, kind="quaternion_xyzw", form="absolute"),
    ActionPart(start=5, stop=6, kind="gripper", form="absolute", levels=(0.0, 0.08)),
)
SHARES = np.linspace(0, 1, 41)


def curve(actions, known=True, parts=NUMBERS):
    """What is told on the way through the actions, (ticks, shares, A)."""
    way, told = Waypoints(parts), []
    for action, then in zip(actions, [*actions[1:], None], strict=True):
        way.go_on(action, then if known else None)
        told.append([way.at(share) for share in SHARES])
    return np.array(told)


@pytest.mark.parametrize("known", [True, False])
def test_what_kept_limits_keeps_them(known) -> None:
    random = np.random.default_rng(0)
    for size in (1e-6, 1.0, 1e9):
        actions = (size * random.standard_t(2, (200, 2))).astype(np.float32)
        told = curve(actions, known)
        for start, end, way in zip(actions, actions[1:], told[1:], strict=False):
            assert np.all(way >= np.minimum(start, end))
            assert np.all(way <= np.maximum(start, end))
        np.testing.assert_array_equal(told[:, -1], actions)


def test_a_curve_is_followed_closely_and_smoothly() -> None:
    ticks = np.arange(40)
    actions = np.stack([np.sin(ticks / 6), ticks**2 / 400], -1)
    told = curve(actions)[2:-1]  # it begins and ends at rest
    times = (ticks[2:-1, None] - 1 + SHARES).ravel()
    exact = np.stack([np.sin(times / 6), times**2 / 400], -1)
    np.testing.assert_allclose(told.reshape(-1, 2), exact, atol=4e-3)
    speed = np.diff(told, axis=1) * 40
    seam = np.abs(speed[1:, 0] - speed[:-1, -1]).max()
    assert seam < 0.02, "no faster or slower from one tick to the next; a polygon has 0.03"
    straight = curve(np.stack([ticks, -2.0 * ticks], -1))[2:-1]
    np.testing.assert_allclose(np.diff(straight[..., 0]), 1 / 40, atol=1e-9)


def test_rotations_turn_and_grippers_switch() -> None:
    half = np.sqrt(0.5)
    start = np.array([0, 0, 0, 0, 1, 0.0])
    end = np.array([1, 0, 0, -half, -half, 0.08])  # a quarter turn, of the other sign
    way = np.array([between(HAND, start, end, share) for share in SHARES])
    angle = 2 * np.arctan2(way[:-1, 3], way[:-1, 4])
    np.testing.assert_allclose(angle, SHARES[:-1] * np.pi / 2, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(way[:, 1:5], axis=1), 1)
    assert set(way[:-1, 5]) == {0.0}
    np.testing.assert_array_equal(way[-1], end)
    told = curve([start, end], parts=HAND)[1]
    np.testing.assert_allclose(2 * np.arctan2(told[:-1, 3], told[:-1, 4]), angle, atol=1e-9)


@pytest.mark.parametrize("kind", ["rotation_vector", "rotation_6d", "quaternion_wxyz"])
def test_rotations_of_every_kind(kind) -> None:
    from steadyhand.actions.rotations import from_matrix, to_matrix

    angles = np.array([[0.0, 0.2, 0.1], [0.3, -0.2, 0.4]])
    matrices = to_matrix("rotation_vector", angles)
    rows = from_matrix(kind, matrices)
    part = ActionPart(start=0, stop=rows.shape[1], kind=kind, form="absolute")
    way = np.array([between((part,), rows[0], rows[1], share) for share in SHARES])
    steps = to_matrix(kind, way)
    turns = np.einsum("nij,nik->njk", steps[:-1], steps[1:])
    cosine = (np.trace(turns, axis1=1, axis2=2) - 1) / 2
    assert np.ptp(np.arccos(np.clip(cosine, -1, 1))) < 1e-6, "at constant speed"
    np.testing.assert_allclose(steps[[0, -1]], matrices, atol=1e-9)
    assert np.abs(np.diff(way, axis=0)).max() < 0.05, "no jump of sign"


@pytest.mark.parametrize("act_hz", [10, 15, 100, 125])
def test_everything_is_sent_once_and_in_its_own_tick(act_hz) -> None:
    schedule, sent = Schedule(5.0, 10, act_hz), []
    for tick in range(200):
        assert schedule.tick == tick
        for at, share in schedule.sendings():
            assert at == pytest.approx(schedule.due + share / 10)
            assert schedule.due - 1e-9 <= at < schedule.next_due - 1e-9
            sent.append(at)
        assert schedule.advance(schedule.due) == 0
    np.testing.assert_allclose(sent, 5 + np.arange(len(sent)) / act_hz)
    assert len(sent) == 20 * act_hz


def test_a_schedule_is_absolute() -> None:
    schedule = Schedule(0.0, 10, 10)
    assert [schedule.advance(now) for now in (0.1, 0.24, 0.26, 0.46, 1.02)] == [0, 0, 0, 1, 4]
    assert schedule.due == pytest.approx(1.0)
