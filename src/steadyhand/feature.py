"""One named quantity of every time step: its shape, its kind, and the columns a name picks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.sizes import LARGEST_NUMBER, Kind, check_shape, fitted, kind_of
from steadyhand.values import checked, taken

_NAME = re.compile(r"(?P<key>[^\[\]]{1,200})(\[(?P<start>[0-9]{0,9}):(?P<stop>[0-9]{0,9})\])?")


@checked
@dataclass(frozen=True, kw_only=True)
class Feature:
    """One named quantity of every time step, in the robot's units.

    A state's name may pick columns: `state[:2]` reads the first two numbers of `state`.
    """

    name: str
    shape: tuple[int, ...]
    """Shape at one time step, after columns are picked; images are (height, width, channel), depth
    (height, width, 1), points (count, columns)."""
    kind: Kind = "state"
    width: int | None = None
    """How many numbers were recorded, where columns of them are picked."""
    camera: tuple[int, int] | None = None
    """Height and width of the camera, where its pictures are resized to `shape`."""
    range: tuple[float, float] | None = None
    """Of depth: the metres, nearest and farthest, that a policy tells apart."""

    def __post_init__(self) -> None:
        recorded = self.recorded_shape[0] if len(self.shape) == 1 else 0
        all_of_it = self.columns == slice(None) and self.width is None
        if not all_of_it and self.shape != (len(range(recorded)[self.columns]),):
            raise ConfigurationError(
                f"'{self.name}' of shape {self.shape} cannot be picked from {self.width} numbers."
            )
        picture = self.picture and len(self.shape) == 3
        if not picture and (self.picture or self.camera is not None):
            raise ConfigurationError(f"'{self.name}' of shape {self.shape} is no picture.")
        self._check_measure()
        check_shape(self.name, self.shape)
        check_shape(self.name, self.recorded_shape)

    @classmethod
    @checked
    def select(
        cls,
        name: str,
        recorded: Mapping[str, tuple[int, ...]],
        image_size: tuple[int, ...] = (),
        kinds: Mapping[str, Kind] | None = None,
    ) -> "Feature":
        """The feature `name` of what was recorded, key → shape; images are resized as by `fitted`.

        `kinds` says what those are whose shape does not say it: depth, points.
        Raises `ConfigurationError` where there is no such key, or no such columns in it.
        """
        key, columns = parse_name(name)
        if key not in recorded:
            raise ConfigurationError(
                f"{unknown('feature', key, recorded)} What a policy sees is named with "
                "--observations NAME NAME …, what it does with --action NAME."
            )
        shape: tuple[int, ...] = taken(f"The shape of '{key}'", recorded[key], tuple[int, ...])
        kind = (kinds or {}).get(key) or kind_of(shape)
        if len(shape) == 3 and kind == "state" and kind_of((*shape[1:], shape[0])) == "image":
            raise ConfigurationError(
                f"'{key}' has shape {shape}: an image with its channels first. Images are taken "
                "as cameras give them, (height, width, channel); turn it round."
            )
        if columns != slice(None):
            width = shape[0] if shape else 0
            picked = len(range(width)[columns])
            if len(shape) != 1 or not picked or (columns.stop or 0) > width:
                raise ConfigurationError(
                    f"'{name}' picks no columns of '{key}', whose shape is {shape}. "
                    f"Columns are picked from flat features, as '{key}[0:{max(width, 1)}]'."
                )
            return cls(name=name, shape=(picked,), kind=kind, width=width)
        if kind in ("image", "depth"):
            camera = (shape[0], shape[1])
            if (size := fitted(camera, image_size)) != camera:
                return cls(name=name, shape=(*size, shape[2]), kind=kind, camera=camera)
        return cls(name=name, shape=shape, kind=kind)

    @property
    def key(self) -> str:
        """The name under which it was recorded, without the columns."""
        return parse_name(self.name)[0]

    @property
    def columns(self) -> slice:
        """The columns it takes from what was recorded; all of them unless named."""
        return parse_name(self.name)[1]

    @property
    def recorded_shape(self) -> tuple[int, ...]:
        """Shape at one time step as recorded, before columns are picked or images resized."""
        if self.camera is not None:
            return (*self.camera, *self.shape[2:])
        return self.shape if self.width is None else (self.width,)

    @property
    def picture(self) -> bool:
        """Whether it has rows and columns of pixels: colour or depth."""
        return self.kind in ("image", "depth")

    def _check_measure(self) -> None:
        """Raise `ConfigurationError` for depth or points of a shape that they cannot have."""
        if self.kind == "depth" and self.shape[2] != 1:
            raise ConfigurationError(f"'{self.name}' of shape {self.shape} is no depth: (h, w, 1).")
        if self.kind == "points" and (len(self.shape) != 2 or self.shape[1] < 3):
            raise ConfigurationError(
                f"'{self.name}' of shape {self.shape} is no cloud of points: (count, columns), of "
                "which the first three are a place."
            )
        if self.range is None:
            return
        near, far = self.range
        if self.kind != "depth" or not 0 <= near < far <= LARGEST_NUMBER:
            raise ConfigurationError(
                f"'{self.name}' ({self.kind}) has the range {self.range}; depth has one, the "
                "nearest and the farthest metres that are told apart, as 0.2 1.5."
            )

    @property
    def figures_shape(self) -> tuple[int, ...]:
        """Shape of its statistics: points have no order, and one figure a column."""
        return self.shape[-1:] if self.kind == "points" else self.shape

    @property
    def size(self) -> int:
        """How many numbers it has at one time step."""
        return prod(self.shape)


def told_apart(depth: Feature) -> str:
    """The range of depth in words; nothing where it has none."""
    if depth.range is None:
        return ""
    near, far = depth.range
    return f"told apart from {near:g} to {far:g} m"


def parse_name(name: str) -> tuple[str, slice]:
    """A feature's name as (recorded key, columns): `state[:2]` → ("state", slice(None, 2))."""
    match = _NAME.fullmatch(name)
    if match is None or not name.isprintable():
        raise ConfigurationError(
            f"'{name}' does not name a feature. Write its key, or columns of it as 'state[0:2]'."
        )
    bounds = (int(text) if text else None for text in match.group("start", "stop"))
    return match["key"], slice(*bounds)
