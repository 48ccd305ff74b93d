"""A map that fits what is there, from names, shapes and kinds; and the command that uses it.

A guess is tried before it is given: what does not open is not printed.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from steadyhand.data.bags.found import is_bag
from steadyhand.data.bags.topics import bag_guessed
from steadyhand.data.episodes import Episodes
from steadyhand.data.mapping.columns import columns_guessed
from steadyhand.data.mapping.cuts import FIRST, LAST
from steadyhand.data.mapping.files import cameras_guessed, family_guessed
from steadyhand.data.mapping.grammar import RESERVED, quoted
from steadyhand.data.mapping.opened import open_mapped
from steadyhand.data.mapping.tree import Tree, natural
from steadyhand.data.mapping.trees import open_trees
from steadyhand.errors import DataError, SteadyhandError
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
TIMES = ("time", "timestamp", "timestamps", "stamp", "t", "times", "timestamp_s", "secs", "time_s")
CUTS = {*FIRST, *LAST, "episode", "episodes", "traj", "trajectory", "lengths", "length", "lens"}
MOST = 12
"""Observations that a guess names."""


def guess(path: Path) -> str | None:
    """A map by which a path opens; None where none was found."""
    try:
        maps = bag_guessed(path) if is_bag(path) else _candidates(path, open_trees(path))
        for text in maps:
            if _opens(path, text):
                return text
    except (SteadyhandError, OSError, ValueError):  # what is wrong with it was said already
        pass
    return None


@contextmanager
def a_map_suggested(path: Path) -> Iterator[None]:
    """A `DataError` in here says what to type, too, where a map fits a path of no known format."""
    try:
        yield
    except DataError as error:
        if not (way := suggested(path)):
            raise
        raise DataError(f"{error}{way}", episode=error.episode, file=error.file) from error


def suggested(path: Path) -> str:
    """What to type where a path cannot be read otherwise, as a sentence that goes on from others.

    Empty where no map fits, or where the path is of a known format: it is then damaged.
    """
    try:
        if is_bag(path):
            text = guess(path)
            return "" if text is None else f" A map fits it: {command(path, text)}"
        tree = open_trees(path)[0]
    except (SteadyhandError, OSError, ValueError):
        return ""
    if any((up / "meta" / "info.json").exists() for up in (path, *tree.path.parents)):
        return ""
    known = {"HDF5": "data/demo_", "npz": "episode_ends", "zarr": "meta/episode_ends"}
    if any(name.startswith(known.get(tree.kind, "\0")) for name in (*tree.arrays, *tree.refused)):
        return ""
    text = guess(path)
    return "" if text is None else f" A map fits it: {command(path, text)}"


def command(path: Path, text: str, target: Path | None = None) -> str:
    """What is typed to convert by a map, quoted for a shell."""
    out = target or path.with_name(f"{path.name.split('.')[0] or 'set'}.lerobot")
    words = ["steadyhand", "convert", str(path), str(out), "--map", text]
    return " ".join(map(shlex.quote, words))


def _opens(path: Path, text: str) -> bool:
    try:
        episodes: Episodes = open_mapped(path, text)
        return episodes.steps > len(episodes) or len(episodes) == 1
    except SteadyhandError:
        return False


def _candidates(path: Path, trees: Sequence[Tree]) -> Iterable[str]:
    """Maps, the likeliest first: each way of cutting, with and without what else is said."""
    family, tree = family_guessed(path, trees)
    for prefix, cut in _cuts(tree, len(trees)):
        inside = f"{prefix}/" if prefix else ""
        own = {
            name.removeprefix(inside): array
            for name, array in tree.arrays.items()
            if name.startswith(inside)
        }
        features = columns_guessed(tree) if tree.is_table else _arrays_guessed(own)
        if not features:
            continue
        films = cameras_guessed(path, len(trees)) if tree.is_table else []
        more = [*_said(tree, prefix, own)]
        rate = [each for each in more if each.startswith("rate")]
        cut = cut or family
        episodes = [f"episodes={cut}"] if cut else []
        for extra in ([*films, *episodes, *more], [*films, *episodes, *rate], [*films, *episodes]):
            yield ",".join([*features, *extra])
        yield ",".join([*features, *episodes, *rate])
        yield ",".join([*features, *episodes])


def _cuts(tree: Tree, files: int) -> Iterable[tuple[str, str]]:
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
    yield from (("", quoted(name)) for name in cutting)
    ends = [name for name in cutting if {*own[name]} & {*LAST}]
    if len(ends) > 1:  # an episode ends where it is done, or where its time is over
        yield "", "|".join(map(quoted, ends))
    yield "", ""


def _words(name: str) -> list[str]:
    return re.findall("[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def _arrays_guessed(own: dict) -> list[str]:
    """FEATURE=PLACE of what looks like an action, a state, pictures and other observations."""
    flat = {
        name: array
        for name, array in own.items()
        if len(array.shape) in (2, 3)
        and array.shape[0] > 1
        and kind_of(array.shape[1:]) == "state"
        and array.dtype.kind in "iuf"
        and int(array.shape[1]) < 4096
    }
    flat |= {n: a for n, a in own.items() if len(a.shape) == 1 and _leaf(n) in (*ACTIONS, *STATES)}
    action = _likeliest(flat, ACTIONS, own)
    steps = own[action].shape[0] if action else None
    fitting = {
        name: array
        for name, array in flat.items()
        if name != action
        and (steps is None or array.shape[0] in (steps, steps + 1))
        and not (NEITHER & {*_words(name)})
        and not any(word.startswith("action") for word in _words(name))
    }
    state = _likeliest(fitting, STATES, fitting) or next(iter(fitting), None)
    if state is None:
        return []
    pictures = [
        name
        for name, array in own.items()
        if len(array.shape) in (3, 4)
        and not {"next"} & {*_words(name)}
        and name not in flat
        and (steps is None or array.shape[0] in (steps, steps + 1))
    ]
    group = state.rpartition("/")[0]
    others = [n for n in fitting if n != state and n.rpartition("/")[0] == group]
    if action is None:  # where the robot was a step later is where it was told to go
        state = "|".join(map(quoted, sorted([state, *others][:MOST], key=list(own).index)))
        act, others = f"next({state})", []
    else:
        state, act = quoted(state), quoted(action)
    taken: dict[str, str] = {}
    for name in [*others, *pictures][:MOST]:
        key = _leaf(name)
        known = (*taken, *RESERVED, "state", "action")
        taken[key if key not in known else name.replace("/", "_")] = name
    more = (f"{quoted(key)}={quoted(name)}" for key, name in taken.items())
    return [f"state={state}", f"action={act}", *more]


def _leaf(name: str) -> str:
    return name.rpartition("/")[2]


def _likeliest(among: dict, names: Sequence[str], own: dict) -> str | None:
    """The array whose last name is, or has, the first of these; the shallowest of several."""
    for test in (lambda leaf, word: leaf == word, lambda leaf, word: word in _words(leaf)):
        for word in names:
            fitting = [n for n in among if test(_leaf(n).lower(), word) and "next" not in _words(n)]
            if fitting:
                return min(fitting, key=lambda name: (name.count("/"), name))
    return None


def _said(tree: Tree, prefix: str, own: dict) -> Iterable[str]:
    """What says the rate, the task and success."""
    inside = f"{prefix}/" if prefix else ""
    single = [
        name.removeprefix(prefix if "@" in name else inside)
        for name in tree.said
        if name.startswith((f"{prefix}@", "@", inside))
    ]
    rate = [n for n in single if _leaf(n).rpartition("@")[2].lower() in RATES]
    clock = [n for n, a in own.items() if _leaf(n).lower() in TIMES and len(a.shape) == 1]
    if rate or clock:
        yield f"rate={rate[0] if rate else quoted(clock[0])}"
    words = [n.removeprefix(inside) for n in tree.words] + single
    for key, names in (
        ("task", ("task", "language_instruction", "instruction", "prompt", "language")),
        ("success", ("success", "is_success", "successful")),
    ):
        among = words if key == "task" else [*single, *own]
        found = [n for n in among if _leaf(n).rpartition("@")[2].lower() in names]
        if found:
            yield f"{key}={found[0] if '@' in found[0] else quoted(found[0])}"
