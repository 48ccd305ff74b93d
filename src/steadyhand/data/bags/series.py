"""Numbers of a topic at the ticks, one row each; of joints in one order, whatever messages have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.bags.bag import Bag, Topic
from steadyhand.data.bags.values import numbers, short
from steadyhand.data.lazy import damage_told
from steadyhand.errors import DataError, UsageError, plain

JOINTS = "sensor_msgs/JointState"


@dataclass(frozen=True)
class Series:
    """What was found."""

    values: NDArray[Any]
    """(ticks, numbers)."""
    called: tuple[str, ...] = ()
    """The joints, where the messages say."""
    merged: bool = False
    """Whether the messages are of some of the joints each."""


def series(
    bag: Bag, name: str, path: str, columns: slice, places: NDArray[np.int64], episode: int
) -> Series:
    """What a topic says at each tick; `places` are the messages that the ticks have.

    Raises `UsageError` for what is no number, `DataError` where messages differ in length.
    """
    topic = bag.topics[name]
    wanted, where = np.unique(places, return_inverse=True)
    with damage_told(bag.path, name, episode):
        messages = list(bag.decoded(name, wanted.tolist()))
    rows = [numbers(message, path, topic) for message in messages]
    lengths = sorted({len(row) for row in rows})
    if short(topic.type) == JOINTS and _named(messages[0], rows[0]):
        found = _of_joints(bag, topic, path, messages, rows, places, where)
    elif len(lengths) > 1:
        raise DataError(
            f"{bag.path}: {name}{'.' * bool(path)}{path} has messages of {lengths[0]} to "
            f"{lengths[-1]} numbers. Name one field of it.",
            episode=episode,
            file=bag.path,
        )
    else:
        found = Series(np.stack(rows)[where])
    values = found.values[:, columns]
    if not values.shape[1]:
        raise UsageError(f"{name}: the columns of the map pick nothing of {len(rows[0])} numbers.")
    return Series(values, tuple(map(plain, found.called[columns])), found.merged)


def _named(message: dict[str, Any], row: NDArray[Any]) -> bool:
    """Whether each number has the name of a joint."""
    return len(message["name"]) == len(row) == len({*message["name"]})


def _of_joints(
    bag: Bag,
    topic: Topic,
    path: str,
    messages: Sequence[dict[str, Any]],
    rows: Sequence[NDArray[Any]],
    places: NDArray[np.int64],
    where: NDArray[np.int64],
) -> Series:
    """In the order of the first message; of joints that it has not, as they were last said."""
    joints = list(messages[0]["name"])
    if all(sorted(message["name"]) == sorted(joints) for message in messages):
        order = [[message["name"].index(joint) for joint in joints] for message in messages]
        ordered = [row[places] for row, places in zip(rows, order, strict=True)]
        return Series(np.stack(ordered)[where], tuple(joints))
    every = list(bag.decoded(topic.name, range(int(places.max()) + 1)))
    union = list(dict.fromkeys(joint for message in every for joint in message["name"]))
    filled = np.full((len(every), len(union)), np.nan)
    for at, message in enumerate(every):
        row = numbers(message, path, topic)
        if not _named(message, row):
            raise DataError(f"{bag.path}: {topic.name} has a message whose joints are not named.")
        filled[at] = filled[max(at - 1, 0)]
        filled[at, [union.index(joint) for joint in message["name"]]] = row
    first = filled[np.argmax(~np.isnan(filled), axis=0), range(len(union))]
    filled = np.where(np.isnan(filled), first, filled)
    return Series(filled[places], tuple(union), merged=True)
