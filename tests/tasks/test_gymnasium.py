"""Any Gymnasium environment is a task: what it observes, how it is moved, when it succeeds."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

gym = pytest.importorskip("gymnasium", reason="the extra gymnasium is not installed")
from gymnasium import spaces  # noqa: E402

from steadyhand.errors import ConfigurationError, MissingExtraError  # noqa: E402
from steadyhand.spec import Chunking, PolicySpec  # noqa: E402
from steadyhand.tasks import Demonstrated, GymTask, make_task  # noqa: E402
from steadyhand.tasks.gymnasium_registry import is_gymnasium_id  # noqa: E402
from steadyhand.tasks.task import usable, world_of  # noqa: E402


class Line(gym.Env):
    """A point on a line, pushed by what its tests ask of it."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012
    observation_space: spaces.Space = spaces.Box(-9, 9, (1, 2))
    action_space: spaces.Space = spaces.Box(-1, 1, (2, 1))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.normal(0, 0.1, 2)
        self.told = []
        return self.place[None].astype(np.float32), {}

    def step(self, action):
        self.told.append(action)
        self.place = self.place + action[:, 0]
        info = {"is_success": np.array([abs(self.place[0]) > 2])}
        return self.place[None].astype(np.float32), self.place[0], self.place[0] > 9, False, info

    def render(self):
        return np.full((12, 16, 3), 7, np.uint8)


class Leaky(Line):
    """What it drew before moves what it draws next."""

    drawn = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.drawn += 1
        self.place = self.place + self.drawn
        return self.place[None], {}


def line(**fields) -> GymTask:
    return GymTask(**{"environment": Line, "max_steps": 9, **fields})


def seeing(space: spaces.Space, value=None, **fields):
    """What a policy sees first of an environment with that space."""
    kind = type("Seeing", (Line,), {"observation_space": space})
    kind.reset = lambda self, seed=None, options=None: (
        space.sample() if value is None else value,
        {},
    )
    return line(environment=kind, success=lambda info: False, rate_hz=5.0, **fields).make().reset(0)


def test_it_is_a_task() -> None:
    task = usable(line())
    world = world_of(task)
    assert (task.rate_hz, task.max_steps, task.name) == (5.0, 9, "Line:max_steps=9")
    seen = world.reset(3)
    assert seen["state"].shape == (2,)
    seen, over = world.step(np.array([0.5, -0.5]))
    assert not over
    assert world.state() == pytest.approx(seen["state"].tolist())
    assert world.render().shape == (12, 16, 3)


