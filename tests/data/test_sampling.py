"""Sets too large to be read whole: what is looked at, that little is held, and that it is said."""

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr

from steadyhand.cli import inspect
from steadyhand.data import Episodes, inspect_episodes, open_episodes, write_episodes
from steadyhand.data.lazy import rows_of
from steadyhand.data.pictures.footage import Clip
from steadyhand.data.problems import sample
from steadyhand.data.room import require_stored_together
from steadyhand.errors import DataError

ENDS = np.cumsum(np.full(50, 20))


class Counting:
    """An array that knows which of its rows were asked for."""

    def __init__(self, values) -> None:
        self.values, self.asked = values, np.zeros(len(values), int)
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, key):
        self.asked[key] += 1
        return self.values[key]


@pytest.fixture
def large(monkeypatch):
    """A thousand steps, of which a quarter of the numbers is held at once, and few pictures."""
    monkeypatch.setattr(sample, "NUMBERS", 6_000)
    monkeypatch.setattr(sample, "PICTURES", 3 * 10 * 8 * 8 * 3)
    random = np.random.default_rng(0)
    values = {
        "state": random.normal(size=(1000, 4)).astype(np.float32),
        "action": random.normal(size=(1000, 2)).astype(np.float32),
        "cloud": random.normal(size=(1000, 100, 3)).astype(np.float32),
        "camera": random.integers(60, 255, (1000, 8, 8, 3), np.uint8),
    }
    return Episodes({key: Counting(array) for key, array in values.items()}, ENDS)


def test_whole_episodes_evenly_spread_are_read_and_said(large) -> None:
    problems = inspect_episodes(large)
    asked = {key: array.asked.reshape(50, 20) for key, array in large.arrays.items()}
    looked, filmed = asked["action"].all(1), asked["camera"].any(1)
    assert (asked["action"].any(1) == looked).all()
    assert (asked["state"].any(1) == (looked | filmed)).all(), "films are held against it"
    assert looked[0]
    assert looked[-1]
    assert 5_000 <= looked.sum() * 20 * 24 <= 6_000
    assert np.ptp(np.diff(np.flatnonzero(looked))) <= 1
    assert filmed.sum() == 10
    told = [problem.message for problem in problems if problem.kind == "sampled"]
    assert told[0].startswith(f"The numbers of {looked.sum()} of 50 episodes were looked at")
    assert told[1].startswith("The numbers of 'cloud' of 5 of 50 episodes")
    assert asked["cloud"].sum() * 1200 <= 6_000
    assert (asked["cloud"].sum(1) == asked["cloud"][:, 0]).all()
    assert sample.share(large) == {
        "state": looked.sum(),
        "action": looked.sum(),
        "cloud": 5,
        "camera": 10,
    }


def test_faults_are_told_by_the_numbers_of_the_whole_set(large) -> None:
    values = large.arrays["action"].values
    values[999] = 1e6
    found = [p for p in inspect_episodes(large) if p.kind in ("outliers", "seldom")]
    assert [problem.episode for problem in found] == [49]
    assert "the first at step 19 of episode 49" in found[0].message


def test_of_one_endless_episode_the_first_steps_are_read(large) -> None:
    endless = replace(large, ends=np.array([1000]))
    few = sample.of_numbers(endless, ["state", "action"])
    assert (len(few), few.steps) == (1, 250)
    np.testing.assert_array_equal(few.read("state"), large.arrays["state"].values[:250])


def test_what_fits_is_looked_at_whole(large, monkeypatch) -> None:
    monkeypatch.undo()
    assert sample.of_numbers(large, ["state", "cloud"]) is large
    assert sample.share(replace(large, arrays={"state": large.arrays["state"]})) == {}
    assert not [p for p in inspect_episodes(large) if p.kind == "sampled"]


def test_the_verb_says_that_it_sampled(large, tmp_path, capsys) -> None:
    write_episodes(tmp_path / "a.zarr", large)
    found = inspect.run([str(tmp_path / "a.zarr"), "--report", str(tmp_path / "a.html")])
    capsys.readouterr()
    assert 1 <= found["sampled"]["episodes"] <= 10
    assert found["sampled"]["of"] == 50
    assert found["sampled"]["features"]["camera"] == 10
    json.dumps(found)


@pytest.mark.parametrize(
    "key", [slice(None), slice(-3, None), slice(8, 2, -2), 3, -1, [2, -4], np.array([[1], [9]])]
)
def test_rows_are_those_of_numpy(key) -> None:
    """Also by marks; what is beyond the end is refused."""
    np.testing.assert_array_equal(rows_of(key, 10), np.arange(10)[key])
    with pytest.raises(IndexError):
        rows_of([3, 10], 10)
    marks = np.arange(10) % 3 == 0
    np.testing.assert_array_equal(rows_of(marks, 10), [0, 3, 6, 9])


def test_of_long_films_few_headers_are_read(tmp_path, monkeypatch) -> None:
    """And few are compared with their checksums; what is not there is always found."""
    monkeypatch.setattr(sample, "HEADER_BYTES", 40_000)
    monkeypatch.setattr(sample, "SUMMED", 2_000)
    files = [tmp_path / f"{number}.mp4" for number in range(10)]
    for file in files:
        file.write_bytes(bytes(1000))
    files[5].unlink()
    clip = Clip(files[0], 0.0, 5, 8, 8, 10.0, 0, expected=(1000, 0))
    clips = [replace(clip, file=files[place // 10], episode=place) for place in range(100)]
    found = sample.of_films(clips)
    there = [place for place in found if place // 10 != 5]
    assert 30 <= len(there) <= 40
    assert found.keys() >= {0, 99, *range(50, 60)}
    summed = {clip.file for clip in found.values() if clip.expected is not None}
    assert 2 <= len(summed - {files[5]}) <= 4
    assert sample.of_films([]) == {}
    monkeypatch.undo()
    assert sample.of_films(clips) == dict(enumerate(clips))


def test_many_small_lies_are_not_trained_on(tmp_path) -> None:
    """Each feature of so little that is stored fits; all of them together do not."""
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    names = [f"state{number}" for number in range(6)]
    for name in names:
        root.create_array(f"data/{name}", shape=(10**6, 50), chunks=(1000, 50), dtype="f4")
    root.create_array("meta/episode_ends", data=np.array([10**6]))
    episodes = open_episodes(tmp_path / "a.zarr")
    require_stored_together(episodes, names[:1])
    with pytest.raises(DataError, match="would take 1200000000 bytes, and"):
        require_stored_together(episodes.subset([0]), names)
    require_stored_together(replace(episodes, arrays={"a": np.zeros((10**6, 2))}), ["a"])


def test_pictures_of_which_each_is_looked_at_are_no_sample(monkeypatch) -> None:
    camera = Counting(np.random.default_rng(0).integers(60, 255, (60, 8, 8, 3), np.uint8))
    small = Episodes({"camera": camera}, np.array([20, 40, 60]))
    assert sample.share(small) == {}
    inspect_episodes(small)
    assert camera.asked.all()
    monkeypatch.setattr(sample, "PIXELS", 60 * 64 - 1)
    assert sample.share(small) == {"camera": 3}
