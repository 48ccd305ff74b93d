"""What the graphs of an export are given: names, kinds and shapes, as its card says them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from steadyhand.runtime.exported import Export, Graph

ANSWER = "actions"
"""What a graph's only output is called."""


@dataclass(frozen=True, kw_only=True)
class GraphInput:
    """One input of a graph."""

    name: str
    """In the graph."""
    key: str | None = None
    """Of an observation."""
    kind: np.dtype[Any]
    shape: tuple[int, ...]
    """Of one row of a batch."""


def inputs_of(export: Export, graph: Graph) -> tuple[GraphInput, ...]:
    """What `graph` is given, in its order."""
    spec = export.spec
    features = {feature.key: feature for feature in spec.observations}
    pictures = {feature.key for feature in spec.images}

    def kind(key: str) -> str:
        return "uint8" if key in pictures else "float64" if key in export.exact else "float32"

    seen = [
        (f"seen_{place}", key, kind(key), (spec.chunking.obs_steps, *feature.recorded_shape))
        for place, (key, feature) in enumerate(features.items())
    ]
    made: list[tuple[str, str | None, str, tuple[int, ...]]] = [
        *seen,
        ("noise", None, "float32", spec.noise_shape),
    ]
    if export.noise_rows > 1:
        shape = (export.noise_rows - 1, *spec.noise_shape)
        made.append(("step_noise", None, "float32", shape))
    if graph.how is not None:
        made.append(("rows", None, export.told, spec.chunk_shape))
        made.append(("weights", None, "float32", spec.chunk_shape[:1]))
    return tuple(
        GraphInput(name=name, key=key, kind=np.dtype(kind), shape=shape)
        for name, key, kind, shape in made
    )
