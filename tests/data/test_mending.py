"""What is mended is what was asked for: times, names, the ends of episodes; and all else stays."""

from dataclasses import replace

import numpy as np
import pytest

from steadyhand.data import Episodes, Problem
from steadyhand.data.mending import Mending, dropped, renamed, resampled, trimmed
from steadyhand.errors import ConfigurationError

LENGTHS = (12, 7, 1, 10)


def made(rate: float = 30.0, **arrays) -> Episodes:
    """Numbers that say their episode and time: 100 · episode + seconds."""
    times = np.concatenate([100 * i + np.arange(n) / rate for i, n in enumerate(LENGTHS)])
    steps = len(times)
    pictures = np.zeros((steps, 16, 16, 3), np.uint8) + np.arange(steps, dtype=np.uint8).reshape(
        -1, 1, 1, 1
    )
    usual = {"state": np.stack([times, -times], 1), "action": times[:, None], "camera": pictures}
    return Episodes(
        {**usual, **arrays},
        np.cumsum(LENGTHS),
        rate,
        numbers=(3, 4, 7, 9),
        success=(True, False, None, True),
        masks={"train": (0, 3)},
        names={"state": ("x", "y")},
    )


def ramp(rate: float, lengths=LENGTHS) -> np.ndarray:
    return np.concatenate([100 * i + np.arange(n) / rate for i, n in enumerate(lengths)])


@pytest.mark.parametrize("rate", [10.0, 15.0, 20.0, 25.0, 29.97, 45.0, 60.0, 90.0])
def test_what_goes_evenly_goes_on_so_at_any_rate(rate: float) -> None:
    """And each episode begins where it began, and ends no later."""
    found, said = resampled(made(), rate)
    lasted = (np.array(LENGTHS) - 1) / 30.0
    lengths = np.floor(lasted * rate + 1e-6).astype(int) + 1
    assert found.lengths.tolist() == lengths.tolist()
    assert found.rate_hz == rate
    np.testing.assert_allclose(found.read("state")[:, 0], ramp(rate, lengths), atol=1e-9)
    held = found.read("action")[:, 0]
    late = found.read("state")[:, 0] - held
    assert (late > -1e-9).all()
    assert (late < 1 / 30).all(), "never what was told later, nor before the last"
    nearest = np.rint(found.read("state")[:, 0] % 100 * 30 - 1e-3)
    starts = np.repeat(made().starts, lengths)
    np.testing.assert_array_equal(found.arrays["camera"][:][:, 0, 0, 0], starts + nearest)
    assert found.success == made().success
    assert found.masks == made().masks
    assert found.numbers == made().numbers
    assert any("action: as last told" in line for line in said)


def test_no_step_is_made_of_two_episodes() -> None:
    found, _ = resampled(made(), 70.0, "interpolate")
    of = np.repeat(np.arange(4), found.lengths)
    for key in ("state", "action"):
        np.testing.assert_array_equal(np.rint(found.read(key)[:, 0] / 100), of)
    parts = [found.read("state", int(at), int(at) + 1) for at in (0, 5, 20)]
    np.testing.assert_array_equal(np.concatenate(parts), found.read("state")[[0, 5, 20]])


@pytest.mark.parametrize("rate", [10.0, 20.0, 60.0])
def test_moves_are_added_so_that_they_lead_to_the_same_place(rate: float) -> None:
    random = np.random.default_rng(0)
    steps = sum(LENGTHS)
    grip = np.where(random.random((steps, 1)) < 0.5, -1.0, 1.0)
    moves = np.concatenate([random.normal(size=(steps, 2)), grip], 1)
    before = made(action=moves)
    found, _ = resampled(before, rate, "sum")
    for at, start, end in zip(range(4), found.starts, found.ends, strict=True):
        first, last = int(before.starts[at]), int(before.ends[at])
        told = found.read("action", int(start), int(end))
        if rate < 30:  # of a faster one, the last move goes on after the last step
            np.testing.assert_allclose(told[:, :2].sum(0), moves[first:last, :2].sum(0))
        assert set(np.unique(told[:, 2])) <= {-1.0, 1.0}
    if rate == 10.0:
        np.testing.assert_allclose(found.read("action")[:4, 0], moves[:12, 0].reshape(4, 3).sum(1))


def test_what_jumps_is_no_number_between() -> None:
    """A gripper is open or closed; an angle that turns over goes by no other angle."""
    steps = sum(LENGTHS)
    angle = (np.arange(steps) * 0.7 + np.pi) % (2 * np.pi) - np.pi
    grip = (np.arange(steps) % 5 > 2).astype(np.float32)
    before = made(angle=angle[:, None], grip=grip, count=np.arange(steps), on=grip > 0)
    found, _ = resampled(before, 50.0)
    assert set(np.unique(found.read("grip"))) == {0.0, 1.0}
    assert found.read("count").dtype.kind == "i"
    assert found.read("on").dtype == bool
    jumps = np.abs(np.diff(angle)) > 3
    between = found.read("angle")[: found.ends[0], 0]
    true = (np.arange(len(between)) * 0.7 * 30 / 50 + np.pi) % (2 * np.pi) - np.pi
    off = np.abs((between - true + np.pi) % (2 * np.pi) - np.pi)
    assert jumps[:12].any()
    assert off.max() <= 0.35 + 1e-6, "half a step"
    assert (off > 1e-6).sum() <= 3, "and only where it turns over"


