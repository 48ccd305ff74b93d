"""Evaluations at the same time: each has a file of its own, and none costs another an episode."""

import json
from types import SimpleNamespace

import pytest

from steadyhand.errors import CheckpointError
from steadyhand.evaluation.episodes_file import EpisodesFile
from steadyhand.evaluation.video import write_video


def episode(seed: int):
    return SimpleNamespace(
        seed=seed, repeat=0, initial_state=[0.0], actions=[0, 0], scores={"success": True}
    )


def seeds(path) -> list[int]:
    return [json.loads(line)["seed"] for line in path.read_text().splitlines()]


def test_two_at_once_lose_none(tmp_path) -> None:
    first, second = (EpisodesFile(tmp_path / "episodes.jsonl") for _ in range(2))
    with first:
        first.append(episode(3))
        with second:
            assert second.partial != first.partial
            for seed in (2, 1, 3):
                second.append(episode(seed))
        assert seeds(second.path) == [1, 2, 3], "it is whole while the other goes on"
        assert seeds(first.partial) == [3]
        first.append(episode(2))
        first.append(episode(1))
    assert seeds(first.path) == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["episodes.jsonl"]


def test_what_a_killed_one_left_is_kept(tmp_path) -> None:
    killed = EpisodesFile(tmp_path / "episodes.jsonl")
    killed.__enter__()
    killed.append(episode(5))
    with EpisodesFile(tmp_path / "episodes.jsonl") as file:
        file.append(episode(6))
    assert (seeds(killed.partial), seeds(file.path)) == ([5], [6])


def test_it_does_not_rest_on_a_file_that_somebody_removes(tmp_path) -> None:
    with EpisodesFile(tmp_path / "episodes.jsonl") as file:
        file.append(episode(1))
        file.partial.unlink()
        file.append(episode(2))
    assert seeds(file.path) == [1, 2]


def test_a_film_that_fails_leaves_the_one_before(tmp_path, monkeypatch) -> None:
    import av
    import numpy as np

    frames = [np.zeros((64, 64, 3), np.uint8)] * 3
    write_video(tmp_path / "film.mp4", frames, 10)
    before = (tmp_path / "film.mp4").read_bytes()

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(av.VideoFrame, "from_ndarray", broken, raising=False)
    with pytest.raises(CheckpointError, match="No space left"):
        write_video(tmp_path / "film.mp4", frames, 10)
    assert (tmp_path / "film.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
