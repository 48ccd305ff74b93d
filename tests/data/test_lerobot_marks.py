"""What a LeRobotDataset says of its episodes: tasks in words, successes, its own division."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sets

from steadyhand.data import open_episodes, write_episodes
from steadyhand.data.tasks import task_numbers
from steadyhand.errors import DataError

TEXTS = ["pick the red", "pick the green", "pick the red"]


def change(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def lines(path, **columns):
    """Write more into the index of an episode, in either version."""
    file = path / "meta" / "episodes.jsonl"
    if file.exists():
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        added = [{**row, **{k: v[i] for k, v in columns.items()}} for i, row in enumerate(rows)]
        file.write_text("".join(json.dumps(row) + "\n" for row in added))
        return
    file = next((path / "meta" / "episodes").rglob("*.parquet"))
    table = pq.read_table(file)
    for key, values in columns.items():
        if key in table.column_names:
            table = table.drop([key])
        table = table.append_column(key, pa.array(values))
    pq.write_table(table, file)


def column(path, key, values, dtype="string", declare=True):
    """Put a column in place of another or as a new one; `values` of a step by its episode."""
    for file in (path / "data").rglob("*.parquet"):
        table = pq.read_table(file)
        numbers, steps = (table[name].to_pylist() for name in ("episode_index", "frame_index"))
        new = pa.array([values(n, step) for n, step in zip(numbers, steps, strict=True)])
        table = table.drop([key]) if key in table.column_names else table
        pq.write_table(table.append_column(key, new), file)
    info = path / "meta" / "info.json"
    features = json.loads(info.read_text())["features"]
    if declare:
        change(info, features={**features, key: {"dtype": dtype, "shape": [1], "names": None}})


@pytest.fixture(params=["v2", "v3"])
def path(request, tmp_path):
    if request.param == "v2":
        return sets.lerobot_v2(tmp_path / "set", videos=False)
    return sets.lerobot_v3(tmp_path / "set")


def without_tasks(path):
    for file in path.glob("meta/tasks.*"):
        file.unlink()


def said(episodes):
    return [episodes.tasks[i] for i in task_numbers(episodes)[episodes.starts]]


def test_tasks_that_only_the_index_has(path) -> None:
    without_tasks(path)
    lines(path, tasks=[[text] for text in TEXTS])
    episodes = open_episodes(path)
    assert said(episodes) == TEXTS
    assert not episodes.remarks
    lines(path, tasks=[["pick the red", "take it"], [], ["pick the red"]])
    episodes = open_episodes(path)
    assert episodes.tasks == ("", "pick the red")
    assert "1 episodes have several texts" in episodes.remarks[0].message


@pytest.mark.parametrize("declare", [True, False])
def test_tasks_in_a_column_of_text(path, declare) -> None:
    without_tasks(path)
    lines(path, tasks=[[], [], []])
    column(path, "note", lambda n, step: "x", declare=declare)
    column(path, "language_instruction", lambda n, step: TEXTS[n], declare=declare)
    episodes = open_episodes(path)
    assert said(episodes) == TEXTS
    assert episodes.arrays["task_index"].shape == (36,)
    assert list(episodes.left_out) == ["note"]
    [remark] = episodes.remarks
    assert remark.message.startswith("What was to be done is read in the words of 'language_instr")


def test_a_column_of_text_does_not_stand_in_for_the_list_of_tasks(path) -> None:
    column(path, "language_instruction", lambda n, step: TEXTS[n])
    episodes = open_episodes(path)
    assert episodes.tasks == ("wander",)
    assert episodes.left_out == {"language_instruction": "it is text"}


def test_successes_of_the_index(path) -> None:
    lines(path, success=[True, False, True])
    assert open_episodes(path).success == (True, False, True)
    assert open_episodes(path, select="success").numbers == (0, 2)


def test_successes_of_the_last_step(path) -> None:
    lengths = np.array(sets.LENGTHS)
    column(path, "next.success", lambda n, step: bool(n != 1 and step == lengths[n] - 1), "bool")
    episodes = open_episodes(path)
    assert episodes.success == (True, False, True)
    column(path, "next.success", lambda n, step: step == 3, "bool")
    episodes = open_episodes(path)
    assert episodes.success == ()
    assert "'next.success' ends no episode with a success" in episodes.remarks[-1].message


SPLITS = {
    '{"train": "0:3"}': {},
    '{"train": "0:50"}': {},
    '{"train": "0:2", "val": "2:3"}': {"train": (0, 1), "val": (2,)},
    '{"train": "0,2", "test": " 1 "}': {"train": (0, 2), "test": (1,)},
    '{"train": [0, 1], "valid": [2]}': {"train": (0, 1), "valid": (2,)},
    '{"train": "0:2", "test": "7:9"}': {"train": (0, 1)},
    "[1]": {},
}


@pytest.mark.parametrize("splits", SPLITS)
def test_a_set_divides_itself(splits, path) -> None:
    change(path / "meta" / "info.json", splits=json.loads(splits))
    assert open_episodes(path).masks == SPLITS[splits]


@pytest.mark.parametrize("odd", ["80%", "3:1", [1.5], {"a": 1}, "1:2:3", "9" * 30])
def test_a_division_that_says_nothing_is_told(odd, path) -> None:
    change(path / "meta" / "info.json", splits={"train": "0:2", "test": odd})
    episodes = open_episodes(path)
    assert episodes.masks == {"train": (0, 1)}
    assert [remark.kind for remark in episodes.remarks] == ["splits"]
    assert "'test' of meta/info.json's splits is" in episodes.remarks[0].message


def test_a_division_by_numbers_or_by_places(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "set", videos=False)
    file = path / "meta" / "episodes.jsonl"
    file.write_text(file.read_text().replace('"episode_index": 2', '"episode_index": 5'))
    (path / "data/chunk-000/episode_000002.parquet").rename(
        path / "data/chunk-000/episode_000005.parquet"
    )
    for splits, masks in (
        ({"train": "0:2", "val": "2:3"}, {"train": (0, 1), "val": (2,)}),
        ({"train": "0:2", "val": "2:6"}, {"train": (0, 1), "val": (2,)}),
        ({"train": "1:2", "val": "5"}, {"train": (1,), "val": (2,)}),
    ):
        change(path / "meta" / "info.json", splits=splits)
        assert open_episodes(path).masks == masks


def test_what_was_noted_goes_before_what_is_told(tmp_path) -> None:
    source = open_episodes(sets.lerobot_v2(tmp_path / "source", videos=False))
    masks = {"train": (2, 0), "valid": (1,), "mine": ()}
    marked = replace(source, success=(True, None, False), masks=masks)
    write_episodes(tmp_path / "set.lerobot", marked)
    info = tmp_path / "set.lerobot" / "meta" / "info.json"
    assert json.loads(info.read_text())["splits"] == {"train": "0:3", "valid": "1:2"}
    back = open_episodes(tmp_path / "set.lerobot")
    assert (back.success, back.masks) == (marked.success, masks)
    note = info.with_name("steadyhand.json")
    change(note, success=[True])
    with pytest.raises(DataError, match=r"steadyhand.json cannot be used: its kinds or marks of"):
        open_episodes(tmp_path / "set.lerobot")
