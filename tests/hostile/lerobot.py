"""LeRobot's data sets as strangers hand them over: descriptions and indices; see beside."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from case import Hostile, outside
from lerobot_content import films, pictures, tables
from lerobot_said import clocks, marks, words
from lerobot_sets import (
    ACTION,
    CAMERA,
    DEEP,
    FILMED,
    HUGE,
    INDEX,
    LFS,
    MANY,
    NAN,
    PICTURE,
    V2_DATA,
    V2_FILM,
    V3_DATA,
    V3_FILM,
    V3_INDEX,
    Maker,
    columns,
    described,
    film,
    info,
    save,
    v2,
    v3,
)

VALUES: dict[str, Any] = {
    "null": None,
    "a list": [1],
    "an object": {"a": 1},
    "text": "seven",
    "true": True,
    "negative": -1,
    "1e10": 10**10,
    "1e30": HUGE,
    "1e308": 1e308,
    "NaN": NAN,
    "infinite": float("inf"),
    "a half": 0.5,
}
FEATURES: dict[str, Any] = {
    "a list": [],
    "text": "state",
    "null": None,
    "of a feature null": {"action": None},
    "of a feature a list": {"action": [1, 2]},
    "without dtype": {"action": {"shape": [2]}},
    "with a dtype of lists": {"action": {"dtype": [[1]], "shape": [2]}},
    "with an escape sequence": {"\x1b[31maction": {"dtype": "float32", "shape": [2]}},
    "with markup": {"[bold red]": {"dtype": "float32", "shape": [2]}},
    "of a long name": {"x" * 100_000: {"dtype": "float32", "shape": [2]}},
    "of no name": {"": {"dtype": "float32", "shape": [2]}},
    "named as paths": {"../../outside/secret": {"dtype": "video", "shape": [16, 24, 3]}},
}
SHAPES: dict[str, Any] = {
    "negative": [-2],
    "nested": [[2]],
    "text": "2",
    "null": [None],
    "true": [True, 2],
    "of a million numbers": [1] * 1_000_000,
    "that wraps to 0": [2**32, 2**32],
    "of 1e18": [10**18],
    "of 1e9": [10**9],
    "zero": [0],
    "a half": [0.5],
}
TEMPLATES: dict[str, Any] = {
    "up": "../outside/secret.parquet",
    "up and down": "data/../../outside/secret.parquet",
    "absolute": "{outside}/secret.parquet",
    "of a wide number": "{chunk_index:02000000000d}/x",
    "of attributes": "{chunk_index.__class__.__mro__}",
    "of an index": "{chunk_index[0]}",
    "of another format": "{chunk_index!r:>900000000}",
    "of a nested format": "{chunk_index:{file_index}}",
    "of no braces' end": "{chunk_index",
    "a list": ["data"],
    "a null": None,
    "a number": 7,
    "with a zero": "data/\0",
    "with an escape sequence": "data/\x1b[2J{file_index}",
    "of a megabyte": "data/" * 200_000,
    "a device": "/dev/zero",
}


def descriptions(made: Maker) -> None:
    second = '\n{"episode_index": 1, "length": 4}'
    for what, value in VALUES.items():
        lost = what == "1e10"  # a count, and without what is broken there is an episode less
        made("v2", f"fps is {what}", {"meta/info.json": {**info("v2.1"), "fps": value}})
        line = json.dumps({"episode_index": 0, "length": value})
        made("v2", f"a length is {what}", {"meta/episodes.jsonl": line + second}, other=lost)
        line = json.dumps({"episode_index": value, "length": 6})
        made(
            "v2",
            f"an episode's number is {what}",
            {"meta/episodes.jsonl": line + second},
            other=lost,
        )
        line = {"task_index": value, "task": "go"}
        made("v2", f"a task's number is {what}", {"meta/tasks.jsonl": line})
        note = {"files": value, "shared": value, "added": value, "single": value}
        made("v3", f"the note is of {what}", {"meta/steadyhand.json": note})
        said = {"codebase_version": value} if what in ("null", "text", "a list") else {}
        changed = {**info("v3.0"), "total_frames": value, "total_episodes": value, **said}
        made("v3", f"the counts are {what}", {"meta/info.json": changed})
    for what, value in FEATURES.items():
        changed = {**info("v2.1"), "features": value}
        made("v2", f"features {what}", {"meta/info.json": changed})
    for what, value in SHAPES.items():
        for base, key in (("v2", "action"), ("v2 film", CAMERA), ("v2 picture", PICTURE)):
            features = described(film="film" in base, picture="picture" in base)
            features[key] |= {"shape": value, "names": value}
            changed = {"meta/info.json": {**info("v2.1"), "features": features}}
            made(base, f"the shape of {key} is {what}", changed, other=True)
    for what, text in {
        "of 400 digits": f'{{"fps": {MANY}}}',
        "deep": DEEP,
        "deep objects": '{"a":' * 100_000,
        "a list": "[]",
        "empty": "",
        "a zero": "\0",
        "no text": b"\xff\xfe\xff",
        "Git LFS": LFS,
    }.items():
        for version, names in {
            "v2": ("info.json", "episodes.jsonl", "tasks.jsonl"),
            "v3": ("info.json", "steadyhand.json"),
        }.items():
            for name in names:
                made(version, f"{name} is {what}", {f"meta/{name}": text})


def indices(made: Maker, beside: Path) -> None:
    for what, template in TEMPLATES.items():
        if isinstance(template, str):
            template = template.replace("{outside}", str(beside))
        for key in ("data_path", "video_path"):
            changed = {"meta/info.json": {**info("v3.0", film=True), key: template}}
            made("v3 film", f"{key} {what}", changed)
    for what, values in {
        "negative": [-1, -5],
        "floats": [float("inf"), NAN],
        "words": ["a", "../../x"],
        "true": [True, False],
        "null": [None, None],
        "lists": [[0], [1]],
        "1e18": [2**62, 2**62],
        "the same": [1, 1],
    }.items():
        few = ("length", "data/file_index", f"videos/{CAMERA}/from_timestamp")
        for key in few if what in ("words", "true", "null", "lists") else (*INDEX, *FILMED):
            changed = {V3_INDEX: {**INDEX, **FILMED, key: values}}
            other = "index" in key or "timestamp" in key  # or an episode is left out
            made("v3 film", f"{key} is {what}", changed, other=other)
    for what, numbers in {"1e10": 10**10, "negative": -3, "1e6": 10**6, "2^62": 2**62}.items():
        changed = {"meta/tasks.parquet": {"task_index": [numbers], "task": ["go"]}}
        made("v3", f"there is a task {what}", changed)
    words = pa.array(["x" * 1_000_000]).dictionary_encode()
    bomb = pa.DictionaryArray.from_arrays(np.zeros(100_000, np.int32), words.dictionary)
    made("v3", "tasks unfold", {"meta/tasks.parquet": {"task_index": [0] * 100_000, "task": bomb}})
    made("v3", "tasks are lists", {"meta/tasks.parquet": {"task_index": [0], "task": [["go"]]}})
    made("v3", "tasks have no number", {"meta/tasks.parquet": {"task": ["go"]}})
    rows = {key: np.zeros(1_000_000, np.int64) for key in INDEX}
    made("v3", "the index has a million rows", {V3_INDEX: rows})
    sums = {"files": {"meta/../../outside/secret.parquet": [0, 1], "meta/pipe": [0, 1]}}
    made("v3", "checksums are of files outside", {"meta/steadyhand.json": sums})
    sums = {"files": {"meta/zero": [0, 1]}}
    made(
        "v3",
        "checksums are of a device",
        {"meta/steadyhand.json": sums},
        {"meta/zero": "/dev/zero"},
    )
    sums = {"files": {"meta/pipe": [0, 1]}}
    made("v3", "checksums are of a pipe", {"meta/steadyhand.json": sums}, {"meta/pipe": "pipe"})
    files = (
        "meta/info.json",
        "meta/steadyhand.json",
        "meta/tasks.parquet",
        V3_INDEX,
        V3_DATA,
        V3_FILM,
    )
    for name in files:
        text = name.rpartition("/")[2]
        made("v3 film", f"{name} is a pipe", links={name: "pipe"})
        made("v3 film", f"{name} is a device", links={name: "/dev/zero"})
        made("v3 film", f"{name} is a folder", links={name: "folder"})
        save(beside / text, columns(0, 10) if text.endswith("parquet") else film(10))
        made("v3 film", f"{name} is a link out", links={name: str(beside / text)}, other=True)
    v2(beside / "set", True)
    for name in ("data", "videos", "meta", "data/chunk-000"):
        made("v2 film", f"{name} leads elsewhere", links={name: str(beside / "set" / name)})
    for name in (V2_DATA, V2_FILM, "meta/episodes.jsonl", "meta/tasks.jsonl"):
        made("v2 film", f"{name} is a link out", links={name: str(beside / "secret.parquet")})
    made("v2 film", "a film is a device", links={V2_FILM: "/dev/zero"})


def hub(folder: Path) -> Hostile:
    """A snapshot in a hub's cache, whose files are links to blobs beside it."""
    snapshot, blobs = folder / "hub" / "snapshots" / "abc", folder / "hub" / "blobs"
    v3(snapshot, True)
    blobs.mkdir()
    for number, file in enumerate(sorted(f for f in snapshot.rglob("*") if f.is_file())):
        file.rename(blobs / str(number))
        file.symlink_to(os.path.relpath(blobs / str(number), file.parent))
    return Hostile("a hub's cache", snapshot, True, {"action": ACTION}, home=folder / "hub")


def write(folder: Path) -> list[Hostile]:
    beside, made = outside(folder), Maker(folder)
    save(beside / "secret.parquet", columns(0, 10))
    for kind in ("v2", "v2 film", "v2 picture", "v3", "v3 film"):
        made(kind, "as it is", right=True)
    descriptions(made)
    indices(made, beside)
    tables(made)
    pictures(made, beside)
    films(made, beside)
    marks(made, VALUES)
    words(made)
    clocks(made)
    return [*made.cases, hub(folder)]
