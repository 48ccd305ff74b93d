"""What `inspect` says is wrong: each problem planted, each told, and nothing told of sound data."""

from dataclasses import replace

import numpy as np
import pytest
import sets

from steadyhand.data import Episodes, inspect_episodes, open_episodes
from steadyhand.data.problems.numbers import follow_lag

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
    assert "rate" in kinds(changed(timestamp=clock / 3))
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
