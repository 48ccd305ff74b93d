"""LeRobot's data as strangers hand it over: nothing outside, nothing too large, one clear message.

The many cases of the kind are in tests/hostile; here are those whose answer is held word by word.
"""

import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sets

from steadyhand.data import open_episodes, write_episodes
from steadyhand.data.files import is_damaged, sum_of
from steadyhand.data.formats.lerobot.index import index_v2
from steadyhand.data.formats.lerobot.writer import _tasks_of
from steadyhand.errors import DataError

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"


def change(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def everything(path) -> None:
    for array in open_episodes(path).arrays.values():
        array[:]


def message(path) -> str:
    with pytest.raises(DataError) as caught:
        everything(path)
    return str(caught.value)


@pytest.fixture
def v3(tmp_path):
    return sets.lerobot_v3(tmp_path / "set")


@pytest.fixture
def v2(tmp_path):
    return sets.lerobot_v2(tmp_path / "set")


@pytest.mark.parametrize("key", ["data_path", "video_path"])
def test_a_template_is_filled_in_by_words_of_a_list(key, v3) -> None:
    info = v3 / "meta" / "info.json"
    ending = "parquet" if key == "data_path" else "mp4"
    for file in [*v3.glob("data/*/*.parquet"), *v3.glob("videos/*/*/*.mp4")]:
        file.rename(file.with_name(f"0000-0.{file.suffix[1:]}"))
    there = "data/chunk-000" if key == "data_path" else "videos/{video_key}/chunk-{chunk_index:03d}"
    other = {"data_path": "data/chunk-000/0000-0.parquet"}
    other["video_path"] = "videos/{video_key}/chunk-000/0000-0.mp4"
    change(info, **{**other, key: there + "/{chunk_index:04d}-{file_index}." + ending})
    assert open_episodes(v3).arrays[sets.CAMERA].shape == (36, 48, 64, 3)
    for odd in ("{chunk_index:02000000000d}", "{chunk_index.real}", "{chunk_index!r}", "{0}", None):
        change(info, **{key: odd})
        assert f"the path '{odd}' cannot be filled in; it may have {{chunk" in message(v3)


@pytest.mark.parametrize("key", ["data_path", "video_path"])
def test_a_path_leads_nowhere_else(key, v3) -> None:
    real = next(v3.rglob("*.parquet" if key == "data_path" else "*.mp4"))
    shutil.copy(real, v3.parent / real.name)
    for name in (f"../{real.name}", str(v3.parent / real.name)):
        change(v3 / "meta" / "info.json", **{key: name})
        assert f"'{name}' leads out of {v3}, and nothing outside is read." in message(v3)


@pytest.mark.parametrize(
    "name", ["data", "videos", "data/chunk-000", "meta/episodes.jsonl", "video", "table"]
)
def test_a_link_leads_nowhere_else(name, v2) -> None:
    place = {"video": next(v2.rglob("*.mp4")), "table": next(v2.rglob("*.parquet"))}
    inside = place.get(name, v2 / name)
    inside.rename(v2.parent / "elsewhere")
    inside.symlink_to(v2.parent / "elsewhere")
    assert "leads out of" in message(v2)


def test_a_picture_is_read_from_its_own_folder(v2) -> None:
    (v2.parent / "there.png").write_bytes(b"")
    features = json.loads((v2 / "meta" / "info.json").read_text())["features"]
    features["observation.image"] = {"dtype": "image", "shape": [48, 64, 3]}
    change(v2 / "meta" / "info.json", features=features)
    for file in v2.rglob("*.parquet"):
        cells = [{"bytes": None, "path": "../there.png"}] * pq.read_metadata(file).num_rows
        pq.write_table(pq.read_table(file).append_column("observation.image", [cells]), file)
    with pytest.raises(DataError, match=r"'../there.png' leads out of"):
        open_episodes(v2).arrays["observation.image"][:1]


def test_tasks_are_counted_and_not_by_the_largest(tmp_path) -> None:
    v2, v3 = sets.lerobot_v2(tmp_path / "v2"), sets.lerobot_v3(tmp_path / "v3")
    (v2 / "meta" / "tasks.jsonl").write_text('{"task_index": 10000000000, "task": "go"}')
    assert "line 1: there is no task 10000000000" in message(v2)
    pq.write_table(pa.table({"task_index": [2], "task": ["go"]}), v3 / "meta" / "tasks.parquet")
    assert open_episodes(v3).tasks == ("", "", "go")


def test_a_task_of_no_words_is_none(v3) -> None:
    episodes = open_episodes(v3)
    assert _tasks_of(episodes, np.array([-1, 0, 7])) == ["", "wander", ""]


@pytest.mark.parametrize("rate", ["ten", True, -10, 0, float("nan"), float("inf"), 1e308, None])
def test_a_rate_is_a_number_of_steps(rate, v2) -> None:
    change(v2 / "meta" / "info.json", fps=rate)
    assert f"info.json: fps is {rate!r}. Write the steps a second there." in message(v2)


@pytest.mark.parametrize("length", [12.5, True, -1, "12", [12], None, 10**12])
def test_a_length_is_a_count(length, v2) -> None:
    file = v2 / "meta" / "episodes.jsonl"
    _, *rest = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps({"episode_index": 0, "length": length}), *rest]))
    assert f"episodes.jsonl, line 1: length is {length!r}, where a count belongs." in message(v2)


