"""The weights of a policy. What a file's header says is known before anything is allocated.

A network is first built on torch's `meta` device, where it costs nothing; one that asks for other
tensors than are there is refused, at the first that is too many.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from steadyhand.disk import NotTheFileError, inside, regular
from steadyhand.errors import CheckpointError, ConfigurationError, MissingExtraError

MOST_TENSORS = 20_000
"""Of a network; the largest that are known have some thousands."""
LARGEST_HEADER = 8 << 20
"""Bytes in which so many are described."""
FLOATING = ("F64", "F32", "F16", "BF16")
KINDS = {**dict.fromkeys(FLOATING, "numbers"), "I64": "int64", "I32": "int32", "BOOL": "bool"}
"""What a tensor holds, by the name that its file gives it."""

Header = Mapping[str, tuple[str, tuple[int, ...]]]
"""What each tensor of a file holds, and its shape."""


def read_header(path: Path) -> Header:
    """The tensors of a safetensors file, none of them read. Raises `CheckpointError`."""
    with _explained(path):
        regular(inside(path.parent, path.name))
        with path.open("rb") as raw:
            if (length := int.from_bytes(raw.read(8), "little")) > LARGEST_HEADER:
                raise ValueError(f"its header would have {length} bytes")
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            if len(names) > MOST_TENSORS:
                raise ValueError(f"it holds {len(names)} tensors, more than any network has")
            parts = {name: file.get_slice(name) for name in names}
            strange = {part.get_dtype() for part in parts.values()} - KINDS.keys()
            if strange:
                raise ValueError(f"no network is made of {min(strange)}")
            return {n: (KINDS[p.get_dtype()], tuple(p.get_shape())) for n, p in parts.items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises `CheckpointError`."""
    read_header(path)
    with _explained(path):
        return load_file(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing. Use another checkpoint of the run.") from None
    except NotTheFileError as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    except (OSError, ValueError, MemoryError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Use another checkpoint.") from error


MAKERS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)


class _Weightless(TorchFunctionMode):
    """What a module makes for its weights is on `meta`; what it counts out (`arange`) is not.

    Nothing is drawn: for random numbers on `meta` torch loads all of sympy, which takes seconds.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        if func in MAKERS:
            return torch.empty(*args, **{**named, "device": "meta"})
        if getattr(func, "__name__", "") == "normal_":
            return args[0] if args else named["tensor"]
        return func(*args, **named)


@contextmanager
def built_for(header: Header, where: Path) -> Iterator[None]:
    """What is built inside costs nothing, and stops where it asks for more than `header` has.

    All that goes wrong is a `CheckpointError`: it is the description in `where` that is at fault.
    """
    # Some networks make a part and then replace it: more may be asked for than is kept.
    number, numbers = 2 * len(header) + 64, 2 * sum(prod(s) for _, s in header.values()) + 2**20

    def count(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal number, numbers
        number, numbers = number - 1, numbers - parameter.numel()
        if min(number, numbers) < 0:
            raise ConfigurationError("it has more weights than lie beside it")

    handle = register_module_parameter_registration_hook(count)
    try:
        with _Weightless(), warnings.catch_warnings(action="ignore"):
            yield
    except (CheckpointError, MissingExtraError):
        raise
    except Exception as error:  # whatever a library answers to sizes that nobody meant
        said = (str(error) or type(error).__name__).splitlines()[0].removesuffix(".")
        raise CheckpointError(
            f"{where}/policy.json describes a policy that cannot be built: {said}. "
            "Use another checkpoint."
        ) from error
    finally:
        handle.remove()


def check_fits(module: nn.Module, header: Header, where: Path) -> None:
    """Raise `CheckpointError` where a file has other tensors than the module."""
    needed = _described(module.state_dict())
    wrong = [name for name in (*needed, *header) if needed.get(name) != header.get(name)]
    if wrong:
        wanted, found = (_said(content.get(wrong[0])) for content in (needed, header))
        raise CheckpointError(
            f"The weights in {where} do not fit the policy described beside them: "
            f"'{wrong[0]}' is {wanted} there and {found} here. Use another checkpoint."
        )


def _described(tensors: Mapping[str, Tensor]) -> Header:
    return {
        name: ("numbers" if v.is_floating_point() else str(v.dtype)[6:], tuple(v.shape))
        for name, v in tensors.items()
    }


def _said(entry: tuple[str, tuple[int, ...]] | None) -> str:
    return "missing" if entry is None else f"{entry[0]} of shape {entry[1]}"


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Load a state dict strictly: other names or shapes are an error, never ignored."""
    check_fits(module, _described(tensors), where)
    module.load_state_dict(dict(tensors))
