"""A graph made by a stranger is looked at before an engine sees it: what is in it, whether it is
given what the card says, and how large it grows. Nothing of it is computed.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from steadyhand.disk import inside, regular
from steadyhand.errors import CheckpointError
from steadyhand.runtime.engines.graph_inputs import ANSWER, inputs_of
from steadyhand.runtime.engines.graph_sizes import MOST_NUMBERS, follow
from steadyhand.runtime.engines.sized import Sized
from steadyhand.runtime.engines.tensors import EXTERNAL, KINDS, WEIGHTS, sized
from steadyhand.runtime.engines.wire_format import parse
from steadyhand.runtime.exported import Export, Graph
from steadyhand.values import shown

Message = Mapping[str, Any]
LARGEST_GRAPH = 64 << 20
"""Bytes without its weights: the largest that was seen has a hundredth of them."""
OPSETS = range(18, 21)
BATCH = "batch"
MOST_TIMES, OVER = 16, 1 << 26
"""So many times the file of weights, and bytes beyond, are weights that it holds once and that are
used under several names; an engine may copy them for each."""


def check_model(
    folder: Path, export: Export, graph: Graph, batch: int, content: bytes | None = None
) -> None:
    """Raise `CheckpointError` unless the graph is one that an export may have, for that batch.

    `content` is what its file held when it was read, where it was.
    """
    content = read_graph(folder, graph) if content is None else content
    try:
        _check(parse(memoryview(content)), export, graph, batch)
    except ValueError as error:
        raise _refused(folder, graph, error) from error


def read_graph(folder: Path, graph: Graph) -> bytes:
    """What is in its file. Raises `CheckpointError` for one that is none, or too large."""
    try:
        path = inside(folder, graph.file)
        if regular(path) > LARGEST_GRAPH:
            raise ValueError(f"it has more than {LARGEST_GRAPH} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _refused(folder, graph, error) from error


def _refused(folder: Path, graph: Graph, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{folder / graph.file} is not run: {error}. If you made it, export the policy again: "
        "steadyhand export RUN. If somebody else did, ask them what it is."
    )


def _check(model: Message, export: Export, graph: Graph, batch: int) -> None:
    used = [(one["domain"] or "", one["version"]) for one in model["opsets"]]
    if len(used) != 1 or used[0][0] not in ("", "ai.onnx") or used[0][1] not in OPSETS:
        raise ValueError(f"it has operators of {shown(used)}, not the standard ones of 18 to 20")
    content: Message = model["graph"] or {}
    if not content:
        raise ValueError("it holds no graph")
    weights = [one.bytes for one in export.files if one.name == WEIGHTS]
    stored = weights[0] if weights else -1
    known: dict[str, Sized] = {}
    for tensor in content["initializers"]:
        if not tensor["name"] or tensor["name"] in known:
            raise ValueError(f"two arrays are called {shown(tensor['name'])}")
        known[tensor["name"]] = sized(tensor, stored)
    held = [one for one in content["initializers"] if one["location"] == EXTERNAL]
    if (
        sum(prod(one["dims"]) * KINDS[one["kind"]].itemsize for one in held)
        > MOST_TIMES * stored + OVER
    ):
        raise ValueError(f"it takes the same numbers of {WEIGHTS} for weights again and again")
    wanted = [(one.name, one.kind, one.shape) for one in inputs_of(export, graph)]
    answer = [(ANSWER, np.dtype(export.told), export.spec.chunk_shape)]
    _check_values("given", content["inputs"], wanted, graph)
    _check_values("asked for", content["outputs"], answer, graph)
    if (given := batch * sum(prod(shape) for *_, shape in (*wanted, *answer))) > MOST_NUMBERS:
        raise ValueError(f"its card says that it is given {given} numbers at a time")
    for name, kind, shape in wanted:
        if name in known:
            raise ValueError(f"two arrays are called {name}")
        known[name] = Sized((batch, *shape), kind=kind.kind)
    made = follow(content["nodes"], known, batch)
    if ANSWER in known or ANSWER not in made or made[ANSWER].shape != (batch, *answer[0][2]):
        raise ValueError(f"it does not compute {ANSWER} of shape {(batch, *answer[0][2])}")


def _check_values(
    what: str,
    said: Sequence[Message],
    wanted: Sequence[tuple[str, np.dtype[Any], tuple[int, ...]]],
    graph: Graph,
) -> None:
    """Raise `ValueError` where a graph's inputs or outputs are not those of its card."""
    first = (None, BATCH) if graph.batch is None else (graph.batch, None)
    expected = [(n, kind, (first, *((size, None) for size in shape))) for n, kind, shape in wanted]
    found = [(one["name"], *_described(one)) for one in said]
    for have, need in zip(found, expected, strict=False):
        if have != need:
            raise ValueError(
                f"it is {what} {shown(have[0])}, {have[1]} {_words(have[2])}, where its card says "
                f"{need[0]}, {need[1]} {_words(need[2])}"
            )
    if len(found) != len(expected):
        names = [name for name, *_ in expected]
        raise ValueError(f"it is {what} {len(found)} arrays; its card says {', '.join(names)}")


def _described(value: Message) -> tuple[Any, tuple[tuple[int | None, str | None], ...]]:
    """The kind and the sizes that a graph says of an array: each a number or a name."""
    typed: Any = value["type"] or {"tensor": None}
    tensor: Any = typed["tensor"] or {"kind": None, "shape": None}
    sizes: Any = (tensor["shape"] or {"dim": ()})["dim"]
    return KINDS.get(tensor["kind"]), tuple((one["value"], one["name"]) for one in sizes)


def _words(sizes: Sequence[tuple[int | None, str | None]]) -> str:
    return shown("×".join(str(name if size is None else size) for size, name in sizes))
