"""Actions as a policy predicts them, flat: a number a step, or a row or column of them, made so."""

import re
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import LazyArray
from steadyhand.data.problem import Problem

NAMED = re.compile(r"(.*[./])?actions?", re.IGNORECASE)


def with_flat_actions(episodes: Episodes) -> Episodes:
    """The episodes with actions (steps,), (steps, A, 1), (steps, 1, A) as (steps, A), and said.

    What has more than one long side, as chunks of actions, stays as it is.
    """
    flat, remarks = dict[str, LazyArray](), list[Problem]()
    for key, array in episodes.arrays.items():
        shape = tuple(array.shape[1:])
        if not NAMED.fullmatch(key) or len(shape) == 1 or sum(n != 1 for n in shape) > 1:
            continue
        flat[key] = Flat(array)
        if shape:
            what = f"'{key}' has shape {shape} at each step, and is read as ({prod(shape)},)."
            remarks.append(Problem("flat", what))
    if not flat:
        return episodes
    return replace(
        episodes, arrays={**episodes.arrays, **flat}, remarks=(*episodes.remarks, *remarks)
    )


class Flat:
    """An array (steps, …) as (steps, numbers)."""

    def __init__(self, source: LazyArray) -> None:
        self.source, self.dtype = source, source.dtype
        self.shape = (source.shape[0], prod(source.shape[1:]))

    def __getitem__(self, key: Any, /) -> Any:
        values = np.asarray(self.source[key])
        rows = values.shape[: values.ndim - (len(self.source.shape) - 1)]
        return values.reshape(*rows, self.shape[1])
