"""What `inspect` says is wrong: each problem planted, each told, and nothing told of sound data."""

from dataclasses import replace

import numpy as np
import pytest
import sets

from steadyhand.data import Episodes, inspect_episodes, open_episodes
from steadyhand.data.problems.numbers import follow_lag
from steadyhand.errors import DataError, NotFiniteError
from steadyhand.spec import PolicySpec

RATE = 10.0


def sound(lengths=(40, 50, 45), lag: int = 2) -> Episodes:
    """A robot that goes where it is told, a moment later; its camera sees noise."""
    random = np.random.default_rng(0)
    total = sum(lengths)
    action = np.cumsum(random.normal(size=(total, 2)), 0).astype(np.float32)
    state = np.concatenate([action[:1].repeat(lag, 0), action[: total - lag]])
    clock = np.concatenate([np.arange(n) / RATE for n in lengths]).astype(np.float32)
    arrays = {
        "observation.state": state + 0.01 * random.normal(size=state.shape).astype(np.float32),
        "action": action,
        "timestamp": clock,
        "img": random.integers(0, 256, (total, 16, 16, 3), dtype=np.uint8),
    }
    return Episodes(arrays, np.cumsum(lengths), RATE)


def kinds(episodes: Episodes, **options) -> dict[str, int | None]:
    return {p.kind: p.episode for p in inspect_episodes(episodes, **options)}


def changed(**arrays) -> Episodes:
    episodes = sound()
    return replace(episodes, arrays={**episodes.arrays, **arrays})


def test_nothing_is_said_of_sound_data() -> None:
    assert kinds(sound(), horizon=16) == {}


def test_lengths() -> None:
    assert kinds(sound((40, 3, 45))) == {"short": 1}
    assert kinds(sound((40, 8, 45))) == {"early": 1}
    assert kinds(sound((40, 30, 45)), horizon=32) == {"horizon": 1}


def test_numbers_that_say_nothing_or_too_much() -> None:
    state = np.array(sound().arrays["observation.state"])
    still = state.copy()
    still[:, 1] = 3
    assert "constant" in kinds(changed(**{"observation.state": still}))
    clipped = np.minimum(state, np.quantile(state, 0.6, axis=0)).astype(np.float32)
    assert "saturated" in kinds(changed(**{"observation.state": clipped}))
    switch = np.where(state > np.median(state), 1.0, 0.0).astype(np.float32)
    assert "saturated" not in kinds(changed(switch=switch))
    far = state.copy()
    far[60, 0] = 1e4
    assert kinds(changed(**{"observation.state": far}))["outliers"] == 1
    bad = state.copy()
    bad[95, 0] = np.nan
    assert kinds(changed(**{"observation.state": bad}))["not-finite"] == 2


def test_joints_are_told_by_name_where_they_have_one() -> None:
    episodes = sound()
    state = np.array(episodes.arrays["observation.state"])
    state[:, 1] = np.minimum(state[:, 1], np.quantile(state[:, 1], 0.5))
    state[:, 0] = 3
    stuck = replace(episodes, arrays={**episodes.arrays, "observation.state": state})
    named = replace(stuck, names={"observation.state": ("shoulder", "elbow")})
    messages = {p.kind: p.message for p in inspect_episodes(named)}
    assert "never changes in column 0 (shoulder): no harm" in messages["constant"]
    assert "in columns 1 (elbow, 5" in messages["saturated"]
    messages = {p.kind: p.message for p in inspect_episodes(stuck)}
    assert "never changes in column 0: no harm" in messages["constant"]
    still = replace(stuck, arrays={**stuck.arrays, "observation.state": np.ones_like(state)})
    assert "in columns 1 (5" in messages["saturated"]
    messages = {p.kind: p.message for p in inspect_episodes(still)}
    assert "'observation.state' never changes: no harm" in messages["constant"]
    assert named.called("observation.state") == ("shoulder", "elbow")
    assert named.called("action") == ("action[0]", "action[1]")


