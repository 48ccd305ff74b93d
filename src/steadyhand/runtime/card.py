"""What `policy.json` says of a policy: read as a stranger's, with every value's kind checked.

Nothing is built here, and nothing outside the policy's folder is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np

from steadyhand.disk import NotTheFileError, inside, read_object
from steadyhand.errors import CheckpointError
from steadyhand.runtime.codec import decode
from steadyhand.runtime.folders import CARD
from steadyhand.runtime.statistics import LARGEST, Statistics
from steadyhand.sizes import Natural
from steadyhand.spec import PolicySpec
from steadyhand.values import checked, shown

FORMAT = "steadyhand-policy"
VERSION = 1
LARGEST_CARD = 16 << 20
"""Bytes; the names of a hundred thousand episodes take a tenth of them."""
DETAILS = {"trained_on": tuple[int, ...], "validation_loss": float, "score": float}
"""Kinds of those details of a provenance that are read again."""


@checked
@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a policy comes from: what an evaluation needs to know about its training."""

    task: str | None = None
    data: str | None = None
    select: str = ""
    """Which of its episodes it was given, where it was not all of them."""
    validation_episodes: tuple[Natural, ...] = ()
    seed: Natural = 0
    step: Natural = 0
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_card(folder: Path) -> dict[str, Any]:
    """`policy.json`, checked for format and version."""
    path = folder / CARD
    way_on = "Name a run (the folder that `steadyhand train` made) or one of its checkpoints."
    try:
        card = read_object(inside(folder, CARD), at_most=LARGEST_CARD)
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no policy: there is no policy.json. {way_on}"
        ) from None
    except NotTheFileError as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Use another checkpoint."
        ) from error
    if card.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not the card of a steadyhand policy. {way_on}")
    if card.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {shown(card.get('version'))}; this steadyhand "
            f"({library_version()}) reads version {VERSION}. Install the version that wrote it: "
            f"{shown(card.get('library'))}."
        )
    missing = {"spec", "config", "statistics", "normalisation", "provenance"} - card.keys()
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}. Use another checkpoint.")
    return card


def read_spec(folder: Path, card: Mapping[str, Any] | None = None) -> PolicySpec:
    """What goes into the policy in `folder` and what comes out."""
    card = read_card(folder) if card is None else card
    return decode(PolicySpec, card["spec"], f"{folder}/{CARD}: spec")


def read_statistics(folder: Path, card: Mapping[str, Any] | None = None) -> dict[str, Statistics]:
    """The statistics that the policy's normaliser was made of."""
    card = read_card(folder) if card is None else card
    try:
        return {name: _statistics(found) for name, found in card["statistics"].items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{folder}/{CARD}: its statistics are damaged ({error}). Use another checkpoint."
        ) from error


def _statistics(content: Mapping[str, Any]) -> Statistics:
    found = Statistics(**{key: _numbers(value) for key, value in content.items()})
    if len({value.shape for value in vars(found).values() if value is not None}) > 1:
        raise ValueError("they have several shapes")
    if (found.minimum > found.maximum).any() or (found.low > found.high).any():
        raise ValueError("a least number is above a largest one")
    if (found.deviation < 0).any():
        raise ValueError("a deviation is below 0")
    return found


def _numbers(value: Any) -> np.ndarray:
    found = np.array(value)
    if found.dtype.kind not in "if":
        raise ValueError(f"they hold {found.dtype.name} where numbers belong")
    if not (np.abs(found) <= LARGEST).all():
        raise ValueError("they hold what is no number, or one that no robot measures")
    return found.astype(np.float64)


def read_provenance(folder: str | Path) -> Provenance:
    """Where the policy in `folder` comes from."""
    return provenance_of(read_card(Path(folder))["provenance"], f"{folder}/{CARD}")


def provenance_of(content: Any, where: str) -> Provenance:
    """A provenance as a card says it. Raises `CheckpointError` for one that is damaged."""
    details: Any = content.pop("details", {}) if isinstance(content, dict) else None  # type: ignore
    if not isinstance(details, dict):
        raise CheckpointError(f"{where}: its provenance is damaged. Use another checkpoint.")
    said = cast(dict[str, Any], details)
    for name, kind in DETAILS.items():
        if said.get(name) is not None:
            decode(kind, said[name], f"{where}: details.{name}")
    return replace(decode(Provenance, content, where), details=said)


def library_version() -> str:
    """The version of this library."""
    try:
        return version("steadyhand")
    except PackageNotFoundError:
        return "unknown"
