"""Which episodes are trained on and which are held out: as a set divides itself, or by the seed."""

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.episodes import Episodes, split_episodes

TRAIN = ("train", "training")
HELD_OUT = ("valid", "validation", "val")
TEST = "test"
Places = NDArray[np.int64]


def divided(
    episodes: Episodes, *, validation_share: float, seed: int
) -> tuple[tuple[Places, Places], str]:
    """((places trained on, places held out), what is to be said of it: nothing where it is usual).

    A set that has episodes for training and for validation is divided so, where any are to be held
    out. What it keeps for a test is neither, unless there is nothing else.
    """
    train, held_out, test = (_marked(episodes, names) for names in (TRAIN, HELD_OUT, (TEST,)))
    if test.all():
        test = np.zeros_like(test)
    train &= ~held_out & ~test
    held_out &= ~test
    if validation_share > 0 and train.any() and held_out.any():
        rest = len(episodes) - int(train.sum()) - int(held_out.sum())
        said = (
            f"The set divides itself: {train.sum()} episodes are trained on, {held_out.sum()} held "
            f"out{f', {rest} in neither part' if rest else ''}."
        )
        return (np.flatnonzero(train), np.flatnonzero(held_out)), said
    usable = np.flatnonzero(~test)
    parts = split_episodes(len(usable), validation_share=validation_share, seed=seed)
    said = f"{test.sum()} episodes that the set keeps for a test are not trained on."
    return (usable[parts[0]], usable[parts[1]]), said if test.any() else ""


def _marked(episodes: Episodes, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which episodes the first of these masks chooses that the set has."""
    marks = np.zeros(len(episodes), bool)
    chosen = next((episodes.masks[name] for name in names if name in episodes.masks), ())
    marks[list(chosen)] = True
    return marks
