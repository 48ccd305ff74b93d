"""Push-T gives exactly the features of the published data, and its preparations are symmetries."""

import numpy as np
import pytest

from steadyhand.data import open_episodes
from steadyhand.errors import ConfigurationError, DataError
from steadyhand.tasks import PushT, make_task, prepare_episodes
from steadyhand.tasks.disturbance import disturbed
from steadyhand.tasks.pusht import GOAL_POSE, keypoints, paper_state
from steadyhand.tasks.pusht_disturbance import move_block


def test_keypoints_are_those_of_the_published_data(pusht_path) -> None:
    episodes = open_episodes(pusht_path)
    found = keypoints(episodes.read("state")[:, 2:])
    error = np.abs(found - episodes.read("keypoint")).max((1, 2))
    assert np.median(error) < 1e-4
    assert np.quantile(error, 0.99) < 0.05
    assert error.max() < 2.2


def test_observations_have_the_features_of_the_data(pusht_path) -> None:
    recorded = open_episodes(pusht_path)
    recorded = recorded.with_last_action("action")
    first = PushT().make().reset(100_000)
    for key, value in first.items():
        assert value.shape == recorded.shapes[key]
        assert value.dtype == recorded.arrays[key].dtype


def test_the_simulator_replays_a_demonstration(pusht_path) -> None:
    """Recorded actions, from the recorded state, move the finger as was recorded."""
    episodes = open_episodes(pusht_path)
    state, action = episodes.read("state", 0, 60), episodes.read("action", 0, 60)
    environment = PushT().make()
    environment._world.reset(options={"reset_to_state": state[0].astype(float)})
    found = np.stack([environment.step(target)[0]["state"] for target in action[:-1]])
    # The recording's own first tick differs a little; after it the finger follows within pixels.
    assert np.median(np.linalg.norm(found[:, :2] - state[1:, :2], axis=1)) < 5


def test_initial_states_of_the_papers_seeds() -> None:
    # numpy.random.RandomState(100000): randint(50, 450) twice, randint(100, 400) twice, randn.
    random = np.random.RandomState(100_000)
    wanted = [*random.randint(50, 450, 2), *random.randint(100, 400, 2)]
    assert paper_state(100_000)[:4].tolist() == wanted
    assert paper_state(100_000)[4] == random.randn() * 2 * np.pi - np.pi
    environment = PushT().make()
    environment.reset(100_000)
    np.testing.assert_allclose(environment.state()[:2], wanted[:2])
    again = PushT().make()
    again.reset(99)
    again.reset(100_000)
    assert again.state() == environment.state()
    gym = PushT(start="gym").make()
    gym.reset(100_000)
    assert gym.state() != environment.state()
    assert "RandomState" in PushT().initial_states
    assert "gym-pusht" in PushT(start="gym").initial_states


def test_scores() -> None:
    environment = PushT().make()
    environment.reset(100_000)
    assert environment.scores() == {"success": False, "max_coverage": 0, "final_coverage": 0}
    environment._coverage = [0.2, 0.96, 0.5]
    scores = environment.scores()
    assert scores["success"] is True
    assert scores["max_coverage"] == 1
    assert scores["final_coverage"] == pytest.approx(0.5 / 0.95)
    environment._coverage = [0.95]
    assert environment.scores()["success"] is False, "coverage must exceed 0.95"


def test_a_block_on_the_goal_covers_it() -> None:
    environment = PushT().make()
    environment.reset(0)
    world = environment._world
    world.block.angle = GOAL_POSE[2]
    world.block.position = GOAL_POSE[:2]
    assert world._get_coverage() == pytest.approx(1)


def test_aligned_episodes_end_on_the_goal_and_move_rigidly(pusht_path) -> None:
    episodes = open_episodes(pusht_path)
    aligned = prepare_episodes(episodes, ("align",), task="pusht")
    ends = aligned.read("state")[aligned.ends - 1, 2:]
    np.testing.assert_allclose(ends, np.tile(GOAL_POSE, (206, 1)), atol=1e-3)
    before, after = episodes.read("state", 0, 161), aligned.read("state", 0, 161)

    def gap(state: np.ndarray) -> np.ndarray:
        return np.linalg.norm(state[:, :2] - state[:, 2:4], axis=1)

    np.testing.assert_allclose(gap(before), gap(after), atol=1e-3)
    shift = np.linalg.norm(aligned.read("action") - episodes.read("action"), axis=1)
    assert np.median(shift) < 15, "a small motion"


def test_the_mirror_is_a_symmetry_of_the_simulator(pusht_path) -> None:
    episodes = open_episodes(pusht_path).subset([0, 5])
    both = prepare_episodes(episodes, ("mirror",), task="pusht")
    assert len(both) == 4
    np.testing.assert_array_equal(both.ends[:2], episodes.ends)
    coverages = []
    for number in (0, 2):
        start, end = int(both.starts[number]), int(both.ends[number])
        state, action = both.read("state", start, end), both.read("action", start, end)
        environment = PushT().make()
        environment.reset(0)
        world = environment._world
        world.agent.position = state[0, :2].astype(float).tolist()
        world.block.angle = float(state[0, 4])
        world.block.position = state[0, 2:4].astype(float).tolist()
        for target in action[:40]:
            environment.step(target)
        coverages.append(environment._coverage)
    np.testing.assert_allclose(*coverages, atol=0.02)
    twice = prepare_episodes(episodes, ("mirror", "mirror"), task="pusht")
    start = twice.starts[6]
    np.testing.assert_allclose(
        twice.read("action", start, start + 9), episodes.read("action", 0, 9), atol=1e-3
    )