def test_actions_and_states_that_do_not_belong_together() -> None:
    episodes = sound()
    action = np.array(episodes.arrays["action"])
    assert "echo" in kinds(changed(**{"observation.state": action}))
    late = np.concatenate([action[3:], action[-1:].repeat(3, 0)]) + 0.0
    assert "late" in kinds(changed(**{"observation.state": late}))
    random = np.random.default_rng(1)
    other = np.cumsum(random.normal(size=action.shape), 0).astype(np.float32)
    assert "unrelated" in kinds(changed(**{"observation.state": other}))


@pytest.mark.parametrize("lag", [-4, 0, 3, 9])
def test_the_lag_is_found(lag) -> None:
    random = np.random.default_rng(0)
    action = np.cumsum(random.normal(size=300))
    episodes = Episodes({"x": action[:, None]}, np.array([150, 300]))
    found = follow_lag(episodes, np.roll(action, lag), action)
    assert found is not None
    assert found[0] == lag
    assert found[1] > 0.8


def test_clocks() -> None:
    clock = np.array(sound().arrays["timestamp"])
    jumping = clock.copy()
    jumping[70:90] += 0.7
    assert kinds(changed(timestamp=jumping))["jump"] == 1
    late = clock.copy()
    late[[20, 33, 50]] += 0.8 * (clock[1] - clock[0])  # and the next is in time again
    assert "jump" not in kinds(changed(timestamp=late))
    assert "rate" in kinds(changed(timestamp=clock / 3))
    random = np.random.default_rng(0)
    shaken = np.concatenate(
        [np.r_[0.0, np.sort(random.uniform(0, n - 1, n - 2)), n - 1] / RATE for n in (40, 50, 45)]
    )
    assert "rate" not in kinds(changed(timestamp=shaken)), "the mean is the rate"
    done = np.zeros(135, bool)
    done[[39, 134]] = True
    assert kinds(changed(**{"next.done": done}))["early"] == 1


def test_pictures() -> None:
    pictures = np.array(sound().arrays["img"])
    dark = pictures.copy()
    dark[40:90] //= 60
    assert kinds(changed(img=dark))["black"] == 1
    same = pictures.copy()
    same[90:] = same[90]
    assert kinds(changed(img=same))["frozen"] == 2
    same[40:90] = same[40]
    [frozen] = [p for p in inspect_episodes(changed(img=same)) if p.kind == "frozen"]
    assert frozen.message.endswith("So it is in 2 of the 3 episodes looked at.")
    assert kinds(changed(img=dark), look=False) == {}
    assert kinds(changed(img=(pictures / 255).astype(np.float32))) == {}


