"""HDF5 of other families: folders of files, what lies beside them, pictures and words in bytes."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from case import Hostile, outside
from hdf5 import external, link, raw, secret, virtual
from PIL import Image
from sound import ACTION, STATE

Change = Callable[[h5py.File], object]


def picture(width: int = 16, height: int = 16, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), 7).save(content, kind)
    return content.getvalue()


def header(width: int, height: int) -> bytes:
    """A PNG that says a size in its header, and has no more of it."""
    whole = bytearray(picture())
    whole[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(whole)


def rows(pictures: list[bytes]) -> Any:
    table = np.zeros((6, max(map(len, pictures))), np.uint8)
    for step in range(6):
        content = pictures[step % len(pictures)]
        table[step, : len(content)] = np.frombuffer(content, np.uint8)
    return table


def aloha(folder: Path, change: Change | None = None) -> Path:
    """Two files of six steps, the first changed."""
    folder.mkdir()
    for number in (0, 1):
        with h5py.File(folder / f"episode_{number}.hdf5", "w") as file:
            file["action"] = ACTION[6 * number : 6 * number + 6]
            file["observations/qpos"] = STATE[6 * number : 6 * number + 6]
            file["observations/images/top"] = rows([picture()])
            if change is not None and number == 0:
                change(file)
    return folder


def shown(values: Any, **options: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file["observations/images/top"]
        file["observations/images"].create_dataset("top", data=values, **options)

    return change


def ragged(contents: list[bytes]) -> Change:
    def change(file: h5py.File) -> None:
        del file["observations/images/top"]
        made = file.create_dataset("observations/images/top", (6,), h5py.vlen_dtype(np.uint8))
        for step in range(6):
            made[step] = np.frombuffer(contents[step % len(contents)], np.uint8)

    return change


def put(place: str, make: Callable[[h5py.Group, str], object]) -> Change:
    def change(file: h5py.File) -> None:
        if place in file:
            del file[place]
        parent, _, name = place.rpartition("/")
        make(file.require_group(parent) if parent else file, name)

    return change


ALOHA: dict[str, Change] = {
    "plain": lambda file: None,
    "no-picture": shown(np.zeros((6, 40), np.uint8)),
    "header-8k": shown(rows([header(60_000, 60_000)])),
    "header-later": shown(rows([picture(), header(60_000, 60_000)])),
    "header-none": shown(rows([header(0, 16)])),
    "sizes-differ": shown(rows([picture(), picture(32, 16)])),
    "cut": shown(rows([picture()[:60]])),
    "gif": shown(rows([picture(kind="GIF")])),
    "texts": shown(np.array([picture()] * 6)),
    "texts-wide": put("observations/images/top", lambda parent, name: parent.create_dataset(
        name, shape=(6,), dtype="S900000000", chunks=(1,))),
    "ragged": ragged([picture()]),
    "ragged-empty": ragged([picture(), b""]),
    "ragged-later": ragged([picture(), header(60_000, 60_000)]),
    "ragged-floats": put("observations/images/top", lambda parent, name: parent.create_dataset(
        name, shape=(6,), dtype=h5py.vlen_dtype(np.float64))),
    "virtual": put("observations/images/top", virtual(secret)),
    "external": put("observations/images/top", external(raw)),
    "linked-out": put("observations/images/top", lambda parent, name: link(
        h5py.ExternalLink(secret(parent), "secret"))(parent, name)),
    "observations-linked-out": put("observations", lambda parent, name: link(
        h5py.ExternalLink(secret(parent), "/"))(parent, name)),
    "words-of-a-virtual": put("language_instruction", virtual(secret)),
    "words-without-end": put("language_instruction", lambda parent, name: parent.create_dataset(
        name, shape=(10**12,), dtype=h5py.string_dtype(), chunks=(1000,))),
    "success-of-a-virtual": put("success", virtual(secret)),
    "success-nothing": put("success", lambda parent, name: parent.create_dataset(
        name, data=h5py.Empty("i1"))),
    "success-huge": put("success", lambda parent, name: parent.create_dataset(
        name, shape=(1, 10**12), dtype="i1", chunks=(1, 1000))),
}  # fmt: skip


def grouped(path: Path, name: str, change: Change | None = None) -> Path:
    """Two groups of six steps at the root, and something more."""
    with h5py.File(path, "w") as file:
        for number in (0, 1):
            group = file.create_group(name.format(number))
            group["actions"] = ACTION[6 * number : 6 * number + 6]
            group["obs/state"] = STATE[6 * number : 6 * number + 6]
        if change is not None:
            change(file)
    return path


MASKS: dict[str, Callable[[h5py.Group, str], object]] = {
    "virtual": virtual(secret),
    "external": external(raw),
    "huge": lambda parent, name: parent.create_dataset(
        name, shape=(10**12,), dtype="i8", chunks=(1000,)),
    "many": lambda parent, name: parent.create_dataset(
        name, shape=(10**6,), dtype=h5py.string_dtype(), chunks=(10**6,)),
    "nothing": lambda parent, name: parent.create_dataset(name, data=h5py.Empty("S8")),
    "strangers": lambda parent, name: parent.create_dataset(name, data=np.array([7, -1, 2**62])),
    "a-group": lambda parent, name: parent.create_group(name),
    "linked-out": lambda parent, name: link(h5py.ExternalLink(secret(parent), "secret"))(
        parent, name),
}  # fmt: skip
BESIDE = {
    "no-json": "{", "a-list": "[]", "deep": "[" * 30_000, "episodes": '{"episodes": 5}',
    "numbers": '{"episodes": [{"episode_id": 1e999}, 7, {"episode_id": true, "success": []}]}',
    "rate": '{"env_info": {"control_freq": 1e999, "fps": "x", "a": {"b": {"c": {"d": {}}}}}}',
}  # fmt: skip


def write(folder: Path) -> Iterator[Hostile]:
    for name, change in ALOHA.items():
        right = name in ("plain", "texts", "ragged")
        yield Hostile(f"aloha {name}", aloha(folder / f"aloha-{name}", change), right)
    away = outside(folder)
    for name in ("episode_0", "episode_1"):
        path = aloha(folder / f"aloha-linked-{name}")
        elsewhere = away / f"{name}.hdf5"
        (path / f"{name}.hdf5").rename(elsewhere)
        (path / f"{name}.hdf5").symlink_to(elsewhere)
        yield Hostile(f"aloha {name} linked out", path)
    path = aloha(folder / "aloha-pipe")
    os.mkfifo(path / "episode_2.hdf5")
    yield Hostile("aloha pipe", path)
    for name, make in MASKS.items():
        change = put("mask/train", make)
        yield Hostile(f"mask {name}", grouped(folder / f"mask-{name}.h5", "traj_{}", change))
    for name, text in BESIDE.items():
        path = grouped(folder / f"traj-{name}.h5", "traj_{}")
        path.with_suffix(".json").write_text(text)
        yield Hostile(f"traj beside {name}", path, home=folder)
    for name in ("main_data.hdf5", "metadata.json"):
        path = folder / f"minari-{name}"
        (path / "data").mkdir(parents=True)
        grouped(path / "data/main_data.hdf5", "episode_{}")
        (path / "data/metadata.json").write_text(json.dumps({"total_steps": 12}))
        (path / "data" / name).rename(away / f"minari-{name}")
        (path / "data" / name).symlink_to(away / f"minari-{name}")
        yield Hostile(f"minari {name} linked out", path)
