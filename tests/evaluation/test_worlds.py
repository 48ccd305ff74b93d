"""Worlds: the same to the last bit wherever they are stepped; one that fails costs its episode."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from unsteady import Echo, unsteady

from steadyhand.errors import ConfigurationError
from steadyhand.evaluation import crew, pace
from steadyhand.evaluation.compare import compare
from steadyhand.evaluation.evaluate import evaluate
from steadyhand.evaluation.lanes import Event
from steadyhand.evaluation.pace import Pace
from steadyhand.evaluation.rollout import Rollout, rollout
from steadyhand.evaluation.travel import _named
from steadyhand.runtime import chunk_noise
from steadyhand.spec import PolicySpec
from steadyhand.tasks import make_task, register_task

FILE = Path(__file__).with_name("unsteady.py")


def told(found: Rollout) -> list[tuple]:
    return [
        (e.seed, e.repeat, e.actions.tobytes(), e.states.tobytes(), dict(e.scores), e.boundaries)
        for e in found.episodes
    ]


@pytest.fixture
def children():
    """The processes of worlds that are left, for a test that leaves none."""

    def left() -> list[str]:
        found = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True).stdout
        mine = [line.split(None, 1) for line in found.splitlines()]
        return [args for parent, args in mine if parent == str(os.getpid()) and "world_" in args]

    yield left
    assert not left()


@pytest.mark.parametrize(("processes", "parallel"), [(1, 50), (2, 5), (3, 50)])
def test_episodes_are_the_same_wherever_they_are_played(processes, parallel, children) -> None:
    task, seeds = unsteady(), [*range(12)]
    here = rollout(Echo(), task, seeds, processes=0, repeats=2, film=[4])
    assert here.processes == 0
    ended: list[int] = []
    there = rollout(
        Echo(),
        task,
        seeds[::-1],
        processes=processes,
        parallel=parallel,
        repeats=2,
        film=[4],
        watch=lambda episode: ended.append(episode.seed),
    )
    assert there.processes == processes
    assert sorted(told(here)) == sorted(told(there))
    assert [episode.seed for episode in there.episodes[::2]] == seeds[::-1]
    assert sorted(ended) == sorted(2 * seeds)
    frames = {e.seed: e.frames for e in there.episodes if e.frames}
    assert frames.keys() == {4}
    np.testing.assert_array_equal(frames[4], here.episodes[8].frames)


@dataclass
class Groping:
    """Moves the hand about, by what it sees and by the noise of its episode."""

    spec: PolicySpec

    def predict(self, requests):
        moves = [chunk_noise(each.seed, each.number, (16, 4)) for each in requests]
        seen = [each.observation["state"][-1, :4] for each in requests]
        return np.stack(
            [move + np.sin(100 * place) for move, place in zip(moves, seen, strict=True)]
        )


def test_worlds_of_a_simulator_are_the_same_wherever_they_are_stepped(children) -> None:
    pytest.importorskip("metaworld", reason="the extra metaworld is not installed")
    spec = PolicySpec.select({"state": (39,), "action": (4,)}, observations=["state"])
    task = make_task("metaworld/push-v3:max_steps=12")
    seeds = range(100_000, 100_004)
    here = rollout(Groping(spec), task, seeds, processes=0, parallel=1)
    there = rollout(Groping(spec), task, seeds[::-1], processes=2, parallel=4)
    assert told(here) == told(there)[::-1]
    assert len({episode.states.tobytes() for episode in here.episodes}) == 4


def line(text: str) -> str:
    """Where a line of the task's file is, as messages say it."""
    lines = FILE.read_text().splitlines()
    number = next(k for k, one in enumerate(lines, 1) if text in one)
    return rf" \({re.escape(str(FILE))}, line {number}\)"


GONE = r"step\(\) raised ValueError: the gripper is gone" + line("the gripper is gone")


