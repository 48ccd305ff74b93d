"""A policy compiled to machine code by AOTInductor: for computers of this kind with this torch.

On a processor OpenVINO is as fast or faster, and needs no torch. Whoever loads such a package runs
what is in it.
"""

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.exported import ExportPrecision

PRECISIONS = ("float32", "bfloat16")
OPTIONS: dict[str, Any] = {
    # As many threads as are asked for when it runs, and not as there are here.
    "cpp.dynamic_threads": True,
}
COMPILERS = ("g++", "clang++", "c++", "cl")


def compile_package(
    module: nn.Module | torch.export.ExportedProgram,
    example: Sequence[Tensor],
    path: Path,
    precision: ExportPrecision = "float32",
) -> None:
    """Compile `module`, of tensors to a tensor, for inputs of the shapes of `example`, to `path`.

    With bfloat16 the products of matrices are of numbers of 16 bits. Raises `ConfigurationError`
    for other precisions, for what cannot be compiled, and where there is no C++ compiler.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(unknown("precision of AOTInductor", precision, PRECISIONS))
    given = tuple(example)
    if given[0].device.type == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise ConfigurationError(
            "AOTInductor makes machine code by a C++ compiler, and none is here (looked for "
            f"{', '.join(COMPILERS)}). Install one, as apt-get install g++, or export with --to "
            "onnx or --to openvino, which need none."
        )
    asked: Any = module if isinstance(module, nn.Module) else module.module()
    if precision == "bfloat16":
        asked = _Rounded(asked, given[0].device.type)
    with _quiet(), torch.no_grad():
        program = torch.export.export(asked, given)
        try:
            torch._inductor.aoti_compile_and_package(  # pyright: ignore[reportPrivateUsage]
                program, package_path=str(path), inductor_configs=OPTIONS
            )
        except Exception as error:  # of kinds of its own
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise ConfigurationError(
                f"AOTInductor cannot compile this policy ({(lines or ['?'])[0][:300]}). Export it "
                "with --to onnx or --to openvino."
            ) from error


class _Rounded(nn.Module):
    """What `module` answers with products of matrices in bfloat16."""

    def __init__(self, module: nn.Module, device: str) -> None:
        super().__init__()
        self.module, self.device = module, device

    def forward(self, *given: Tensor) -> Tensor:
        with torch.autocast(self.device, torch.bfloat16):
            return self.module(*given)


@contextmanager
def _quiet() -> Iterator[None]:
    """What torch notes for its own makers reaches nobody."""
    loggers = [logging.getLogger(name) for name in ("torch._inductor", "torch._export")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
