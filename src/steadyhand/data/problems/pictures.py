"""Pictures that are missing, damaged, black, or always the same. Looked at by samples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.lazy import beneath
from steadyhand.data.pictures.footage import Footage, spread
from steadyhand.data.problem import Problem
from steadyhand.data.problems import sample
from steadyhand.errors import DataError

DARK = 0.03
"""Share of full brightness below which the brightest pixels make a picture black."""


def inspect(
    episodes: Episodes, key: str, places: NDArray[np.int64]
) -> tuple[NDArray[Any] | None, list[Problem]]:
    """(the first, middle and last picture of the episodes at `places`, what is wrong with them).

    The headers of all videos are looked at, or of as many as soon are.
    """
    problems: list[Problem] = []
    array = episodes.arrays[key]
    films = beneath(array)
    clips = films.clips if isinstance(films, Footage) else ()
    known, looked = set[int](), sample.of_films(clips)
    for number, clip in looked.items():
        try:
            clip.check()
        except DataError as error:
            known.add(number)
            problems.append(Problem("video", str(error), clip.episode, str(clip.file)))
    if isinstance(films, Footage):  # the others are told since the set was opened
        problems += films.remarks(key, sorted(looked.keys() - {*spread(len(clips))}))
    seen: list[NDArray[Any]] = []
    of_three: dict[str, list[Problem]] = {}
    for number in places.tolist():
        if number in known:
            continue
        start, last = int(episodes.starts[number]), int(episodes.ends[number]) - 1
        try:
            three = np.stack([np.asarray(array[i]) for i in (start, (start + last) // 2, last)])
        except Exception as error:  # a damaged file can raise nearly anything
            where = getattr(error, "file", None)
            named = None if where is None else str(where)
            if str(error) not in {problem.message for problem in problems}:  # of all, once
                problems.append(Problem("video", str(error), episodes.number(number), named))
            continue
        seen.append(three)
        file = str(clips[number].file) if clips else None
        metres = episodes.kind(key) == "depth"
        found = _of_three(key, episodes.number(number), three, file, metres=metres)
        for problem in found:
            if problem.kind != "frozen" or last > start + 1:
                of_three.setdefault(problem.kind, []).append(problem)
    problems += [_of_all(alike, len(seen)) for alike in of_three.values()]
    return (np.concatenate(seen) if seen else None), problems


def _of_all(alike: Sequence[Problem], looked: int) -> Problem:
    """The first of problems of a kind, and how many there are."""
    more = (
        f" So it is in {len(alike)} of the {looked} episodes looked at." if len(alike) > 1 else ""
    )
    return replace(alike[0], message=f"{alike[0].message}{more}")


def _of_three(
    key: str, number: int, three: NDArray[Any], file: str | None, *, metres: bool
) -> list[Problem]:
    full = 1.0 if three.dtype.kind == "f" and float(three.max()) <= 1.0 else 255.0
    kind, what = ("unmeasured", "measured nothing") if metres else ("black", "is black")
    dark = [
        not picture.any() if metres else float(np.quantile(picture, 0.99)) / full < DARK
        for picture in three
    ]
    if any(dark):
        which = ["first", "middle", "last"][dark.index(True)]
        message = f"'{key}' {what} in episode {number}, in its {which} picture."
        return [Problem(kind, message, number, file)]
    if (three == three[0]).all():
        message = (
            f"'{key}' does not change in episode {number}: its first, middle and last pictures are "
            "the same. The camera may have stood still."
        )
        return [Problem("frozen", message, number, file)]
    return []