@pytest.mark.parametrize(
    ("how", "why", "processes"),
    [
        ("raise", GONE, 0),
        ("raise", GONE, 2),
        ("exit", r"step\(\) raised SystemExit: enough \(", 0),
        ("reset", r"reset\(\) raised ValueError: no scene 3" + line("no scene"), 0),
        ("not finite", r"step\(\) answered so: Observation 'time' is not a finite", 1),
        ("die", "its process ended by itself, with status 3", None),
        ("die early", "its process ended by itself, with status 3", 1),
        ("kill", "its process was ended by SIGKILL", 2),
        ("close", "its process", 1),
        ("loop", "it gave no answer for 2 seconds", 2),
    ],
)
def test_a_world_that_fails_costs_its_episode(how, why, processes, children) -> None:
    lost: list[int] = []
    found = rollout(
        Echo(),
        unsteady(how=how),
        range(8),
        processes=processes,
        world_timeout=2 if how == "loop" else 60,
        lose=lambda one: lost.append(one.seed),
    )
    assert lost == [one.seed for one in found.lost] == [3]
    assert re.search(why, found.lost[0].why), found.lost
    sound = rollout(Echo(), unsteady(), [s for s in range(8) if s != 3], processes=0)
    assert told(found) == told(sound)


@pytest.mark.parametrize("processes", [0, 1])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"how": "make"},
            r"The first 3 worlds of .* failed alike.* make\(\) raised OSError: no such",
        ),
        ({"how": "reset", "bad": "all"}, r"3 worlds of .* reset\(\) raised ValueError: no scene"),
        (
            {"how": "at once", "bad": "all"},
            rf"The first 3 worlds .*{GONE.replace('step', '.*step')}",
        ),
        (
            {"how": "raise", "bad": "all"},
            r"No episode in .* 6 of 6 were lost .* the gripper is gone",
        ),
        ({"how": "house"}, "the house says no"),
        (
            {"how": "scores"},
            r"scores\(\) of the task were success in one episode and success, far in",
        ),
    ],
)
def test_what_is_wrong_with_the_task_ends_it_in_one_message(
    settings, said, processes, children
) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        rollout(Echo(), unsteady(**settings), range(6), processes=processes)
    assert "\n" not in str(raised.value)


def test_all_processes_that_die_are_told_of_once(children) -> None:
    with pytest.raises(ConfigurationError, match=r"No episode .* 2 of 2 .* with status 3"):
        rollout(Echo(), unsteady(how="die", bad="all"), range(2))


def test_lost_episodes_are_told_and_do_not_count() -> None:
    lossy = evaluate(Echo(), unsteady(how="raise", bad="1+4"), episodes=8, repeats=2, processes=0)
    assert lossy.success.n == 6
    assert [(one.seed, one.repeat) for one in lossy.lost] == [(1, 0), (1, 1), (4, 0), (4, 1)]
    said = lossy.as_json()
    assert said["processes"] == 0
    assert [one["seed"] for one in said["lost"]] == [1, 1, 4, 4]
    assert "the gripper is gone" in said["lost"][0]["why"]
    whole = evaluate(Echo(), unsteady(), episodes=8, repeats=2, processes=0)
    assert whole.as_json()["lost"] == []
    other = evaluate(Echo(), unsteady(how="raise", bad="2"), episodes=8, repeats=2, processes=0)
    found = compare({"a": whole, "b": lossy, "c": other})
    assert {one.n for one in found.values()} == {5}, "on what none has lost"
    gone = [seed for seed in range(8) if seed not in (1, 2, 4)]
    expected = [e.scores["success"] for e in whole.episodes if e.seed in gone]
    assert np.mean(whole.by_state("success")) != np.mean(expected), "the case tells them apart"
    few = evaluate(Echo(), unsteady(how="raise", bad="0+2"), episodes=4, processes=0)
    rest = evaluate(Echo(), unsteady(how="raise", bad="1+3"), episodes=4, processes=0)
    with pytest.raises(ConfigurationError, match="no initial state on which no policy lost"):
        compare({"a": few, "b": rest})


def test_what_cannot_travel_is_stepped_here_unless_processes_are_asked_for(children) -> None:
    from steadyhand.runtime import RecedingHorizon

    own = lambda *given, **named: RecedingHorizon(*given, **named)  # noqa: E731
    found = rollout(Echo(), unsteady(), range(3), controller=own)
    assert found.processes == 0
    assert told(found) == told(rollout(Echo(), unsteady(), range(3), processes=0))
    with pytest.raises(ConfigurationError, match=r"The controller stays in this .*--processes 0"):
        rollout(Echo(), unsteady(), range(3), controller=own, processes=2)
    for module in ("__main__", "nowhere"):
        script = type("Script", (type(unsteady()).__mro__[1],), {"__module__": module})
        script.__qualname__ = script.__name__ = "Script"
        sys.modules.setdefault("nowhere", type(sys)("nowhere"))
        sys.modules[module].Script = script
        try:
            task = script()
            object.__setattr__(task, "name", "script")
            with pytest.raises(ConfigurationError, match=r"The task .*--processes 0"):
                rollout(Echo(), task, range(3), processes=1)
        finally:
            delattr(sys.modules[module], "Script")