def test_a_whole_number_that_is_written_with_a_point(v2) -> None:
    file = v2 / "meta" / "episodes.jsonl"
    file.write_text(file.read_text().replace('"length": 12', '"length": 12.0'))
    assert [episode.steps for episode in index_v2(v2, [])[0]] == [12, 9, 15]


def test_an_episode_of_no_steps_is_passed_over_and_said(v2) -> None:
    file = v2 / "meta" / "episodes.jsonl"
    file.write_text(file.read_text().replace('"length": 9', '"length": 0'))
    change(v2 / "meta" / "info.json", total_frames=27)
    episodes = open_episodes(v2)
    assert episodes.lengths.tolist() == [12, 15]
    assert episodes.numbers == (0, 2)
    assert [p.message for p in episodes.remarks] == ["Episode 1 has no steps and is passed over."]
    file.write_text(re.sub('"length": [0-9]+', '"length": 0', file.read_text()))
    change(v2 / "meta" / "info.json", total_frames=0)
    assert "has only episodes of no steps" in message(v2)


def test_what_a_table_claims_is_held_against_its_size(v3) -> None:
    file = next((v3 / "data").rglob("*.parquet"))
    zeros = {"action": np.zeros(20_000_000, np.int32)}
    pq.write_table(pa.table(zeros), file, compression="zstd")
    said = message(v3)
    assert f"20000000 rows of 1 columns cannot be in {file.stat().st_size} bytes" in said
    wide = pa.ListArray.from_arrays([0, 20_000_000], np.zeros(20_000_000, np.float32))
    pq.write_table(pa.table({"action": wide}), file, compression="zstd")
    from steadyhand.data.formats.parquet import Table

    with pytest.raises(DataError, match="'action' would unfold to 160000000 bytes"):
        Table(file).numbers("action")


def test_words_stay_folded(tmp_path) -> None:
    """20 GB of words, which lie in the file once."""
    from steadyhand.data.formats.parquet import Table

    words = pa.DictionaryArray.from_arrays(np.zeros(20_000, np.int32), ["x" * 1_000_000])
    table = pa.table({"task": words, "noise": np.random.default_rng(0).normal(size=20_000)})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = Table(tmp_path / "a.parquet").records(["task"])
    assert len(rows) == 20_000
    assert all(row["task"] is rows[0]["task"] for row in rows)


def test_a_column_of_no_numbers_is_left_out_and_said(v3) -> None:
    file = next((v3 / "data").rglob("*.parquet"))
    rows = pq.read_table(file)
    place = rows.column_names.index("next.reward")
    pq.write_table(rows.set_column(place, "next.reward", [[{"role": "x"}] * 36]), file)
    left_out = open_episodes(v3).left_out
    assert left_out == {"next.reward": "it holds struct<role: string>, not numbers"}


