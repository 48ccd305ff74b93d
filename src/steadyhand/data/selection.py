"""Choosing episodes in words: `0:50`, `1,4,7`, `success`, `mask=train`, `task="…"`, `length>=20`.

Several are joined with +: each narrows what those before it leave. Episodes are counted by the
numbers that the set itself gives them, as all messages do; they stay in its order, each once.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.pictures.few import by_themselves
from steadyhand.data.tasks import task_numbers
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.values import LARGEST, shown

FEW = 0.5
"""Of fewer of the steps pictures are decoded and kept by themselves."""
Marks = NDArray[np.bool_]
"""Whether each episode is meant, (episodes,)."""
QUOTED = r"""(?:"[^"]*"|'[^']*')"""
PART = re.compile(rf"\s*((?:task|mask)\s*=\s*{QUOTED}(?:\s*,\s*{QUOTED})*\s*|[^+]*)(?:\+|\Z)")
SPAN = r"\s*(?:-?\d{1,18}|(?:-?\d{1,18})?:(?:-?\d{1,18})?(?::\d{1,18})?)\s*"
NUMBERS = re.compile(rf"{SPAN}(?:,{SPAN})*")
LENGTH = re.compile(r"length\s*(>=|<=|>|<|==|=)\s*(\d{1,18})")
LENGTHS = re.compile(r"length\s*=\s*(\d{0,18}):(\d{0,18})")
COMPARED = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "=": operator.eq,
}
WAYS = '0:50, 1,4,7, success, failed, mask=NAME, task="TEXT", length>=20 and length=20:400'


@dataclass(frozen=True)
class Choice:
    """One part of a selection, as it was said, and what it means in a set."""

    said: str
    marks: Callable[[Episodes], Marks]


def selected(episodes: Episodes, select: str) -> Episodes:
    """The episodes that `select` chooses, in their order; all of them where it says nothing.

    Raises `ConfigurationError` for what is no selection, for what the set does not have, naming
    what it has, and where nothing is chosen.
    """
    choices = parse_selection(select)
    if not choices:
        return episodes
    left, counts = np.ones(len(episodes), bool), list[str]()
    for choice in choices:
        left &= choice.marks(episodes)
        counts.append(f"{choice.said} leaves {int(left.sum())}")
    where = episodes.path or "the data"
    if not left.any():
        why = "" if len(choices) == 1 else f": {', '.join(counts)}"
        raise ConfigurationError(
            f"'{select}' chooses none of the {len(episodes)} episodes of {where}{why}. "
            f"{_what_there_is(episodes)}"
        )
    said = f"{int(left.sum())} of {len(episodes)} episodes are chosen: {select}"
    found = episodes.subset(np.flatnonzero(left))
    if found.steps < FEW * episodes.steps:
        found = by_themselves(found)
    return replace(found, chosen=said)


def parse_selection(select: str) -> tuple[Choice, ...]:
    """What a selection asks for. Raises `ConfigurationError` where it is none."""
    parts, place = list[str](), 0
    if not select.strip():
        return ()
    while place < len(select):
        found = PART.match(select, place)
        assert found is not None  # [^+]* matches anything
        part = found[1].strip()
        # A text that a shell has stripped of its quotes may have a plus of its own.
        if parts and re.match(r"task\s*=\s*[^\"']", parts[-1]) and _choice(part) is None:
            parts[-1] += f" + {part}"
        else:
            parts.append(part)
        place = found.end()
    if select.rstrip().endswith("+"):
        parts.append("")
    choices = [_choice(part) for part in parts]
    for part, choice in zip(parts, choices, strict=True):
        if choice is None:
            what = f"'{part}' in '{select}'" if len(parts) > 1 else f"'{part}'"
            raise ConfigurationError(
                f"{what} chooses no episodes. They are chosen by {WAYS}; several are joined "
                "with +, and each narrows."
            )
    return tuple(choice for choice in choices if choice is not None)


def _choice(part: str) -> Choice | None:
    """What one part means; None where it means nothing."""
    name, equals, value = (word.strip() for word in part.partition("="))
    if part in ("success", "failed"):
        return Choice(part, lambda episodes: _marked(episodes, part == "success"))
    if equals and name in ("mask", "task") and value:
        quoted = re.findall(QUOTED, value) if re.match(QUOTED, value) else []
        named = [text[1:-1] for text in quoted] or [value]
        of = _masked if name == "mask" else _told
        return Choice(part, lambda episodes: of(episodes, named))
    if found := LENGTHS.fullmatch(part):
        low, high = int(found[1] or 0), int(found[2] or LARGEST)
        return Choice(part, lambda them: (them.lengths >= low) & (them.lengths < high))
    if found := LENGTH.fullmatch(part):
        compare, steps = COMPARED[found[1]], int(found[2])
        return Choice(part, lambda episodes: compare(episodes.lengths, steps))
    if NUMBERS.fullmatch(part):
        return Choice(part, lambda episodes: _numbered(episodes, part.split(",")))
    return None


