"""What a format has no place for, as one JSON object that is written beside it and read again.

Kinds that no shape says, what numbers are called, which episodes succeeded, named choices of them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from steadyhand.data.episodes import Episodes
from steadyhand.data.formats.limits import ARRAYS
from steadyhand.sizes import Kind

LONGEST = 4096
"""Names of one feature, and letters in each."""


def noted(episodes: Episodes) -> dict[str, Any]:
    """What is to be written beside the arrays; empty where there is nothing to say."""
    said = {
        "kinds": {key: kind for key, kind in episodes.kinds.items() if key in episodes.arrays},
        "names": {
            key: list(words)
            for key, words in episodes.names.items()
            if key in episodes.arrays and all(map(_is_word, words))
        },
        "success": list(episodes.success),
        "masks": {name: list(chosen) for name, chosen in episodes.masks.items()},
    }
    return {key: value for key, value in said.items() if value}


def with_noted(episodes: Episodes, said: Any) -> Episodes:
    """The episodes with what was noted beside them.

    Raises `ValueError`, whose text goes on from "it", for what cannot be.
    """
    if not isinstance(said, Mapping):
        raise ValueError("it is no object of kinds, names, success and masks")
    count = len(episodes)
    kinds, names, success, masks = (said.get(key) or of() for key, of in PARTS.items())
    known = isinstance(kinds, Mapping) and all(kind in get_args(Kind) for kind in kinds.values())
    marked = isinstance(success, list) and all(mark in (True, False, None) for mark in success)
    if not known or not marked or len(success) not in (0, count):
        raise ValueError("its kinds or marks of success are not those of its arrays and episodes")
    called = isinstance(names, Mapping) and all(map(_are_words, names.values()))
    if not called:
        raise ValueError("its names are not lists of words")
    named = isinstance(masks, Mapping) and len(masks) <= ARRAYS
    if not named or not all(_are_places(chosen, count) for chosen in masks.values()):
        raise ValueError("its masks name episodes that are not there")
    return replace(
        episodes,
        kinds={**episodes.kinds, **{k: cast(Kind, v) for k, v in kinds.items()}},
        names={**episodes.names, **{key: tuple(words) for key, words in names.items()}},
        success=tuple(success) or episodes.success,
        masks={**episodes.masks, **{name: tuple(chosen) for name, chosen in masks.items()}},
    )


PARTS: dict[str, Any] = {"kinds": dict, "names": dict, "success": list, "masks": dict}


def _are_places(chosen: Any, count: int) -> bool:
    return isinstance(chosen, list) and all(type(i) is int and 0 <= i < count for i in chosen)


def _are_words(words: Any) -> bool:
    return isinstance(words, list) and len(words) <= LONGEST and all(map(_is_word, words))


def _is_word(word: Any) -> bool:
    """Whether a number can be called so: what can be printed in a line."""
    return isinstance(word, str) and len(word) <= LONGEST and word.isprintable()
