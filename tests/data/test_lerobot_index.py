"""What a LeRobotDataset's index says of its files, where they are not quite as it says."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sets

from steadyhand.data import inspect_episodes, open_episodes
from steadyhand.data.formats.kept import Kept
from steadyhand.errors import DataError


def change(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def index(path, keep):
    """Leave only some lines in the index of version 3."""
    file = next((path / "meta" / "episodes").rglob("*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.take(keep), file)
    change(
        path / "meta" / "info.json",
        total_episodes=len(keep),
        total_frames=sum(table["length"].to_pylist()[i] for i in keep),
    )


@pytest.mark.parametrize("maker", [sets.lerobot_v2, sets.lerobot_v3])
def test_counts_that_were_not_mended_are_said(maker, tmp_path) -> None:
    path = maker(tmp_path / "set")
    change(path / "meta" / "info.json", total_frames=400, total_episodes=40)
    episodes = open_episodes(path)
    assert episodes.lengths.tolist() == [12, 9, 15]
    [remark] = episodes.remarks
    assert remark.kind == "count"
    assert "counts 40 as total_episodes, its episodes make 3." in remark.message


def test_counts_and_files_that_say_more_are_an_index_that_is_cut(tmp_path) -> None:
    v2, v3 = sets.lerobot_v2(tmp_path / "v2", videos=False), sets.lerobot_v3(tmp_path / "v3")
    lines = (v2 / "meta" / "episodes.jsonl").read_text().splitlines(keepends=True)
    (v2 / "meta" / "episodes.jsonl").write_text("".join(lines[:2]))
    index(v3, [0, 1])
    change(v3 / "meta" / "info.json", total_episodes=3)
    for path in (v2, v3):
        with pytest.raises(DataError, match="counts 3 as total_episodes, its episodes make 2"):
            open_episodes(path)


def test_files_that_the_index_does_not_speak_of_are_said(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "v2", videos=False)
    lines = (path / "meta" / "episodes.jsonl").read_text().splitlines(keepends=True)
    (path / "meta" / "episodes.jsonl").write_text("".join(lines[:2]))
    change(path / "meta" / "info.json", total_episodes=2, total_frames=21)
    [remark] = open_episodes(path).remarks
    assert remark.kind == "surplus"
    assert "1 files that no episode of its index is in: data/chunk-000/epis" in remark.message


@pytest.mark.parametrize("keep", [[1, 2], [2], [1]])
def test_rows_of_an_episode_are_its_own_where_others_left_the_index(keep, tmp_path) -> None:
    path = sets.lerobot_v3(tmp_path / "v3")
    index(path, keep)
    episodes = open_episodes(path)
    state, _ = sets.numbers()
    truth = np.concatenate([state[i] for i in keep])
    np.testing.assert_array_equal(episodes.read("observation.state"), truth)
    assert [remark.kind for remark in episodes.remarks] == ["rows", "video-long"]
    assert "has 36 pictures for" in episodes.remarks[1].message
    table = next((path / "data").rglob("*.parquet"))
    pq.write_table(pq.read_table(table).slice(0, 20), table)
    with pytest.raises(DataError, match="rows of that number, its index says"):
        open_episodes(path)


def test_of_thousands_of_tables_some_are_looked_at_and_all_are_held_against_them(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("steadyhand.data.formats.lerobot.content.EAGER", 2)
    monkeypatch.setattr("steadyhand.data.formats.lerobot.content.LOOKED", 2)
    path = sets.lerobot_v2(tmp_path / "v2", videos=False)
    state, _ = sets.numbers()
    np.testing.assert_array_equal(
        open_episodes(path).read("observation.state"), np.concatenate(state)
    )
    middle = path / "data" / "chunk-000" / "episode_000001.parquet"
    whole = pq.read_table(middle)
    for odd, said in (
        (whole.slice(0, 5), "it has 5 rows for 9 steps"),
        (whole.drop(["observation.state"]), "it has no column 'observation.state'"),
        (whole.set_column(0, "observation.state", [["x"] * 9]), "holds string, not numbers"),
        (whole.set_column(0, "observation.state", [np.zeros((9, 3)).tolist()]), "has shape (3,)"),
    ):
        pq.write_table(odd, middle)
        with pytest.raises(DataError) as caught:
            open_episodes(path).read("observation.state")
        assert said in str(caught.value)
        assert caught.value.episode == 1
        left = open_episodes(path, skip_broken_episodes=True)
        assert left.lengths.tolist() == [12, 15]


def test_columns_are_read_in_parts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("steadyhand.data.formats.parquet.AT_ONCE", 100)
    monkeypatch.setattr("steadyhand.data.formats.parquet.KEPT._most", 1000)
    path = sets.lerobot_v3(tmp_path / "v3")
    file = next((path / "data").rglob("*.parquet"))
    pq.write_table(pq.read_table(file), file, row_group_size=5)
    state, _ = sets.numbers()
    truth = np.concatenate(state)
    array = open_episodes(path).arrays["observation.state"]
    for part in (slice(0, 36), slice(3, 4), slice(4, 14), slice(35, 36), slice(8, 8)):
        np.testing.assert_array_equal(array[part], truth[part])
    np.testing.assert_array_equal(array[[35, 0, 17]], truth[[35, 0, 17]])


def test_an_episode_of_one_step_has_its_picture(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "v2")
    lines = (path / "meta" / "episodes.jsonl").read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"length": 9', '"length": 1')
    (path / "meta" / "episodes.jsonl").write_text("".join(lines))
    file = path / "data" / "chunk-000" / "episode_000001.parquet"
    pq.write_table(pq.read_table(file).slice(0, 1), file)
    film = next(path.rglob("episode_000001.mp4"))
    film.unlink()
    sets.film(film.with_suffix(".mkv"), sets.pictures(1, 1))
    change(path / "meta" / "info.json", total_frames=28)
    episodes = open_episodes(path)
    assert episodes.lengths.tolist() == [12, 1, 15]
    pictures = episodes.read(sets.CAMERA, 12, 13)
    assert np.abs(pictures.astype(int) - sets.pictures(1, 1)).mean() < 4
    told = [problem.kind for problem in inspect_episodes(episodes)]
    assert "short" in told
    assert "frozen" not in told


def test_an_episode_of_no_steps_lies_nowhere(tmp_path) -> None:
    path = sets.lerobot_v3(tmp_path / "v3")
    file = next((path / "meta" / "episodes").rglob("*.parquet"))
    rows = pq.read_table(file).to_pylist()
    rows.append({**dict.fromkeys(rows[0]), "episode_index": 3, "length": 0})
    pq.write_table(pa.Table.from_pylist(rows), file)
    change(path / "meta" / "info.json", total_episodes=4)
    episodes = open_episodes(path)
    assert episodes.lengths.tolist() == [12, 9, 15]
    assert [remark.kind for remark in episodes.remarks] == ["empty-episode"]


def test_a_shape_that_was_not_mended_is_said(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "v2", videos=False)
    info = path / "meta" / "info.json"
    features = json.loads(info.read_text())["features"]
    features["observation.state"]["shape"] = [7]
    features["next.reward"] = {"shape": [1]}
    change(info, features=features)
    episodes = open_episodes(path)
    state, _ = sets.numbers()
    np.testing.assert_array_equal(episodes.read("observation.state"), np.concatenate(state))
    assert episodes.names["observation.state"] == ("a", "b", "c", "d")
    assert [remark.kind for remark in episodes.remarks] == ["shape"]
    assert "4 numbers at each step, where meta/info.json says (7,)" in episodes.remarks[0].message
    assert "and no dtype" in episodes.left_out["next.reward"]


def test_what_is_kept_has_a_bound() -> None:
    kept, array = Kept(100), np.zeros(40, np.uint8)
    for key in "abca":
        kept.put(key, array)
    assert [kept.get(key) is array for key in "abc"] == [True, False, True]
    kept.get("a")
    kept.put("d", array)
    assert [kept.get(key) is array for key in "acd"] == [True, False, True]
    kept.put("large", np.zeros(1000, np.uint8))
    assert kept.get("large") is not None
    assert kept.get("d") is None


def test_an_index_that_is_missing(tmp_path) -> None:
    path = sets.lerobot_v2(tmp_path / "v2", videos=False)
    (path / "meta" / "episodes.jsonl").unlink()
    with pytest.raises(
        DataError, match=r"episodes\.jsonl is not there: a part of meta/ is missing"
    ):
        open_episodes(path)
