"""Depth in metres, out of whatever numbers a camera, a file or a film has for it.

What is made of it is (height, width, 1), float32, and 0 where nothing was measured. Which features
are depth is decided in `meaning`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.lazy import LazyArray
from steadyhand.errors import plain
from steadyhand.sizes import LARGEST_NUMBER

UNITS = {
    1.0: ("m", "meter", "meters", "metre", "metres"),
    10.0: ("dm", "decimeter", "decimeters", "decimetre", "decimetres"),
    100.0: ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    1e3: ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    1e6: ("um", "µm", "micrometer", "micrometers", "micrometre", "micrometres", "micron"),
}
"""So many of them make a metre."""
METRES, MILLIMETRES = 1.0, 1e3
FAR = 20.0
"""Metres: where nine tenths of what was measured is farther off than this, it is millimetres."""
LOOKS = 8
"""Steps that are looked at where nothing says a unit."""
SAID = ("depth_unit", "depth_units", "depth_scale", "unit", "units")
"""What is said of an array beside it, in HDF5 and zarr."""
FLAGS = ("is_depth_map", "video.is_depth_map", "is_depth")
LAST_CODE = 4095
"""Of the twelve bits in which LeRobot packs depth."""


@dataclass(frozen=True)
class Packed:
    """How LeRobot (0.6) packs metres in codes of twelve bits: evenly, or so in their logarithm.

    Its own reader gives `near` for code 0; that is also what becomes of a pixel that was not
    measured, so that here it is 0.
    """

    near: float
    far: float
    shift: float = 0.0
    logarithmic: bool = False

    def __post_init__(self) -> None:
        numbers = (self.near, self.far, self.shift)
        known = all(type(n) in (int, float) and abs(n) <= LARGEST_NUMBER for n in numbers)
        if not known or not 0 <= self.near < self.far:
            raise ValueError("the range that its codes were packed in cannot be")
        if type(self.logarithmic) is not bool or (self.logarithmic and self.near + self.shift <= 0):
            raise ValueError("the logarithm that its codes were packed by cannot be")

    def metres(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """What each code stands for."""
        ends = np.array([self.near, self.far], np.float64)
        low, high = np.log(ends + self.shift) if self.logarithmic else ends
        every = low + np.arange(LAST_CODE + 1) * ((high - low) / LAST_CODE)
        every = np.exp(every) - self.shift if self.logarithmic else every
        every = every.clip(self.near, self.far)
        every[0] = 0.0
        return every.astype(np.float32)[np.clip(codes, 0, LAST_CODE).astype(np.int64)]


@dataclass(frozen=True)
class Declared:
    """What a file says of the depth in it."""

    depth: bool = False
    """Whether it says that it is depth."""
    per_metre: float | None = None
    """How many of its units make a metre, where it says so."""
    packed: Packed | None = None

    @classmethod
    def by(cls, said: Mapping[str, Any]) -> "Declared":
        """Out of a description, as LeRobot's of a feature: what it says in `info` counts, too.

        Raises `ValueError`, whose text is the reason, for a unit that is not known.
        """
        for inside in ("video_info", "info"):
            more = said.get(inside)
            said = {**said, **more} if isinstance(more, Mapping) else said
        unit = _first(said, "depth_unit", "depth_units", "video.depth_unit")
        length = unit if unit is not None else _first(said, "unit", "units")
        scale = _first(said, "depth_scale", "video.depth_scale")
        ends = [_first(said, f"video.{name}", name) for name in ("depth_min", "depth_max")]
        flag = any(said.get(name) for name in FLAGS) or said.get("dtype") == "depth"
        packed = None
        if None not in ends and any("use_log" in name for name in said):
            shift = _first(said, "video.shift", "shift") or 0.0
            packed = Packed(
                ends[0], ends[1], shift, _first(said, "video.use_log", "use_log") is True
            )
        per_metre = _units_a_metre(length)
        if per_metre is None and type(scale) in (int, float) and 0 < scale < math.inf:
            # A camera's driver says the metres of a unit, others the units of a metre.
            per_metre = 1 / scale if scale < 1 else float(scale)
        depth = flag or unit is not None or packed is not None
        return cls(bool(depth), per_metre, packed)


def is_depth(said: Mapping[str, Any]) -> bool:
    """Whether a description says that it is of depth, in whatever unit."""
    try:
        return Declared.by(said).depth
    except ValueError:
        return True


def _first(said: Mapping[str, Any], *names: str) -> Any:
    return next((said[name] for name in names if said.get(name) is not None), None)


def _units_a_metre(unit: Any) -> float | None:
    if unit is None:
        return None
    word = unit.strip().lower() if isinstance(unit, str) else unit
    for per_metre, words in UNITS.items():
        if word in words:
            return per_metre
    known = ", ".join(words[0] for words in UNITS.values())
    raise ValueError(f"its unit is said to be {plain(repr(unit)[:40])}; known are {known}")


@dataclass(frozen=True)
class InMetres:
    """The form of depth: one channel of what is one number a pixel, however it was laid out."""

    per_metre: float = METRES
    packed: Packed | None = None
    dtype = np.dtype(np.float32)

    def shape(self, recorded: tuple[int, ...]) -> tuple[int, ...]:
        height, width = sides(recorded)
        return (height, width, 1)

    def __call__(self, values: NDArray[Any], /) -> NDArray[np.float32]:
        found = values.reshape(len(values), *self.shape(values.shape[1:]))
        if self.packed is not None:
            return self.packed.metres(found)
        return cleaned(scaled(found, self.per_metre))


def sides(recorded: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of what is one number a pixel: what is one axis of channels does not count.

    Raises `ValueError` where there are not just these two.
    """
    wide = [size for size in recorded if size != 1]
    if len(recorded) == 2:
        wide = list(recorded)
    if len(wide) != 2:
        raise ValueError(f"{recorded} is not one number a pixel")
    return wide[0], wide[1]


