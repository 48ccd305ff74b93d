"""Pictures in files beside a table, and arrays in files of their own."""

import numpy as np
import pytest
import strange
from PIL import Image

from steadyhand.data.mapping import guess, open_mapped
from steadyhand.errors import DataError, UsageError


def still(path, gray: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 20, 3), gray, np.uint8)).save(path)


def test_folders_of_pictures_are_cameras(tmp_path) -> None:
    states, actions = strange.walks(lengths=(4, 3))
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        strange.csv(tmp_path / f"ep{i}" / "log.csv", state, action)
        for step in range(len(state)):
            for camera in (0, 1):
                name = f"ep{i}/cam{camera}/{step + 8}.png"  # 8, 9, 10: in the order of counting
                still(tmp_path / name, 100 * camera + 10 * i + step)
    episodes = open_mapped(tmp_path, guess(tmp_path))
    assert episodes.read("cam0")[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 10, 11, 12]
    assert episodes.read("cam1")[:, 0, 0, 0].tolist() == [100, 101, 102, 103, 110, 111, 112]
    (tmp_path / "ep1" / "cam0" / "9.png").unlink()
    with pytest.raises(UsageError, match="a picture a step"):
        open_mapped(tmp_path, "state=q*,front=ep*/cam0/*.png")


def test_a_camera_is_not_called_after_its_episode(tmp_path) -> None:
    for i, (state, action) in enumerate(zip(*strange.walks(), strict=True)):
        strange.csv(tmp_path / f"take_{i}" / "joints.csv", state, action)
        strange.film(tmp_path / f"take_{i}" / "webcam.mp4", i, len(state))
    assert "webcam=take_*/webcam.mp4" in str(guess(tmp_path)).split(",")


def test_films_that_are_left_are_told_once_a_camera(tmp_path) -> None:
    strange.tables(tmp_path)
    left = open_mapped(tmp_path, "state=q*,action=cmd*").left_out
    assert [name for name in left if "mp4" in name] == ["run_*_wrist.mp4 (3 films)"]


def test_a_table_without_a_clock_is_as_fast_as_its_film(tmp_path) -> None:
    strange.tables(tmp_path)
    for table in tmp_path.glob("*.csv"):
        table.write_text(table.read_text().replace("time", "reward"))
    text = guess(tmp_path)
    assert text is not None
    assert f"rate={strange.RATE:g}" in text.split(",")
    assert open_mapped(tmp_path, text).remarks == ()


def test_a_column_that_names_pictures_is_a_camera(tmp_path) -> None:
    for step in range(3):
        still(tmp_path / "img" / f"{step}.png", step)
    rows = [f"{step},img/{step}.png" for step in (0, 2, 1)]
    (path := tmp_path / "x.csv").write_text("\n".join(["q,picture", *rows]))
    episodes = open_mapped(path, guess(path))
    assert episodes.read("picture")[:, 0, 0, 0].tolist() == [0, 2, 1]
    still(tmp_path.parent / "outside.png", 9)
    path.write_text("q,picture\n0,img/0.png\n1,../outside.png\n")
    with pytest.raises(DataError, match="leads out"):
        open_mapped(path, "state=q,front=picture").read("front")


def test_arrays_in_files_of_their_own(tmp_path) -> None:
    states, actions = strange.walks()
    np.save(tmp_path / "states.npy", np.concatenate(states))
    np.save(tmp_path / "actions.npy", np.concatenate(actions))
    np.save(tmp_path / "episode_ends.npy", np.cumsum(strange.LENGTHS))
    np.save(tmp_path / "names.npy", np.array([{}], dtype=object))
    episodes = open_mapped(tmp_path, guess(tmp_path))
    assert np.array_equal(episodes.read("state"), np.concatenate(states))
    assert episodes.lengths.tolist() == list(strange.LENGTHS)
    assert "unpickled" in episodes.left_out["names"]
    whole = (tmp_path / "states.npy").read_bytes()
    (tmp_path / "states.npy").write_bytes(whole[:-9])
    with pytest.raises(UsageError, match="no array of numbers"):
        open_mapped(tmp_path, "state=states")
