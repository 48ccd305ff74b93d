"""What the columns of a table are taken for, from their names: action, state, and neither."""

import re
from collections.abc import Sequence

from steadyhand.data.mapping.grammar import quoted
from steadyhand.data.mapping.tree import Tree
from steadyhand.sizes import kind_of

ACTING = ("action", "actions", "act", "cmd", "command", "commands", "ctrl", "control", "target")
ACTING += ("targets", "goal", "desired", "u", "a")
"""Words in the names of columns that say what the robot was told."""
COUNTED = {"time", "timestamp", "stamp", "t", "frame", "index", "episode", "step", "task", "reward"}
COUNTED |= {"done", "dones", "success", "terminal", "truncated", "next", "id", "secs", "nsecs"}
COUNTED |= {
    "seq",
    "sec",
    "nsec",
    "nanosec",
    "first",
    "last",
    "traj",
    "trajectory",
    "idx",
    "row",
    "times",
    "terminated",
    "is",
}
"""Words in the names of columns that count or mark steps."""


def columns_guessed(tree: Tree) -> list[str]:
    """FEATURE=PLACE of the columns of a table."""
    numbers = [n for n, a in tree.arrays.items() if kind_of(a.shape[1:]) == "state"]
    pictures = [name for name in tree.arrays if name not in numbers]
    wide = [name for name in numbers if len(tree.arrays[name].shape) == 2]
    acting = [name for name in numbers if _is(name, ACTING)]
    counted = {name for name in numbers if {*_words(name)} & COUNTED}
    acting = [name for name in acting if name not in counted]
    if any(name in wide for name in acting):  # lists of numbers say more than what is beside them
        acting = [name for name in acting if name in wide][:1]
    seen = [name for name in numbers if name not in counted and not _is(name, ACTING)]
    lists = [name for name in seen if name in wide]
    state = [next((n for n in lists if "state" in _words(n)), lists[0])] if lists else seen
    if not state:
        return []
    act = _together(acting, numbers) if acting else f"next({_together(state, numbers)})"
    pairs = [f"state={_together(state, numbers)}", f"action={act}"]
    return pairs + [f"{quoted(_key(name))}={quoted(name)}" for name in pictures[:8]]


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name.rpartition(".")[2])


def _words(name: str) -> list[str]:
    return re.findall("[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def _is(name: str, words: Sequence[str]) -> bool:
    return any(word in words for word in _words(name))


def _together(columns: Sequence[str], order: Sequence[str]) -> str:
    """Columns as a place: a range where they follow one another, and else one by one."""
    places = [order.index(name) for name in columns]
    simple = all(quoted(name) == name for name in columns)
    if len(columns) > 2 and simple and places == list(range(places[0], places[-1] + 1)):
        return f"{columns[0]}:{columns[-1]}"
    return "|".join(map(quoted, columns))
