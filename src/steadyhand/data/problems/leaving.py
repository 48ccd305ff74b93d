"""How to leave some episodes out, as it is typed, and how they are counted up for people."""

from collections.abc import Sequence

from steadyhand.data.episodes import Episodes

SHOWN = 5
SPANS = 20
"""A selection of more stretches is typed by nobody."""


def leave_out(episodes: Episodes, places: Sequence[int]) -> str:
    """The flag that chooses all episodes but these, which are not all."""
    gone = {episodes.number(place) for place in places}
    spans: list[list[int]] = []
    going_on = False
    for number in sorted(map(episodes.number, range(len(episodes)))):
        if number in gone:
            going_on = False
        elif going_on:
            spans[-1][1] = number
        else:
            spans.append([number, number])
            going_on = True
    if len(spans) > SPANS:
        return "--select"
    told = (f"{low}:{high + 1}" if high > low else str(low) for low, high in spans)
    return f"--select {','.join(told)}"


def named(episodes: Episodes, places: Sequence[int]) -> str:
    """Those episodes by their numbers, as in "episodes 3, 5 and 8"."""
    numbers = [str(episodes.number(place)) for place in places]
    if len(numbers) == 1:
        return f"episode {numbers[0]}"
    if len(numbers) > SHOWN:
        return f"episodes {', '.join(numbers[:SHOWN])}, …"
    return f"episodes {', '.join(numbers[:-1])} and {numbers[-1]}"
