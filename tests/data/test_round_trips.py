"""What is written is read again: from LeRobot to npz to zarr to LeRobot, and nothing is lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sets

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.pictures.footage import Footage
from steadyhand.sizes import Kind

NAMES = ("observation.state", "q pos", "größe", "a-b_c.d", "'quoted'", "{x}", "観測", "data.index")
TEXTS = ("pick", "pick the\nred “cube”", '{"a": 1}', "", "  two  ", "取る")
KINDS = ("?", "i1", "u2", "i8", "f2", "f4", "f8")
ROUND = ("lerobot", "npz", "zarr", "lerobot")


def some_episodes(seed: int) -> Episodes:
    """A set of anything that sets hold, small."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 9, random.integers(1, 5))
    steps, count = int(lengths.sum()), len(lengths)
    arrays = {"action": random.normal(size=(steps, 2)).astype("f4")}
    names: dict[str, tuple[str, ...]] = {"action": ("x", "y 1")}
    kinds: dict[str, Kind] = {}
    for name in map(str, random.permutation(NAMES)[:4]):
        shape = [(), (1,), (3,), (2, 3)][random.integers(4)]
        values = 50 * random.random((steps, *shape))
        arrays[name] = values.astype(random.choice(KINDS))
        if shape == (3,):
            names[name] = ("a", "b", name)
    if seed % 2:
        arrays["camera"] = random.integers(0, 256, (steps, 10, 12, 3), np.uint8)
    if seed % 3:
        metres = random.integers(0, 3000, (steps, 10, 12, 1)) / np.float32(1000)
        metres += np.float32(1e-4) * (seed % 2)  # not of whole millimetres
        arrays["wrist_depth"], kinds["wrist_depth"] = metres.astype("f4"), "depth"
        cloud = random.normal(size=(steps, 16, 6)).astype("f4")
        arrays["scan"], kinds["scan"] = cloud, "points"
    tasks = tuple(TEXTS[i] for i in random.permutation(len(TEXTS))[: seed % 4])
    tasks = tasks if any(tasks) else ()
    if tasks:
        arrays["task_index"] = random.integers(0, len(tasks), steps)
    marks = [None, True, False]
    success = tuple(marks[i] for i in random.integers(0, 3, count)) if seed % 2 else ()
    places = random.permutation(count)
    cut = random.integers(0, count + 1)
    masks = {"train": places[:cut].tolist(), "val id": places[cut:].tolist()} if seed % 4 else {}
    return Episodes(
        arrays,
        np.cumsum(lengths),
        rate_hz=10.0 if seed % 5 == 0 else float(random.choice([10, 12.5, 29.97])),
        rate_assumed=seed % 5 == 0,
        names=names,
        tasks=tasks,
        kinds=kinds,
        success=success,
        masks={name: tuple(chosen) for name, chosen in masks.items()},
    )


def same(found: Episodes, expected: Episodes) -> None:
    assert set(found.arrays) == set(expected.arrays)
    assert not found.left_out
    assert found.ends.tolist() == expected.ends.tolist()
    for key, array in expected.arrays.items():
        there = found.arrays[key]
        assert (there.shape, np.dtype(there.dtype)) == (array.shape, np.dtype(array.dtype)), key
        np.testing.assert_array_equal(there[:], array[:], err_msg=key)
    for field in ("rate_hz", "rate_assumed", "names", "tasks", "kinds", "success", "masks"):
        assert getattr(found, field) == getattr(expected, field), field
    assert not [r for r in found.remarks if r not in expected.remarks], found.remarks


@pytest.mark.parametrize("seed", range(10))
def test_anything_goes_round(seed: int, tmp_path: Path) -> None:
    source = before = some_episodes(seed)
    for number, format in enumerate(ROUND):
        path = tmp_path / f"{number}.{format}"
        write_episodes(path, before)
        before = open_episodes(path)
        same(before, source)


def test_films_that_are_read_by_number_go_round(tmp_path: Path) -> None:
    """Whole ones are copied; some episodes of a shared one become pictures."""
    slow = sets.lerobot_v3(tmp_path / "slow")
    film = next((slow / "videos").rglob("*.mp4"))
    shown = np.concatenate([sets.pictures(n, i) for i, n in enumerate(sets.LENGTHS)])
    sets.film(film, shown, rate=4)
    source = open_episodes(slow)
    assert [remark.kind for remark in source.remarks] == ["video-rate"]
    for part, films in ((source, True), (source.subset([0, 2]), False)):
        path = tmp_path / f"{len(part)}.lerobot"
        write_episodes(path, part)
        back = open_episodes(path)
        assert isinstance(back.arrays[sets.CAMERA], Footage) == films
        np.testing.assert_array_equal(back.arrays[sets.CAMERA][:], part.arrays[sets.CAMERA][:])
    truth = replace(source, arrays={sets.CAMERA: shown}).arrays[sets.CAMERA]
    assert np.abs(source.arrays[sets.CAMERA][:].astype(int) - truth).max() < 40


def test_tables_of_several_chunks_go_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FILE_BYTES", 100), ("FILES_A_CHUNK", 2)):
        monkeypatch.setattr(f"steadyhand.data.formats.lerobot.tables.{name}", value)
    source = some_episodes(5)
    write_episodes(tmp_path / "set.lerobot", source)
    tables = sorted(str(f.parent.name) for f in (tmp_path / "set.lerobot/data").rglob("*.parquet"))
    assert tables == [f"chunk-{i // 2:03d}" for i in range(len(source))]
    assert len(set(tables)) > 1
    same(open_episodes(tmp_path / "set.lerobot"), source)
