"""From named arrays to episodes: which are features, and what the others say of episodes.

For formats that are nothing but arrays with time first. What has not one row a step is no feature:
it is left out and said, unless its name says what it is: words, marks of success.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.formats.bounds import Bounds
from steadyhand.data.formats.empty import without_empty
from steadyhand.data.kinds.meaning import is_action
from steadyhand.data.lazy import LazyArray, Rows, take
from steadyhand.data.problem import Problem
from steadyhand.data.tasks import COUNTER

WORDS = ("task", "tasks", "instruction", "instructions", "language", "language_instruction")
WORDS += ("language_instructions", "lang", "prompt", "prompts", "text", "texts")
WORDS += ("description", "task_description", "task_descriptions", "task_name", "task_names")
SUCCESS = ("success", "successes", "is_success", "episode_success", "succeeded")
RATES = ("rate_hz", "fps", "hz", "rate", "frequency", "control_freq", "control_frequency")
PERIOD = "dt"
"""Seconds a step."""


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """What arrays come to, ready for `Episodes`."""

    arrays: dict[str, LazyArray]
    ends: NDArray[Any]
    numbers: tuple[int, ...]
    tasks: tuple[str, ...]
    words: str
    """The array that these came from, if they did."""
    success: tuple[bool | None, ...]
    left_out: dict[str, str]
    remarks: tuple[Problem, ...]


def sorted_out(
    arrays: Mapping[str, LazyArray],
    bounds: Bounds,
    texts: Mapping[str, Callable[[], Iterable[str]]],
) -> Sorted:
    """Sort what was found: `texts` are read when their name says that they are of use.

    `arrays` are by name, those that `bounds` were made of among them.
    """
    ends, numbers, remarks = without_empty(bounds.ends)
    lengths = np.diff(bounds.ends, prepend=0) if ends.dtype.kind == "i" else ends
    steps, count = int(ends[-1]) if _rising(ends) else 0, len(bounds.ends)
    kept, left_out, longer = dict[str, LazyArray](), dict[str, str](), list[str]()
    success: tuple[bool | None, ...] = ()
    for name, array in arrays.items():
        if name in bounds.by:
            continue
        marks = _marks(array, count) if _last(name) in SUCCESS else None
        if marks is not None:
            success = tuple(mark for mark, n in zip(marks, lengths, strict=True) if n)
        elif (why := _no_series(name, array, steps)) is not None:
            left_out[name] = why
        elif count > 1 and steps and array.shape[0] == steps + count:
            kept[name] = Rows(array, np.arange(steps) + np.repeat(np.arange(count), lengths))
            longer.append(name)
        else:
            kept[name] = array
            if _last(name) in SUCCESS and not success:
                success = _of_last_steps(array, ends)
    if longer:
        message = (
            "In every episode there is one row more than actions of "
            f"{', '.join(map(repr, longer))}; the last one is not read."
        )
        remarks = (*remarks, Problem("longer", message))
    tasks, words = tuple[str, ...](), ""
    for name, read in texts.items():
        if _last(name) not in WORDS or tasks or COUNTER in arrays:
            left_out[name] = "it holds words, not numbers"
            continue
        try:
            numbered = _numbered(list(map(str, read())), lengths, steps)
        except (OSError, ValueError) as error:
            left_out[name] = str(error)
        else:
            (tasks, kept[COUNTER]), words = numbered, name
    return Sorted(
        arrays=kept,
        ends=ends,
        numbers=numbers,
        tasks=tasks,
        words=words,
        success=success,
        left_out=left_out,
        remarks=(*bounds.remarks, *remarks),
    )


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _rising(ends: NDArray[Any]) -> bool:
    """Whether ends are what they should be; what is not, `Episodes` refuses."""
    return ends.ndim == 1 and len(ends) > 0 and ends.dtype.kind in "iu" and bool(ends[-1] > 0)


def _no_series(name: str, array: LazyArray, steps: int) -> str | None:
    """Why an array is no feature. What is only cut short is one, and is refused as such."""
    if not array.shape:
        return "it is a single value, not a series with time first"
    rows = array.shape[0]
    if is_action(_last(name)) or 2 * rows > steps or not steps:
        return None
    return f"its shape is {tuple(array.shape)}, and there are {steps} steps: it is no series"


def _marks(array: LazyArray, count: int) -> tuple[bool, ...] | None:
    """Marks of success, if they are one an episode."""
    if tuple(array.shape) not in ((count,), (count, 1)) or array.dtype.kind not in "biuf":
        return None
    values = np.asarray(array[:]).reshape(-1)
    return tuple(map(bool, values)) if np.isin(values, (0, 1)).all() else None


def _of_last_steps(array: LazyArray, ends: NDArray[Any]) -> tuple[bool, ...]:
    """Marks of success in the last step of each episode, if they are one a step."""
    if prod(array.shape[1:]) != 1 or array.shape[0] < ends[-1] or array.dtype.kind not in "biuf":
        return ()
    values = take(array, ends - 1).reshape(-1)
    return tuple(map(bool, values)) if np.isin(values, (0, 1)).all() else ()


def _numbered(
    words: list[str], lengths: NDArray[Any], steps: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(each text once, which of them each step has). Raises `ValueError`."""
    tasks = tuple(dict.fromkeys(words))
    place = {task: number for number, task in enumerate(tasks)}
    places = np.array([place[word] for word in words], np.int64)
    if len(words) == 1:
        return tasks, np.zeros(steps, np.int64)
    if len(words) == len(lengths):
        return tasks, np.repeat(places, lengths)
    if len(words) != steps:
        raise ValueError(f"it holds {len(words)} texts, neither one an episode nor one a step")
    return tasks, places
