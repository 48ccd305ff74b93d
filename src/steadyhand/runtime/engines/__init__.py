"""Exports run by an inference engine, behind the one predictor: numpy, and torch for none but AOTI.

Each engine is imported when it is used.
"""

from pathlib import Path

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.engine import EnginePredictor
from steadyhand.runtime.exported import EngineName, check_files, read_export
from steadyhand.values import checked


@checked
def load_exported(
    folder: str | Path,
    *,
    batch: int = 1,
    engine: EngineName | None = None,
    provider: str | None = None,
    threads: int | None = None,
    trust_code: bool = False,
) -> EnginePredictor:
    """A predictor that runs the export in `folder`, warmed up: its first chunk is not late.

    `batch` is how many chunks are computed together, 1 on a robot. `engine` is the one it was
    exported for unless named: "onnx" (ONNX Runtime), "openvino" or "aoti" (AOTInductor, which needs
    torch). `provider` is where it computes, in the engine's own words, as "CUDAExecutionProvider"
    or "GPU"; `threads` are how many it may use. An AOTInductor export is machine code and can do
    whatever its reader can: it is loaded with `trust_code` alone.

    Raises `CheckpointError` for a folder that is no export, or one that is damaged, and
    `MissingExtraError` where its engine is not installed.
    """
    folder = Path(folder)
    export = read_export(folder)
    check_files(folder, export)
    raise ConfigurationError(f"No engine runs {export.engine} yet.")
