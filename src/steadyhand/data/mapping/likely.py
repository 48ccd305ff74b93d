"""What arrays are taken for, from their names, shapes and kinds: action, state, pictures, cuts."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from steadyhand.data.mapping.cuts import CALLED, FIRST, LAST
from steadyhand.data.mapping.grammar import RESERVED, quoted
from steadyhand.data.mapping.marks import PERIODS
from steadyhand.data.mapping.tree import Tree, natural
from steadyhand.sizes import kind_of

ACTIONS = ("action", "actions", "act", "acts", "ctrl", "control", "controls", "command", "commands")
ACTIONS += ("cmd", "target", "targets", "joint_target", "u")
STATES = ("state", "states", "qpos", "joint_pos", "joint_positions", "joints", "proprio")
STATES += ("agent_pos", "observation", "observations", "obs", "eef_pos", "eef_pose", "pose")
STATES += ("robot_state", "position", "positions", "q", "x")
"""What a state is called, the likeliest first."""
NEITHER = {"next", "reward", "rewards", "done", "dones", "terminal", "terminals", "terminated"}
NEITHER |= {"truncated", "timeout", "timeouts", "time", "timestamp", "timestamps", "stamp", "info"}
NEITHER |= {"episode", "index", "success", "mask", "discount", "step", "steps", "ends", "lengths"}
NEITHER |= {"starts", "frame", "id", "len", "task", "infos", "extras", "metadata"}
"""Words in the names of what is no observation."""
RATES = ("rate_hz", "fps", "rate", "hz", "control_freq", "control_frequency", "frequency", "freq")
RATES += PERIODS
CLOCKS = {"time", "times", "timestamp", "timestamps", "stamp", "stamps", "t", "ts", "clock", "secs"}
"""What a clock is called."""
CLOCKS_OF = {"s", "sec", "second", "seconds", "ms", "msec", "millis", "us", "usec", "ns", "nsec"}
CLOCKS_OF |= {"ros", "unix", "epoch", "host", "wall", "system", "elapsed", "log", "rel", "relative"}
"""Words beside that in the name of one."""
TASKS = ("task", "language_instruction", "instruction", "prompt", "language", "lang", "mission")
TASKS += ("task_description",)
CUTS = {*FIRST, *LAST, "episode", "episodes", "traj", "trajectory", "lengths", "length", "lens"}
ENDING = {"terminals", "timeouts", "terminal", "timeout", "terminated", "truncated"}
ENDING |= {"terminations", "truncations"}
"""Words in the names of flags of which several end an episode."""
MIRRORED = (("action", "state"), ("actions", "states"), ("action", "observation"))
MIRRORED += (("master", "puppet"), ("leader", "follower"), ("master", "slave"))
"""Groups of what a robot was told, and of where it was."""
SHORTEST = 16
"""Steps from which arrays of three dimensions are taken for an episode a row."""
MOST_NUMBERS = 1024
MOST = 12
"""Observations that a guess names."""


def cuts_guessed(tree: Tree) -> Iterable[tuple[str, str]]:
    """(group of the first episode, what `episodes=` says), the likeliest first."""
    families: dict[str, list[str]] = {}
    for group in tree.groups():
        head = re.sub(r"[0-9]+$", "", group)
        if head != group:
            families.setdefault(head, []).append(group)
    shallow = sorted(families.items(), key=lambda each: (each[0].count("/"), -len(each[1])))
    for head, groups in shallow:
        first = min(groups, key=natural)
        if any(place.startswith(f"{first}/") for place in tree.arrays):
            yield first, f"{head}*"
    yield from _rows(tree)
    lists = [
        name
        for name, array in tree.arrays.items()
        if len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[1] == 1)
    ]
    lists += list(tree.words)
    own = {name: [*_words(name)] for name in lists}
    cutting = [name for name in lists if CUTS & {*own[name]}]
    order = ("ends", "end", "lengths", "length", "episode", "traj")
    cutting.sort(key=lambda name: min((order.index(w) for w in own[name] if w in order), default=9))
    ends = (
        [name for name in cutting if tree.arrays[name].shape[0] > 1 and {*own[name]} & {*LAST}]
        if (all(name in tree.arrays for name in cutting))
        else []
    )
    flags = [name for name in ends if tree.arrays[name].dtype == np.bool_ or {*own[name]} & ENDING]
    if len(flags) > 1:  # an episode ends where it is done, or where its time is over
        yield "", "|".join(map(quoted, flags))
    yield from (("", quoted(name)) for name in cutting)
    yield "", ""


def _rows(tree: Tree) -> Iterable[tuple[str, str]]:
    """Where each row of all arrays looks like an episode: (episodes, steps, numbers)."""
    named = [name for name in tree.arrays if {*_words(_leaf(name))} & {*ACTIONS, *STATES}]
    shapes = {tree.arrays[name].shape[:2] for name in named if len(tree.arrays[name].shape) == 3}
    if len(named) < 2 or len(shapes) != 1:
        return
    ((episodes, steps),) = shapes
    for name, array in tree.arrays.items():
        if array.shape == (episodes,) and {*_words(_leaf(name))} & CALLED["lengths"]:
            yield "", quoted(name)
    if steps >= SHORTEST:
        yield "", "rows"


def numbered_guessed(tree: Tree) -> list[str]:
    """FEATURE=PLACE of arrays that end in the number of an episode, as obs_0 and act_0."""
    heads: dict[str, list[str]] = {}
    for name in tree.arrays:
        if ends := re.fullmatch(r"(.*[^0-9])([0-9]{1,9})", name):
            heads.setdefault(ends[1], []).append(ends[2])
    several = {head: numbers for head, numbers in heads.items() if len(numbers) > 1}
    if len(several) < 2 or len({frozenset(numbers) for numbers in several.values()}) > 1:
        return []
    own = {head: tree.arrays[head + numbers[0]] for head, numbers in several.items()}
    if tree.is_table or not all(_is_flat(array) and _is_wide(array) for array in own.values()):
        return []
    marked = "|".join(map(re.escape, sorted(several, key=len, reverse=True)))
    pairs = (pair.partition("=") for pair in arrays_guessed(own))
    every = (
        (key.strip("_"), re.sub(marked, lambda m: f"{m[0]}#", place)) for key, _, place in pairs
    )
    return [f"{key}={place}" for key, place in every]


def _words(name: str) -> list[str]:
    return re.findall("[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def arrays_guessed(own: dict[str, Any]) -> list[str]:
    """FEATURE=PLACE of what looks like an action, a state, pictures and other observations."""
    flat = {name: array for name, array in own.items() if _is_flat(array)}
    acting, seen = _mirrored(flat)
    acting = acting or _acting(flat)
    steps = own[acting[0]].shape[0] if acting else None
    fitting = {
        name: array
        for name, array in flat.items()
        if name not in acting
        and (steps is None or array.shape[0] in (steps, steps + 1))
        and not (NEITHER & {*_words(name)} or is_clock(name))
        and not re.search("demo_(start|end)", name)  # UMI: the same all along
        and not any(_acts(word) for part in name.split("/") for word in _words(part)[:1])
    }
    state = _likeliest(fitting, STATES) or next((n for n in fitting if _is_wide(own[n])), None)
    state = seen[0] if seen else state
    if state is None:
        return []
    pictures = [
        name
        for name, array in own.items()
        if len(array.shape) in (3, 4)
        and "next" not in _words(name)
        and name not in flat
        and (steps is None or array.shape[0] in (steps, steps + 1))
    ]
    group = state.rpartition("/")[0]
    others = [n for n in fitting if n not in (state, *seen) and n.rpartition("/")[0] == group]
    if acting:
        state = "|".join(map(quoted, seen or [state]))
        act = "|".join(map(quoted, acting))
    else:  # where the robot was a step later is where it was told to go
        state = "|".join(map(quoted, sorted([state, *others][:MOST], key=list(own).index)))
        act, others = f"next({state})", []
    taken: dict[str, str] = {}
    for name in [*others, *pictures][:MOST]:
        key = _leaf(name)
        known = (*taken, *RESERVED, "state", "action")
        taken[key if key not in known else name.replace("/", "_")] = name
    more = (f"{quoted(key)}={quoted(name)}" for key, name in taken.items())
    return [f"state={state}", f"action={act}", *more]


def _is_flat(array: Any) -> bool:
    """Whether an array is one of numbers, of no more than a state has at a step."""
    rows, *rest = array.shape
    small = len(rest) <= 2 and math.prod(rest) < MOST_NUMBERS and kind_of(tuple(rest)) == "state"
    return (
        small and rows > 1 and array.dtype.kind in "iuf" and (rest != [] or array.dtype.kind == "f")
    )


def _is_wide(array: Any) -> bool:
    return len(array.shape) > 1 and math.prod(array.shape[1:]) > 1


def _mirrored(flat: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(arrays of the action, those of the state) where each of the one lies in the group of what
    was told as one of the other lies in that of what was: action/joint/…, state/joint/…"""
    for told, was in MIRRORED:
        pairs = []
        for name, array in flat.items():
            above, there, below = f"/{name}".partition(f"/{told}/")
            other = f"{above}/{was}/{below}"[1:]
            if there and other in flat and flat[other].shape[0] - array.shape[0] in (0, 1):
                pairs.append((name, other))
        if pairs and len({flat[name].shape[0] for name, _ in pairs}) == 1:
            return [name for name, _ in pairs], [other for _, other in pairs]
    return [], []


