"""A folder of several sets is one set, each a task of its own or of the words that it has."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.joined import joined
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError


def made(episodes: int, value: float, **more) -> Episodes:
    steps = 5 * episodes
    arrays = {"state": np.full((steps + 2, 3), value), "action": np.full((steps, 2), -value)}
    return Episodes({**arrays, **more}, 5 * np.arange(1, episodes + 1), 20.0)


def test_a_folder_of_sets_is_one_set(tmp_path: Path) -> None:
    write_episodes(tmp_path / "push.npz", made(2, 1.0))
    write_episodes(tmp_path / "pull.zarr", made(3, 2.0, more=np.zeros(15)))
    (tmp_path / "notes.txt").write_text("taken on a Monday")
    found = open_episodes(tmp_path)
    assert found.tasks == ("pull", "push")
    assert found.lengths.tolist() == [5] * 5
    assert found.rate_hz == 20
    np.testing.assert_array_equal(found.read("task_index"), np.repeat([0, 1], (15, 10)))
    np.testing.assert_array_equal(found.read("state")[:, 0], np.repeat([2.0, 1.0], (15, 10)))
    assert set(found.left_out) == {"more", "notes.txt"}
    again = open_episodes(tmp_path).subset([4])
    np.testing.assert_array_equal(again.read("action"), -np.ones((5, 2)))


def test_words_that_sets_have_stay_and_are_shared() -> None:
    one = replace(made(2, 1.0, task_index=np.repeat([1, 0], 5)), tasks=("open it", "close it"))
    other = replace(made(1, 2.0), tasks=("open it",))
    found = joined({"one": one, "other": other})
    assert found.tasks == ("open it", "close it")
    assert found.read("task_index")[found.starts].tolist() == [1, 0, 0]


@pytest.mark.parametrize("ending", ["npz", "zarr", "lerobot"])
def test_what_was_to_be_done_is_kept_in_every_format(tmp_path: Path, ending: str) -> None:
    told = replace(made(2, 1.0, task_index=np.repeat([1, 0], 5)), tasks=("öffnen", "close it"))
    told = replace(told, arrays={key: array[:10] for key, array in told.arrays.items()})
    write_episodes(tmp_path / f"set.{ending}", told)
    found = open_episodes(tmp_path / f"set.{ending}")
    assert found.tasks == told.tasks
    np.testing.assert_array_equal(found.read("task_index").reshape(-1), np.repeat([1, 0], 5))


def test_sets_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    slow = replace(made(1, 1.0), rate_hz=10.0)
    with pytest.raises(DataError, match="different rates: a 20 Hz, b 10 Hz"):
        joined({"a": made(1, 1.0), "b": slow})
    with pytest.raises(DataError, match="--rate 10"):
        joined({"a": made(1, 1.0), "b": slow})
    with pytest.raises(
        DataError, match=r"Say first at which b was recorded: .* --recorded-rate 30"
    ):
        joined({"a": made(1, 1.0), "b": replace(slow, rate_assumed=True)})
    wide = made(1, 1.0, state=np.zeros((5, 4)))
    with pytest.raises(DataError, match=r"'state' has different shapes: \(3,\) in a, \(4,\) in b"):
        joined({"a": made(1, 1.0), "b": wide})
    with pytest.raises(DataError, match="a folder of such sets"):
        open_episodes(tmp_path)
    write_episodes(tmp_path / "push.npz", made(2, 1.0))
    write_episodes(tmp_path / "push.zarr", made(2, 1.0))
    with pytest.raises(DataError, match="differ in their ending alone"):
        open_episodes(tmp_path)


def test_what_is_said_of_episodes_is_said_of_them_together() -> None:
    one = replace(
        made(2, 1.0),
        success=(True, False),
        masks={"train": (0,), "core": (1,)},
        remarks=(Problem("rate", "read by index", 7),),
        numbers=(4, 7),
        chosen="2 of 9 episodes are chosen: 4,7",
    )
    other = replace(made(2, 2.0), masks={"train": (1,)}, left_out={"x": "it is odd"})
    found = joined({"one": one, "other": other})
    assert found.success == (True, False, None, None)
    assert found.masks == {"train": (0, 3), "one/core": (1,)}
    assert found.remarks == (Problem("rate", "one: read by index", 1),)
    assert found.left_out == {"other/x": "it is odd"}
    assert found.chosen.startswith("one: 2 of 9")
    assert joined({"one": made(1, 1.0), "two": made(1, 1.0)}).success == ()


def test_sets_that_say_nothing_of_tasks_are_of_one_where_their_names_are_no_tasks() -> None:
    found = joined({"a": made(1, 1.0), "b": made(1, 2.0)}, named=False)
    assert found.tasks == ()
    assert "task_index" not in found.arrays
    told = replace(made(1, 1.0), tasks=("open it",))
    assert joined({"a": told, "b": made(1, 2.0)}, named=False).tasks == ("open it", "b")


def test_columns_of_other_names_are_told_and_of_another_order_are_turned() -> None:
    values = np.arange(10).reshape(5, 2)
    one = Episodes({"q": values}, np.array([5]), 20.0, names={"q": ("x", "y")})
    turned = replace(one, arrays={"q": values[:, ::-1]}, names={"q": ("y", "x")})
    found = joined({"one": one, "turned": turned})
    np.testing.assert_array_equal(found.read("q"), np.concatenate([values, values]))
    assert "put into that order" in found.remarks[0].message
    assert found.names == {"q": ("x", "y")}
    strange = joined({"one": one, "strange": replace(one, names={"q": ("u", "v")})})
    assert "u, v in strange and x, y in one: they are taken for" in strange.remarks[0].message
    points = replace(one, arrays={"q": np.zeros((5, 64, 3))}, names={})
    with pytest.raises(DataError, match="'q' has different kinds: state in a, points in b"):
        joined({"a": points, "b": replace(points, kinds={"q": "points"})})


def test_what_only_some_sets_have_is_told_with_who_lacks_it() -> None:
    found = joined({"a": made(1, 1.0, more=np.zeros(5)), "b": made(1, 1.0), "c": made(1, 1.0)})
    assert found.left_out == {"more": "a has it, and b, c have not"}
