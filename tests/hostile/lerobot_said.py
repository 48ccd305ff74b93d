"""What a stranger's set says of its episodes: successes, divisions, names, words; and clocks."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from lerobot_sets import (
    HUGE,
    INDEX,
    NAN,
    V3_DATA,
    V3_INDEX,
    Maker,
    columns,
    described,
    info,
)

CLOCKS = {
    "huge": 1e30,
    "infinite": float("inf"),
    "no numbers": NAN,
    "back in time": -0.1,
    "of years": 3e7,
    "still": 0.0,
}
SPLITS = {
    "far away": "0:999999999999",
    "long": "0:1," * 100_000,
    "backwards": "9:1",
    "a huge list": [10**12] * 1000,
    "huge": [HUGE],
    "unprintable": "\x1b[31m0:1",
}


def marks(made: Maker, values: Mapping[str, Any]) -> None:
    for what, value in values.items():
        lines = [
            {"episode_index": number, "length": steps, "success": value, "tasks": value}
            for number, steps in enumerate((6, 4))
        ]
        text = "\n".join(map(json.dumps, lines))
        made("v2", f"episodes are marked with {what}", {"meta/episodes.jsonl": text})
        note = {"success": value, "masks": value, "names": value, "kinds": value}
        made("v3", f"marks are {what}", {"meta/steadyhand.json": note})
        inner = {key: {"action": value} for key in ("masks", "names", "kinds")}
        changed = {"meta/steadyhand.json": {"success": [value, value], **inner}}
        made("v3", f"each mark is {what}", changed)
    for what, value in {**values, **SPLITS}.items():
        for splits in (value, {"train": value, "\x1b[31m" + "x" * 5000: value}):
            changed = {"meta/info.json": {**info("v3.0"), "splits": splits}}
            made("v3", f"it divides itself by {what}: {len(made.cases)}", changed)
    for what, values_of in {
        "floats": [NAN, 1e30],
        "words": ["yes", "no"],
        "lists": [[True], [False]],
        "empty": pa.array([None, None], pa.bool_()),
    }.items():
        made("v3", f"successes are {what}", {V3_INDEX: {**INDEX, "success": values_of}})


def words(made: Maker) -> None:
    """Texts that are short in a file and long in memory, wherever they are looked for."""
    folded = pa.DictionaryArray.from_arrays(np.zeros(10, np.int32), ["x" * 1_000_000])
    many = pa.DictionaryArray.from_arrays(np.zeros(2_000_000, np.int32), ["x" * 1_000_000])
    lists = pa.ListArray.from_arrays(pa.array([0, 1_000_000, 2_000_000], pa.int32()), many)
    told = {**info("v3.0"), "features": {**described(), "task": {"dtype": "string", "shape": [1]}}}
    said = {"meta/info.json": told, "meta/tasks.parquet": {"task_index": [0], "task": [""]}}
    for what, column in {
        "long": folded,
        "nothing": pa.array([None] * 10, pa.string()),
        "unprintable": pa.array(["\x1b[31m"] * 10),
        "lists": pa.array([["a"]] * 10),
        "structures": pa.array([{"role": "x"}] * 10),
    }.items():
        made("v3", f"words are {what}", {**said, V3_DATA: {**columns(0, 10), "task": column}})
    made("v3", "an index of two million words", {**said, V3_INDEX: {**INDEX, "tasks": lists}})
    for what, column in {"empty": [[], []], "numbers": [1, 2], "deep": [[["a"]], [["b"]]]}.items():
        made("v3", f"the index has words: {what}", {**said, V3_INDEX: {**INDEX, "tasks": column}})


def clocks(made: Maker) -> None:
    for number, (what, step) in enumerate(CLOCKS.items()):
        clock = np.array([0.0, *(step * i for i in range(1, 10))], np.float32)
        changed = {V3_DATA: {**columns(0, 10), "timestamp": clock}}
        made("v3 film", f"its clock is {what}", changed)
        rows = {**columns(0, 10), "index": np.arange(10) * number - 3**number}
        rows["episode_index"] = np.repeat([5, 1], [6, 4])
        made("v3 film", f"rows are numbered elsewhere, {number}", {V3_DATA: rows}, other=True)