def _acting(flat: dict[str, Any]) -> list[str]:
    """The arrays of the action: one of that name, or those in a group of that name."""
    if (single := _likeliest(flat, ACTIONS)) is not None:
        return [single]
    for name in flat:
        group = name.rpartition("/")[0]
        if group and _acts(*_words(_leaf(group))):
            inside = [other for other in flat if other.rpartition("/")[0] == group]
            whole = [other for other in inside if _leaf(other) in ("vector", "all", "concat")]
            rows = [other for other in inside if flat[other].shape[0] == flat[name].shape[0]]
            return whole or rows
    return []


def _acts(*words: str) -> bool:
    return any(word in ACTIONS for word in words)


def _leaf(name: str) -> str:
    return name.rpartition("/")[2]


def is_clock(name: str) -> bool:
    """Whether a name is that of the times of steps, as t, timestamp_ns or time_ms."""
    words = {*_words(_leaf(name))}
    return bool(words & CLOCKS) and words <= CLOCKS | CLOCKS_OF


def _likeliest(among: dict[str, Any], names: Sequence[str]) -> str | None:
    """The array whose last name is, or has, the first of these; the shallowest of several."""
    for test in (lambda leaf, word: leaf == word, lambda leaf, word: word in _words(leaf)):
        for word in names:
            fitting = [n for n in among if test(_leaf(n).lower(), word) and "next" not in _words(n)]
            if fitting:
                return min(fitting, key=lambda name: (name.count("/"), name))
    return None


def said_guessed(tree: Tree, prefix: str, own: dict[str, Any]) -> Iterable[str]:
    """What says the rate, the task and success."""
    inside = f"{prefix}/" if prefix else ""
    single = [
        name.removeprefix(prefix if "@" in name else inside)
        for name in tree.said
        if name.startswith((f"{prefix}@", "@", inside))
    ]
    rate = [n for n in single if _leaf(n).rpartition("@")[2].lower() in RATES]
    clock = [n for n, a in own.items() if is_clock(n) and len(a.shape) == 1]
    if rate or clock:
        yield f"rate={rate[0] if rate else quoted(clock[0])}"
    words = [n.removeprefix(inside) for n in tree.words] + single
    for key, names in (
        ("task", TASKS),
        ("success", ("success", "is_success", "successful")),
    ):
        among = words if key == "task" else [*single, *own]
        found = [n for n in among if _leaf(n).rpartition("@")[2].lower() in names]
        if found:
            yield f"{key}={found[0] if '@' in found[0] else quoted(found[0])}"
