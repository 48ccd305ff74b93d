"""How large what is declared may be, far above what anybody trains, and what its shape says.

A file can declare anything in a few bytes. What a network's sizes come to is held against its
weights besides (`policy/weights.py`); these are the numbers that cost before that can be known.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, cast

from steadyhand.errors import ConfigurationError
from steadyhand.values import whole

Kind = Literal["state", "image"]
SMALLEST_IMAGE = 8
"""Pixels: a feature with fewer in a row is taken for a table of numbers."""
LARGEST = {
    "obs_steps": 1_024,
    "horizon": 10_000,
    "execute": 10_000,
    "width": 1 << 16,
    "widths": 1 << 16,
    "step_width": 1 << 16,
    "features": 1 << 16,
    "groups": 1 << 16,
    "keypoints": 1 << 12,
    "components": 1 << 12,
    "bins": 1 << 16,
    "blocks": 1_024,
    "layers": 1_024,
    "heads": 1_024,
    "expansion": 1_024,
    "kernel": 1_023,
    "train_steps": 100_000,
    "SamplerConfig.steps": 10_000,
    "Consistency.levels": 100_000,
    "Shortcut.levels": 16,
}
"""By field; by class and field where a name has several meanings."""
LARGEST_NUMBER = 1e6
"""In units of normalised actions, which are of size one."""
MOST_LEVELS = 16
"""Of a network that halves its input at each."""
MOST_FEATURES = 256
"""Observations of one policy."""
LARGEST_FEATURE = 1 << 26
"""Numbers of one feature at one time step, as recorded: a picture of 4,096 by 4,096."""
LARGEST_INPUT = 1 << 24
"""Numbers that a policy sees of one time step."""


def check_sizes(part: object, *names: str, least: int = 1) -> None:
    """Raise `ConfigurationError` where one of these fields is no whole number in its bounds.

    A field may be a tuple, one number for each level of a network.
    """
    for name in names:
        given: Any = getattr(part, name)
        found = cast(tuple[Any, ...], given) if isinstance(given, tuple) else (given,)
        most = LARGEST.get(f"{type(part).__name__}.{name}") or LARGEST[name]
        if not 0 < len(found) <= MOST_LEVELS:
            raise ConfigurationError(
                f"{name} has {len(found)} numbers; there must be 1 to {MOST_LEVELS}."
            )
        for value in found:
            whole(name, value, least, most)


def check_numbers(part: object, *names: str) -> None:
    """Raise `ConfigurationError` where one of these fields is not above 0, or is enormous."""
    for name in names:
        value: float = getattr(part, name)
        if not 0 < value <= LARGEST_NUMBER:
            raise ConfigurationError(
                f"{name} is {value}; it must be above 0, and at most {LARGEST_NUMBER:g}."
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
    """What a feature of that shape at one time step is taken for."""
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
