"""Which device to compute on, and in which precision that is fastest there."""

from typing import Literal

import torch

from steadyhand.errors import DeviceError, unknown

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; a name must be there.

    Raises `DeviceError` for a device that is not.
    """
    kind = name.split(":")[0]
    if name != "auto" and kind not in ("cpu", "cuda", "mps"):
        raise DeviceError(unknown("device", name, ["auto", "cpu", "cuda", "mps"]))
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    there = {"cpu": True, "cuda": cuda, "mps": mps}[kind]
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"'{name}' is not a device: {error}") from error
    if not there or (kind == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        available = ["cpu"] + ["cuda"] * cuda + ["mps"] * mps
        raise DeviceError(
            f"Device '{name}' is not available on this machine (torch {torch.__version__}). "
            f"Available: {', '.join(available)}; 'auto' chooses for you."
        )
    return device


def choose_precision(precision: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """`auto` trains in bfloat16 autocast where the processor has instructions for it.

    It is a rule and not a measurement, so that the same run twice makes the same choice.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and (
        _processor_has("_is_amx_tile_supported") or _processor_has("_is_avx512_bf16_supported")
    ):
        return "bfloat16"
    return "float32"


def _processor_has(test: str) -> bool:
    return bool(getattr(torch.cpu, test, lambda: False)())
