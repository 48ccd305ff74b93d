"""How large what is declared may be, far above what anybody trains, and what an array may be.

A file can declare anything in a few bytes. What a network's sizes come to is held against its
weights besides (`policy/weights.py`); these are the numbers that cost before that can be known.
"""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.values import Bound, at_least, at_most

Kind = Literal["state", "image", "depth", "points", "task"]
"""Numbers; colour (height, width, channels); metres (height, width, 1); points (count, columns), of
which the first three columns are a place; words."""
SMALLEST_IMAGE = 8
"""Pixels: a feature with fewer in a row is taken for a table of numbers."""
Natural = Annotated[int, at_least(0)]
Count = Annotated[int, at_least(1)]
Depth = Annotated[Count, at_most(1_024)]
"""Of what is done one after the other: layers, observations."""
Steps = Annotated[Count, at_most(10_000)]
"""Of a chunk, and of the way to it."""
Width = Annotated[Count, at_most(1 << 16)]
"""Numbers side by side."""
Share = Annotated[float, Bound("in [0, 1), as 0.05", lambda share: 0 <= share < 1)]
LARGEST_NUMBER = 1e6
"""In units of normalised actions, which are of size one."""
Size = Annotated[
    float,
    Bound(f"above 0, and at most {LARGEST_NUMBER:g}", lambda size: 0 < size <= LARGEST_NUMBER),
]
MOST_LEVELS = 16
"""Of a network that halves its input at each."""
MOST_FEATURES = 256
"""Observations of one policy."""
LARGEST_FEATURE = 1 << 26
"""Numbers of one feature at one time step, as recorded: a picture of 4,096 by 4,096."""
LARGEST_INPUT = 1 << 24
"""Numbers that a policy sees of one time step."""


def within(low: float, high: float) -> Bound:
    return Bound(f"in {low:g}…{high:g}", lambda value: low <= value <= high)


def check_levels(name: str, levels: Sequence[int]) -> None:
    """Raise `ConfigurationError` for no levels of a network, or for more than halve any input."""
    if not 0 < len(levels) <= MOST_LEVELS:
        raise ConfigurationError(
            f"{name} has {len(levels)} numbers; there must be 1 to {MOST_LEVELS}."
        )


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise `ConfigurationError` for what is no shape of a feature at one time step."""
    if min(shape, default=1) < 1 or prod(shape) > LARGEST_FEATURE:
        raise ConfigurationError(
            f"'{name}' has shape {shape}; there must be 1 to {LARGEST_FEATURE} numbers in it."
        )


def check_input(shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise `ConfigurationError` for more, or larger, than a policy can see at one time step."""
    if not shapes:
        raise ConfigurationError("A policy needs at least one observation feature.")
    if len(shapes) > MOST_FEATURES:
        raise ConfigurationError(
            f"{len(shapes)} observations are more than the {MOST_FEATURES} a policy may have."
        )
    seen = sum(map(prod, shapes))
    if seen > LARGEST_INPUT:
        raise ConfigurationError(
            f"A policy may see {LARGEST_INPUT} numbers at one time step, and these are {seen}. "
            "Leave some out, or make pictures smaller: --image-size 240."
        )


def kind_of(shape: tuple[int, ...]) -> Kind:
    """What a feature of that shape at one time step is taken for, where nothing else is said."""
    picture = len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= SMALLEST_IMAGE
    return "image" if picture else "state"


def fitted(camera: tuple[int, int], image_size: tuple[int, ...]) -> tuple[int, int]:
    """The (height, width) that `image_size` asks for of a camera.

    () leaves it, (s,) makes the shorter side s and keeps the proportions, (h, w) is taken as it is.
    """
    if len(image_size) > 2 or any(size < SMALLEST_IMAGE for size in image_size):
        raise ConfigurationError(
            f"image_size is {image_size}; give none, the shorter side, or height and width, each "
            f"at least {SMALLEST_IMAGE} pixels."
        )
    if len(image_size) == 2:
        return image_size[0], image_size[1]
    if not image_size:
        return camera
    scale = image_size[0] / min(camera)
    return round(camera[0] * scale), round(camera[1] * scale)


def check_array(name: str, values: object) -> None:
    """Raise `ConfigurationError` for what is no array of numbers: a list, a tensor, words."""
    if not isinstance(values, np.ndarray | np.generic):
        given = type(values)
        tensor = given.__module__.partition(".")[0] == "torch"
        way_on = f"{name}.cpu().numpy()" if tensor else f"np.asarray({name})"
        raise ConfigurationError(
            f"{name} is a {given.__name__}; numpy arrays are taken here: {way_on}."
        )
    kind = cast(NDArray[Any], values).dtype
    if kind.kind not in "biuf" or kind.itemsize > 8:
        raise ConfigurationError(
            f"{name} holds {kind}; numbers are taken here: whole, floating or boolean, of "
            "at most 8 bytes."
        )
