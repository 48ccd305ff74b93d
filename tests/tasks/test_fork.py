"""Fork: the physics is what it says, the expert always arrives, the mean of its ways never does."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError
from steadyhand.tasks import Demonstrated, Fork, PushT, make_task, record_episodes
from steadyhand.tasks.fork import CUE_TICKS, GOAL, ROBOT_RADIUS, TOP_SPEED
from steadyhand.tasks.task import modes_of

SETTINGS = [
    Fork(),
    Fork(gap=0.1),
    Fork(gap=0.35),
    Fork(commit=0.7),
    Fork(gap=0.1, commit=0.7),
    Fork(cue="start"),
    Fork(gap=0.1, commit=0.7, shift=0.15),
    Fork(gap=0.35, shift=0.15),
]
MOVING = Fork(gap=0.1, commit=0.5, shift=0.1)


def drive(task: Fork, seed: int, targets) -> tuple:
    """(environment, observations) after going to each target in turn."""
    world = task.make()
    seen = [world.reset(seed)]
    for target in targets:
        observation, over = world.step(np.array(target))
        seen.append(observation)
        if over:
            break
    return world, seen


@pytest.mark.parametrize("task", SETTINGS, ids=lambda task: task.name)
def test_the_expert_arrives_whatever_the_settings(task) -> None:
    scores: list = []
    episodes = record_episodes(task, 300, watch=scores.append)
    assert all(score["success"] and not score["collision"] for score in scores)
    assert episodes.lengths.max() < 50
    assert episodes.rate_hz == 10.0
    step = np.linalg.norm(np.diff(episodes.read("state"), axis=0), axis=1)
    inside = np.delete(step, episodes.ends[:-1] - 1)
    assert inside.max() <= TOP_SPEED / 10 + 1e-6


def test_demonstrations_vary_and_have_both_ways() -> None:
    episodes = record_episodes(Fork(), 200)
    state = episodes.read("state")
    paths = np.split(state, episodes.ends[:-1])
    left = np.array([path[np.abs(path[:, 0]).argmax(), 0] < 0 for path in paths])
    assert 0.48 < left.mean() < 0.52
    assert np.std(episodes.lengths) > 1
    assert len({path[5].tobytes() for path in paths}) == 200
    starts = state[episodes.starts]
    assert np.abs(starts.mean(0)).max() < 0.003
    np.testing.assert_allclose(starts.std(0), 0.012, rtol=0.2)
    # The start says nothing about the way.
    assert abs(np.corrcoef(starts[:, 0], left)[0, 1]) < 0.2
    uneven = record_episodes(Fork(left_share=0.8), 50)
    ways = [path[:, 0].min() < -0.1 for path in np.split(uneven.read("state"), uneven.ends[:-1])]
    assert sum(ways) == 40


def test_ways_are_committed_within_the_first_chunk_and_their_mean_collides() -> None:
    episodes = record_episodes(Fork(), 200)
    action = np.stack([episodes.read("action", start, start + 16) for start in episodes.starts])
    left = action[:, 10, 0] < 0
    assert np.abs(action[:, 10, 0]).min() > 0.15, "within the chunk every one is on its side"
    world, _ = drive(Fork(), 100_000, action.mean(0))
    assert world.scores()["collision"]
    for way in (left, ~left):
        world, _ = drive(Fork(), 100_000, action[way].mean(0))
        assert not world.scores()["collision"], "the mean of one way is a way"


def test_a_late_commitment_goes_straight_first() -> None:
    late = record_episodes(Fork(commit=0.7), 50).read("state")
    assert np.abs(late[(late[:, 1] > 0.1) & (late[:, 1] < 0.25), 0]).max() < 0.06


def test_the_robot_moves_no_faster_than_it_can_and_stays_inside() -> None:
    world, seen = drive(Fork(), 1, [(-9.0, 0.0)] * 30)
    x = np.array([observation["state"][0] for observation in seen])
    assert np.diff(x).min() == pytest.approx(-TOP_SPEED / 10, rel=1e-5)
    assert x[-1] == pytest.approx(-0.5)
    assert not world.scores()["collision"]
    assert seen[0]["state"].dtype == np.float32


@pytest.mark.parametrize(
    ("targets", "scores"),
    [
        ([(0, 0.5)] * 20, {"collision": True, "success": False, "left": False, "right": False}),
        ([(-0.22, 0.3)] * 9 + [(-0.22, 0.7)] * 9 + [GOAL] * 9, {"success": True, "left": True}),
        ([(0.22, 0.3)] * 9 + [(0.22, 0.7)] * 9 + [GOAL] * 9, {"success": True, "right": True}),
        ([(0.22, 0.3)] * 9 + [(0.22, 0.7)] * 9, {"success": False, "right": True}),
        ([(0.4, 0.3)] * 12 + [(0.4, 0.7)] * 9, {"collision": True, "right": False}),
    ],
)
def test_scores(targets, scores) -> None:
    world, _ = drive(Fork(), 3, targets)
    found = world.scores()
    assert {name: found[name] for name in scores} == scores


def test_a_corner_is_not_cut() -> None:
    """Free before a tick and after it, but not between."""
    before, after = (0.13, 0.366), (0.152, 0.405)
    world, _ = drive(Fork(), 3, [before] * 8)
    assert not world.scores()["collision"]
    world.step(np.array(after))
    assert world.scores()["collision"]
    beside, _ = drive(Fork(), 3, [(0.12 + ROBOT_RADIUS + 0.001, 0.3)] * 8 + [(0.151, 0.5)] * 9)
    assert not beside.scores()["collision"]


def test_a_cue_is_shown_and_has_to_be_followed() -> None:
    task = Fork(cue="start")
    seed = next(seed for seed in range(9) if task.goes_left(seed))
    left = [(-0.22, 0.3)] * 9 + [(-0.22, 0.7)] * 9 + [GOAL] * 9
    world, seen = drive(task, seed, left)
    shown = [float(observation["cue"][0]) for observation in seen]
    assert shown[:CUE_TICKS] == [-1.0] * CUE_TICKS
    assert not any(shown[CUE_TICKS:])
    assert world.scores()["success"]
    other, _ = drive(task, seed, [(-x, y) for x, y in left])
    assert not other.scores()["success"]
    assert other.scores()["right"]
    _, always = drive(replace(task, cue="always"), seed, left)
    assert {float(observation["cue"][0]) for observation in always} == {-1.0}
    assert "cue" not in Fork().make().reset(0)


def test_the_scene_moves_in_half_of_the_episodes_on_either_way() -> None:
    for first in (0, 100_000):
        seeds = range(first, first + 200)
        moved = [seed for seed in seeds if MOVING.shifted(seed).happens]
        assert abs(len(moved) - 100) <= 2
        ways = np.array([MOVING.goes_left(seed) for seed in moved])
        right = np.array([MOVING.shifted(seed).offset > 0 for seed in moved])
        for both in (ways & right, ways & ~right, ~ways & right, ~ways & ~right):
            assert 17 <= both.sum() <= 33
        far = np.abs([MOVING.shifted(seed).offset for seed in moved])
        assert 0.06 <= far.min() < 0.07
        assert 0.09 < far.max() <= 0.1
    assert not any(Fork().shifted(seed).happens for seed in range(50))


def test_it_moves_before_the_robot_which_sees_it() -> None:
    seed = next(seed for seed in range(9) if MOVING.shifted(seed).happens)
    shift, expert, world = MOVING.shifted(seed), MOVING.expert(seed), MOVING.make()
    seen, over, shown = world.reset(seed), False, []
    before = world.render()
    while not over:
        come = seen["state"][1] >= shift.y
        shown.append((float(seen["shift"][0]), float(np.float32(shift.offset)) * come))
        seen, over = world.step(expert.act(seen))
    assert all(found == right for found, right in shown)
    assert [found for found, _ in shown].index(shown[-1][0]) > 2
    assert world.scores()["success"]
    assert world.scores()["disturbed"] is True
    assert world.state()[2] == shift.offset
    edge = round((0.12 + abs(shift.offset) / 2) * 300) * (1 if shift.offset > 0 else -1)
    uncovered = round((1.1 - 0.5) * 300), 150 + edge
    assert before[uncovered].tolist() == [247, 247, 245]
    assert world.render()[uncovered].tolist() == [68, 71, 78]


def test_it_stays_in_the_other_half() -> None:
    still = next(seed for seed in range(9) if not MOVING.shifted(seed).happens)
    calm, observations = drive(MOVING, still, [(0.17, 0.3)] * 9)
    assert not any(observation["shift"] for observation in observations)
    assert calm.scores()["disturbed"] is False
    assert "disturbed" not in drive(Fork(), still, [(0, 0.1)])[0].scores()
    assert len(drive(Fork(), still, [(0, 0.1)])[0].state()) == 2


def test_who_drives_as_planned_collides_where_the_scene_moves() -> None:
    for seed in range(40):
        planned = replace(MOVING, shift=0.0)
        expert = planned.expert(seed)
        world, _ = drive(MOVING, seed, [expert.act({}) for _ in range(50)])
        assert world.scores()["collision"] == world.scores()["disturbed"]


def test_the_usual_scene_is_as_it_was() -> None:
    """Policies and figures of before are about it."""
    episodes = record_episodes(Fork(), 20)
    action = episodes.read("action")
    assert set(episodes.shapes) == {"state", "action"}
    assert len(action) == 596
    known = [(-0.22507371, 0.29668263), (-0.01371851, 0.00942826), (-0.00598262, 0.95255101)]
    np.testing.assert_allclose(action[[10, 300, -1]], known, atol=1e-7)


def test_the_same_seed_is_the_same_episode() -> None:
    once, again = (record_episodes(Fork(), 5, first_seed=7) for _ in range(2))
    np.testing.assert_array_equal(once.read("state"), again.read("state"))
    other = record_episodes(Fork(), 5, first_seed=8)
    np.testing.assert_array_equal(
        other.read("state", 0, 20), once.read("state")[once.starts[1] :][:20]
    )


def test_it_draws_itself() -> None:
    world, _ = drive(Fork(), 0, [(-0.22, 0.3)] * 6)
    picture = world.render()
    assert picture.shape == (360, 300, 3)
    assert picture.dtype == np.uint8

    def at(x: float, y: float) -> list[int]:
        return picture[round((1.1 - y) * 300), round((x + 0.5) * 300)].tolist()

    assert at(*world.state()) == [45, 100, 180]
    assert at(0.0, 0.5) == at(-0.45, 0.5) == [68, 71, 78]
    assert at(0.0, 1.0) == [140, 199, 143]
    assert at(0.3, 0.9) == [247, 247, 245]


def test_names_carry_the_settings() -> None:
    for task in [*SETTINGS, PushT(), PushT(start="gym")]:
        assert make_task(task.name) == task
    assert Fork().name == make_task("fork:gap=0.20").name == "fork"
    assert make_task(Fork(left_share=1).name).name == Fork(left_share=1).name
    assert Fork(gap=0.1, commit=0.5).name == "fork:gap=0.1,commit=0.5"
    with pytest.raises(ConfigurationError, match=r"no setting of fork: 'gpa'. Did you mean 'gap'"):
        make_task("fork:gpa=0.1")
    with pytest.raises(ConfigurationError, match="gap is a number, not 'wide'"):
        make_task("fork:gap=wide")
    with pytest.raises(ConfigurationError, match=r"gap is 0.9; it must be in 0.1…0.35"):
        make_task("fork:gap=0.9")
    with pytest.raises(ConfigurationError, match=r"shift is 0.2; it must be in 0…0.15"):
        make_task("fork:shift=0.2")
    with pytest.raises(ConfigurationError, match=r"no cue 'never'\. "):
        make_task("fork:cue=never")


def test_an_episode_is_long_enough_for_the_expert() -> None:
    with pytest.raises(ConfigurationError, match="max_steps is 5; it must be at least 50"):
        Fork(max_steps=5)
    with pytest.raises(ConfigurationError, match="max_steps is a whole number, not '1e2'"):
        make_task("fork:max_steps=1e2")


def test_ways_are_scores() -> None:
    world, _ = drive(Fork(), 3, [(0, 0.5)])
    assert modes_of(Fork()) == ("left", "right")
    assert set(modes_of(Fork())) < set(world.scores())
    assert modes_of(PushT()) == ()
    wrong = SimpleNamespace(modes="left")
    with pytest.raises(ConfigurationError, match="modes are 'left'; they are names of scores"):
        modes_of(wrong)  # type: ignore[arg-type]


def test_recording_needs_an_expert() -> None:
    assert isinstance(Fork(), Demonstrated)
    with pytest.raises(ConfigurationError, match="Nobody demonstrates pusht"):
        record_episodes(PushT(), 3)
    with pytest.raises(ConfigurationError, match="episodes is 0; it must be at least 1"):
        record_episodes(Fork(), 0)
    with pytest.raises(ConfigurationError, match="first_seed is -1; seeds are whole numbers"):
        record_episodes(Fork(), 1, first_seed=-1)
    with pytest.raises(ConfigurationError, match=r"^seed is -1; seeds are whole numbers"):
        Fork().make().reset(-1)


def test_what_is_recorded_is_what_happened() -> None:
    """Replaying the recorded actions goes where was recorded: action t was taken at state t."""
    episodes: Episodes = record_episodes(Fork(), 3, first_seed=20)
    for number, (start, end) in enumerate(zip(episodes.starts, episodes.ends, strict=True)):
        world, seen = drive(Fork(), 20 + number, episodes.read("action", start, end))
        recorded = episodes.read("state", start, end)
        driven = np.stack([observation["state"] for observation in seen[:-1]])
        np.testing.assert_allclose(driven, recorded, atol=1e-6)
        assert world.scores()["success"]
