"""Of a few chosen episodes only their own pictures are decoded, whatever they lie in."""

from pathlib import Path

import numpy as np
import pytest
import sets

from steadyhand.data import open_episodes, write_episodes
from steadyhand.data.pictures.frame_store import FrameStore
from steadyhand.data.pictures.frames import stores_of, with_frames, with_stores
from steadyhand.spec import Feature


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, tuple[Path, str]]:
    """(a set, the name of its camera) by what its pictures lie in."""
    folder = tmp_path_factory.mktemp("few")
    film, pictures = sets.lerobot_v2(folder / "film"), folder / "pictures.hdf5"
    sets.robomimic(pictures, images=True)
    write_episodes(folder / "png.lerobot", open_episodes(pictures))
    return {
        "film": (film, sets.CAMERA),
        "hdf5": (pictures, "front_image"),
        "png": (folder / "png.lerobot", "front_image"),
    }


def stored(episodes, key: str) -> tuple[list[FrameStore], np.ndarray]:
    feature = Feature.select(key, episodes.shapes, kinds=episodes.kinds)
    with_stores(episodes, [feature], skip_broken=False)
    return stores_of(episodes, [feature]), with_frames(episodes, [feature]).read(key)


@pytest.mark.parametrize("kind", ["film", "hdf5", "png"])
def test_only_the_chosen_pictures_are_kept(made, kind: str) -> None:
    path, key = made[kind]
    whole, few, most = (open_episodes(path, select=which) for which in ("", "1", "0,2"))
    [store], frames = stored(few, key)
    assert store.shape[0] == few.steps == 9
    np.testing.assert_array_equal(frames, whole.arrays[key][12:21])
    _, part = stored(few.subset([0]), key)
    np.testing.assert_array_equal(part, frames)
    [other], frames = stored(most, key)
    assert other.shape[0] == whole.steps, "the store of all serves any"
    np.testing.assert_array_equal(frames, np.delete(whole.arrays[key][:], range(12, 21), axis=0))
    [third], frames = stored(open_episodes(path, select="0"), key)
    assert third.folder not in (store.folder, other.folder)
    np.testing.assert_array_equal(frames, whole.arrays[key][:12])