def scaled(values: NDArray[Any], per_metre: float) -> NDArray[np.float32]:
    """Numbers in metres, rounded once: what 700 mm are is the float32 nearest to 0.7."""
    if per_metre == METRES:
        return values.astype(np.float32)
    small = values.dtype.itemsize <= 2 and values.dtype.kind in "iu"
    exact = small and per_metre.is_integer() and per_metre <= 1e6
    kind = np.float32 if exact else np.float64
    with np.errstate(over="ignore", invalid="ignore"):
        return (values.astype(kind) / kind(per_metre)).astype(np.float32)


def cleaned(metres: NDArray[np.float32]) -> NDArray[np.float32]:
    """With 0 for what no measurement is: below 0, infinite, or no number."""
    with np.errstate(invalid="ignore"):
        return np.where((metres > 0) & (metres < np.inf), metres, np.float32(0))


@dataclass(frozen=True)
class Measured:
    """What some pictures of depth show."""

    range: tuple[float, float] | None
    """Metres, nearest and farthest; None where nothing was measured."""
    unmeasured: float
    """The share of pixels where nothing was measured."""


def measured(metres: NDArray[Any]) -> Measured:
    found = metres[metres > 0]
    ends = (float(found.min()), float(found.max())) if len(found) else None
    return Measured(ends, 1 - len(found) / max(metres.size, 1))


def looked_at(array: LazyArray) -> NDArray[Any]:
    """A few of its steps, spread over all of it."""
    steps = np.unique(np.linspace(0, array.shape[0] - 1, LOOKS).astype(int))
    return np.stack([np.asarray(array[int(step)]) for step in steps])


def is_millimetres(values: NDArray[Any]) -> bool:
    """Whether floating numbers of which nothing says the unit are too large to be metres.

    By the near tenth: what is seen past the end of a simulated world may be kilometres away.
    """
    measured = values[np.isfinite(values) & (values > 0)]
    return bool(len(measured)) and float(np.quantile(measured, 0.1)) > FAR
