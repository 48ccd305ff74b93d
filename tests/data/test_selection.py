"""What `--select` says chooses these episodes and no others, and what it cannot choose it names."""

from pathlib import Path

import numpy as np
import pytest

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.data.selection import parse_selection, selected
from steadyhand.errors import ConfigurationError

LENGTHS = (4, 9, 20, 6)
NUMBERS = (0, 2, 5, 6)
"""An episode 1, 3 and 4 that somebody took out."""


def made() -> Episodes:
    steps = sum(LENGTHS)
    task = np.repeat([0, 1, 0, 2], LENGTHS)
    task[5] = 2  # episode 2 is of two tasks
    return Episodes(
        {"state": np.arange(steps)[:, None], "action": np.zeros((steps, 1)), "task_index": task},
        np.cumsum(LENGTHS),
        numbers=NUMBERS,
        tasks=("pick + place", "Don't spill", "stack, then wait"),
        success=(True, None, False, True),
        masks={"train": (0, 2, 3), "valid": (1,), "20%, easy": (3,)},
    )


@pytest.mark.parametrize(
    ("select", "numbers"),
    [
        ("", NUMBERS),
        ("0:5", (0, 2)),
        ("0:6", (0, 2, 5)),
        ("2:", (2, 5, 6)),
        (":3", (0, 2)),
        ("5", (5,)),
        ("6, 0", (0, 6)),
        ("0,5:7", (0, 5, 6)),
        ("0:7:2", (0, 2, 6)),
        ("-2:", (5, 6)),
        (":-1", (0, 2, 5)),
        ("-9:", NUMBERS),
        ("-1", (6,)),
        ("success", (0, 6)),
        ("failed", (5,)),
        ("mask=train", (0, 5, 6)),
        ("mask=valid,train", NUMBERS),
        ("mask=20%, easy", (6,)),
        ('mask="valid"', (2,)),
        ("task=pick + place", (0, 5)),
        ('task="pick + place"', (0, 5)),
        ("task=pick + place+success", (0,)),
        ('success + task="pick + place"', (0,)),
        ("task=don't  spill", (2,)),
        ("""task='pick + place',"Don't spill\"""", (0, 2, 5)),
        ('task="stack, then wait"', (2, 6)),
        ("length>=9", (2, 5)),
        ("length>9", (5,)),
        ("length<6", (0,)),
        ("length <= 6", (0, 6)),
        ("length=6", (6,)),
        ("length=4:9", (0, 6)),
        ("length=9:", (2, 5)),
        ("mask=train+length>=6+0:6", (5,)),
    ],
)
def test_these_and_no_others(select: str, numbers: tuple[int, ...]) -> None:
    found = selected(made(), select)
    assert tuple(found.number(place) for place in range(len(found))) == numbers
    places = [NUMBERS.index(number) for number in numbers]
    whole = made()
    wanted = np.concatenate([whole.read("state", *_span(whole, place)) for place in places])
    np.testing.assert_array_equal(found.read("state"), wanted)
    assert bool(found.chosen) == bool(select)


def _span(episodes: Episodes, place: int) -> tuple[int, int]:
    return int(episodes.starts[place]), int(episodes.ends[place])


def test_what_is_said_of_episodes_goes_with_them() -> None:
    found = selected(made(), "2,6")
    assert found.success == (None, True)
    assert found.masks == {"train": (1,), "valid": (0,), "20%, easy": (1,)}
    assert found.chosen == "2 of 4 episodes are chosen: 2,6"
    assert selected(found, "mask=train").numbers == (6,)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("3", r"no episode 3 in the data\. Its episodes are 0, 2, 5, 6, of 4 to 20 steps"),
        ("7:9", "no episode in 7:9"),
        (":-9", "no episode in :-9"),
        ("-5", "no episode -5"),
        ("mask=training", "no mask 'training'. Did you mean 'train'"),
        ("task=juggle", "no task 'juggle'"),
        ("length>20", "chooses none of the 4 episodes"),
        ("success+length>9", "success leaves 2, length>9 leaves 0"),
        ("0:4:0", "1 or more"),
    ],
)
def test_what_is_not_there_is_named(select: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        selected(made(), select)


@pytest.mark.parametrize(
    "select",
    [
        "sucess",
        "+",
        "1;2",
        "0:5+",
        "+0:5",
        "0:5+sucess",
        "length=",
        "mask=",
        "1..5",
        "0-50",
        "1,,2",
        "length>=many",
        "0:5:1:2",
        "9" * 5000,
    ],
)
def test_what_is_no_selection_says_how_to_write_one(select: str) -> None:
    with pytest.raises(ConfigurationError, match="chosen by 0:50, 1,4,7, success"):
        parse_selection(select)


def test_a_set_that_marks_nothing_says_so() -> None:
    plain = Episodes({"state": np.zeros((6, 1))}, np.array([3, 6]))
    with pytest.raises(ConfigurationError, match="does not say which of its episodes succeeded"):
        selected(plain, "success")
    with pytest.raises(ConfigurationError, match=r"no mask 'train'\. Available: none"):
        selected(plain, "mask=train")
    with pytest.raises(ConfigurationError, match="does not say in words"):
        selected(plain, "task=a")


def test_numbers_stay_those_of_the_set_where_episodes_are_broken(tmp_path: Path) -> None:
    steps = np.zeros((9, 2))
    steps[4] = np.nan
    write_episodes(tmp_path / "set.npz", Episodes({"state": np.zeros((9, 2))}, np.array([3, 6, 9])))
    np.savez(tmp_path / "bad.npz", state=steps, episode_ends=np.array([3, 6, 9]))
    assert open_episodes(tmp_path / "set.npz", select="1:").numbers == (1, 2)
    found = open_episodes(tmp_path / "bad.npz", select="0,2", skip_broken_episodes=True)
    assert found.numbers == (0, 2)
    with pytest.raises(
        ConfigurationError, match=r"no episode 1 .* it is left out: .* not a finite"
    ):
        open_episodes(tmp_path / "bad.npz", select="1", skip_broken_episodes=True)
    with pytest.raises(ConfigurationError, match="chosen by"):
        open_episodes(tmp_path / "nowhere", select="all of them")