def test_what_happened_is_not_lost_between_steps() -> None:
    done = np.zeros(sum(LENGTHS), bool)
    done[np.cumsum(LENGTHS) - 1] = True
    reward = done.astype(np.float32)
    for rate in (7.0, 10.0, 45.0):
        found, _ = resampled(made(**{"next.done": done, "next.reward": reward}), rate)
        ends = np.zeros(found.steps, bool)
        ends[found.ends - 1] = True
        np.testing.assert_array_equal(found.read("next.done"), ends)
        slower = rate < 30
        assert found.read("next.reward").sum() == pytest.approx(4) if slower else True


def test_the_last_action_is_that_of_the_step_before_at_the_new_rate() -> None:
    found, _ = resampled(made().with_last_action("action"), 10.0)
    np.testing.assert_array_equal(found.read("last_action")[1:4], found.read("action")[:3])


def test_a_rate_that_is_said_is_assumed_no_longer() -> None:
    assumed = Problem("rate", "The rate is not said, and taken to be 50 Hz.")
    other = Problem("unit", "Whole numbers are taken for millimetres.")
    arrays = {"state": np.zeros((20, 2)), "action": np.zeros((20, 2))}
    recorded = Episodes(arrays, np.array([20]), 50.0, rate_assumed=True, remarks=(assumed, other))
    found = Mending(recorded_rate=30.0).of(recorded)
    assert (found.rate_hz, found.rate_assumed, found.remarks) == (30.0, False, (other,))


def test_a_rate_that_cannot_be_is_refused_and_the_same_one_changes_nothing() -> None:
    before = made()
    assert resampled(before, 30.0)[0] is before
    for rate in (0.0, -5.0, float("nan"), 1e9, 1e-4):
        with pytest.raises(ConfigurationError, match="rate is"):
            resampled(before, rate)


def moving(still: int, moves: int, after: int, seed: int = 0) -> np.ndarray:
    path = np.cumsum(np.random.default_rng(seed).uniform(0.5, 1, size=(moves, 2)), 0)
    return np.concatenate([np.repeat(path[:1], still, 0), path, np.repeat(path[-1:], after, 0)])


def test_the_ends_of_episodes_are_trimmed_to_where_it_moves() -> None:
    places = [moving(40, 30, 25), moving(0, 50, 0, 1), moving(0, 20, 60, 2), np.ones((30, 2))]
    state = np.concatenate(places)
    lengths = [len(place) for place in places]
    clock = np.concatenate([np.arange(n) / 20 for n in lengths])
    before = Episodes(
        {"state": state, "action": state.copy(), "timestamp": clock},
        np.cumsum(lengths),
        20.0,
        success=(True, None, False, True),
    )
    found, said = trimmed(before)
    assert found.numbers == (0, 1, 2)
    assert found.success == (True, None, False)
    assert found.left_out == {"episode 3": "nothing moves in it"}
    for place, (start, end) in enumerate(zip(found.starts, found.ends, strict=True)):
        kept = found.read("state", int(start), int(end))
        path = np.unique(places[place], axis=0)
        np.testing.assert_array_equal(np.unique(kept, axis=0), path, "every place it was at")
        assert len(kept) <= len(path) + 1, "and nothing of the rest"
        assert found.read("timestamp", int(start), int(end))[0] == 0
    np.testing.assert_allclose(np.diff(found.read("timestamp")[: found.ends[0]]), 1 / 20)
    assert "at the start or end of 2 of 4 episodes" in said[0]


def test_what_rests_inside_stays_and_is_told() -> None:
    path = np.concatenate([moving(30, 40, 0), moving(50, 40, 0, 1) + 100])
    found, said = trimmed(Episodes({"state": path, "action": path.copy()}, np.array([160]), 20.0))
    assert 130 <= found.steps <= 131
    assert "inside episodes stays: 0 (2." in said[1]


def test_features_are_renamed_and_dropped() -> None:
    before = replace(made(), kinds={"state": "state"})
    found = renamed(before, {"state": "observation.state", "action": "state"})
    assert list(found.arrays) == ["observation.state", "state", "camera"]
    assert found.names == {"observation.state": ("x", "y")}
    assert found.kinds == {"observation.state": "state"}
    np.testing.assert_array_equal(found.read("state"), before.read("action"))
    with pytest.raises(ConfigurationError, match="called 'action': state and action"):
        renamed(before, {"state": "action"})
    with pytest.raises(ConfigurationError, match=r"no feature 'sate'\. Did you mean 'state'"):
        renamed(before, {"sate": "x"})
    assert list(dropped(before, ["cam*"]).arrays) == ["state", "action"]
    with pytest.raises(ConfigurationError, match="no feature 'depth'"):
        dropped(before, ["depth"])
    with pytest.raises(ConfigurationError, match="Nothing would be left"):
        dropped(before, ["*"])
