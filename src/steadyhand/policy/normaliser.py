"""Normalisers: robot units to numbers of size one, and back. One scale and offset a dimension."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError, DeviceError, unknown
from steadyhand.runtime.statistics import Statistics, far
from steadyhand.spec import Feature

Normalisation = Literal["min_max", "mean_std", "quantile"]
BOUNDS = {"quantile": 3.0, "mean_std": 10.0}
"""Normalised numbers never lie beyond: what is rarer than one in a thousand is cut there."""


class Normaliser(nn.Module):
    """`y = x·scale + offset` for each feature, and its inverse; images (uint8) map to ±1.

    Depth in metres maps its feature's range, near to far, to ±1 and is cut beyond; what was not
    measured (0, less, or no finite number) is at the near end. Points have figures of each column;
    one that was not measured (at 0 0 0, or with a number that is not finite) becomes NaN.

    `min_max` maps the recorded range to ±1. `quantile` maps its 1 to 99 % to ±1, so that a few
    far values do not squeeze the rest, and `mean_std` has zero mean and unit deviation; but no
    dimension is scaled up so far that all but the rarest thousandth of its numbers would leave ±3
    (`quantile`) or ±10 (`mean_std`), and what lies beyond is cut. A dimension that does not move
    is centred, and scaled only where its rounding would leave ±1. With `tasks`, statistics are
    (tasks, *feature.shape), and numbers are told which task each is of. Raises `ConfigurationError`
    for a feature whose statistics are missing or of another shape.
    """

    def __init__(
        self,
        features: Iterable[Feature],
        statistics: Mapping[str, Statistics],
        normalisation: Normalisation = "min_max",
        *,
        tasks: int = 0,
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.normalisation: Normalisation = normalisation
        self.statistics = dict(statistics)
        self._index: dict[str, int] = {}
        self._bounds: dict[str, float] = {}
        self._by_task: set[str] = set()
        self._depths: set[str] = set()
        self._clouds: set[str] = set()
        for number, feature in enumerate(features):
            scale, centre = _scale_and_centre(feature, self.statistics, normalisation, tasks)
            self._index[feature.name] = number
            wide = False
            if feature.kind == "points":
                self._clouds.add(feature.name)
            if feature.kind == "depth":
                self._depths.add(feature.name)
                self._bounds[feature.name] = 1.0
            if feature.kind in ("state", "points"):
                found = self.statistics[feature.name]
                self._by_task |= {feature.name} if tasks else set()
                away = far(centre, np.where(found.constant, 0, 1 / scale))
                wide = feature.kind == "state" and bool(away.any())  # points come in float32
                if found.rare_low is not None and normalisation in BOUNDS:
                    self._bounds[feature.name] = BOUNDS[normalisation]
            kind = np.float64 if wide else np.float32
            pair = (scale, centre if wide else -scale * centre)
            for name, values in zip(("scale", "shift"), pair, strict=True):
                tensor = torch.from_numpy(np.asarray(values, dtype=kind))
                self.register_buffer(f"{name}_{number}", tensor, persistent=False)

    def forward(self, name: str, values: Tensor, task: Tensor | None = None) -> Tensor:
        """Normalise feature `name`, shape (…, *feature.shape), in float32.

        `task`, (first axis of `values`,), says by which task's figures, where each has its own.
        """
        scale, shift = self._numbers(name, values, task)
        wide = values.to(scale.dtype)
        if name in self._depths:
            wide = torch.where((wide > 0) & (wide <= torch.finfo(wide.dtype).max), wide, 0.0)
        # Far from zero the offset is taken first, in float64; elsewhere one product does.
        normal = ((wide - shift) * scale).float() if self.far(name) else wide * scale + shift
        bound = self._bounds.get(name)
        normal = normal if bound is None else normal.clamp(-bound, bound)
        return torch.where(_measured(wide), normal, torch.nan) if name in self._clouds else normal

    def inverse(self, name: str, values: Tensor, task: Tensor | None = None) -> Tensor:
        """Back to robot units, the exact inverse up to rounding; float64 where they are `far`."""
        scale, shift = self._numbers(name, values, task)
        wide = values.to(scale.dtype)
        return wide / scale + shift if self.far(name) else (wide - shift) / scale

    def far(self, name: str) -> bool:
        """Whether the feature lies so far from zero that it is read and given in float64."""
        return self.dtype(name) == torch.float64

    def dtype(self, name: str) -> torch.dtype:
        """What the feature's numbers are in robot units: float64 where they are far from zero."""
        return self._numbers(name)[0].dtype

    def reach(self, name: str) -> float:
        """The largest size that a recorded number has when it is normalised; 1 for `min_max`."""
        if self.normalisation == "min_max":
            return 1.0
        found = self.statistics[name]
        device = self._numbers(name)[0].device
        ends = torch.from_numpy(np.stack([found.minimum, found.maximum])).to(self.dtype(name))
        moving = torch.from_numpy(~found.constant).to(device)
        normal = self(name, ends.to(device)).nan_to_num()  # as points, both may be none
        return float(torch.where(moving, normal.abs(), 0.0).max())

    def equals(self, other: "Normaliser") -> bool:
        """Whether both turn the same numbers into the same numbers."""
        pairs = zip(self.buffers(), other.buffers(), strict=True)
        same = all(a.dtype == b.dtype and torch.equal(a.cpu(), b.cpu()) for a, b in pairs)
        states = self._index.keys() & self.statistics.keys()
        return same and all(self.reach(name) == other.reach(name) for name in states)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Normaliser":
        """Moves to another device, never to another precision."""
        for name, buffer in self.named_buffers():
            device = fn(torch.zeros(0, device=buffer.device)).device
            if device.type == "mps" and buffer.dtype == torch.float64:
                raise DeviceError(
                    "This policy's numbers lie so far from zero that they need float64, which MPS "
                    "has not. Use the CPU, or record them less an offset."
                )
            self._buffers[name] = buffer.to(device)
        return self

    def _numbers(
        self, name: str, values: Tensor | None = None, task: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if name not in self._index:
            raise ConfigurationError(unknown("normalised feature", name, self._index))
        number = self._index[name]
        scale, shift = self.get_buffer(f"scale_{number}"), self.get_buffer(f"shift_{number}")
        if values is None or task is None or name not in self._by_task:
            return scale, shift
        own = scale[task], shift[task]
        for _ in range(values.ndim - scale.ndim):
            own = own[0].unsqueeze(1), own[1].unsqueeze(1)
        return own


def _measured(points: Tensor) -> Tensor:
    """Which of points (…, columns) there are, (…, 1)."""
    finite = (points.abs() <= torch.finfo(points.dtype).max).all(-1, keepdim=True)
    return finite & (points[..., :3] != 0).any(-1, keepdim=True)


def _scale_and_centre(
    feature: Feature, statistics: Mapping[str, Statistics], normalisation: str, tasks: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    if feature.kind == "image":
        return np.array(1 / 127.5), np.array(127.5)
    if feature.kind == "task":
        return np.array(1.0), np.array(0.0)
    if feature.kind == "depth":
        if feature.range is None:
            raise ConfigurationError(
                f"The depth '{feature.name}' has no range, so it cannot be normalised: give "
                "Feature(…, range=(0.2, 1.5)), the nearest and the farthest metres told apart."
            )
        near, farthest = feature.range
        return np.array(2 / (farthest - near)), np.array((farthest + near) / 2)
    if feature.name not in statistics:
        raise ConfigurationError(
            f"There are no statistics for '{feature.name}', so it cannot be normalised. "
            f"Statistics given: {', '.join(statistics) or 'none'}."
        )
    found = statistics[feature.name]
    shape = (tasks, *feature.figures_shape) if tasks else feature.figures_shape
    if found.minimum.shape != shape:
        raise ConfigurationError(
            f"The statistics of '{feature.name}' have shape {found.minimum.shape}, "
            f"the feature needs {shape}."
        )
    middle, half = (found.maximum + found.minimum) / 2, (found.maximum - found.minimum) / 2
    if normalisation == "mean_std":
        centre, size = found.mean, found.deviation
    elif normalisation == "quantile":
        centre, size = (found.high + found.low) / 2, (found.high - found.low) / 2
    elif normalisation == "min_max":
        centre, size = middle, half
    else:
        raise ConfigurationError(unknown("normalisation", normalisation, ["min_max", *BOUNDS]))
    if found.rare_low is not None and found.rare_high is not None and normalisation in BOUNDS:
        rare = np.maximum(found.rare_high - centre, centre - found.rare_low)
        size = np.maximum(size, rare / BOUNDS[normalisation])
    least = found.rounding
    if least is None:  # a policy of before
        least = np.nextafter(1e-4, 0) if normalisation == "quantile" else 0.0
    # Where nearly everything is one value, all else says nothing and the range has to do.
    narrow = 2 * size <= least
    centre, size = np.where(narrow, middle, centre), np.where(narrow, half, size)
    # What is rounding and no motion can still be thousands of counts, far enough from zero.
    return 1 / np.where(found.constant, np.maximum(half, 1), size), centre
