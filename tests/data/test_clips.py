"""Films of what was chosen, joined, trimmed or brought to another rate are copied, not coded again;
what is read of the copy is what was there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sets

from steadyhand.data import open_episodes, write_episodes
from steadyhand.data.joined import joined
from steadyhand.data.lazy import Rows
from steadyhand.data.mending import resampled
from steadyhand.data.pictures.footage import Footage


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return sets.lerobot_v2(tmp_path_factory.mktemp("films") / "one")


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    return sets.lerobot_v3(tmp_path_factory.mktemp("films") / "all")


def written(episodes, path: Path):
    """What is read again, after a look that its pictures are a film of the same frames."""
    write_episodes(path, episodes)
    found = open_episodes(path)
    assert isinstance(found.arrays[sets.CAMERA], Footage)
    wanted = episodes.arrays[sets.CAMERA][:]
    np.testing.assert_array_equal(found.arrays[sets.CAMERA][:], wanted)
    np.testing.assert_array_equal(found.read("action"), episodes.read("action"))
    assert found.lengths.tolist() == episodes.lengths.tolist()
    return found


def test_chosen_and_joined_films_are_copied(film, shared, tmp_path) -> None:
    one, other = open_episodes(film, select="0,2"), open_episodes(shared, select="1:")
    written(one, tmp_path / "some.lerobot")
    both = joined({"one": one, "other": other}, named=False)
    assert len(written(both, tmp_path / "both.lerobot")) == 4
    assert len(list((tmp_path / "both.lerobot").rglob("*.mp4"))) == 3
    again = open_episodes(tmp_path / "both.lerobot", select="3,1")
    written(again, tmp_path / "again.lerobot")


def test_films_at_a_lower_rate_are_the_same_films(film, shared, tmp_path) -> None:
    for path in (film, shared):
        slow, _ = resampled(open_episodes(path), 5.0)
        assert slow.lengths.tolist() == [6, 5, 8]
        found = written(slow, tmp_path / f"{path.name}.lerobot")
        assert found.rate_hz == 5
    quarter, _ = resampled(open_episodes(tmp_path / "one.lerobot"), 2.5)
    written(quarter, tmp_path / "slower.lerobot")


def test_films_from_a_later_step_on(film, tmp_path) -> None:
    whole = open_episodes(film)
    rows = np.concatenate([np.arange(3, 12), np.arange(12, 18), np.arange(25, 36)])
    arrays = {key: Rows(array, rows) for key, array in whole.arrays.items() if key != "timestamp"}
    written(replace(whole, arrays=arrays, ends=np.array([9, 15, 26])), tmp_path / "cut.lerobot")


def test_pictures_that_are_no_even_part_of_a_film_are_written_one_by_one(film, tmp_path) -> None:
    whole = open_episodes(film)
    odd = np.array([0, 1, 5, 6, 7, 11])
    arrays = {key: Rows(whole.arrays[key], odd) for key in ("action", sets.CAMERA)}
    one = replace(whole, arrays=arrays, ends=np.array([6]), numbers=())
    write_episodes(tmp_path / "odd.lerobot", one)
    found = open_episodes(tmp_path / "odd.lerobot")
    assert not isinstance(found.arrays[sets.CAMERA], Footage)
    wanted = whole.arrays[sets.CAMERA][odd]
    np.testing.assert_array_equal(found.arrays[sets.CAMERA][:], wanted)
