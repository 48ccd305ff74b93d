"""AOTInductor: a policy compiled by torch to machine code, the fastest where torch may be there.

Such a package can do whatever its reader can: it is loaded for those who say that they trust it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from steadyhand.errors import ConfigurationError, library
from steadyhand.runtime.engines.exported_engine import Array, Compile, Compiled
from steadyhand.runtime.exported import Export, Graph


def aot_inductor(folder: Path, export: Export, provider: str | None, threads: int) -> Compile:
    """What loads the packages of `export`, for the device that they were compiled for.

    Raises `ConfigurationError` where another one is named.
    """
    torch = library("torch")
    if provider is not None:
        raise ConfigurationError(
            f"An AOTInductor export computes where it was compiled to; leave --provider {provider} "
            "out, or export the run to onnx or openvino."
        )

    def compile(graph: Graph, batch: int) -> Compiled:
        package = library("torch._inductor").aoti_load_package(str(folder / graph.file))
        return _running(torch, package, threads)

    return compile


def _running(torch: Any, package: Any, threads: int) -> Callable[[Sequence[Array]], Array]:
    def run(given: Sequence[Array]) -> Array:
        before = torch.get_num_threads()  # of all of torch: others may need theirs
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                found: Any = package(*(torch.from_numpy(array) for array in given))
        finally:
            torch.set_num_threads(before)
        return (found if hasattr(found, "cpu") else found[0]).cpu().numpy()

    return run