def test_videos(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set")
    assert "video" not in kinds(open_episodes(path))
    sets.film(next(path.rglob("episode_000001.mp4")), sets.pictures(5))
    [found] = [p for p in inspect_episodes(open_episodes(path)) if p.kind == "video"]
    assert found.episode == 1
    assert found.file is not None
    assert found.file.endswith("episode_000001.mp4")
    assert "5 frames for 9 steps" in found.message


def test_what_is_left_out_is_told(tmp_path) -> None:
    import shutil

    path = sets.lerobot_v2(tmp_path / "set")
    shutil.rmtree(path / "videos")
    assert "left-out" in kinds(open_episodes(path))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_numbers_far_from_zero_are_judged_by_their_moves(dtype) -> None:
    """Metres of a map and counts of an encoder: lags are found, usual numbers are no outliers."""
    random = np.random.default_rng(0)
    action = np.cumsum(random.integers(-20, 21, size=300))
    far = {np.float64: 2.0**50, np.float32: 2.0**20, np.int64: 2**50}[dtype]
    told = (action.astype(dtype) + dtype(far))[:, None]
    state = np.roll(told, 3, axis=0)
    episodes = Episodes({"x": told}, np.array([150, 300]))
    found = follow_lag(episodes, state[:, 0], told[:, 0])
    assert found is not None
    assert found[0] == 3
    assert kinds(Episodes({"x": told}, np.array([150, 300]))) == {}
    told[200] += dtype(5000)
    assert kinds(Episodes({"x": told}, np.array([150, 300]))) == {"outliers": 1}


def test_moves_are_small_or_none_by_their_own_precision() -> None:
    random = np.random.default_rng(0)
    action = 1e-9 * np.cumsum(random.normal(size=300))
    episodes = Episodes({"x": action[:, None]}, np.array([150, 300]))
    found = follow_lag(episodes, np.roll(action, 2), action)
    assert found is not None
    assert found[0] == 2
    still = 0.5 + np.finfo(float).epsneg * random.integers(0, 2, 300)
    assert follow_lag(episodes, still, action) is None


def echo(observed, told, **features) -> list[str]:
    arrays = {**features, "seen.by.it": observed, "actions": told}
    found = inspect_episodes(Episodes(arrays, np.array([50, 120])))
    return [problem.message for problem in found if problem.kind == "echo"]


def test_an_echo_is_found_whatever_it_is_called() -> None:
    random = np.random.default_rng(0)
    told = np.cumsum(random.normal(size=(120, 3)), 0)
    more = np.cumsum(random.normal(size=(120, 2)), 0)
    assert "'actions[0:3]' is 'seen.by.it'" in echo(told, told)[0]
    assert "'actions' is 'seen.by.it[2:5]'" in echo(np.hstack([more, told]), told)[0]
    assert "'actions[0:3]' is 'seen.by.it'" in echo(told.astype(np.float32), told)[0]
    mixed = np.hstack([told[:, [2]], more, told[:, [0, 1]]])
    assert "Each column of 'actions' that moves is one of 'seen.by.it'" in echo(mixed, told)[0]
    still = np.hstack([told[:, ::-1], np.zeros((120, 1))])
    assert "Each column of 'actions'" in echo(told, still)[0]
    assert "'actions[1:2]' is 'seen.by.it'" in echo(told[:, 1].copy(), told)[0]
    poses = np.stack([told, told + 1], axis=1)
    assert "'actions' is 'seen.by.it[0:3]'" in echo(poses, told)[0]


def test_what_is_no_echo() -> None:
    random = np.random.default_rng(0)
    told = np.cumsum(random.normal(size=(120, 3)), 0)
    assert not echo(np.concatenate([told[:1], told[:-1]]), told)  # what was told before
    assert not echo(told + 1e-3, told)
    assert not echo(np.hstack([told[:, :2], random.normal(size=(120, 1))]), told)
    assert not echo(told + 1, told, next_state=told, action_before=told)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("name", ["time", "camera.timestamps", "t", "robot_time_stamp", "counter"])
def test_clocks_of_any_name_and_unit(name, unit) -> None:
    """Jumps and rates; a column that says nothing by its name is one where it runs as one."""
    lengths = (40, 50, 45)
    seconds = np.concatenate([np.arange(n) / RATE for n in lengths])
    start = 1.7e9 if name != "t" else 0.0
    ticks = (start + seconds) / unit if unit == 1 else np.rint((start + seconds) / unit)
    clock = ticks if unit == 1 else ticks.astype(np.int64)
    assert kinds(changed(**{name: clock})) == {}
    jumping = clock.copy()
    jumping[70:90] += jumping.dtype.type(round(0.7 / unit, 3))
    [found] = [p for p in inspect_episodes(changed(**{name: jumping})) if p.kind == "jump"]
    assert found.episode == 1
    assert f"in '{name}', first at step 30 of episode 1: by 0.8 s" in found.message
    if name != "counter":
        slow = clock[0] + 3 * (clock - clock[0])
        [found] = [p for p in inspect_episodes(changed(**{name: slow})) if p.kind == "rate"]
        assert f"says 10 Hz, its '{name}' 3.333 Hz" in found.message


def test_what_is_no_clock() -> None:
    lengths = (40, 50, 45)
    steps = np.concatenate([np.arange(n) for n in lengths])
    phase = np.concatenate([np.linspace(0, 1, n) for n in lengths])
    random = np.random.default_rng(0)
    travelled = np.cumsum(0.1 * random.uniform(0.2, 1.8, 135))
    assert kinds(changed(step=steps, t=phase, travelled=travelled, left=-steps / RATE)) == {}


def test_a_clock_of_whole_milliseconds_has_the_rate_it_has() -> None:
    lengths = (90, 90)
    clock = np.concatenate([np.rint(1000 * np.arange(n) / 60) for n in lengths]).astype(np.int64)
    episodes = Episodes({"time_ms": clock}, np.cumsum(lengths), rate_hz=60.0)
    assert kinds(episodes) == {}


def test_several_tasks_are_named_unless_they_are_seen() -> None:
    of = np.repeat([0, 2, 0], (40, 50, 45))
    episodes = replace(changed(task_index=of), tasks=("pick the red", "never", "pick the green"))
    [found] = [p for p in inspect_episodes(episodes) if p.kind == "tasks"]
    assert "2 tasks ('pick the red', 'pick the green')" in found.message
    assert "tasks" not in kinds(episodes.subset([0, 2]))

    def told(*seen: str) -> bool:
        spec = PolicySpec.select(episodes.shapes, observations=seen)
        return any(p.kind == "tasks" for p in inspect_episodes(episodes, spec=spec))

    assert told("observation.state")
    assert not told("observation.state", "task_index")
    nameless = changed(**{"annotation.task_id": of[:, None]})
    [found] = [p for p in inspect_episodes(nameless) if p.kind == "tasks"]
    assert "annotation.task_id 0, annotation.task_id 2" in found.message
    assert "tasks" in kinds(replace(sound(), tasks=("one", "other")))
    assert "tasks" not in kinds(changed(task_index=np.zeros(135, int)))


def test_episodes_are_called_what_their_file_calls_them() -> None:
    state = np.array(sound().arrays["observation.state"])
    state[60, 0] = 1e4
    clock = np.array(sound().arrays["timestamp"])
    clock[70:90] += 0.7
    pictures = np.array(sound().arrays["img"])
    pictures[40:90] //= 60
    done = np.zeros(135, bool)
    done[[39, 134]] = True
    arrays = {"observation.state": state, "timestamp": clock, "img": pictures, "next.done": done}
    episodes = replace(changed(**arrays), numbers=(3, 7, 8))
    for part in (episodes, episodes.subset([1, 0, 2]), episodes.subset([2, 1, 0]).subset([1, 2])):
        found = [p for p in inspect_episodes(part) if p.kind not in ("unrelated", "tasks")]
        assert {p.episode for p in found} == {7}, found
        assert all("episode 7" in p.message for p in found)
    unnamed = changed(**arrays).subset([1, 2])
    assert {p.episode for p in inspect_episodes(unnamed) if p.kind == "jump"} == {1}
    short = replace(sound((40, 3, 45)), numbers=(3, 7, 8))
    [found] = inspect_episodes(short)
    assert (found.episode, found.message) == (7, "Episode 7 has only 3 steps.")
    state[60, 0] = np.nan
    with pytest.raises(NotFiniteError, match="at step 20 of episode 7") as error:
        episodes.subset([1]).read("observation.state")
    assert error.value.episode == 7
    with pytest.raises(DataError, match="2 numbers are given for 3 episodes"):
        replace(episodes, numbers=(1, 2))


def test_steps_of_a_task_without_words_are_told() -> None:
    numbers = np.zeros(135, np.int64)
    assert "tasks" not in kinds(replace(changed(task_index=numbers), tasks=("pick it",)))
    numbers[50:] = 5
    [told] = [
        problem.message
        for problem in inspect_episodes(replace(changed(task_index=numbers), tasks=("pick it",)))
        if "no text" in problem.message
    ]
    assert "task 5" in told