def _numbered(episodes: Episodes, spans: Sequence[str]) -> Marks:
    """The episodes of those numbers, and of those stretches of numbers: the last is not meant.

    What is below 0 counts from the last episode, as in Python.
    """
    numbers = np.array([episodes.number(place) for place in range(len(episodes))])
    chosen = np.zeros(len(episodes), bool)
    for span in map(str.strip, spans):
        here = _span(numbers, span)
        if not here.any():
            broken = episodes.left_out.get(f"episode {span}")
            why = f": it is left out: {broken}." if broken else f". {_what_there_is(episodes)}"
            what = f"episode {span}" if ":" not in span else f"episode in {span}"
            raise ConfigurationError(f"There is no {what} in {episodes.path or 'the data'}{why}")
        chosen |= here
    return chosen


def _span(numbers: NDArray[np.int64], span: str) -> Marks:
    """Which of the numbers a single one or a stretch, as `0:50` or `0:50:2`, means."""
    low, *rest = span.split(":")
    if not rest:
        return numbers == _bound(numbers, low)
    every = int(rest[1]) if rest[1:] else 1
    if every < 1:
        raise ConfigurationError(f"'{span}' goes on by {every}; stretches go on by 1 or more.")
    first = _bound(numbers, low) if low else int(numbers.min())
    last = _bound(numbers, rest[0]) if rest[0] else int(numbers.max()) + 1
    first = max(first, int(numbers.min())) if low.startswith("-") else first
    return (numbers >= first) & (numbers < last) & ((numbers - first) % every == 0)


def _bound(numbers: NDArray[np.int64], text: str) -> int:
    """The number that is meant; -1 where no episode is so far back."""
    number = int(text)
    if number >= 0:
        return number
    return int(numbers[number]) if -number <= len(numbers) else -1


def _marked(episodes: Episodes, mark: bool) -> Marks:
    if not any(each is not None for each in episodes.success):
        raise ConfigurationError(
            f"{episodes.path or 'The data'} does not say which of its episodes succeeded. Choose "
            f"by number, as --select 0:50. {_what_there_is(episodes)}"
        )
    return np.array([each is not None and bool(each) == mark for each in episodes.success])


def _masked(episodes: Episodes, named: Sequence[str]) -> Marks:
    if len(named) == 1 and named[0] not in episodes.masks:
        named = [name.strip() for name in named[0].split(",")]
    chosen = np.zeros(len(episodes), bool)
    for name in named:
        if name not in episodes.masks:
            raise ConfigurationError(unknown("mask", name, episodes.masks))
        chosen[list(episodes.masks[name])] = True
    return chosen


def _told(episodes: Episodes, named: Sequence[str]) -> Marks:
    """The episodes in which one of these was to be done in any step."""
    numbers = task_numbers(episodes)
    chosen = np.zeros(len(episodes), bool)
    for text in named:
        alike = [place for place, known in enumerate(episodes.tasks) if known == text]
        if not alike:
            folded = " ".join(text.split()).casefold()
            known = [" ".join(task.split()).casefold() for task in episodes.tasks]
            alike = [place for place, task in enumerate(known) if task == folded]
        if not alike:
            raise ConfigurationError(unknown("task", text, filter(None, episodes.tasks)))
        chosen[episodes.owner(np.flatnonzero(np.isin(numbers, alike)))] = True
    return chosen


def _what_there_is(episodes: Episodes) -> str:
    """What of a set can be chosen, in words."""
    numbers = [episodes.number(place) for place in range(len(episodes))]
    if len(numbers) > 1 and numbers == [*range(numbers[0], numbers[-1] + 1)]:
        there = f"Its episodes are {numbers[0]} to {numbers[-1]}"
    else:
        more = ", …" if len(numbers) > 20 else ""
        there = f"Its episodes are {', '.join(map(str, numbers[:20]))}{more}"
    there += f", of {episodes.lengths.min()} to {episodes.lengths.max()} steps"
    masks = f"; its masks {', '.join(map(shown, episodes.masks))}" if episodes.masks else ""
    return f"{there}{masks}."
