"""Which device to compute on, in which precision, on how many threads, and the same twice."""

import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

import torch

from steadyhand.errors import ConfigurationError, DeviceError, unknown

Precision = Literal["auto", "float32", "bfloat16"]
SHORT_SECONDS = 0.05
"""A step below this is not worth more than one thread."""
WORTH = 0.7
"""More threads are taken where they need at most this share of the time that one needs."""
MEASURED_SECONDS = 3.0


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; a name must be there.

    Raises `DeviceError` for a device that is not.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    there = ["cuda"] * cuda + ["mps"] * mps + ["cpu"]
    if name == "auto":
        return torch.device(there[0])
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise DeviceError(unknown("device", name, ["auto", "cpu", "cuda", "mps"]))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"'{name}' is not a device: {error}") from error
    if kind not in there or (kind == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise DeviceError(
            f"Device '{name}' is not available on this machine (torch {torch.__version__}). "
            f"Available: {', '.join(sorted(there))}; 'auto' chooses for you."
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


def compute_repeatably(device: torch.device) -> None:
    """From here on, the same seed on the same card gives the same numbers, forward and backward.

    For the whole process, and on CUDA alone; the CPU needs fixed threads (`on_threads`). Kernels of
    convolutions are those that add in one order, and not whichever is fastest just then. Attention
    is computed as it is written, in plain products: the backward passes of its fused kernels add in
    any order, and chunks are short. Float32 is all of float32, not the ten bits of TF32.
    """
    if device.type != "cuda":
        return
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_cudnn_sdp(False)


def _processor_has(test: str) -> bool:
    return bool(getattr(torch.cpu, test, lambda: False)())


@contextmanager
def compiling() -> Generator[None]:
    """Compute with what was handed to `torch.compile`, which begins its work when it is used.

    Raises `ConfigurationError` where it cannot do it.
    """
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        raise ConfigurationError(
            f"torch.compile cannot do this here ({str(error).strip().splitlines()[0]}). Go on "
            "without compile, or install what it asks for: on a CPU a C++ compiler."
        ) from error


@contextmanager
def on_threads(count: int | None) -> Generator[None]:
    """Compute on so many threads of the CPU, as before where it is None.

    How a sum is split over threads changes its last bits.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fastest_threads(step: Callable[[int], torch.Tensor]) -> int:
    """One thread, or all where `step(number)` is measured to be much faster on all.

    Threads wait for each other many times a step, and on a core that something else wants too,
    that can take ten times as long as the work: so a short step gets one, however quiet it is now.
    """
    every = torch.get_num_threads()

    def seconds(count: int, number: int) -> float:
        with on_threads(count):
            begun = time.perf_counter()
            float(step(number))
            return time.perf_counter() - begun

    if min(seconds(1, number) for number in range(3)) < SHORT_SECONDS:
        return 1
    seconds(every, 3)
    begun, pairs = time.perf_counter(), [(seconds(1, 4), seconds(every, 4))]
    while len(pairs) < 3 and time.perf_counter() - begun < MEASURED_SECONDS:
        number = 4 + len(pairs)
        pairs.append((seconds(1, number), seconds(every, number)))
    one, all_of_them = (statistics.median(column) for column in zip(*pairs, strict=True))
    return every if all_of_them < WORTH * one else 1