def test_spaces_are_named_arrays() -> None:
    numbers = spaces.Box(-1, 1, (2, 3), np.float32)
    picture = spaces.Box(0, 255, (16, 20, 3), np.uint8)
    inner = spaces.Dict({"a": numbers, "b": spaces.MultiBinary(4)})
    assert {key: seen.shape for key, seen in seeing(numbers).items()} == {"state": (6,)}
    assert {key: seen.shape for key, seen in seeing(picture).items()} == {"img": (16, 20, 3)}
    found = seeing(
        spaces.Dict({"joints": inner, "camera": picture, "none": spaces.Box(0, 1, (0,))})
    )
    shapes = {key: seen.shape for key, seen in found.items()}
    assert shapes == {"joints/a": (6,), "joints/b": (4,), "camera": (16, 20, 3)}
    spec = PolicySpec.select(
        {**shapes, "action": (2,)}, observations=[*shapes], chunking=Chunking(horizon=8)
    )
    spec.check_observation(found)
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert seeing(numbers, value)["state"].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (spaces.Discrete(3), r"observes Discrete\(3\), which is no array.*observe=lambda seen"),
        (spaces.Dict({"a": spaces.Text(3)}), "as a, which is no array of numbers"),
        (spaces.Tuple([spaces.Discrete(2)]), "which is no array of numbers"),
        (spaces.Box(0, 255, (84, 84), np.uint8), "not laid out as pictures are"),
        (spaces.Box(0, 255, (3, 84, 84), np.uint8), r"\(height, width, channel\) of uint8"),
    ],
)
def test_what_cannot_be_seen_is_told_with_how_to_say_it(space, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        seeing(space)


def test_a_mapping_of_ones_own() -> None:
    found = seeing(spaces.Discrete(9), 5, observe=lambda seen: {"state": seen, "two": [seen, 1]})
    assert {key: seen.tolist() for key, seen in found.items()} == {"state": [5], "two": [5, 1]}
    for answer, said in (
        ([1], r"with \[1\]; it gives named"),
        ({"a": "b"}, "'b' as 'a'; it gives"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            seeing(spaces.Discrete(9), observe=lambda seen, answer=answer: answer)


def test_a_picture_can_be_seen_besides() -> None:
    world = line(view=10).make()
    assert world.reset(0)["img"].shape == (10, 10, 3)
    assert world.step(np.zeros(2))[0]["img"].max() == 7
    assert line(view=10).settings_show == ("img",)
    with pytest.raises(ConfigurationError, match="a picture 'img' of its own"):
        seeing(spaces.Box(0, 255, (16, 20, 3), np.uint8), view=10)
    with pytest.raises(ConfigurationError, match="view is 3; it must be at least 8"):
        line(view=3)


def test_actions_are_flat_and_clipped() -> None:
    world = line().make()
    world.reset(0)
    world.step(np.array([0.25, 4.0]))
    told = world._world.told[0]
    assert told.dtype == np.float32
    assert told.tolist() == [[0.25], [1.0]]
    with pytest.raises(ConfigurationError, match="moved by 2 numbers, and was given 3"):
        world.step(np.zeros(3))
    whole = type("Whole", (Line,), {"action_space": spaces.Box(0, 9, (2, 1), np.int64)})
    world = line(environment=whole).make()
    world.reset(0)
    world.step(np.array([1.6, 12.0]))
    assert world._world.told[0].tolist() == [[2], [9]]
    with pytest.raises(ConfigurationError, match=r"by Discrete\(2\), and a policy answers with nu"):
        make_task("CartPole-v1").make()


def test_success_is_found_by_itself_and_held_where_it_was() -> None:
    scores = {}
    for when in ("ever", "end"):
        world = line(success_at=when).make()
        world.reset(0)
        for push in (1, 1, 1, -1, -1, -1):
            world.step(np.array([push, 0]))
        scores[when] = world.scores()
        first = world.reset(1)["state"][0]
        assert world.scores() == {"success": False, "return": 0.0}, "an episode of its own"
        world.step(np.array([1, 0]))
        assert world.scores()["return"] == pytest.approx(first + 1, abs=1e-6)
    assert (scores["ever"]["success"], scores["end"]["success"]) == (True, False)
    assert type(scores["ever"]["success"]) is bool


def test_success_and_scores_can_be_said() -> None:
    world = line(
        success=lambda info: not info["is_success"], scores=lambda world: {"far": world.place[0]}
    ).make()
    world.reset(0)
    world.step(np.zeros(2))
    assert world.scores()["success"] is True
    assert world.scores()["far"] == world._world.place[0]
    world = line(success="is_succes").make()
    world.reset(0)
    world.step(np.zeros(2))
    with pytest.raises(ConfigurationError, match=r"Did you mean 'is_success'.*give a function"):
        world.scores()
    world = line(success=lambda info: "yes").make()
    world.reset(0)
    with pytest.raises(ConfigurationError, match=r"success\(\) of Line is 'yes'; success is True"):
        world.step(np.zeros(2))
    with pytest.raises(ConfigurationError, match="Did you mean 'end'"):
        line(success_at="eend")


def test_an_environment_that_never_says_success_has_none() -> None:
    world = make_task("Pendulum-v1").make()
    world.reset(0)
    world.step(np.zeros(1))
    assert set(world.scores()) == {"return"}


def test_time_is_the_environments_own_unless_it_is_given() -> None:
    stepped = type("Stepped", (Line,), {"dt": 0.25})
    assert line(environment=stepped).rate_hz == 4.0, "what a step takes goes before films"
    controlled = type("Controlled", (Line,), {"dt": 0.25, "control_hz": 10})
    assert line(environment=controlled).rate_hz == 10.0
    assert line(environment=controlled, rate_hz=3).rate_hz == 3
    silent = type("Silent", (Line,), {"metadata": {}})
    with pytest.raises(ConfigurationError, match="Silent does not say how long a step takes: give"):
        usable(line(environment=silent))
    with pytest.raises(ConfigurationError, match="does not say when an episode ends: give it"):
        usable(GymTask(environment=Line))
    task = make_task("Pendulum-v1")
    assert (task.rate_hz, task.max_steps) == (20.0, 200)
    with pytest.raises(ConfigurationError, match="max_steps is 0; it must be at least 1"):
        line(max_steps=0)


def moved(world, seed: int) -> np.ndarray:
    """The numbers of a few ticks of random actions."""
    random, seen = np.random.default_rng(seed), [*world.reset(seed).values()]
    for _ in range(5):
        seen += world.step(random.uniform(-1, 1, world._moves.low.size))[0].values()
    return np.concatenate([np.ravel(each) for each in seen])


@pytest.mark.parametrize(
    "task", ["Pendulum-v1", "FetchPush-v4", "AdroitHandDoor-v1", "gym_pusht/PushT-v0", Leaky]
)
def test_a_seed_is_an_episode_whatever_was_before(task) -> None:
    if isinstance(task, str) and not task.startswith("Pendulum"):
        pytest.importorskip(task.split("/")[0] if "/" in task else "gymnasium_robotics")
    made = make_task(task) if isinstance(task, str) else line(environment=task, fresh=True)
    one, other = made.make(), made.make()
    wanted = moved(one, 7)
    moved(other, 9)
    np.testing.assert_array_equal(moved(other, 7), wanted)
    assert not np.array_equal(moved(other, 8), wanted)


def test_one_that_keeps_something_is_known_by_it() -> None:
    world = line(environment=Leaky).make()
    assert not np.array_equal(moved(world, 7), moved(world, 7))


def test_an_id_has_settings_and_is_found_again() -> None:
    task = make_task("Pendulum-v1:max_steps=60,view=96")
    assert (task.name, task.max_steps) == ("Pendulum-v1:max_steps=60,view=96", 60)
    assert make_task(task.name).name == task.name
    assert make_task("Pendulum-v1").name == "Pendulum-v1"
    with pytest.raises(ConfigurationError, match="Did you mean 'max_steps'"):
        make_task("Pendulum-v1:max_step=60")
    assert replace(task, view=0).max_steps == 60


def test_who_has_no_expert_demonstrates_nothing() -> None:
    assert not isinstance(line(), Demonstrated)
    assert isinstance(line(expert=lambda seed: SimpleNamespace(act=print)), Demonstrated)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Pendlum-v1", "no environment 'Pendlum-v1' of Gymnasium. Near it are Pendulum-v1"),
        ("LunarLander-v99", r"LunarLander-v3.*a function in a file that returns a GymTask"),
        ("phys2d/CartPole-v0", "phys2d/CartPole-v0 could not be made: .*jax"),
    ],
)
def test_names_that_lead_nowhere(name, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_task(name).make()


def test_a_name_imports_nothing(tmp_path, monkeypatch) -> None:
    """Gymnasium itself takes module:ID, and a name may stand in a stranger's policy."""
    (tmp_path / "evil.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("evil:Thing-v0", "evil:Pendulum-v1", "evil/Thing-v0", "evil.Thing-v0"):
        with pytest.raises(ConfigurationError):
            make_task(name).make()
        with pytest.raises(ConfigurationError):
            GymTask(environment=name).make()
    for name in ("a:b-v0", "../b-v0", "b", "b-v", "b-v0 ", "b-v0\n", "é-v0", "a/b/c-v0", ""):
        assert not is_gymnasium_id(name), name
    assert not Path(f"{tmp_path / 'evil.py'}.ran").exists()


def test_what_makes_no_environment_is_told() -> None:
    def broken():
        raise ValueError("no robot")

    with pytest.raises(ConfigurationError, match="broken could not be made: ValueError: no robot"):
        line(environment=broken).make()
    with pytest.raises(ConfigurationError, match="made 3, which is no environment of Gymnasium"):
        line(environment=lambda: 3).make()
    with pytest.raises(
        ConfigurationError, match="The environment is 3; give its ID, or what makes"
    ):
        line(environment=3)
    with pytest.raises(ConfigurationError, match=r"no field of GymTask: 'sucess'\. Did you mean"):
        line(sucess="a")


def test_what_draws_nothing_is_told() -> None:
    blind = type("Blind", (Line,), {"render": lambda self: None, "metadata": {"render_fps": 5}})
    world = line(environment=blind).make()
    world.reset(0)
    with pytest.raises(
        ConfigurationError, match="answered with None and its render_modes are none"
    ):
        world.render()
    ill = type("Ill", (Line,), {"render": lambda self: 1 / 0})
    with pytest.raises(
        ConfigurationError, match=r"could not be drawn: ZeroDivisionError.*MUJOCO_GL"
    ):
        line(environment=ill).make().render()


def test_without_gymnasium_it_is_told_what_to_install(monkeypatch) -> None:
    task = make_task("Acrobot-v1")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'steadyhand\[gymnasium\]'"):
        task.make()


def test_a_world_is_closed_where_it_is_dropped() -> None:
    closed = []
    kind = type("Closing", (Line,), {"close": lambda self: closed.append(1)})
    world = line(environment=kind, success="is_success").make()
    del world
    assert closed == [1]


@pytest.mark.slow
def test_mujoco_draws_without_a_screen_and_leaves_quietly(tmp_path) -> None:
    pytest.importorskip("gymnasium_robotics")
    code = (
        "from steadyhand.tasks import make_task\n"
        "task = make_task('FetchReach-v4:view=32')\n"
        "worlds = [task.make(), task.make()]\n"
        "seen = [world.reset(seed)['img'] for seed, world in enumerate(worlds)]\n"
        "again = task.make().reset(0)['img']\n"
        "print((seen[0] == again).all(), (seen[0] == seen[1]).all(), seen[0].std() > 5)\n"
    )
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL", "XDG_RUNTIME_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in gone}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if "could not be drawn" in done.stderr:
        pytest.skip("there is no EGL here")
    assert (done.stdout, done.stderr) == ("True False True\n", "")
