"""An export as an engine: which graph is asked, with which inputs, and so many chunks at a time.

What makes a graph ready is a `Compile`; there is one for each inference engine.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import CheckpointError, ConfigurationError, SteadyhandError
from steadyhand.runtime.continuation import Continuation, Continued, check_committed
from steadyhand.runtime.engines.graph_inputs import GraphInput, inputs_of
from steadyhand.runtime.exported import Export, Graph

Array = NDArray[Any]
MOST_SIZES = 8
"""Sizes of batches that are kept compiled at a time for one graph."""


class Compiled(Protocol):
    """A graph that is ready to run for one size of batch."""

    def __call__(self, given: Sequence[Array], /) -> NDArray[np.floating]: ...


Compile = Callable[[Graph, int], Compiled]
"""Makes a graph ready for batches of one size."""


class ExportedEngine:
    """Arrays to arrays by the graphs of an export, each compiled for a size of batch when first
    asked, and run once then: the first chunk takes no longer than others."""

    def __init__(self, export: Export, compile: Compile, *, called: str = "An engine") -> None:
        self.export, self.spec = export, export.spec
        self.noise_rows, self.exact = export.noise_rows, frozenset(export.exact)
        self._compile, self._called = compile, called
        self._graphs = {graph.how: graph for graph in export.graphs}
        self._inputs = {how: inputs_of(export, graph) for how, graph in self._graphs.items()}
        self._one_at_a_time = threading.Lock()  # what is compiled has one place for its answer
        self._ready: dict[tuple[Continuation | None, int], Compiled] = {}

    def warm_up(self, batch: int) -> None:
        """Make every graph ready for batches of that size."""
        for how in self._graphs:
            self._compiled(how, batch)

    def continues(self, how: Continuation) -> None:
        """Raise `ConfigurationError` where chunks cannot go on from the last one so."""
        if how in self._graphs:
            return
        can = [repr(graph.how) for graph in self.export.graphs if graph.how is not None]
        have = f"It has {' and '.join(can)}." if can else "It has none."
        name = type(how).__name__.lower().replace("warmstart", "warm_start")
        raise ConfigurationError(
            f"This export has no graph that goes on from the last chunk as {how}. {have} Export "
            f"the run with it: steadyhand export RUN --continuation {name}. Asynchronous and Blend "
            "need nothing of a policy."
        )

    def __call__(
        self,
        observation: Mapping[str, Array],
        noise: NDArray[np.float32],
        step_noise: NDArray[np.float32] | None,
        continued: Continued | None = None,
    ) -> NDArray[np.floating]:
        given: dict[str, Any] = {"noise": noise, "step_noise": step_noise}
        how = None
        if continued is not None:
            how = continued.how
            self.continues(how)
            check_committed(self.spec.chunking.prefix, how, continued.weights)
            given.update(rows=continued.rows, weights=continued.weights)
        arrays = [
            np.ascontiguousarray(
                given[one.name] if one.key is None else observation[one.key], one.kind
            )
            for one in self._inputs[how]
        ]
        batch, graph = len(noise), self._graphs[how]
        with self._one_at_a_time:
            if graph.batch in (None, batch):
                return self._compiled(how, batch)(arrays)
            run = self._compiled(how, graph.batch)
            return np.concatenate([run(part) for part in _parts(arrays, graph.batch)])[:batch]

    def _compiled(self, how: Continuation | None, batch: int) -> Compiled:
        graph = self._graphs[how]
        size = graph.batch or batch
        if (how, size) not in self._ready:
            compiled = self._begun(graph, size)
            if len([known for known, _ in self._ready if known == how]) == MOST_SIZES:
                del self._ready[next(key for key in self._ready if key[0] == how)]
            self._ready[how, size] = compiled
        return self._ready[how, size]

    def _begun(self, graph: Graph, size: int) -> Compiled:
        """The graph, compiled and run once. Raises `CheckpointError` where its engine cannot."""
        try:
            compiled = self._compile(graph, size)
            compiled([_example(one, size) for one in self._inputs[graph.how]])
        except SteadyhandError:
            raise
        except Exception as error:  # engines have kinds of their own
            said = " ".join(str(error).split())[:300]
            raise CheckpointError(
                f"{self._called} cannot run {graph.file} of this export: {said}. Export the policy "
                "again, or run it by another engine."
            ) from error
        return compiled


def _parts(arrays: Sequence[Array], size: int) -> Iterator[list[Array]]:
    """So many rows at a time; the last one is repeated to fill up."""
    for start in range(0, len(arrays[0]), size):
        rows = np.minimum(np.arange(start, start + size), len(arrays[0]) - 1)
        yield [array[rows] for array in arrays]


def _example(one: GraphInput, batch: int) -> Array:
    return np.zeros((batch, *one.shape), one.kind)
