"""The rows of one episode in a column of a parquet file: numbers, read when they are asked for."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import LEAVE, damage_of
from steadyhand.data.formats.parquet import Table


class Column:
    """Numbers (steps, …) of a table, from the row `first` on."""

    def __init__(
        self,
        table: Table,
        name: str,
        shape: tuple[int, ...],
        first: int,
        steps: int,
        episode: int,
        *,
        dtype: np.dtype[Any] | None = None,
        whole: bool = False,
    ) -> None:
        """`dtype` is that of the column, where the table need not be opened for it; a `whole`
        episode has all rows of the table."""
        self._table, self._name, self._first, self._episode = table, name, first, episode
        self._dtype, self._whole = dtype, whole
        self.shape = (steps, *shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        if self._dtype is None:
            with damage_of(self._episode):
                self._dtype = self._table.dtype(self._name)
        return self._dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        steps = self.shape[0]
        if isinstance(key, slice):
            low, high, stride = key.indices(steps)
            if stride == 1:
                return self._rows(low, max(low, high))
        return self._rows(0, steps)[key]

    def _rows(self, low: int, high: int) -> NDArray[Any]:
        """The steps `low…high`. Raises `DataError` where they are not those declared."""
        steps, inner = self.shape[0], self.shape[1:]
        with damage_of(self._episode):
            rows = self._table.length - self._first
            if rows < steps or (self._whole and rows != steps):
                raise self._damaged(f"it has {rows} rows for {steps} steps")
            values = self._table.numbers(self._name, self._first + low, self._first + high)
        if math.prod(values.shape[1:]) != math.prod(inner):
            raise self._damaged(
                f"'{self._name}' has shape {values.shape[1:]} at each step, where meta/info.json "
                f"says {inner}",
                LEAVE,
            )
        if values.dtype != self.dtype and not np.can_cast(values.dtype, self.dtype):
            said = f"'{self._name}' holds {values.dtype}, where other episodes hold {self.dtype}"
            raise self._damaged(said, LEAVE)
        return values.reshape(high - low, *inner)

    def _damaged(self, why: str, way: str | None = None) -> Exception:
        return self._table.damaged(why, self._episode, way)
