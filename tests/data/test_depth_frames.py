"""Stores of depth hold the metres of the nearest pixels, out of films and arrays alike."""

import depth_sets as stored
import numpy as np
import pytest
import sets

from steadyhand.data import inspect_episodes, open_episodes
from steadyhand.data.kinds.depth import measured
from steadyhand.data.pictures.frames import stores_of, with_frames
from steadyhand.data.pictures.resize import resize_depth
from steadyhand.spec import Feature

SIZE = (20, 30)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    path = sets.lerobot_v2(tmp_path_factory.mktemp("films") / "set")
    for number, file in enumerate(sorted(path.rglob("*.mp4"))):
        stored.film(file, np.stack([stored.COUNTED + k for k in range(sets.LENGTHS[number])]))
    return path


@pytest.fixture(scope="module")
def array(tmp_path_factory):
    path = tmp_path_factory.mktemp("array") / "a.npz"
    counts = np.stack([stored.COUNTED + k for k in range(stored.STEPS)])
    action = np.zeros((stored.STEPS, 2), np.float32)
    np.savez(path, **{sets.CAMERA: counts}, action=action, episode_ends=np.cumsum(sets.LENGTHS))
    return path


@pytest.mark.parametrize("kind", ["films", "array"])
def test_what_is_stored_is_what_is_read(kind, request, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path))
    episodes = open_episodes(request.getfixturevalue(kind)).subset([2, 1])
    feature = Feature.select(sets.CAMERA, episodes.shapes, SIZE, episodes.kinds)
    frames = with_frames(episodes, [feature]).arrays[sets.CAMERA]
    right = resize_depth(episodes.read(sets.CAMERA), SIZE)
    assert (frames.shape, frames.dtype) == ((24, *SIZE, 1), np.float32)
    assert np.asarray(frames[:]).tobytes() == right.tobytes()
    [store] = stores_of(episodes, [feature])
    assert store.ready
    assert store.bytes == store.frames().nbytes == (store.folder / "frames.f4").stat().st_size


def test_depth_is_looked_at_in_metres(array) -> None:
    seen = {}
    problems = inspect_episodes(
        open_episodes(array), lambda key, values: seen.update({key: values})
    )
    found = measured(seen[sets.CAMERA])
    assert found.range == (np.float32(0.001), np.float32(3.034))
    assert 0 < found.unmeasured < 0.001
    assert {"unit", "black", "unmeasured"} & {problem.kind for problem in problems} == {"unit"}


def test_a_camera_that_measures_nothing_is_told(tmp_path) -> None:
    depth = np.full((20, 24, 24, 1), 0.7, np.float32)
    depth[10:] = np.nan
    np.savez(tmp_path / "a.npz", depth=depth, action=np.zeros((20, 2)), episode_ends=[10, 20])
    problems = inspect_episodes(open_episodes(tmp_path / "a.npz"))
    assert [(p.episode, p.message) for p in problems if p.kind == "unmeasured"] == [
        (1, "'depth' measured nothing in episode 1, in its first picture.")
    ]
    assert measured(np.zeros((2, 3, 3, 1))).range is None
