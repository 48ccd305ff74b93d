"""Rests, failures and copies are told with what to do about them, and that helps."""

import re
import shlex
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sets

from steadyhand.data import Episodes, Problem, inspect_episodes, open_episodes, write_episodes
from steadyhand.data.mending import trimmed
from steadyhand.data.selection import selected

RATE = 20.0


def demonstrations(lengths=(80, 90, 70, 60), numbers=()) -> Episodes:
    """An arm that goes where it is told."""
    random = np.random.default_rng(0)
    paths = [np.cumsum(random.normal(size=(n, 3)), 0) for n in lengths]
    state = np.concatenate(paths)
    action = state + 0.3 * random.normal(size=state.shape)
    arrays = {"state": state, "action": action}
    return Episodes(arrays, np.cumsum(lengths), RATE, numbers=numbers)


def resting(episodes: Episodes, *where: tuple[int, int]) -> Episodes:
    """In which the steps from one to another are as the first of them."""
    rows = np.arange(episodes.steps)
    for start, stop in where:
        rows[start:stop] = start
    return replace(episodes, arrays={k: np.asarray(a)[rows] for k, a in episodes.arrays.items()})


def told(episodes: Episodes, kind: str) -> Problem | None:
    found = [p for p in inspect_episodes(episodes) if p.kind == kind]
    assert len(found) <= 1
    return found[0] if found else None


def flag(problem: Problem) -> str:
    """The selection that a message advises."""
    found = re.search(r"--select ([\d:,]+|success)", problem.message)
    assert found is not None, problem.message
    return found[1].rstrip(",")


def test_a_rest_at_the_ends_is_cut_off_as_is_said(tmp_path) -> None:
    episodes = demonstrations()
    assert told(episodes, "idle") is None
    rests = resting(episodes, (0, 30), (130, 170))
    rests = replace(rests, path=tmp_path / "my set")
    found = told(rests, "idle")
    assert found is not None
    assert found.episode == 0
    assert "in 2 of 4 episodes" in found.message
    assert "the first for 1.4 s at the start of episode 0" in found.message
    assert re.search(r"the longest for (2.0|1.9) s at the end of episode 1", found.message)
    assert f"convert {shlex.quote(str(tmp_path / 'my set'))} OUT --trim-idle` cuts" in found.message
    assert "inside" not in found.message
    assert told(trimmed(rests)[0], "idle") is None


def test_a_rest_inside_is_not_said_to_be_cut_off() -> None:
    found = told(resting(demonstrations(numbers=(5, 6, 7, 8)), (100, 140)), "idle")
    assert found is not None
    assert found.episode == 6
    assert re.search(r"the first for [12]\.\d s from [01]\.\d s on of episode 6", found.message)
    assert "--trim-idle" not in found.message
    both = told(resting(demonstrations(), (0, 30), (100, 140)), "idle")
    assert both is not None
    assert "cuts 1 of them off" in both.message
    assert "1 lies inside" in both.message


def test_a_policy_that_is_trained_is_told_too() -> None:
    from steadyhand.training.begin import TOLD

    assert {"idle", "failed", "duplicate", "shared-video"} <= set(TOLD)


@pytest.mark.parametrize(
    ("success", "advice", "left"),
    [
        ((True, False, True, False), "Leave them out: --select success.", [0, 2]),
        ((None, False, True, False), "Leave them out: --select 0,2", [0, 2]),
        ((None, False, None, None), "Leave them out: --select 0,2:4", [0, 2, 3]),
    ],
)
def test_failures_are_left_out_as_is_said(success, advice, left) -> None:
    episodes = replace(demonstrations(), success=success)
    found = told(episodes, "failed")
    assert found is not None
    assert found.episode == 1
    assert advice in found.message
    assert f"{success.count(False)} of 4 demonstrations are marked as failed" in found.message
    rest = selected(episodes, flag(found))
    assert rest.numbers == tuple(left)
    assert told(rest, "failed") is None


def test_where_all_failed_nothing_is_chosen() -> None:
    found = told(replace(demonstrations(), success=(False,) * 4), "failed")
    assert found is not None
    assert "--select" not in found.message
    assert told(replace(demonstrations(), success=(True, None, True, True)), "failed") is None


def test_copies_are_found_and_left_out_as_is_said() -> None:
    episodes = demonstrations((60, 60, 60, 60), numbers=(3, 4, 7, 9))
    rows = np.concatenate([np.arange(0, 120), np.arange(0, 60), np.arange(60, 120)])
    copied = {key: np.asarray(array)[rows] for key, array in episodes.arrays.items()}
    copied["index"] = np.arange(240)  # which tells copies apart, and is no motion
    found = told(replace(episodes, arrays=copied), "duplicate")
    assert found is not None
    assert found.episode == 7
    assert "Episode 7 is episode 3 again; 2 of 4 are copies" in found.message
    rest = selected(replace(episodes, arrays=copied), flag(found))
    assert rest.numbers == (3, 4)
    assert told(rest, "duplicate") is None
    other = {**copied, "state": np.array(copied["state"])}
    other["state"][[130, 190]] += 1e-6
    assert told(replace(episodes, arrays=other), "duplicate") is None
    assert told(episodes, "duplicate") is None


def test_the_same_motion_before_other_things_is_no_copy() -> None:
    random = np.random.default_rng(0)
    action = np.tile(np.cumsum(random.normal(size=(60, 2)), 0), (2, 1))
    seen = random.integers(40, 200, (120, 16, 16, 3), dtype=np.uint8)
    episodes = Episodes({"action": action, "img": seen}, np.array([60, 120]), RATE)
    assert told(episodes, "duplicate") is None
    seen[60:] = seen[:60]
    assert told(episodes, "duplicate") is not None


def test_episodes_that_share_a_stretch_of_film(tmp_path) -> None:
    path = sets.lerobot_v3(tmp_path / "set")
    assert told(open_episodes(path), "shared-video") is None
    index = next(path.glob("meta/episodes/*/*.parquet"))
    rows = pq.read_table(index).to_pylist()
    key = f"videos/{sets.CAMERA}/from_timestamp"
    rows[2][key] -= 0.5  # of ten pictures a second
    pq.write_table(pa.Table.from_pylist(rows), index, write_page_checksum=True)
    episodes = open_episodes(path)
    found = told(episodes, "shared-video")
    assert found is not None
    assert found.episode == 2
    assert "the same 0.5 s of video in episodes 1 and 2" in found.message
    assert found.file is not None
    assert found.file.endswith(".mp4")
    assert told(episodes.subset([2, 1]), "shared-video") is not None
    assert told(selected(episodes, flag(found)), "shared-video") is None
    rows[2][key] += 0.5 - 0.1 / sets.RATE
    pq.write_table(pa.Table.from_pylist(rows), index, write_page_checksum=True)
    assert told(open_episodes(path), "shared-video") is None, "times are rounded"


def test_what_is_said_can_be_typed(tmp_path) -> None:
    """The command of a rest, as it stands in the message."""
    from steadyhand.cli import convert

    write_episodes(tmp_path / "a b.npz", resting(demonstrations(), (0, 30)))
    found = told(open_episodes(tmp_path / "a b.npz"), "idle")
    assert found is not None
    typed = re.search(r"`steadyhand convert (.*)`", found.message)
    assert typed is not None
    words = [str(tmp_path / "out.npz") if w == "OUT" else w for w in shlex.split(typed[1])]
    convert.run(words)
    assert told(open_episodes(tmp_path / "out.npz"), "idle") is None