FILMS = {
    "#EXTM3U\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n": "it is no mp4, mov, mkv, webm or avi",
    "ffconcat version 1.0\nfile '{}'\n": "it is no mp4, mov, mkv, webm or avi",
    LFS: "it is a Git LFS pointer, not the file: run `git lfs pull`",
}


@pytest.mark.parametrize("text", FILMS)
def test_a_film_opens_no_other_file(text, v2) -> None:
    film = next(v2.rglob("*.mp4"))
    shutil.copy(film, v2.parent / "film.mp4")
    film.write_text(text.format(v2.parent / "film.mp4"))
    assert FILMS[text] in message(v2)


def test_a_film_of_another_codec(v2) -> None:
    film = next(v2.rglob("*.mp4"))
    sets.film(film.with_suffix(".avi"), sets.pictures(3), codec="rawvideo")
    film.with_suffix(".avi").rename(film)
    said = message(v2)
    assert "its codec is rawvideo; h264, hevc, av1," in said
    assert said.endswith("are read. Leave the episode out: --skip-broken-episodes.")


def test_a_size_that_is_only_said_is_not_allocated(v2) -> None:
    info = json.loads((v2 / "meta" / "info.json").read_text())
    info["features"][sets.CAMERA]["shape"] = (100_000, 100_000, 3)
    change(v2 / "meta" / "info.json", features=info["features"])
    assert "which is no picture: (height, width, 1, 3 or 4 channels), at most 8K" in message(v2)


def test_films_of_another_size_than_declared_are_read_as_they_are_and_said(v2) -> None:
    right = open_episodes(v2).read(sets.CAMERA)
    info = json.loads((v2 / "meta" / "info.json").read_text())
    info["features"][sets.CAMERA]["shape"] = (4320, 7680, 3)
    change(v2 / "meta" / "info.json", features=info["features"])
    found = open_episodes(v2)
    np.testing.assert_array_equal(found.read(sets.CAMERA), right)
    assert [remark.kind for remark in found.remarks] == ["shape"]


@pytest.mark.parametrize("name", ["info.json", "episodes.jsonl", "tasks.jsonl"])
def test_a_description_that_is_none(name, v2) -> None:
    for text, said in {
        "[" * 100_000: "cannot be read: it is nested too deep.",
        '{"fps": '
        + "9" * 400
        + "}": "cannot be read: the number 99999999999999999999… is too large.",
        LFS: "cannot be read: it is a Git LFS pointer, not the file: run `git lfs pull` in",
    }.items():
        (v2 / "meta" / name).write_text(text)
        assert f"{v2 / 'meta' / name} {said}" in message(v2)


def test_checksums_are_of_files_in_the_folder(tmp_path) -> None:
    write_episodes(tmp_path / "set.lerobot", open_episodes(sets.lerobot_v3(tmp_path / "source")))
    path = tmp_path / "set.lerobot"
    note = path / "meta" / "steadyhand.json"
    for files, said in {
        "meta/../../source": "leads out of",
        "meta/episodes": "it is no regular file.",
    }.items():
        change(note, files={files: [(path / files).stat().st_size, 1]})
        assert said in message(path)
    change(note, files=[1])
    assert "its checksums cannot be read. Delete that file." in message(path)


def test_a_device_has_no_checksum(tmp_path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="no regular file"):
        is_damaged(tmp_path / "zero", (0, 1))
    (tmp_path / "file").write_text("x")
    assert not is_damaged(tmp_path / "file", sum_of(tmp_path / "file"))


def test_no_copying_where_that_cannot_help(v2) -> None:
    info = json.loads((v2 / "meta" / "info.json").read_text())
    action = {"dtype": "float32", "shape": [3]}
    for changes in (
        {"codebase_version": "v9"},
        {"features": []},
        {"features": {**info["features"], "action": {**action, "shape": "2"}}},
    ):
        (v2 / "meta" / "info.json").write_text(json.dumps({**info, **changes}))
        assert "opy it again" not in message(v2)
