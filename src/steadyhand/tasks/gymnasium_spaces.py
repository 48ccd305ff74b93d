"""What Gymnasium's spaces are to a policy: named arrays in, one flat array of numbers out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, library
from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import kind_of
from steadyhand.values import shown

Observe = Callable[[Any], Mapping[str, Any]]
"""What an environment observes → named arrays."""


def observing(space: Any, said: str) -> Observe:
    """How a policy sees what a space holds: numbers flat, pictures as they are.

    A Box is `state`, or `img` where it is a picture; a Dict is its entries by name, those of a Dict
    inside as `outer/inner`. Raises `ConfigurationError` for anything else; `said` is whose it is.
    """
    leaves = list(_leaves(library("gymnasium").spaces, space, (), said))

    def observe(seen: Any) -> Observation:
        found = {}
        for path, name, shape in leaves:
            value = seen
            for key in path:
                value = value[key]
            found[name] = np.asarray(value).reshape(shape)
        return found

    return observe


def _leaves(
    spaces: Any, space: Any, path: tuple[str, ...], said: str
) -> Iterator[tuple[tuple[str, ...], str, tuple[int, ...]]]:
    """(keys that lead there, name, shape as a policy sees it) of each array in a space."""
    if isinstance(space, spaces.Dict):
        for key, inner in space.items():
            yield from _leaves(spaces, inner, (*path, key), said)
        return
    what = f"{said} observes {shown(space)}{f' as {path[-1]}' if path else ''}"
    mend = (
        'Say how a policy sees it: GymTask(environment=…, observe=lambda seen: {"state": …}), '
        "where each entry is an array of numbers, or a picture (height, width, channel) of uint8."
    )
    if not isinstance(space, spaces.Box | spaces.MultiBinary):
        raise ConfigurationError(f"{what}, which is no array of numbers. {mend}")
    name = "/".join(path)
    if space.dtype == np.uint8 and len(space.shape) > 1:
        if kind_of(space.shape) != "image":
            raise ConfigurationError(f"{what}, which is not laid out as pictures are. {mend}")
        yield path, name or "img", space.shape
    elif np.prod(space.shape):
        yield path, name or "state", (int(np.prod(space.shape)),)


def arrays(found: object, said: str) -> Observation:
    """What a user's own mapping made. Raises `ConfigurationError` where it is no named arrays."""
    if not isinstance(found, Mapping) or not found:
        shape = getattr(found, "shape", None)
        what = shown(found) if shape is None else f"an array of shape {shape}"
        raise ConfigurationError(
            f"observe() of {said} answered with {what}; it gives named arrays, as "
            '{"state": np.array([…])}.'
        )
    made = {str(name): np.atleast_1d(np.asarray(value)) for name, value in found.items()}
    for name, array in made.items():
        if array.dtype.kind not in "biuf":
            raise ConfigurationError(
                f"observe() of {said} answered with {shown(found[name])} as '{name}'; it gives "
                "arrays of numbers."
            )
    return made


@dataclass(frozen=True)
class Moves:
    """The actions of a Box, flat and within its bounds."""

    low: NDArray[Any]
    high: NDArray[Any]

    @classmethod
    def of(cls, space: Any, said: str) -> "Moves":
        """Raises `ConfigurationError` for a space that is no Box of numbers."""
        if not isinstance(space, library("gymnasium").spaces.Box):
            raise ConfigurationError(
                f"{said} is moved by {shown(space)}, and a policy answers with numbers. Give it "
                "actions that are a Box: wrap it in gymnasium.wrappers.TransformAction, or in a "
                "gymnasium.ActionWrapper of your own."
            )
        return cls(space.low, space.high)

    @property
    def middle(self) -> NDArray[Any]:
        """An action that may be taken, flat: the middle of what is bounded, else 0."""
        bounded = np.isfinite(self.low) & np.isfinite(self.high)
        rest = np.clip(np.zeros_like(self.low), self.low, self.high)
        return np.where(bounded, self.low / 2 + self.high / 2, rest).reshape(-1)

    def taken(self, action: NDArray[Any], said: str) -> NDArray[Any]:
        """A policy's action as the environment takes it: in its shape and kind, clipped."""
        action = np.asarray(action)
        if action.size != self.low.size:
            raise ConfigurationError(
                f"{said} is moved by {self.low.size} numbers, and was given {action.size}."
            )
        moved = np.clip(action.reshape(self.low.shape), self.low, self.high)
        if self.low.dtype.kind in "iu":
            moved = np.rint(moved)
        return moved.astype(self.low.dtype)
