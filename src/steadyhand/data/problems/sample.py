"""What is looked at of a set too large to be read whole: some of its episodes, evenly spread.

Which those are follows from sizes alone, so that the same set is judged by the same episodes.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes
from steadyhand.data.files import stamp
from steadyhand.data.lazy import Rows
from steadyhand.data.pictures.footage import Clip
from steadyhand.data.problem import Problem

NUMBERS = 1 << 25
"""Bytes of numbers that are held at once; what is made of them takes a few times that."""
PICTURES = 1 << 27
"""Bytes of the pictures of one camera that are held at once."""
EPISODES, EACH = 60, 3
"""Of each camera, pictures of so many episodes are looked at, and so many of each."""
FILMS, PIXELS = 24, 400_000_000
"""Of each camera so many episodes are looked at as films, and so many pixels of all cameras: 1,300
pictures of 640 × 480."""
HEADERS, HEADER_BYTES = 2000, 10**11
"""Of so many films of a camera headers are read, and of films of so many bytes together."""
SUMMED = 2 * 10**9
"""Bytes of films of a camera that are compared with their checksums."""
WIDE = 256
"""A feature of more numbers at a step, as points are, is looked at by itself."""


def pictured(episodes: Episodes, key: str) -> bool:
    """Whether a feature is looked at picture by picture."""
    return episodes.kind(key) in ("image", "depth")


def wide(episodes: Episodes, key: str) -> bool:
    """Whether a feature of numbers has too many of them to be held against others."""
    return not pictured(episodes, key) and prod(episodes.shapes[key]) > WIDE


def plain(episodes: Episodes, used: Container[str]) -> list[str]:
    """The features in `used` that are held against one another."""
    keys = [key for key in episodes.arrays if key in used]
    return [key for key in keys if not pictured(episodes, key) and not wide(episodes, key)]


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of `count` places, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, max(min(most, count), 1)).astype(np.int64))


def of_numbers(episodes: Episodes, keys: Iterable[str]) -> Episodes:
    """The episodes whose numbers are read: all, or as many as there is room for.

    Of a single one for which there is none, the first steps.
    """
    step, most = sum(bytes_of(episodes, key) for key in keys), NUMBERS
    if step * episodes.steps <= most:
        return episodes
    places = evenly(len(episodes), int(len(episodes) * most / (step * episodes.steps)))
    while len(places) > 1 and step * int(episodes.lengths[places].sum()) > most:
        places = places[evenly(len(places), len(places) * 9 // 10)]
    few, room = episodes.subset(places), max(most // step, 1)
    if few.steps <= room:
        return few
    arrays = {key: Rows(array, np.arange(room)) for key, array in few.arrays.items()}
    return replace(few, arrays=arrays, ends=np.array([room]))


def of_wide(episodes: Episodes, key: str) -> Episodes:
    """Those of which a wide feature is read: all, or the beginnings of some, as there is room."""
    most = max(NUMBERS // bytes_of(episodes, key), 1)
    if episodes.steps <= most:
        return episodes
    places = evenly(len(episodes), min(EPISODES, most))
    lengths = np.minimum(episodes.lengths[places], max(most // len(places), 1))
    starts = episodes.starts[places]
    spans = zip(starts, lengths, strict=True)
    rows = np.concatenate([np.arange(first, first + steps) for first, steps in spans])
    return replace(
        episodes.subset(places),
        arrays={key: Rows(episodes.arrays[key], rows)},
        ends=np.cumsum(lengths),
    )


def of_pictures(episodes: Episodes, key: str) -> NDArray[np.int64]:
    """The places of the episodes whose pictures are looked at."""
    room = PICTURES // (EACH * max(bytes_of(episodes, key), 1))
    return evenly(len(episodes), min(EPISODES, room))


def pixels_of(episodes: Episodes) -> int:
    """So many pixels of a camera are looked at, picture after picture."""
    return PIXELS // max(sum(pictured(episodes, key) for key in episodes.arrays), 1)


def _seen_whole(episodes: Episodes, key: str) -> bool:
    """Whether each picture of a feature is looked at."""
    pixels = prod(episodes.shapes[key][:2]) * episodes.steps
    few = len(episodes) <= FILMS and pixels <= pixels_of(episodes)
    return few and episodes.kind(key) == "image"


def of_films(clips: Sequence[Clip]) -> dict[int, Clip]:
    """By place, the clips whose films' headers are read: all, or as many as soon are.

    A long film has a long header, read again for each of its clips. Films that are not there are
    among them. Of a few, what they hold is compared with its checksum, where that is known.
    """
    sizes = {file: stamp(file)[1] for file in {clip.file for clip in clips}}
    cost = sum(sizes[clip.file] for clip in clips)
    most = min(HEADERS, len(clips) * HEADER_BYTES // max(cost, 1))
    places = {*evenly(len(clips), int(most)).tolist()} if clips else set()
    places |= {place for place, clip in enumerate(clips) if sizes[clip.file] < 0}
    known = list(dict.fromkeys(clip.file for clip in clips if clip.expected is not None))
    held = sum(sizes[file] for file in known)
    few = evenly(len(known), len(known) * SUMMED // max(held, 1)) if known else ()
    summed = {known[place] for place in few}
    found = {place: clips[place] for place in sorted(places)}
    return {
        place: replace(clip, expected=None) if clip.expected and clip.file not in summed else clip
        for place, clip in found.items()
    }


def share(episodes: Episodes) -> dict[str, int]:
    """By feature of which not every step is looked at: of how many episodes some are."""
    together, found = plain(episodes, episodes.arrays), dict[str, int]()
    few = of_numbers(episodes, together)
    for key in episodes.arrays:
        if pictured(episodes, key):
            places = of_pictures(episodes, key)
            if len(places) * EACH < episodes.steps and not _seen_whole(episodes, key):
                found[key] = len(places)
        else:
            part = few if key in together else of_wide(episodes, key)
            found |= {key: len(part)} if part is not episodes else {}
    return found


def said(episodes: Episodes, few: Episodes, what: str = "numbers") -> Iterator[Problem]:
    """What is to be known of numbers that were not all read."""
    if few is not episodes:
        message = (
            f"The {what} of {len(few)} of {len(episodes)} episodes were looked at, evenly spread "
            f"({few.steps / episodes.steps:.2g} of all steps), for all of them are more than is "
            "read at once. What is wrong in others alone is not found."
        )
        yield Problem("sampled", message)


def bytes_of(episodes: Episodes, key: str) -> int:
    """Of one step of a feature."""
    array = episodes.arrays[key]
    return prod(array.shape[1:]) * np.dtype(array.dtype).itemsize
