"""The page of a data set draws where nothing moves and what failed, where that is told of."""

from dataclasses import replace

import numpy as np
import pytest
from drawn import drawings, require_legible, words

from steadyhand.data import Episodes, inspect_episodes
from steadyhand.reports.data import data_page
from steadyhand.reports.lasting import LEGEND, MOST, lasting


@pytest.fixture
def episodes() -> Episodes:
    """A hundred of three seconds; number 55 rests for the first two of them."""
    random = np.random.default_rng(0)
    path = np.cumsum(random.normal(size=(6000, 2)), 0)
    path[55 * 60 : 55 * 60 + 40] = path[55 * 60]
    return Episodes({"state": path}, 60 * np.arange(1, 101), 20.0)


def drawn(episodes: Episodes) -> tuple[set[str], set[str]]:
    """(words of the legend, what is written in the picture)."""
    problems = inspect_episodes(episodes)
    found = lasting(episodes, problems)
    assert found is not None
    assert "How long episodes last" in data_page(episodes, problems)
    [picture] = drawings(str(found["picture"]))
    require_legible(picture)
    legend = found["legend"]
    assert isinstance(legend, dict)
    return set(legend), {"".join(word.itertext()).strip() for word in words(picture)}


def test_rests_and_failures_are_drawn(episodes) -> None:
    legend, written = drawn(episodes)
    assert legend == {"moves", "nothing moves"}
    assert {"0", "s"} < written
    marks = tuple(place != 7 for place in range(100))
    legend, _ = drawn(replace(episodes, success=marks))
    assert legend == {"moves", "nothing moves", "marked as failed"}


def test_those_that_are_told_of_are_among_many(episodes) -> None:
    found = lasting(episodes, inspect_episodes(episodes))
    assert found is not None
    assert found["said"] == f"{MOST} of 100 episodes, by their numbers."
    assert f"fill: var(--{LEGEND['nothing moves']})" in str(found["picture"]), "the bar of 55"
    failed = replace(episodes.subset(range(50)), success=(False,) * 50)
    found = lasting(failed, inspect_episodes(failed))
    assert found is not None
    assert found["legend"] == {"marked as failed": "bad"}


def test_pictures_leave_room_for_all_episodes(episodes) -> None:
    """What is drawn is of numbers, however much the cameras hold."""
    film = np.broadcast_to(np.uint8(), (6000, 480, 640, 3))
    found = lasting(
        replace(episodes, arrays={**episodes.arrays, "cam": film}), inspect_episodes(episodes)
    )
    assert found is not None
    assert found["said"] == f"{MOST} of 100 episodes, by their numbers."


def test_of_sound_data_nothing_is_drawn(episodes) -> None:
    sound = episodes.subset(range(20))
    assert lasting(sound, inspect_episodes(sound)) is None
    assert "How long episodes last" not in data_page(sound, inspect_episodes(sound))
