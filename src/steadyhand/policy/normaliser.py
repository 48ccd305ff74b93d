"""Normalisers: robot units to numbers of size one, and back. One scale and offset a dimension."""

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from steadyhand.data.statistics import Statistics
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.spec import Feature

Normalisation = Literal["min_max", "mean_std", "quantile"]
SMALLEST_RANGE = 1e-4
"""A dimension that varies by less is centred and not scaled, as in the paper's code."""


class Normaliser(nn.Module):
    """`y = x·scale + offset` for each feature, and its inverse; images (uint8) map to ±1.

    `min_max` maps the recorded range to ±1, `quantile` its 1 to 99 % (so that a few far values do
    not squeeze the rest), `mean_std` to zero mean and unit deviation. Raises
    `ConfigurationError` for a feature whose statistics are missing or of another shape.
    """

    def __init__(
        self,
        features: Iterable[Feature],
        statistics: Mapping[str, Statistics],
        normalisation: Normalisation = "min_max",
    ) -> None:
        super().__init__()
        self.normalisation: Normalisation = normalisation
        self.statistics = dict(statistics)
        self._index: dict[str, int] = {}
        for number, feature in enumerate(features):
            scale, offset = _scale_and_offset(feature, self.statistics, normalisation)
            self._index[feature.name] = number
            for kind, values in (("scale", scale), ("offset", offset)):
                tensor = torch.from_numpy(np.asarray(values, dtype=np.float32))
                self.register_buffer(f"{kind}_{number}", tensor, persistent=False)

    def forward(self, name: str, values: Tensor) -> Tensor:
        """Normalise feature `name`, shape (…, *feature.shape), in float32."""
        scale, offset = self._numbers(name)
        return values.to(scale.dtype) * scale + offset

    def inverse(self, name: str, values: Tensor) -> Tensor:
        """Back to robot units; the exact inverse up to rounding."""
        scale, offset = self._numbers(name)
        return (values.to(scale.dtype) - offset) / scale

    def _numbers(self, name: str) -> tuple[Tensor, Tensor]:
        if name not in self._index:
            raise ConfigurationError(unknown("normalised feature", name, self._index))
        number = self._index[name]
        return self.get_buffer(f"scale_{number}"), self.get_buffer(f"offset_{number}")


def _scale_and_offset(
    feature: Feature, statistics: Mapping[str, Statistics], normalisation: str
) -> tuple[np.ndarray, np.ndarray]:
    if feature.kind == "image":
        return np.array(1 / 127.5), np.array(-1.0)
    if feature.name not in statistics:
        raise ConfigurationError(
            f"There are no statistics for '{feature.name}', so it cannot be normalised. "
            f"Statistics given: {', '.join(statistics) or 'none'}."
        )
    found = statistics[feature.name]
    if found.minimum.shape != feature.shape:
        raise ConfigurationError(
            f"The statistics of '{feature.name}' have shape {found.minimum.shape}, "
            f"the feature has {feature.shape}."
        )
    extent = found.maximum - found.minimum
    constant = extent < SMALLEST_RANGE
    if normalisation == "min_max":
        scale = 2 / np.where(constant, 2, extent)
        return scale, -scale * (found.maximum + found.minimum) / 2
    if normalisation == "mean_std":
        scale = 1 / np.where(constant | (found.deviation == 0), 1, found.deviation)
        return scale, -scale * found.mean
    if normalisation == "quantile":
        # Where nearly everything is one value, its quantiles say nothing and its range has to do.
        narrow = found.high - found.low < SMALLEST_RANGE
        low = np.where(narrow, found.minimum, found.low)
        high = np.where(narrow, found.maximum, found.high)
        scale = 2 / np.where(constant, 2, high - low)
        return scale, -scale * (high + low) / 2
    known = ["min_max", "mean_std", "quantile"]
    raise ConfigurationError(unknown("normalisation", normalisation, known))
