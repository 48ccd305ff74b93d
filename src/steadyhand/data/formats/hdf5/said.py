"""What recorders say beside their arrays: rates, words of the task, success, counts.

They say it in attributes of the file, of a group or of an episode, in JSON in one of those, or in
JSON beside the file. Names are looked for in a list; what has another name is not understood.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from steadyhand.data.formats.hdf5.inside import attribute
from steadyhand.disk import parse_json

RATES = ("control_freq", "control_frequency", "rate_hz", "fps", "frequency", "hz")
"""Steps a second, the surest first."""
WORDS = ("language_instruction", "language", "lang", "env_lang", "instruction", "instructions")
WORDS += ("task_description", "task", "prompt", "mission", "language_raw")
"""What was to be done, the surest first."""
IN_JSON = ("language_instruction", "env_lang", "language", "lang")
SUCCESS = {"success": True, "is_success": True, "successful": True, "task_success": True}
SUCCESS |= {"succeeded": True, "failed": False, "failure": False, "is_failure": False}
"""How an episode is marked, and what it is where the mark is set."""
LENGTHS = ("num_samples", "total_steps", "total_timesteps", "num_steps", "length")
"""Steps, of an episode."""
TOTALS = ("total", "total_steps", "total_timesteps", "num_samples")
"""Steps, of all of them."""
COUNTS = ("total_episodes", "num_demos", "num_episodes")
JSON = ("env_args", "problem_info", "ep_meta", "env_meta", "env_info", "env_spec", "metadata")
UNCOUNTED = {*RATES, *WORDS, *SUCCESS, *JSON}
"""All but counts."""
KNOWN = {*RATES, *WORDS, *SUCCESS, *LENGTHS, *TOTALS, *COUNTS, *JSON}
NESTED = 5
"""Objects within objects of JSON that are looked into."""
MARKS = {"true": True, "yes": True, "1": True, "success": True, "successful": True}
MARKS |= {"false": False, "no": False, "0": False, "failure": False, "failed": False}
Said = Mapping[str, Any]
"""By name: numbers, marks, texts, and what JSON holds."""


def said_by(group: Any, names: Iterable[str] = KNOWN) -> tuple[dict[str, Any], list[str]]:
    """(what a group says of itself under one of these names, why some of it cannot be read)."""
    said, whys = dict[str, Any](), list[str]()
    for name in sorted({*group.attrs}.intersection(names)):
        try:
            value = attribute(group, name)
            said[name] = _parsed(value) if name in JSON else value
        except ValueError as error:
            whys.append(f"{name} is not read: {error}")
    return said, whys


def _parsed(text: Any) -> Any:
    try:
        return parse_json(text) if isinstance(text, str) else text
    except ValueError as error:
        raise ValueError("its text is no JSON") from error


def rate_in(said: Iterable[Said]) -> float | None:
    """Steps a second, where one of these says so."""
    objects = [found for each in said for found in _objects(each)]
    for name in RATES:
        for found in objects:
            rate: Any = found.get(name)
            if type(rate) in (int, float) and 0 < rate < math.inf:
                return float(rate)
    for found in objects:  # Isaac Lab: seconds of a step of the simulation, and steps of those
        step, each = found.get("dt"), found.get("decimation")
        if type(step) is float and type(each) is int and 0 < step * each < math.inf:
            return 1 / (step * each)
    return None


def words_in(said: Said) -> str:
    """What was to be done, in words; "" where it is not said."""
    for name in WORDS:
        if isinstance(text := said.get(name), str) and text.strip():
            return text.strip()
    nested = [found for key in JSON if key in said for found in _objects(said[key])]
    for name in IN_JSON:
        for found in nested:
            text = found.get(name)
            if isinstance(text, list) and all(isinstance(part, str) for part in text):
                text = "".join(text)  # LIBERO
            if isinstance(text, str) and text.strip():
                return text.strip()
    return ""


def success_in(said: Said) -> bool | None:
    """Whether it succeeded; None where it is not said."""
    for name, meant in SUCCESS.items():
        if (mark := as_mark(said.get(name))) is not None:
            return mark == meant
    return None


def as_mark(value: Any) -> bool | None:
    """A mark, however it is written; None for what is none."""
    if isinstance(value, str):
        return MARKS.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None


def count_in(said: Said, names: Iterable[str]) -> tuple[str, int] | None:
    """(the name, the number) of the first count."""
    for name in names:
        number = said.get(name)
        if type(number) is int or (type(number) is float and number.is_integer()):
            return name, int(number)
    return None


def _objects(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping) and depth <= NESTED:
        yield value
        for inner in value.values():
            yield from _objects(inner, depth + 1)
