"""The card of an export, `export.json`: what is in the folder and how it was verified.

It is read as a stranger's: every value's kind is checked, and every file is one that the card
names, of the size and checksum it says. Nothing is loaded here.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from steadyhand.disk import inside, read_object, regular, write_json
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.runtime.card import Provenance, library_version, provenance_of
from steadyhand.runtime.codec import decode, encode
from steadyhand.runtime.continuation import Continuation
from steadyhand.runtime.folders import EXPORT as CARD
from steadyhand.sizes import Count, Natural
from steadyhand.spec import PolicySpec
from steadyhand.values import checked, shown

FORMAT = "steadyhand-export"
VERSION = 1
LARGEST_CARD = 16 << 20
NAME = re.compile(r"weights\.bin|[a-z_]{1,40}\.(onnx|pt2)")
"""What files of an export are called: a graph `chunk.onnx`, one that continues a chunk
`guided.onnx`, and what both weigh, `weights.bin`."""
EngineName = Literal["onnx", "openvino", "aoti"]
"""What runs an export. Those of "onnx" and of "openvino" are one format, ONNX."""
ExportPrecision = Literal["float32", "bfloat16", "float16", "int8"]


@checked
@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file of the folder."""

    name: str
    bytes: Natural
    sha256: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigurationError(f"'{self.name}' is no file of an export.")


@checked
@dataclass(frozen=True, kw_only=True)
class Graph:
    """What computes chunks: from noise, or also from what is left of the last one."""

    file: str
    batch: Count | None = None
    """How many chunks at once; None for any number."""
    how: Continuation | None = None
    """The way it continues a chunk; None for one that begins anew."""


@checked
@dataclass(frozen=True, kw_only=True)
class PairedSuccess:
    """Success over the same initial states, of the original and of the export."""

    episodes: Count
    original: float
    exported: float
    difference: float
    """Of the export from the original, with its 95 % interval."""
    low: float
    high: float


@checked
@dataclass(frozen=True, kw_only=True)
class Verification:
    """How an export was compared with the policy it was made of, in units of the robot.

    Differences are shares of how far a dimension of the action goes in what the policy learned
    from: half of its recorded range, of its offset where it is relative. Of the dimensions, the one
    that is furthest away is told.
    """

    observations: str
    """What it was shown, in words."""
    chunks: Count
    largest: float
    typical: float
    bound: float
    """What `largest` was held against."""
    original_ms: float
    exported_ms: float
    """Median milliseconds of one chunk, both on one thread, in turns."""
    success: PairedSuccess | None = None
    """Where the policy has a task."""


@checked
@dataclass(frozen=True, kw_only=True)
class Export:
    """What is in an export's folder."""

    engine: EngineName
    precision: ExportPrecision
    spec: PolicySpec
    graphs: tuple[Graph, ...]
    """The first begins anew; each other continues a chunk in its own way."""
    files: tuple[ExportedFile, ...]
    noise_rows: Count
    """Chunks of noise that one chunk takes: 1, and one more for each step that adds noise."""
    exact: tuple[str, ...] = ()
    """The keys of observations that are float64."""
    told: Literal["float32", "float64"] = "float32"
    """The kind of numbers of its chunks, and of what is left of the last one."""
    solver: str | None = None
    steps: Count = 1
    """Network calls for one chunk."""
    made_of: Mapping[str, str] = field(default_factory=dict[str, str])
    """The parts of the policy by name: encoder, denoiser, process."""
    parameters: Natural = 0
    provenance: Provenance = field(default_factory=Provenance)
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the packages it was made with."""
    verification: Verification | None = None

    def __post_init__(self) -> None:
        names = [file.name for file in self.files]
        if not self.graphs or self.graphs[0].how is not None:
            raise ConfigurationError("An export has a graph that begins a chunk anew, first.")
        if len(set(names)) < len(names) or not {g.file for g in self.graphs} <= set(names):
            raise ConfigurationError(
                "An export names each of its files once, its graphs among them."
            )


def write_export_card(folder: Path, export: Export) -> None:
    """Write `export.json`, whole or not at all. Raises `OSError`."""
    content = {key: value for key, value in encode(export).items() if key != "type"}
    write_json(folder / CARD, {"format": FORMAT, "version": VERSION, **content})


def read_export(folder: str | Path) -> Export:
    """What is in the export at `folder`, by its card; no file besides is opened.

    Raises `CheckpointError` for a card that is damaged or of another version.
    """
    folder = Path(folder)
    path = folder / CARD
    try:
        card = read_object(inside(folder, CARD), at_most=LARGEST_CARD)
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no export: there is no {CARD}. Name a folder that `steadyhand export` "
            "made, or make one: steadyhand export RUN --to onnx"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Export the policy again: steadyhand export RUN"
        ) from error
    if card.pop("format", None) != FORMAT:
        raise CheckpointError(f"{path} is not the card of an export: steadyhand export RUN")
    if (version := card.pop("version", None)) != VERSION:
        raise CheckpointError(
            f"{path} has format version {shown(version)}; this steadyhand ({library_version()}) "
            f"reads version {VERSION}. Export the policy again with this one."
        )
    origin = provenance_of(card.pop("provenance", {}), str(path))
    return replace(decode(Export, card, str(path)), provenance=origin)


def is_export(path: str | Path) -> bool:
    """Whether a folder is an export's."""
    return (Path(path) / CARD).exists()


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(folder: Path, export: Export) -> None:
    """Raise `CheckpointError` unless every file is there, inside, whole and as the card says."""
    for file in export.files:
        try:
            path = inside(folder, file.name)
            size = regular(path)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder}: {file.name} cannot be read ({error}).") from error
        if size != file.bytes or sha256_of(path) != file.sha256:
            raise CheckpointError(
                f"{path} is not the file that was exported: its size or checksum differs from the "
                "card's. Copy the folder again, or export the policy again."
            )


def stamps(folder: Path, export: Export) -> list[tuple[int, ...]]:
    """Something that is another once any file of an export was written anew, or replaced."""
    found: list[tuple[int, ...]] = []
    for name in (CARD, *(file.name for file in export.files)):
        try:
            one = (folder / name).stat()
        except OSError:
            found.append(())
        else:
            found.append((one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns))
    return found
