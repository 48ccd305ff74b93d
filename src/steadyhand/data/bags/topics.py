"""What the topics of a bag are taken for, from types and names, and the list of them for people."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from steadyhand.data.bags.bag import Bag
from steadyhand.data.bags.found import open_bags
from steadyhand.data.bags.ticks import OFTEN, rate_of
from steadyhand.data.bags.values import PICTURES, numbers, short
from steadyhand.errors import SteadyhandError, plain

ACTING = {"cmd", "command", "commands", "action", "actions", "target", "targets", "desired", "goal"}
ACTING |= {"control", "controls", "reference", "setpoint", "leader", "teleop"}
"""Words in the names of topics that say what the robot was told."""
STATES = ("JointState", "PoseStamped", "Pose", "TransformStamped", "Odometry", "Float64MultiArray")
STATES += ("Float32MultiArray", "TwistStamped", "WrenchStamped")
"""Types that a state has, the likeliest first."""
NO_NAME = {"camera", "image", "raw", "color", "rgb", "compressed", "rect", "compresseddepth"}
"""Words in the topics of cameras that say nothing of which."""
WORDED = {"task", "instruction", "prompt", "language"}
FASTEST = 60.0
"""Hz of a guess, at most."""


def topics_listed(path: Path) -> dict[str, str]:
    """By topic, in the first bag of a path: type, messages, and how many a second."""
    bags = open_bags(path)
    bag = bags[0]
    more = {"bags": f"{len(bags)}, an episode each"} if len(bags) > 1 else {}
    return more | {
        plain(name): f"{plain(topic.type)}, {len(times)} messages, {rate_of(times):.3g} Hz"
        for name, topic in sorted(bag.topics.items())
        if len(times := bag.times(name))
    }


def bag_guessed(path: Path) -> Iterable[str]:
    """Maps of the topics of a bag, the likeliest first; none where nothing in it has numbers."""
    bag = open_bags(path)[0]
    rates = {name: rate_of(bag.times(name)) for name in bag.topics if len(bag.times(name))}
    flat = [name for name in rates if rates[name] >= OFTEN and _has_numbers(bag, name)]
    acting = [name for name in flat if ACTING & {*_words(name)}]
    seen = [name for name in flat if name not in acting]
    states = sorted(seen, key=lambda name: (_rank(bag, name), name)) or acting
    if not states:
        return
    state = states[0]
    cameras = _cameras(bag, [name for name in rates if rates[name] >= OFTEN])
    action = sorted(acting, key=lambda name: (-rates[name], name))[:1]
    pairs = [f"state={state}", f"action={action[0] if action else f'next({state})'}"]
    used = [state, *action, *cameras.values()]
    slowest = min(min(rates[name] for name in used), FASTEST)
    said = [f"rate={max(round(slowest), 1)}"]
    for name in rates:
        if WORDED & {*_words(name)} and short(bag.topics[name].type) == "std_msgs/String":
            said.append(f"task={name}")
            break
    yield ",".join([*pairs, *(f"{key}={name}" for key, name in cameras.items()), *said])
    yield ",".join([*pairs, *said])
    yield ",".join([*pairs, said[0]])


def _has_numbers(bag: Bag, name: str) -> bool:
    topic = bag.topics[name]
    if short(topic.type) in PICTURES or re.search(r"[\s,=|\"()*?\[\].]", name):
        return False
    if {"diagnostics", "rosout", "tf", "parameter", "clock", "info"} & {*_words(name)}:
        return False
    try:
        return len(numbers(next(bag.decoded(name, [0])), "", topic)) > 0
    except (SteadyhandError, ValueError, StopIteration):
        return False


def _rank(bag: Bag, name: str) -> int:
    type = short(bag.topics[name].type).rpartition("/")[2]
    return STATES.index(type) if type in STATES else len(STATES)


def _words(name: str) -> list[str]:
    return re.findall("[a-z0-9]+", name.lower().replace("_", "/"))


def _cameras(bag: Bag, names: Sequence[str]) -> dict[str, str]:
    """Feature → topic, one a camera: raw pictures where there are raw and packed ones."""
    pictures = [name for name in names if short(bag.topics[name].type) in PICTURES]
    pictures.sort(key=lambda name: (short(bag.topics[name].type) != PICTURES[0], name))
    found: dict[str, str] = {}
    for name in pictures:
        words = [word for word in _words(name) if word not in NO_NAME]
        found.setdefault("_".join(words) or "camera", name)
    return found