def test_a_task_that_was_changed_after_it_was_named_does_not_travel_by_its_name() -> None:
    task = unsteady()
    object.__setattr__(task, "max_steps", 4)
    found = rollout(Echo(), task, range(3))
    assert found.processes == 0
    assert [len(episode.actions) for episode in found.episodes] == [4, 4, 4]


def test_a_users_lambdas_travel_by_the_name_of_their_task(tmp_path) -> None:
    file = tmp_path / "lambdas.py"
    file.write_text(
        "from steadyhand.tasks import GymTask\n"
        "def make(far=2):\n"
        "    return GymTask(environment='Pendulum-v1', scores=lambda world: {'far': far})\n"
    )
    task = make_task(register_task(f"{file}:make:far=3"))
    assert _named(task) == f"{file}:make:far=3"
    object.__setattr__(task, "scores", make_task(register_task(f"{file}:make")).scores)
    assert _named(task) is None, "the same code with another number in it"


def test_slow_worlds_are_stepped_in_processes_and_fast_ones_are_not(monkeypatch, children) -> None:
    monkeypatch.setattr(crew, "cores", lambda: 2)
    monkeypatch.setattr(crew, "own_name", lambda name: None)  # as of a task of the library's own
    monkeypatch.setattr(pace, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(pace, "WORTH_SECONDS", 0.0)
    assert rollout(Echo(), unsteady(), range(100)).processes == 0
    slow = rollout(Echo(), unsteady(seconds=0.02), range(12))
    assert slow.processes == 2
    assert told(slow) == told(rollout(Echo(), unsteady(), range(12), processes=0))


def seen(ticks: int, seconds: float, make: float = 0.0, episodes: int = 50) -> Pace:
    """A pace after one episode of 20 lanes began, and so many ticks."""
    known = Pace(episodes=episodes, max_steps=100)
    for number in range(2):
        known.see(Event(number=number, made=make, began=0.0))
    known.see(Event(number=0, ticks=ticks, seconds=ticks * seconds))
    known.predict = 0.01
    return known


def test_processes_are_started_where_they_are_worth_it() -> None:
    assert seen(400, 0.001).slow(0, 2, 50), "5 s of worlds"
    assert not seen(400, 0.0001).slow(0, 2, 50), "half a second"
    assert not seen(400, 0.001, episodes=10).slow(0, 2, 50), "a second"
    assert not seen(10, 0.001).slow(0, 2, 50), "nobody has looked for long"
    assert not seen(400, 0.001).slow(2, 2, 50)
    assert not seen(400, 0.001, make=2.0, episodes=20).slow(0, 2, 2), "a simulator slow to load"
    assert seen(400, 0.01).slow(1, 4, 50), "more of them"


def test_worlds_that_take_long_to_make_are_few() -> None:
    assert seen(100, 0.001).together(0, 50) == 50
    few = seen(100, 0.001, make=0.5).together(0, 50)
    assert 1 <= few < 10
    assert few < seen(100, 0.001, make=0.1).together(0, 50) < 50
    assert seen(100, 0.001, make=100.0).together(3, 50) == 3 * pace.LANES


SCRIPT = """
import sys
from steadyhand.evaluation.rollout import rollout
from unsteady import Echo, unsteady
def watch(episode):
    print("ended", episode.seed, flush=True)
try:
    rollout(Echo(), unsteady(how="loop", bad="3"), range(8), processes=2, watch=watch)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def group(pid: int) -> list[int]:
    """The processes of worlds whose starter is, or was, so numbered."""
    found = subprocess.run(["pgrep", "-f", f"world_process {pid}$"], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlasts_the_one_that_began_it(how) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=FILE.parent, stdout=subprocess.PIPE, text=True
    )
    assert script.stdout is not None
    assert script.stdout.readline().startswith("ended")
    assert len(group(script.pid)) == 2
    script.send_signal(how)
    script.wait(10)
    until = time.monotonic() + 5
    while group(script.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not group(script.pid)
    assert ("stopped" in script.stdout.read()) == (how == signal.SIGINT)