def test_wrong_names_are_explained(pusht_path) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'pusht'"):
        make_task("push")
    with pytest.raises(ConfigurationError, match="Did you mean 'mirror'"):
        prepare_episodes(open_episodes(pusht_path), ("miror",), task="pusht")
    with pytest.raises(ConfigurationError, match="Did you mean 'paper'"):
        PushT(start="papers")  # type: ignore[arg-type]


def test_preparations_say_what_they_need(episodes) -> None:
    without = type(episodes)({"action": episodes.read("action")}, episodes.ends)
    with pytest.raises(DataError, match="have no 'state'"):
        prepare_episodes(without, ("align",), task="pusht")


def shown(world, state):
    """What the simulator renders with finger and block put where `state` says."""
    inner = world._world
    inner.agent.position = state[:2].tolist()
    inner.block.angle = float(state[4])
    inner.block.position = state[2:4].tolist()
    for body in (inner.agent, inner.block):
        inner.space.reindex_shapes_for_body(body)
    return world.view(96).astype(int)


def test_what_is_rendered_is_what_was_published(pusht_path) -> None:
    """The same states, the same 96×96 pixels: to a tenth of a level on average."""
    episodes = open_episodes(pusht_path)
    world = PushT(view=96).make()
    assert world.reset(100_000)["img"].shape == (96, 96, 3)
    states = episodes.read("state").astype(np.float64)
    steps = np.random.default_rng(0).integers(0, episodes.steps, 30)
    differences = np.stack(
        [np.abs(shown(world, states[i]) - episodes.arrays["img"][int(i)]) for i in steps]
    )
    assert differences.mean() < 0.2
    # No frame has more than a few pixels that differ visibly, on the edges of shapes.
    assert ((differences.max(-1) > 8).mean((1, 2)) < 0.01).all()


def test_mirrored_pictures_show_the_mirrored_world(pusht_path) -> None:
    episodes = open_episodes(pusht_path).subset([3])
    mirrored = prepare_episodes(episodes, ["mirror"], task="pusht:view=96")
    assert mirrored.steps == 2 * episodes.steps
    world = PushT(view=96).make()
    world.reset(100_000)
    states = mirrored.read("state").astype(np.float64)
    for step in (10, 60, episodes.steps + 10, episodes.steps + 60):
        picture = np.asarray(mirrored.arrays["img"][step]).astype(int)
        assert np.abs(shown(world, states[step]) - picture).mean() < 0.6
        other = (step + episodes.steps) % mirrored.steps
        assert np.abs(shown(world, states[other]) - picture).mean() > 3


def test_the_view_is_a_setting_of_the_task() -> None:
    assert make_task("pusht:view=96").name == "pusht:view=96"
    assert "img" not in make_task("pusht").make().reset(1)
    assert make_task("pusht:view=32").make().reset(1)["img"].shape == (32, 32, 3)
    with pytest.raises(ConfigurationError, match="view is 3"):
        make_task("pusht:view=3")


def moved(seed: int, tick: int, ticks: int = 12) -> list[np.ndarray]:
    """What is observed of the block while the finger rests, in a world that disturbs."""
    world = PushT(disturb=tick).make()
    seen = [world.reset(seed)["state"]]
    seen += [world.step(seen[0][:2])[0]["state"] for _ in range(ticks)]
    assert world.scores()["disturbed"] == disturbed(seed)
    np.testing.assert_allclose(world.state(), seen[-1], rtol=1e-6)
    return seen


def test_the_block_is_moved_in_half_of_the_episodes() -> None:
    far: list[float] = []
    for seed in range(100_000, 100_030):
        seen = moved(seed, 5)
        steps = np.diff(np.stack(seen), axis=0)
        jump = np.linalg.norm(steps[4, 2:4])
        if not disturbed(seed):
            assert jump < 30, "what the finger pushes away at the start"
            continue
        far.append(float(jump))
        assert abs(steps[4, 4]) < 0.05, "it is not turned"
        assert not steps[6:].any(), "it lies free: neither walls nor finger push it on"
        assert np.abs(steps[5]).max() < 0.5, "but for what was pushing it a moment before"
        assert ((seen[-1][2:4] > 8) & (seen[-1][2:4] < 503)).all()
        np.testing.assert_array_equal(seen[5], moved(seed, 5, 5)[-1], "the seed decides")
    assert 12 <= len(far) <= 18
    assert np.median(far) == pytest.approx(60, abs=1e-3)
    assert min(far) > 14


def test_a_block_that_is_moved_fits_where_it_is_put() -> None:
    """Wherever it was: in a corner, and beside the finger."""
    for seed, pose in enumerate([(70, 60, 0), (440, 380, 0), (200, 300, 1.0), (256, 300, 0)] * 3):
        world = PushT(disturb=1).make()
        world.reset(seed)
        inner = world._world
        inner.block.angle, inner.block.position = pose[2], pose[:2]
        inner.agent.position = (256, 282 if seed % 2 else 480)
        for _ in range(2):
            inner.space.step(0.01)
        before = np.array(inner.get_obs())
        move_block(inner, seed)
        after = np.array(inner.get_obs())
        inner.space.step(0.01)
        np.testing.assert_allclose(np.array(inner.get_obs())[2:], after[2:], atol=1e-9)
        assert 14 < np.linalg.norm(after[2:4] - before[2:4]) < 60.001


def test_disturbance_is_a_setting() -> None:
    assert make_task("pusht:disturb=60") == PushT(disturb=60)
    assert "disturbed" not in PushT().make().scores()
    with pytest.raises(ConfigurationError, match="disturb is -1; it must be at least 0"):
        make_task("pusht:disturb=-1")
